"""Labels of classes: integers that stay integers, or one number per class."""

from collections.abc import Callable
from collections.abc import Sequence
from typing import Any
from typing import NamedTuple

import keras
import numpy as np
from keras import ops

from tfx_extras._backend import backend
from tfx_extras._checks import Number
from tfx_extras._checks import require
from tfx_extras._checks import require_each
from tfx_extras._precision import wide
from tfx_extras.losses._base import masked
from tfx_extras.losses._base import mean
from tfx_extras.losses._base import predictions
from tfx_extras.losses._base import require_one_shape

ClassWeights = Sequence[Number] | np.ndarray  # one per class


def require_weights(name: str, weights: Number | ClassWeights | None) -> Any:
    """Returns one number, or a list of them, or `None`; each in [0, inf), else raises.

    An array becomes a list, as it has to be in a saved configuration.
    """
    if weights is None:
        return None
    if isinstance(weights, float | int | np.number):
        return require(name, weights, "[0, inf)")
    return require_each(name, weights, "[0, inf)")


def require_ignore_class(ignore_class: int | np.integer | None) -> int | None:
    """Returns the class as an `int` that labels can be compared with, else raises."""
    if ignore_class is None:
        return None
    return require("ignore_class", ignore_class, "[-2147483648, 2147483647]")


def require_class_axis(axis: int) -> int:
    """Returns `axis` unless it is that of the batch."""
    if axis == 0:
        raise ValueError(
            "Argument `axis` must not be 0, which is the axis of the batch. "
            f"Received: axis={axis}"
        )
    return axis


def per_class(name: str, weights: Any, classes: int, dtype: Any) -> Any:
    """Returns weights of `dtype`: one number, or one for each of the classes."""
    if weights is None:
        return 1.0
    weights = ops.convert_to_tensor(weights, dtype)
    if len(weights.shape) > 0 and tuple(weights.shape) != (classes,):
        raise ValueError(
            f"Argument `{name}` must have one weight for each of the {classes} "
            f"classes. Received: {name}.shape={tuple(weights.shape)}"
        )
    return weights


class DenseLabels(NamedTuple):
    """How much of each sample belongs to each class."""

    shares: Any
    valid: Any  # which samples count, or `None`: all

    def expected(self, term: Callable, values, weights, label_smoothing: Number):
        """The mean of `weights * term(values)` over smoothed labels."""
        classes = values.shape[-1]
        shares = (1 - label_smoothing) * self.shares + label_smoothing / classes
        return ops.sum(weights * shares * term(values), axis=-1)

    def settle(self, loss):
        """The loss without the samples that do not count."""
        return loss if self.valid is None else masked(loss, self.valid)


class SparseLabels(NamedTuple):
    """The one class of each sample."""

    classes: Any  # within the classes also where the label is not
    known: Any  # where it is
    valid: Any  # which samples count, or `None`: all

    def expected(self, term: Callable, values, weights, label_smoothing: Number):
        """The mean of `weights * term(values)` over smoothed labels."""
        own = ops.expand_dims(self.classes, -1)
        if isinstance(weights, float) or len(weights.shape) == 0:
            weight = weights
        else:
            weight = ops.take(weights, own, axis=0)
        loss = weight * term(ops.take_along_axis(values, own, axis=-1))
        if label_smoothing > 0:  # all classes matter only then
            others = mean(weights * term(values), keepdims=True)
            loss = (1 - label_smoothing) * loss + label_smoothing * others
        return ops.squeeze(loss, -1)

    def settle(self, loss):
        """The loss without the samples that do not count; NaN for an unknown label."""
        nan = ops.convert_to_tensor(float("nan"), loss.dtype)
        loss = ops.where(self.known, loss, nan)
        return loss if self.valid is None else masked(loss, self.valid)


def dense_labels(y_true, y_pred, ignore_class, axis) -> tuple[DenseLabels, Any]:
    """Returns the labels, and `y_pred` in `float32` or wider with the classes last."""
    y_pred = predictions(y_pred)
    y_true = ops.convert_to_tensor(y_true, y_pred.dtype)
    require_one_shape(
        y_true,
        y_pred,
        "`y_true` and `y_pred` must have one shape, with an axis for the classes. "
        f"Received: y_true.shape={tuple(y_true.shape)}, "
        f"y_pred.shape={tuple(y_pred.shape)}",
    )
    y_true, y_pred = backend.same_shape(y_true, y_pred)
    y_true, y_pred = (classes_last(tensor, axis) for tensor in (y_true, y_pred))
    valid = None
    if ignore_class is not None:
        valid = ops.argmax(y_true, axis=-1) != ignore_class
    return DenseLabels(y_true, valid), y_pred


def sparse_labels(
    y_true, y_pred, ignore_class, axis, as_given=False
) -> tuple[SparseLabels, Any]:
    """Returns the labels, and `y_pred` in `float32` or wider with the classes last.

    With `as_given`, `y_pred` is not made wide, which would copy it.
    """
    y_pred = ops.convert_to_tensor(y_pred) if as_given else predictions(y_pred)
    y_pred = classes_last(y_pred, axis)
    received = f"y_pred.shape={tuple(y_pred.shape)}, with the classes last"
    like = "`y_pred` without the axis of the classes", received
    classes = y_pred.shape[-1]
    return class_of_each(y_true, y_pred[..., 0], classes, ignore_class, like), y_pred


def class_of_each(y_true, samples, classes, ignore_class, like) -> SparseLabels:
    """Returns the labels of `samples`, one for each of their elements.

    Args:
        y_true: Labels, of the shape of `samples`, or with a last axis of size 1.
        samples: A tensor whose shape is meant.
        classes: How many there are.
        ignore_class: The label of samples that do not count, or `None`.
        like: What the shape is that of, and what was received, for an error.
    """
    labels, whole = integers(y_true)
    shape = tuple(labels.shape)
    if len(shape) == len(samples.shape) + 1 and shape[-1] in (1, None):
        labels, whole = ops.squeeze(labels, -1), ops.squeeze(whole, -1)
    require_one_shape(
        labels,
        samples,
        f"`y_true` must have the shape of {like[0]}, up to a last axis of size 1. "
        f"Received: y_true.shape={shape}, {like[1]}",
    )
    labels, _ = backend.same_shape(labels, samples)
    known = whole & (labels >= 0) & (labels < classes)
    valid = None
    also = ""
    if ignore_class is not None:
        valid = (labels != ignore_class) | ~whole
        also = f", or {ignore_class}"
    allowed = known if valid is None else known | ~valid
    backend.check(allowed, f"`y_true` must hold classes in [0, {classes}){also}.")
    inside = ops.where(known, labels, ops.zeros_like(labels))
    return SparseLabels(inside, allowed, valid)


def classes_last(y_pred, axis: int):
    """Returns `y_pred` with the axis of its classes moved to the end."""
    rank = len(y_pred.shape)
    if not (1 <= axis < rank or -rank < axis < 0):
        raise ValueError(
            f"Argument `axis` must be an axis of `y_pred` other than the first, which "
            f"is that of the batch. Received: axis={axis}, "
            f"y_pred.shape={tuple(y_pred.shape)}"
        )
    is_last = axis in (-1, rank - 1)  # TensorFlow's would copy
    return y_pred if is_last else ops.moveaxis(y_pred, axis, -1)


def integers(y_true) -> tuple[Any, Any]:
    """Returns labels as signed integers of 32 bits or more, and where they were whole.

    Never through a float: there, labels above 2**24 would fall together.
    """
    y_true = ops.convert_to_tensor(y_true)
    dtype = keras.backend.standardize_dtype(y_true.dtype)
    if "float" not in dtype:
        labels = ops.cast(y_true, "int64" if dtype in ("int64", "uint64") else "int32")
        return labels, ops.ones_like(labels, dtype="bool")
    y_true = ops.cast(y_true, wide(dtype))
    labels = ops.cast(y_true, "int32")
    return labels, ops.cast(labels, y_true.dtype) == y_true
