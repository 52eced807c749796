"""Hyperparameters: their names, and how they are saved and loaded."""

import inspect
from collections.abc import Callable
from typing import Any

import keras


def parameters(function: Callable[..., Any], inputs: int) -> tuple[str, ...]:
    """Returns the names of a function's parameters after its first `inputs` ones."""
    return tuple(inspect.signature(function).parameters)[inputs:]


def parameters_of_class(cls: type, inputs: int) -> tuple[str, ...]:
    """Returns those of `cls.function`, without `self` if it is a method."""
    is_method = inspect.isfunction(inspect.getattr_static(cls, "function"))
    return parameters(getattr(cls, "function"), inputs + is_method)  # noqa: B009


def saved(value: Any) -> Any:
    """Returns an argument as a configuration holds it: plain, or as a dictionary."""
    if isinstance(value, list):
        return [saved(item) for item in value]
    if callable(value):  # a function, a loss, a schedule
        return keras.saving.serialize_keras_object(value)
    return value


def loaded(value: Any) -> Any:
    """Returns the argument that a configuration holds: the inverse of `saved`."""
    if isinstance(value, list):
        return [loaded(item) for item in value]
    if isinstance(value, dict):
        return keras.saving.deserialize_keras_object(value)
    return value
