"""Variables of half precision, and beside each what rounding took from it."""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from tfx_extras._backend import backend
from tfx_extras._precision import wide


def add_residual(add: Callable[..., Any], variable: Any, name: str) -> Any:
    """Returns what `store` keeps beside a variable, `None` if it is not rounded.

    Args:
        add: `add_variable_from_reference` of a Keras optimizer.
        variable: The variable.
        name: Name of what is added.
    """
    return add(variable, name) if _dtype(variable) != wide(variable.dtype) else None


def exact(variable: Any, residual: Any) -> Any:
    """Returns the value of a variable before `store` rounded it."""
    value = ops.cast(variable, wide(variable.dtype))
    return value if residual is None else value + ops.cast(residual, value.dtype)


def rounded(value: Any, variable: Any, residual: Any) -> tuple[Any, Any]:
    """Returns what of `value` goes into `variable`, and what is left, or `None`."""
    main = backend.round_to(value, _dtype(variable))
    if residual is None:
        return main, None
    lost = value - ops.cast(main, value.dtype)
    return main, ops.cast(lost, _dtype(residual))


def store(value: Any, variable: Any, residual: Any) -> None:
    """Rounds `value` into `variable`, and what that takes into `residual`."""
    main, lost = rounded(value, variable, residual)
    if residual is not None:
        residual.assign(lost)
    variable.assign(main)


def _dtype(variable: Any) -> str:
    return keras.backend.standardize_dtype(variable.dtype)
