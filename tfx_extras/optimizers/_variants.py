"""What options do to the gradient of one variable, and to its step.

They see the gradient of a whole step, after accumulation and clipping.
"""

from collections.abc import Callable
from typing import Any

from keras import ops

from tfx_extras.optimizers._layouts import axes_of
from tfx_extras.optimizers._layouts import sizes_of


def adaptively_clipped(
    gradient: Any, variable: Any, layout: str | None, limit: Any
) -> Any:
    r"""Clips the norm of each unit's gradient to `limit` times the norm of its weights.

    Units are the outputs of a kernel. A variable that is no kernel is one unit. Norms
    of weights are at least 1e-3, so that weights of zero can move.
    """
    axes = None if layout is None else axes_of(layout, "i")

    def norm(x):
        return ops.sqrt(ops.sum(ops.square(x), axis=axes, keepdims=axes is not None))

    weights, gradients = norm(variable), norm(gradient)
    least = ops.cast(1e-3, weights.dtype)
    most = limit * ops.where(weights > least, weights, least)
    is_above = gradients > most  # false for NaN, which stays
    return gradient * ops.where(is_above, most / ops.where(is_above, gradients, 1), 1)


def centralized(gradient: Any, layout: str | None) -> Any:
    """Subtracts the mean of each unit's gradient, if a unit has several inputs."""
    if layout is None:
        return gradient
    inputs = sizes_of(layout, gradient.shape)[1]
    if inputs == 1:
        return gradient
    # Not `ops.mean`, which narrows `float64`.
    total = ops.sum(gradient, axis=axes_of(layout, "i"), keepdims=True)
    return gradient - total / max(inputs, 1)


def cautious(step: Any, gradient: Any, squared_norms: Callable[..., Any]) -> Any:
    """Keeps the elements of a step along the gradient, and scales them up in turn.

    Args:
        step: What will be subtracted from the weights.
        gradient: The gradient.
        squared_norms: A function that sums squares over the whole variable.
    """
    # Of their signs, because a product could underflow.
    mask = ops.cast(ops.sign(step) * ops.sign(gradient) > 0, step.dtype)
    kept, count = squared_norms(mask, ops.ones_like(mask))  # their squares are 0 or 1
    share = kept / ops.where(count > 0, count, 1.0)
    least = ops.cast(1e-3, share.dtype)
    return step * mask / ops.where(share > least, share, least)
