"""Gradient clipping, by the norm of one or all gradients, in their own precision."""

from collections.abc import Sequence
from typing import Any

from keras import ops

from tfx_extras._precision import wide


def clipped_by_norm(gradient: Any, largest: float) -> Any:
    """Returns a gradient with a norm of at most `largest`."""
    return gradient * _factor(ops.sum(ops.square(gradient)), largest)


def global_factor(gradients: Sequence[Any], largest: float) -> Any:
    """Returns the factor that bounds the norm of all gradients by `largest`."""
    dtype = max(wide(g.dtype) for g in gradients)  # `float64` if there is one
    squares = [ops.sum(ops.square(ops.cast(g, dtype))) for g in gradients]
    return _factor(sum(squares), largest)


def _factor(square, largest) -> Any:
    norm = ops.sqrt(square)
    bound = ops.convert_to_tensor(largest, norm.dtype)
    return bound / ops.where(norm <= bound, bound, norm)  # NaN stays NaN
