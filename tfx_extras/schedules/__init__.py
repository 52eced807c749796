"""Learning rate schedules."""

import keras as _keras

from tfx_extras._lookup import Catalog as _Catalog
from tfx_extras.schedules._epochs import epochs
from tfx_extras.schedules._plot import plot
from tfx_extras.schedules.cyclical import Cyclical
from tfx_extras.schedules.cyclical import cyclical
from tfx_extras.schedules.inverse_square_root import InverseSquareRoot
from tfx_extras.schedules.inverse_square_root import inverse_square_root
from tfx_extras.schedules.one_cycle import OneCycle
from tfx_extras.schedules.one_cycle import one_cycle
from tfx_extras.schedules.piecewise_linear import PiecewiseLinear
from tfx_extras.schedules.piecewise_linear import piecewise_linear
from tfx_extras.schedules.sequential import Sequential
from tfx_extras.schedules.sequential import sequential
from tfx_extras.schedules.warmup import Warmup
from tfx_extras.schedules.warmup import warmup
from tfx_extras.schedules.warmup_cosine import WarmupCosine
from tfx_extras.schedules.warmup_cosine import warmup_cosine
from tfx_extras.schedules.warmup_stable_decay import WarmupStableDecay
from tfx_extras.schedules.warmup_stable_decay import warmup_stable_decay

_catalog = _Catalog(
    "schedule",
    _keras.optimizers.schedules.LearningRateSchedule,
    _keras.optimizers.schedules,
    [
        cyclical,
        inverse_square_root,
        one_cycle,
        piecewise_linear,
        sequential,
        warmup,
        warmup_cosine,
        warmup_stable_decay,
        Cyclical,
        InverseSquareRoot,
        OneCycle,
        PiecewiseLinear,
        Sequential,
        Warmup,
        WarmupCosine,
        WarmupStableDecay,
    ],
)
get = _catalog.get
list = _catalog.list

__all__ = [
    "Cyclical",
    "InverseSquareRoot",
    "OneCycle",
    "PiecewiseLinear",
    "Sequential",
    "Warmup",
    "WarmupCosine",
    "WarmupStableDecay",
    "cyclical",
    "epochs",
    "get",
    "inverse_square_root",
    "list",
    "one_cycle",
    "piecewise_linear",
    "plot",
    "sequential",
    "warmup",
    "warmup_cosine",
    "warmup_stable_decay",
]
