"""Constructors that accept tensors as numbers, as in TensorFlow Addons."""

import functools
from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from tfx_extras._typed import typechecked as check_types


def typechecked(function: Callable[..., Any]) -> Any:
    """Decorates a constructor to check types and to accept a tensor as a number."""
    checked = check_types(function)

    @functools.wraps(function)
    def converted(*args, **kwargs):
        return checked(
            *map(as_argument, args),
            **{name: as_argument(value) for name, value in kwargs.items()},
        )

    return converted


def as_argument(value: Any) -> Any:
    """Returns the number in a tensor, a function that reads a variable, or `value`."""
    if is_variable(value):
        return Read(value)
    return as_number(value)


def as_number(value: Any) -> Any:
    """Returns the number that a scalar tensor or variable holds, or `value`."""
    if not (ops.is_tensor(value) or is_variable(value)) or tuple(value.shape):
        return value
    try:
        return ops.convert_to_numpy(ops.convert_to_tensor(value)).item()
    except Exception as error:  # each backend raises its own
        raise ValueError(
            "A hyperparameter must be a number, or a tensor whose value is known when "
            f"a step is compiled. Received: {value}"
        ) from error


def number_now(value: Any) -> Any:
    """Returns the number that a function returns now, or the number itself."""
    return as_number(value() if callable(value) else value)


def is_variable(value: Any) -> bool:
    """Whether `value` is a variable of Keras or of TensorFlow, which can change."""
    if isinstance(value, keras.Variable):
        return True
    return ops.is_tensor(value) and hasattr(value, "assign")


class Read:
    """A function that returns the value of a variable."""

    __name__ = "variable"

    def __init__(self, variable: Any):
        self.variable = variable

    def __call__(self):
        return ops.convert_to_tensor(self.variable)

    def __repr__(self):
        return repr(self.variable)
