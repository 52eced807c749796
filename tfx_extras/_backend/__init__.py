"""Backend-specific code: one interface, and one file for each backend.

Only these files import TensorFlow, JAX or PyTorch, and only the one that is in use.
"""

import keras

from tfx_extras._backend._face import Backend
from tfx_extras._backend._face import KeptRows
from tfx_extras._backend._face import Rows

__all__ = ["KeptRows", "Rows", "backend"]

if keras.backend.backend() == "tensorflow":
    from tfx_extras._backend.tensorflow import TensorFlow as _Backend
elif keras.backend.backend() == "jax":
    from tfx_extras._backend.jax import Jax as _Backend
else:
    from tfx_extras._backend.torch import Torch as _Backend

backend: Backend = _Backend()
