"""Losses."""

import keras as _keras

from tfx_extras._lookup import Catalog as _Catalog
from tfx_extras.losses._base import *
from tfx_extras.losses.classification import *
from tfx_extras.losses.combined import *
from tfx_extras.losses.embedding import *
from tfx_extras.losses.regression import *
from tfx_extras.losses.vision import *

_catalog = _Catalog("loss", _keras.losses.Loss, _keras.losses, globals())
get = _catalog.get
list = _catalog.list

__all__ = _catalog.public  # pyright: ignore[reportUnsupportedDunderAll]
