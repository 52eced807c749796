"""Optimizers."""

import keras as _keras

from tfx_extras._lookup import Catalog as _Catalog
from tfx_extras.optimizers._base import Optimizer
from tfx_extras.optimizers._base import OptimizerOptions
from tfx_extras.optimizers.adabelief import AdaBelief
from tfx_extras.optimizers.cocob import COCOB
from tfx_extras.optimizers.conditional_gradient import ConditionalGradient
from tfx_extras.optimizers.lamb import LAMB
from tfx_extras.optimizers.lazy_adam import LazyAdam
from tfx_extras.optimizers.novograd import NovoGrad
from tfx_extras.optimizers.proximal_adagrad import ProximalAdagrad
from tfx_extras.optimizers.radam import RAdam
from tfx_extras.optimizers.wrappers.layer_wise_decay import layer_wise_decay
from tfx_extras.optimizers.wrappers.lookahead import Lookahead
from tfx_extras.optimizers.wrappers.lookahead import Ranger
from tfx_extras.optimizers.wrappers.moving_average import MovingAverage
from tfx_extras.optimizers.wrappers.parameter_groups import ParameterGroups
from tfx_extras.optimizers.wrappers.swa import SWA
from tfx_extras.optimizers.wrappers.update_batch_norm import update_batch_norm
from tfx_extras.optimizers.yogi import Yogi

_catalog = _Catalog(
    "optimizer",
    _keras.optimizers.Optimizer,
    _keras.optimizers,
    [
        AdaBelief,
        COCOB,
        ConditionalGradient,
        LAMB,
        LazyAdam,
        Lookahead,
        MovingAverage,
        NovoGrad,
        ParameterGroups,
        ProximalAdagrad,
        RAdam,
        Ranger,
        SWA,
        Yogi,
    ],
)
get = _catalog.get
list = _catalog.list

__all__ = [
    "COCOB",
    "LAMB",
    "SWA",
    "AdaBelief",
    "ConditionalGradient",
    "LazyAdam",
    "Lookahead",
    "MovingAverage",
    "NovoGrad",
    "Optimizer",
    "OptimizerOptions",
    "ParameterGroups",
    "ProximalAdagrad",
    "RAdam",
    "Ranger",
    "Yogi",
    "get",
    "layer_wise_decay",
    "list",
    "update_batch_norm",
]
