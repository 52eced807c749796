"""What every loss shares, so that each file holds only its formula."""

import functools
from collections.abc import Callable
from typing import Any
from typing import ClassVar
from typing import TypedDict

import keras
from keras import ops

from tfx_extras._backend import backend
from tfx_extras._checks import require_dtype
from tfx_extras._configuration import loaded
from tfx_extras._configuration import parameters
from tfx_extras._configuration import saved
from tfx_extras._precision import wide
from tfx_extras._repr import shown
from tfx_extras._typed import typechecked
from tfx_extras.losses.combined import Combinable

__all__ = ["LossOptions"]

WEIGHTS = "sample_weight"
MEANS = ("mean", "sum_over_batch_size", "mean_with_sample_weight")


class LossOptions(TypedDict, total=False):
    """Keyword arguments of every loss, as in Keras.

    Args:
        name: Name of the loss; by default, that of its function.
        reduction: What becomes of the values of the samples:
            `"sum_over_batch_size"` or `"mean"`: their mean, over those that are
            not masked; `"mean_with_sample_weight"`: their mean by weight; `"sum"`;
            or `"none"` or `None`: one value per sample.
        dtype: Type in which the loss is returned, by default
            `keras.config.floatx()`. It is computed in `float32` or wider.
    """

    name: str | None
    reduction: str | None
    dtype: Any


class FunctionLoss(keras.losses.Loss, Combinable):
    """The class form of a loss: a function and its hyperparameters.

    A subclass sets `function`, whose parameters after `y_true` and `y_pred` are
    the hyperparameters, and stores each as an attribute of the same name. The
    call and the saved configuration follow from them.

    A function that takes `sample_weight` is given that of the call, with masks in
    it. As it has weighed the samples, their mean is then always that by weight.
    """

    function: ClassVar[Callable[..., Any]]
    __repr__ = shown

    @typechecked
    def __init__(
        self,
        name: str | None = None,
        reduction: str | None = "sum_over_batch_size",
        dtype: Any = None,
    ):
        if dtype is not None:
            require_dtype("dtype", dtype)
        super().__init__(name or self.function.__name__, reduction, dtype)

    @property
    def _hyperparameters(self) -> dict[str, Any]:
        names = parameters(self.function, 2)
        return {name: getattr(self, name) for name in names if name != WEIGHTS}

    def __call__(self, y_true, y_pred, sample_weight=None):
        require_numbers("y_pred", y_pred)  # which Keras makes a tensor of
        reduction, weights = self.reduction, {}
        if WEIGHTS in parameters(self.function, 2):
            sample_weight = self._weights(y_pred, sample_weight)
            weights = {WEIGHTS: sample_weight}
            if reduction in ("mean", "sum_over_batch_size"):
                reduction = "mean_with_sample_weight"
        bound = _Bound(self, y_true, reduction, weights)
        loss = bound(0.0, y_pred, _to_be_masked(sample_weight, bound.dtype))
        if self.reduction not in (None, "none") and tuple(loss.shape) == (0,):
            loss = ops.sum(loss)  # Keras returns what an empty batch has: no values
        if getattr(self, "gather", False) and reduction in MEANS:
            by_weight = reduction == "mean_with_sample_weight"
            counted = self._weights(y_pred, sample_weight if by_weight else None)
            loss = backend.mean_of_all(loss, ops.sum(counted))
        return ops.cast(loss, self.dtype)

    def call(self, y_true, y_pred, **weights):
        return self.function(y_true, y_pred, **self._hyperparameters, **weights)

    def _weights(self, y_pred, sample_weight):
        """Those of the samples, 1 if none are given, times the mask of `y_pred`."""
        ones = _Ones("ones", None, wide(self.dtype))
        return ones(0.0, y_pred, _to_be_masked(sample_weight, ones.dtype))

    def get_config(self):
        # Keras leaves out the dtype, so a reloaded loss would lose it.
        own = {name: saved(value) for name, value in self._hyperparameters.items()}
        return super().get_config() | {"dtype": self.dtype} | own

    @classmethod
    def from_config(cls, config):
        return cls(**{name: loaded(value) for name, value in dict(config).items()})


class _Bound(keras.losses.Loss):
    """Keras's masks, weights and reduction around a loss that is given its labels.

    Keras would round labels to the dtype of the loss, where integers collide (257
    and 256 in `bfloat16`), and sum in it.
    """

    def __init__(self, loss: FunctionLoss, y_true: Any, reduction, weights: dict):
        super().__init__(loss.name, reduction, wide(loss.dtype))
        self._loss = loss
        self._y_true = y_true
        self._weights = weights

    def call(self, y_true, y_pred):
        return self._loss.call(self._y_true, y_pred, **self._weights)


class _Ones(keras.losses.Loss):
    """Keras's weights and masks, combined by itself: it weighs ones, one a sample."""

    def call(self, y_true, y_pred):
        is_tensors = isinstance(y_pred, tuple | list) and hasattr(y_pred[0], "shape")
        y_pred = ops.convert_to_tensor(y_pred[0] if is_tensors else y_pred)
        return ops.ones_like(y_pred[(slice(None), *[0] * (len(y_pred.shape) - 1))])


def _to_be_masked(sample_weight, dtype):
    """Weights of which nobody knows: on PyTorch, Keras writes the mask into them."""
    if sample_weight is None:
        return None
    return backend.to_be_changed([ops.convert_to_tensor(sample_weight, dtype)])[0]


class _Mask(keras.layers.Layer):
    """Returns its first input with the second as its mask.

    A layer is the one public way to attach a mask on every backend.
    """

    def __init__(self):
        # Without a type of its own it would fix the default of all layers.
        super().__init__(autocast=False, dtype="float32", name="loss_mask")

    def call(self, inputs):
        return inputs[0]

    def compute_mask(self, inputs, previous_mask):
        return inputs[1]


_mask = functools.cache(_Mask)  # made when it is first needed, not by the import


def masked(values, valid):
    """Returns `values`, 0 where not `valid`, with a mask that keeps them from means."""
    return _mask()([ops.where(valid, values, ops.zeros_like(values)), valid])


def predictions(y_pred):
    """Returns predictions as a tensor in `float32` or wider."""
    require_numbers("y_pred", y_pred)
    y_pred = ops.convert_to_tensor(y_pred)
    return ops.cast(y_pred, wide(y_pred.dtype))


def numbers(y_true, dtype):
    """Returns labels that are numbers as a tensor of `dtype`."""
    require_numbers("y_true", y_true)
    return ops.convert_to_tensor(y_true, dtype)


def require_numbers(name: str, values) -> None:
    """Raises for strings, and for rows of different lengths."""
    if backend.is_ragged(values):
        raise ValueError(
            f"`{name}` must not be a RaggedTensor: give `{name}.to_tensor()`, and leave"
            " out what it fills rows up with by a mask, by `sample_weight`, or by "
            f"`ignore_class`. Received: {name}={values!r}"
        )
    while isinstance(values, list | tuple) and values:
        values = values[0]
    dtype = getattr(values, "dtype", None)
    kind = getattr(dtype, "kind", "")  # of NumPy, which TensorFlow's has not
    is_text = kind in ("U", "S", "O") or getattr(dtype, "name", "") == "string"
    if is_text or isinstance(values, str | bytes):
        raise ValueError(
            f"`{name}` must hold numbers: `keras.layers.StringLookup` makes integers of"
            f" names of classes. Received: {values!r}"
        )


def aligned(y_true, y_pred) -> tuple[Any, Any]:
    """Returns both as tensors of one shape, of rank 1 or more, in `float32` or wider.

    Either may lack a last axis of size 1; a single axis is that of the batch. Any
    other difference in shape is an error, never a broadcast.
    """
    y_pred = predictions(y_pred)
    y_true = numbers(y_true, y_pred.dtype)
    ranks = len(y_true.shape), len(y_pred.shape)
    if max(ranks) == 1 or ranks[0] == ranks[1] - 1:
        y_true = ops.expand_dims(y_true, -1)
    if max(ranks) == 1 or ranks[1] == ranks[0] - 1:
        y_pred = ops.expand_dims(y_pred, -1)
    require_one_shape(y_true, y_pred)
    return backend.same_shape(y_true, y_pred)


def without_last(x):
    """Returns `x` without its last axis, of size 1 also where that is seen later."""
    return ops.reshape(x, ops.shape(x)[:-1])


def with_last(x, size: int):
    """Returns `x` with a last axis of that size, where it was not known."""
    return ops.reshape(x, (*ops.shape(x)[:-1], size)) if x.shape[-1] is None else x


def mean(values, keepdims: bool = False):
    """The mean over the last axis. `ops.mean` makes `float64` narrow."""
    count = ops.cast(ops.shape(values)[-1], values.dtype)
    return ops.sum(values, axis=-1, keepdims=keepdims) / count


def require_one_shape(y_true, y_pred, message: str | None = None) -> None:
    """Raises unless both shapes are equal, as far as they are known."""
    shapes = tuple(y_true.shape), tuple(y_pred.shape)
    differ = len(shapes[0]) != len(shapes[1]) or any(
        None not in pair and pair[0] != pair[1] for pair in zip(*shapes, strict=True)
    )
    if differ or not shapes[0]:
        raise ValueError(
            message
            or "`y_true` and `y_pred` must have one shape, of rank 1 or more, up to a "
            f"last axis of size 1. Received: y_true.shape={shapes[0]}, "
            f"y_pred.shape={shapes[1]}"
        )
