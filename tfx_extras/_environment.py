"""Explains what to do if Keras cannot start, or starts with another backend."""

import json
import os
import warnings
from pathlib import Path

from tfx_extras._suggest import did_you_mean

BACKENDS = ("tensorflow", "jax", "torch")
_ALIASES = {"tf": ("tensorflow",), "pytorch": ("torch",)}


def _chosen() -> str:
    """Returns the backend that Keras is configured to use."""
    home = Path(os.environ.get("KERAS_HOME") or Path("~/.keras").expanduser())
    try:
        configured = json.loads((home / "keras.json").read_text())["backend"]
    except (OSError, ValueError, KeyError, TypeError):
        configured = "tensorflow"
    return os.environ.get("KERAS_BACKEND") or configured


def _not_supported(backend: str) -> str:
    return (
        f"tfx_extras runs on the Keras backends {', '.join(BACKENDS)}. Received: "
        f"'{backend}'.{did_you_mean(backend, BACKENDS, _ALIASES)} Set the environment "
        "variable KERAS_BACKEND before Keras is imported."
    )


try:
    import keras
except Exception as error:  # its class depends on the backend
    chosen = _chosen()
    if chosen not in BACKENDS:
        raise ImportError(_not_supported(chosen)) from error
    if not isinstance(error, ModuleNotFoundError) or error.name != chosen:
        raise
    raise ModuleNotFoundError(
        f"Keras is set to the backend '{chosen}', which is not installed. "
        f"Install it: pip install {chosen}. Or choose another backend: set the "
        "environment variable KERAS_BACKEND before Keras is imported, to one of "
        + ", ".join(BACKENDS),
        name=chosen,
    ) from error

if keras.backend.backend() not in BACKENDS:
    raise ImportError(_not_supported(keras.backend.backend()))


def has_fast_paths() -> bool:
    """Whether the environment variable TFX_EXTRAS_FAST_PATHS is not 0."""
    return os.environ.get("TFX_EXTRAS_FAST_PATHS", "1") != "0"


def warn_of_legacy_keras() -> None:
    """Warns if `tf.keras` is Keras 2, which cannot use the objects of this package."""
    is_tensorflow = keras.backend.backend() == "tensorflow"
    if is_tensorflow and os.environ.get("TF_USE_LEGACY_KERAS") in ("1", "true", "True"):
        warnings.warn(
            "TF_USE_LEGACY_KERAS is set, so `tf.keras` is Keras 2, which cannot use "
            "the objects of tfx_extras. Unset it, or build models with `import keras`.",
            stacklevel=3,
        )
