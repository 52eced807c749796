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
from tfx_extras.losses._base import classes_last
from tfx_extras.losses._base import masked
from tfx_extras.losses._base import mean
from tfx_extras.losses._base import numbers
from tfx_extras.losses._base import predictions
from tfx_extras.losses._base import require_numbers
from tfx_extras.losses._base import require_one_shape
from tfx_extras.losses._base import without_last

# How to convert labels, if no loss takes them as they are.
ARGMAX = "`keras.ops.argmax(y_true, axis=-1)`"
ONE_HOT = "`keras.ops.one_hot(y_true, classes)`"
LIKELY = (
    "Do labels start at 1? Then subtract 1. Do some of them mark padding? Then pass "
    "that label as `ignore_class`, if the loss has this argument."
)
ClassWeights = Sequence[Number] | np.ndarray  # one per class


def require_weights(name: str, weights: Number | ClassWeights | None) -> Any:
    """Returns `None`, a number, or a list of numbers, all in [0, inf), or raises.

    An array becomes a list, which a saved configuration needs.
    """
    if weights is None:
        return None
    if isinstance(weights, float | int | np.number):
        return require(name, weights, "[0, inf)")
    return require_each(name, weights, "[0, inf)")


def require_ignore_class(ignore_class: int | np.integer | None) -> int | None:
    """Returns the class as an `int` that labels can be compared with, or raises."""
    if ignore_class is None:
        return None
    return require("ignore_class", ignore_class, "[-2147483648, 2147483647]")


def require_class_axis(axis: int) -> int:
    """Returns `axis` unless it is the batch axis."""
    if axis == 0:
        raise ValueError(
            "Argument `axis` must be the axis of the classes, not 0, the batch axis. "
            f"Received: axis={axis}"
        )
    return axis


def per_class(name: str, weights: Any, classes: int | None, dtype: Any) -> Any:
    """Returns weights of `dtype`: one number, or one number per class."""
    if weights is None:
        return 1.0
    weights = ops.convert_to_tensor(weights, dtype)
    expected = weights.shape if classes is None else (classes,)
    if len(weights.shape) > 1 or (len(weights.shape) > 0 and weights.shape != expected):
        raise ValueError(
            f"Argument `{name}` must have one weight for each of the {classes} "
            f"classes. Received: {name}.shape={tuple(weights.shape)}"
        )
    return weights


class DenseLabels(NamedTuple):
    """The fraction of each sample that belongs to each class."""

    shares: Any
    valid: Any  # which samples count; `None` if all do

    def expected(self, term: Callable, values, weights, label_smoothing: Number):
        """The sum of `weights * term(values)` weighted by the smoothed labels."""
        shares = (1 - label_smoothing) * self.shares
        if label_smoothing > 0:
            classes = ops.cast(ops.shape(values)[-1], values.dtype)
            shares = shares + label_smoothing / classes
        shares = weights * shares
        if backend.may_be_infinite(-values):
            # Not the result of `term`, whose gradient would be NaN there.
            is_left_out = (shares == 0) & (values == float("-inf"))
            values = ops.where(is_left_out, ops.zeros_like(values), values)
        return ops.sum(shares * term(values), axis=-1)

    def settle(self, loss):
        """The loss, masked where samples do not count."""
        return loss if self.valid is None else masked(loss, self.valid)


def product(shares, surprise):
    """The product; 0 where a class has no share and its logit is -inf. NaN stays."""
    if not backend.may_be_infinite(surprise):
        return shares * surprise
    is_left_out = (shares == 0) & (surprise == float("inf"))
    nothing = ops.convert_to_tensor(0.0, surprise.dtype)
    return shares * ops.where(is_left_out, nothing, surprise)


class SparseLabels(NamedTuple):
    """The class of each sample."""

    classes: Any  # 0 where the label is out of range
    known: Any  # where the label is in range, or ignored
    valid: Any  # which samples count; `None` if all do
    is_checked: bool = False  # whether `known` was read, and holds everywhere

    def expected(self, term: Callable, values, weights, label_smoothing: Number):
        """The sum of `weights * term(values)` weighted by the smoothed labels."""
        own = ops.expand_dims(self.classes, -1)
        if isinstance(weights, float) or len(weights.shape) == 0:
            weight = weights
        else:
            weight = ops.take(weights, own, axis=0)
        loss = weight * term(ops.take_along_axis(values, own, axis=-1))
        if label_smoothing > 0:  # only then do all classes matter
            others = mean(weights * term(values), keepdims=True)
            loss = (1 - label_smoothing) * loss + label_smoothing * others
        return ops.squeeze(loss, -1)

    def settle(self, loss):
        """The loss: NaN for labels out of range, masked where samples do not count."""
        if not self.is_checked:
            nan = ops.convert_to_tensor(float("nan"), loss.dtype)
            loss = ops.where(self.known, loss, nan)
        return loss if self.valid is None else masked(loss, self.valid)


def dense_labels(
    y_true,
    y_pred,
    ignore_class,
    axis,
    sparse=ONE_HOT,
) -> tuple[DenseLabels, Any]:
    """Returns the labels, and `y_pred` in `float32` or wider with the classes last.

    `sparse` names what takes integer labels, for the error.
    """
    y_pred = predictions(y_pred)
    y_true = numbers(y_true, y_pred.dtype)
    shapes = tuple(y_true.shape), tuple(y_pred.shape)
    is_sparse = len(shapes[0]) < len(shapes[1]) or shapes[0][-1:] == (1,)
    cure = f" For integer labels, use {sparse}." if is_sparse else ""
    require_one_shape(
        y_true,
        y_pred,
        "`y_true` and `y_pred` must have the same shape, with an axis for the classes."
        f"{cure} Received: y_true.shape={shapes[0]}, y_pred.shape={shapes[1]}",
    )
    y_true, y_pred = backend.same_shape(y_true, y_pred)
    y_true, y_pred = (classes_last(tensor, axis) for tensor in (y_true, y_pred))
    valid = None
    if ignore_class is not None and y_true.shape[-1] == 1:
        valid = ops.round(y_true[..., 0]) != ignore_class
        y_true = ops.where(valid[..., None], y_true, ops.zeros_like(y_true))
    elif ignore_class is not None:
        _require_column("ignore_class", ignore_class, y_true)
        valid = ops.argmax(y_true, axis=-1) != ignore_class
    return DenseLabels(y_true, valid), y_pred


def _require_column(name: str, value: int, y_true) -> None:
    """Raises if labels with an axis of classes cannot have the class `value`."""
    classes = y_true.shape[-1]
    if classes is not None and not 0 <= value < classes:
        raise ValueError(
            f"Argument `{name}` must be one of the {classes} classes that `y_true` has "
            "on its last axis. Pass weights of 0 as `sample_weight` instead, or use "
            f"integer labels and the sparse form of the loss. Received: {name}={value}"
        )


def sparse_labels(
    y_true,
    y_pred,
    ignore_class,
    axis,
    dense=ARGMAX,
    as_given=False,
) -> tuple[SparseLabels, Any]:
    """Returns the labels, and `y_pred` in `float32` or wider with the classes last.

    `dense` names what takes one-hot labels, for the error. With `as_given`, `y_pred`
    keeps its dtype, because widening would copy it.
    """
    if as_given:
        require_numbers("y_pred", y_pred)
        y_pred = ops.convert_to_tensor(y_pred)
    else:
        y_pred = predictions(y_pred)
    y_pred = classes_last(y_pred, axis)
    received = f"y_pred.shape={tuple(y_pred.shape)}, with the class axis last"
    like = "`y_pred` without the class axis", received
    labels = class_of_each(
        y_true, y_pred[..., 0], ops.shape(y_pred)[-1], ignore_class, like, dense
    )
    return labels, y_pred


def class_of_each(
    y_true, samples, classes, ignore_class, like, dense=ARGMAX, likely=LIKELY
) -> SparseLabels:
    """Returns the labels of `samples`, one for each of their elements.

    Args:
        y_true: Labels, of the shape of `samples`, or with a last axis of size 1.
        samples: A tensor of the shape that the labels must have.
        classes: The number of classes; a tensor, if it is not known.
        ignore_class: The label of samples that do not count, or `None`.
        like: Which shape is meant, and which was received, for the error.
        dense: What takes one-hot labels, for the error.
        likely: The likely cause of labels that are out of range, for the error.
    """
    labels, whole = integers(y_true)
    shape = tuple(labels.shape)
    is_longer = len(shape) == len(samples.shape) + 1
    cure = f" For one-hot labels, use {dense}." * is_longer
    if is_longer and shape[-1] in (1, None):
        labels = without_last(labels)
        whole = whole if whole is True else without_last(whole)
    require_one_shape(
        labels,
        samples,
        f"`y_true` must have the shape of {like[0]} (a last axis of size 1 may follow),"
        f" one integer per sample.{cure} Received: y_true.shape={shape}, {like[1]}",
    )
    labels, _ = backend.same_shape(labels, samples)
    is_seen = isinstance(classes, int)
    most = classes if is_seen else ops.cast(classes, labels.dtype)
    known = (labels >= 0) & (labels < most)
    known = known if whole is True else whole & known
    valid = None
    also = ""
    if ignore_class is None and backend.holds(known):
        return SparseLabels(labels, known, None, is_checked=True)
    if ignore_class is not None:
        valid = labels != ignore_class
        valid = valid if whole is True else valid | ~whole
        also = f", or {ignore_class}"
    allowed = known if valid is None else known | ~valid
    end = classes if is_seen else "classes"
    try:
        backend.check(
            allowed, f"`y_true` must hold classes in [0, {end}){also}. {likely}"
        )
    except ValueError as error:
        raise ValueError(f"{error}{_first_wrong(y_true, allowed)}") from None
    inside = ops.where(known, labels, ops.zeros_like(labels))
    return SparseLabels(inside, allowed, valid)


def _first_wrong(y_true, allowed) -> str:
    """The first label that is not allowed, for the error, if it can be read."""
    try:
        labels, allowed = (ops.convert_to_numpy(x) for x in (y_true, allowed))
    except RuntimeError:  # PyTorch cannot read values within a transform
        return ""
    wrong = labels.reshape(-1)[allowed.argmin()]
    hint = "" if float(wrong).is_integer() else " Labels must be whole numbers."
    return f"{hint} Received: y_true=[..., {wrong}, ...]"


def integers(y_true) -> tuple[Any, Any]:
    """Returns labels as signed integers of 32 bits or more, and where they are valid.

    Integer labels are never converted to floats, in which those above 2**24 would
    collide. A label is not valid if it is not a whole number or does not fit the type.
    `True` says that all are valid.
    """
    require_numbers("y_true", y_true)
    if isinstance(y_true, (np.ndarray, list, tuple)):
        y_true, fits = _narrow(np.asarray(y_true))
    else:
        fits = True
    y_true = ops.convert_to_tensor(y_true)
    dtype = keras.backend.standardize_dtype(y_true.dtype)
    if "float" not in dtype:
        labels = ops.cast(y_true, "int64" if "64" in dtype else "int32")
        is_signed = dtype.startswith("int") or dtype == "bool"
        # A label that is too large for the signed type becomes negative.
        whole = is_signed or labels >= 0
        if fits is not True:
            fits = ops.convert_to_tensor(fits)
            whole = fits if whole is True else whole & fits
        return labels, whole
    y_true = ops.cast(y_true, wide(dtype))
    labels = ops.cast(y_true, "int32")
    return labels, ops.cast(labels, y_true.dtype) == y_true


def _narrow(y_true: np.ndarray) -> tuple[np.ndarray, Any]:
    """Returns integers as `int32`, and where they fit; other dtypes unchanged.

    JAX, and not only JAX, keeps just the last 32 bits of an integer.
    """
    if y_true.dtype.kind not in "iu" or y_true.dtype.itemsize < 4:
        return y_true, True
    fits = (y_true >= -(2**31)) & (y_true < 2**31)
    return np.where(fits, y_true, 0).astype("int32"), bool(fits.all()) or fits
