"""The losses and optimizers of TensorFlow Addons, by their names and with its numbers.

`import tensorflow_addons as tfa` becomes `from tfx_extras import tfa`.
"""

from tfx_extras.tfa import losses
from tfx_extras.tfa import optimizers

__all__ = ["losses", "optimizers"]
