"""The decorator that lets a saved model load a class or function by name."""

from collections.abc import Callable
from typing import Any

import keras

PACKAGE = "tfx_extras"

register = keras.saving.register_keras_serializable(package=PACKAGE)


def require_registered(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """Returns `function` if it is registered. Raises otherwise."""
    named = getattr(function, "__name__", None)  # a callable object has none
    registered = keras.saving.get_registered_name(function) if named else None
    if keras.saving.get_registered_object(registered) is not function:
        raise ValueError(
            f"Argument `{name}` must be registered, so that a saved model can be "
            "loaded. Decorate it with `@keras.saving.register_keras_serializable()`. "
            f"Received: {name}={function}"
        )
    return function
