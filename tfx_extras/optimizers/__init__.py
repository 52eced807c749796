"""Optimizers."""

import keras as _keras

from tfx_extras._lookup import Catalog as _Catalog
from tfx_extras.optimizers._base import OptimizerOptions
from tfx_extras.optimizers.adabelief import AdaBelief
from tfx_extras.optimizers.lamb import LAMB
from tfx_extras.optimizers.radam import RAdam
from tfx_extras.optimizers.wrappers.layer_wise_decay import layer_wise_decay
from tfx_extras.optimizers.wrappers.lookahead import Lookahead
from tfx_extras.optimizers.wrappers.lookahead import Ranger
from tfx_extras.optimizers.wrappers.moving_average import MovingAverage
from tfx_extras.optimizers.wrappers.parameter_groups import ParameterGroups
from tfx_extras.optimizers.wrappers.swa import SWA
from tfx_extras.optimizers.wrappers.update_batch_norm import update_batch_norm

_catalog = _Catalog(
    "optimizer",
    _keras.optimizers.Optimizer,
    [AdaBelief, LAMB, Lookahead, MovingAverage, ParameterGroups, RAdam, Ranger, SWA],
)
get = _catalog.get
list = _catalog.list

__all__ = [
    "LAMB",
    "SWA",
    "AdaBelief",
    "Lookahead",
    "MovingAverage",
    "OptimizerOptions",
    "ParameterGroups",
    "RAdam",
    "Ranger",
    "get",
    "layer_wise_decay",
    "list",
    "update_batch_norm",
]
