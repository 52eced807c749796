"""Predictions of several parameters of a distribution for each target."""

from typing import Any

from keras import ops

from tfx_extras._backend import backend
from tfx_extras._precision import wide
from tfx_extras.losses._base import numbers
from tfx_extras.losses._base import predictions
from tfx_extras.losses._base import require_one_shape
from tfx_extras.losses._base import with_last
from tfx_extras.losses._base import without_last

LIMIT = 40.0  # products with the square of 1e6 stay finite in `float32`


def parameters(y_true, y_pred, names: tuple[str, ...]) -> tuple[Any, list]:
    """Returns the targets, and one tensor of their shape for each named parameter.

    `y_pred` has the parameters on its last axis, which `y_true` lacks or has with size
    1. Or it is a tuple of tensors of the shape of `y_true`; any of them may have a last
    axis of size 1. All are in `float32` or wider.
    """
    if isinstance(y_pred, list | tuple) and any(hasattr(p, "shape") for p in y_pred):
        return _apart(y_true, y_pred, names)
    y_pred = predictions(y_pred)
    shape = tuple(y_pred.shape)
    message = (
        f"`y_pred` must have the {len(names)} parameters {_listed(names)} on its last "
        "axis, and `y_true` the same shape without this axis or with size 1 there. "
        "Received: y_true.shape={}, "
        f"y_pred.shape={shape}"
    )
    if len(shape) > 1 and shape[-1] in (len(names), None):
        y_pred = with_last(y_pred, len(names))
    y_true, like = one_target_each(y_true, y_pred, message)
    if y_pred.shape[-1] != len(names):
        raise ValueError(message.format(tuple(y_true.shape)))
    each = ops.unstack(y_pred, len(names), axis=-1)
    return backend.same_shape(y_true, like)[0], list(each)


def one_target_each(y_true, y_pred, message: str) -> tuple[Any, Any]:
    """Returns targets, and a part of `y_pred` of their shape, without its last axis.

    `y_true` has the shape of `y_pred` without the last axis, or with size 1 there.
    `message` is that of the error, with a place for the shape of `y_true`.
    """
    y_true = numbers(y_true, y_pred.dtype)
    message = message.format(tuple(y_true.shape))
    if len(y_pred.shape) < 2:
        raise ValueError(message)
    is_longer = len(y_true.shape) == len(y_pred.shape)
    if is_longer and y_true.shape[-1] in (1, None):
        y_true = without_last(y_true)
    like = y_pred[..., 0]
    require_one_shape(y_true, like, message)
    return y_true, like


def _apart(y_true, y_pred, names) -> tuple[Any, list]:
    if len(y_pred) != len(names):
        raise ValueError(
            f"`y_pred` must have the {len(names)} parameters {_listed(names)}. "
            f"Received: {len(y_pred)} tensors"
        )
    y_pred = [predictions(p) for p in y_pred]
    dtype = max(wide(p.dtype) for p in y_pred)  # float64, if any is
    y_pred = [_flat(ops.cast(p, dtype)) for p in y_pred]
    y_true = _flat(numbers(y_true, dtype))
    for name, p in zip(names, y_pred, strict=True):
        is_longer = len(y_true.shape) == len(p.shape) + 1
        if is_longer and y_true.shape[-1] is None:
            y_true = without_last(y_true)
        require_one_shape(
            y_true,
            p,
            "Each parameter in `y_pred` must have the shape of `y_true`. A last axis "
            f"of size 1 may be missing. Received: y_true.shape={tuple(y_true.shape)}, "
            f"{name}.shape={tuple(p.shape)}",
        )
        y_true = backend.same_shape(y_true, p)[0]
    return y_true, y_pred


def _flat(x):
    """Returns `x` without a last axis of size 1, except that of the batch."""
    return without_last(x) if len(x.shape) > 1 and x.shape[-1] == 1 else x


def _listed(names) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}"


def limited(x, most: float) -> tuple[Any, Any]:
    """Returns `x` limited to `most`, and by how much it exceeds it; `None` for 0."""
    if not backend.may_exceed(x, most):
        return x, None
    excess = ops.relu(x - most)
    return x - excess, excess


def exponential(x):
    """exp(x), continued from x = 40 by its tangent, so that it does not overflow."""
    x, excess = limited(x, LIMIT)
    return ops.exp(x) if excess is None else ops.exp(x) * (1 + excess)
