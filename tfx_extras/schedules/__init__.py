"""Learning-rate schedules."""

import keras as _keras

from tfx_extras._lookup import Catalog as _Catalog
from tfx_extras.schedules._epochs import *
from tfx_extras.schedules._plot import *
from tfx_extras.schedules._range_test import *
from tfx_extras.schedules.cyclical import *
from tfx_extras.schedules.inverse_square_root import *
from tfx_extras.schedules.one_cycle import *
from tfx_extras.schedules.piecewise_linear import *
from tfx_extras.schedules.polynomial import *
from tfx_extras.schedules.rex import *
from tfx_extras.schedules.sequential import *
from tfx_extras.schedules.warmup import *
from tfx_extras.schedules.warmup_cosine import *
from tfx_extras.schedules.warmup_stable_decay import *

_catalog = _Catalog(
    "schedule",
    _keras.optimizers.schedules.LearningRateSchedule,
    _keras.optimizers.schedules,
    globals(),
)
get = _catalog.get
list = _catalog.list

__all__ = _catalog.public  # pyright: ignore[reportUnsupportedDunderAll]
