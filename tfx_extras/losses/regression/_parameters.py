"""Predictions of several parameters of a distribution for each target."""

from typing import Any

from keras import ops

from tfx_extras._backend import backend
from tfx_extras.losses._base import numbers
from tfx_extras.losses._base import predictions
from tfx_extras.losses._base import require_one_shape
from tfx_extras.losses._base import with_last
from tfx_extras.losses._base import without_last


def parameters(y_true, y_pred, names: tuple[str, ...]) -> tuple[Any, list]:
    """Returns the targets, and one tensor of their shape for each named parameter.

    `y_pred` has the parameters on its last axis, which `y_true` lacks or has with size
    1, or it is a tuple of tensors of the shape of `y_true`. All are in `float32` or
    wider.
    """
    if isinstance(y_pred, list | tuple) and any(hasattr(p, "shape") for p in y_pred):
        return _apart(y_true, y_pred, names)
    y_pred = predictions(y_pred)
    y_true = numbers(y_true, y_pred.dtype)
    shapes = tuple(y_true.shape), tuple(y_pred.shape)
    if len(shapes[0]) == len(shapes[1]) and shapes[0][-1:] in ((1,), (None,)):
        y_true = without_last(y_true)
    message = (
        f"`y_pred` must have the {len(names)} parameters {_listed(names)} on its last "
        "axis, and `y_true` the same shape without this axis or with size 1 there. "
        f"Received: y_true.shape={shapes[0]}, y_pred.shape={shapes[1]}"
    )
    if len(shapes[1]) < 2 or shapes[1][-1] not in (len(names), None):
        raise ValueError(message)
    each = ops.unstack(with_last(y_pred, len(names)), len(names), axis=-1)
    require_one_shape(y_true, each[0], message)
    return backend.same_shape(y_true, each[0])[0], list(each)


def _apart(y_true, y_pred, names) -> tuple[Any, list]:
    if len(y_pred) != len(names):
        raise ValueError(
            f"`y_pred` must have the {len(names)} parameters {_listed(names)}. "
            f"Received: {len(y_pred)} tensors"
        )
    y_pred = [predictions(p) for p in y_pred]
    y_true = numbers(y_true, y_pred[0].dtype)
    for name, p in zip(names, y_pred, strict=True):
        require_one_shape(
            y_true,
            p,
            f"Each parameter in `y_pred` must have the shape of `y_true`. Received: "
            f"y_true.shape={tuple(y_true.shape)}, {name}.shape={tuple(p.shape)}",
        )
    return y_true, y_pred


def _listed(names) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}"
