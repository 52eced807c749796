"""Losses, layers, optimizers, learning rate schedules and callbacks for Keras."""

from tfx_extras import _environment  # first: says what to do if Keras cannot start
from tfx_extras import callbacks
from tfx_extras import layers
from tfx_extras import losses
from tfx_extras import optimizers
from tfx_extras import schedules

__all__ = ["callbacks", "layers", "losses", "optimizers", "schedules"]
__version__ = "0.1.0"

_environment.warn_of_legacy_keras()
