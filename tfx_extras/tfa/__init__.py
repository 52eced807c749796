"""The losses and optimizers of TensorFlow Addons: same names and results, on Keras 3.

`import tensorflow_addons as tfa` becomes `from tfx_extras import tfa`.
"""

from tfx_extras.tfa import losses
from tfx_extras.tfa import optimizers

__all__ = ["losses", "optimizers"]
