"""Compensated (Kahan) summation: 16-bit variables, each with its rounding error."""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from tfx_extras._backend import backend
from tfx_extras._precision import wide

# A little more than half a unit in the last place, by dtype: relative to the value, and
# absolute, for values so small that the unit becomes no smaller.
_HALF_UNIT = {"bfloat16": (1.01 * 2.0**-8, 0.0), "float16": (1.01 * 2.0**-11, 2.0**-24)}


def add_residual(add: Callable[..., Any], variable: Any, name: str) -> Any:
    """Adds a variable for the rounding error of another, `None` if it has none.

    Args:
        add: `add_variable_from_reference` of a Keras optimizer.
        variable: The variable that is rounded.
        name: Name of the variable to add.
    """
    return add(variable, name) if _dtype(variable) != wide(variable.dtype) else None


def spacing(variable: Any, residual: Any) -> tuple[float, float]:
    """Returns how far `exact` may be from what was stored, beyond its own rounding.

    The first number is relative to the value, and the second is absolute.
    """
    half, tiny = _HALF_UNIT.get(_dtype(variable), (0.0, 0.0))
    if residual is None:
        return half, tiny
    return (half**2, tiny) if _dtype(residual) == _dtype(variable) else (0.0, 0.0)


def exact(variable: Any, residual: Any) -> Any:
    """Returns the value of a variable before `store` rounded it."""
    value = ops.cast(variable, wide(variable.dtype))
    if residual is None:
        return value
    lost = ops.cast(residual, value.dtype)
    # A larger error belongs to a former value, and the variable was assigned since.
    half, tiny = _HALF_UNIT[_dtype(variable)]
    is_its_own = ops.absolute(lost) < half * ops.absolute(value) + tiny
    return value + ops.where(is_its_own, lost, ops.zeros_like(lost))


def rounded(value: Any, variable: Any, residual: Any) -> tuple[Any, Any]:
    """Returns `value` rounded for `variable`, and the rounding error or `None`."""
    main = backend.round_to(value, _dtype(variable))
    if residual is None:
        return main, None
    lost = value - ops.cast(main, value.dtype)
    return main, ops.cast(lost, _dtype(residual))


def store(value: Any, variable: Any, residual: Any) -> None:
    """Stores `value` rounded in `variable`, and the rounding error in `residual`."""
    main, lost = rounded(value, variable, residual)
    if residual is not None:
        residual.assign(lost)
    variable.assign(main)


def _dtype(variable: Any) -> str:
    return keras.backend.standardize_dtype(variable.dtype)
