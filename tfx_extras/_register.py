"""One decorator makes a class or function loadable by name from a saved model."""

from collections.abc import Callable
from typing import Any

import keras

PACKAGE = "tfx_extras"

register = keras.saving.register_keras_serializable(package=PACKAGE)


def require_registered(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """Returns `function` if a saved configuration can name it, else raises."""
    named = getattr(function, "__name__", None)  # not an object that can be called
    registered = keras.saving.get_registered_name(function) if named else None
    if keras.saving.get_registered_object(registered) is not function:
        raise ValueError(
            f"Argument `{name}` must be registered, for a saved model to find it: "
            "decorate it with `keras.saving.register_keras_serializable()`. "
            f"Received: {name}={function}"
        )
    return function
