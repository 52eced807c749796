"""Says what to do where Keras cannot start, or starts as something else."""

import os
import warnings

BACKENDS = ("tensorflow", "jax", "torch")

try:
    import keras
except ModuleNotFoundError as error:
    if error.name not in BACKENDS:
        raise
    raise ModuleNotFoundError(
        f"Keras is set to the backend '{error.name}', which is not installed. "
        f'Install it: pip install "tfx-extras[{error.name}]". Or choose another '
        "before Keras is imported, by the environment variable KERAS_BACKEND: "
        + ", ".join(BACKENDS),
        name=error.name,
    ) from error

if keras.backend.backend() not in BACKENDS:
    raise ImportError(
        f"tfx_extras runs on the Keras backends {', '.join(BACKENDS)}. "
        f"Received: '{keras.backend.backend()}'. Set the environment variable "
        "KERAS_BACKEND before Keras is imported."
    )


def has_fast_paths() -> bool:
    """Whether TFX_EXTRAS_FAST_PATHS does not say 0."""
    return os.environ.get("TFX_EXTRAS_FAST_PATHS", "1") != "0"


def warn_of_legacy_keras() -> None:
    """Warns if `tf.keras` is Keras 2, which takes none of our objects as its own."""
    is_tensorflow = keras.backend.backend() == "tensorflow"
    if is_tensorflow and os.environ.get("TF_USE_LEGACY_KERAS") in ("1", "true", "True"):
        warnings.warn(
            "TF_USE_LEGACY_KERAS is set, so `tf.keras` is Keras 2, which cannot use "
            "the objects of tfx_extras. Unset it, or build models with `import keras`.",
            stacklevel=3,
        )
