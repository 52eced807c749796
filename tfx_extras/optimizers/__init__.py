"""Optimizers."""

import keras as _keras

from tfx_extras._lookup import Catalog as _Catalog
from tfx_extras.optimizers._base import *
from tfx_extras.optimizers._layouts import *
from tfx_extras.optimizers._options import *
from tfx_extras.optimizers.adabelief import *
from tfx_extras.optimizers.adamw import *
from tfx_extras.optimizers.adan import *
from tfx_extras.optimizers.ademamix import *
from tfx_extras.optimizers.adopt import *
from tfx_extras.optimizers.cocob import *
from tfx_extras.optimizers.conditional_gradient import *
from tfx_extras.optimizers.lamb import *
from tfx_extras.optimizers.lars import *
from tfx_extras.optimizers.lazy_adam import *
from tfx_extras.optimizers.muon import *
from tfx_extras.optimizers.novograd import *
from tfx_extras.optimizers.prodigy import *
from tfx_extras.optimizers.proximal_adagrad import *
from tfx_extras.optimizers.radam import *
from tfx_extras.optimizers.soap import *
from tfx_extras.optimizers.wrappers import *
from tfx_extras.optimizers.yogi import *

_catalog = _Catalog(
    "optimizer", _keras.optimizers.Optimizer, _keras.optimizers, globals()
)
get = _catalog.get
list = _catalog.list

__all__ = _catalog.public  # pyright: ignore[reportUnsupportedDunderAll]
