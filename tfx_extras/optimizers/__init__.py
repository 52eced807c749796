"""Optimizers."""

import keras as _keras

from tfx_extras._lookup import Catalog as _Catalog
from tfx_extras.optimizers._base import OptimizerOptions
from tfx_extras.optimizers.adabelief import AdaBelief
from tfx_extras.optimizers.radam import RAdam

_catalog = _Catalog("optimizer", _keras.optimizers.Optimizer, [AdaBelief, RAdam])
get = _catalog.get
list = _catalog.list

__all__ = ["AdaBelief", "OptimizerOptions", "RAdam", "get", "list"]
