"""The losses and optimizers of TensorFlow Addons: same names and results, on Keras 3.

`import tensorflow_addons as tfa` becomes `from tfx_extras import tfa`.
"""

from typing import Any as _Any

from tfx_extras.tfa import losses
from tfx_extras.tfa import optimizers

__all__ = ["losses", "optimizers"]

# The other packages of TensorFlow Addons, and what to use instead.
_ELSEWHERE = {
    "activations": "use `keras.activations` instead",
    "callbacks": "use `keras.callbacks` and `tfx_extras.callbacks` instead",
    "image": "use `keras.ops.image` and the image layers of `keras.layers` instead",
    "layers": "use `keras.layers` instead",
    "metrics": "use `keras.metrics` instead",
    "rnn": "Keras has no equivalent of its cells",
    "seq2seq": "use `keras.layers.Attention` or KerasHub instead",
    "text": "Keras has no equivalent",
}


def __getattr__(name: str) -> _Any:
    """Says what to use instead of the packages that are not here."""
    message = f"module 'tfx_extras.tfa' has no attribute '{name}'"
    if name in _ELSEWHERE:
        message += (
            ", only the losses and optimizers of TensorFlow Addons: "
            f"{_ELSEWHERE[name]}. The guide docs/guides/migrate.md lists the "
            f"replacement of each name in `{name}`."
        )
    raise AttributeError(message)
