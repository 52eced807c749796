"""Hyperparameters: the names of those of a function, and how they are saved."""

import inspect
from collections.abc import Callable
from functools import cache
from typing import Any

import keras


@cache
def parameters(function: Callable[..., Any], inputs: int) -> tuple[str, ...]:
    """Returns the names of a function's parameters after those of its inputs."""
    return tuple(inspect.signature(function).parameters)[inputs:]


def saved(value: Any) -> Any:
    """Returns an argument as it is in a configuration: plain, or as a dictionary."""
    if isinstance(value, list):
        return [saved(item) for item in value]
    if callable(value):  # a function, a loss, a schedule
        return keras.saving.serialize_keras_object(value)
    return value


def loaded(value: Any) -> Any:
    """Returns the argument that `saved` made a configuration of."""
    if isinstance(value, list):
        return [loaded(item) for item in value]
    if isinstance(value, dict):
        return keras.saving.deserialize_keras_object(value)
    return value
