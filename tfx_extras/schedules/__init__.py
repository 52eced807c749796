"""Learning rate schedules."""

import keras as _keras

from tfx_extras._lookup import Catalog as _Catalog
from tfx_extras.schedules._plot import plot
from tfx_extras.schedules.sequential import Sequential
from tfx_extras.schedules.sequential import sequential
from tfx_extras.schedules.warmup import Warmup
from tfx_extras.schedules.warmup import warmup
from tfx_extras.schedules.warmup_cosine import WarmupCosine
from tfx_extras.schedules.warmup_cosine import warmup_cosine

_catalog = _Catalog(
    "schedule",
    _keras.optimizers.schedules.LearningRateSchedule,
    [sequential, warmup, warmup_cosine, Sequential, Warmup, WarmupCosine],
)
get = _catalog.get
list = _catalog.list

__all__ = [
    "Sequential",
    "Warmup",
    "WarmupCosine",
    "get",
    "list",
    "plot",
    "sequential",
    "warmup",
    "warmup_cosine",
]
