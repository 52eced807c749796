"""What all losses share, so that each file holds only its formula."""

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
from tfx_extras._configuration import parameters_of_class
from tfx_extras._configuration import saved
from tfx_extras._precision import wide
from tfx_extras._repr import shown
from tfx_extras._typed import typechecked
from tfx_extras.losses.combined import Combinable

__all__ = ["LossOptions"]

WEIGHTS = "sample_weight"
MEANS = ("mean", "sum_over_batch_size", "mean_with_sample_weight")


class LossOptions(TypedDict, total=False):
    """Options of every loss, given as keyword arguments, with the names of Keras.

    Args:
        name: Name of the loss. `None` is the name of its function, such as
            `"smooth_l1"`.
        reduction: How the losses of the samples, multiplied by `sample_weight`, become
            one number. `"sum_over_batch_size"`, the default, and `"mean"` divide their
            sum by the number of samples that are not masked.
            `"mean_with_sample_weight"` divides it by the sum of the weights. `"sum"`
            returns it as it is. `"none"` and `None` return one loss per sample.
        dtype: The dtype of the returned loss. `None` is `keras.config.floatx()`. The
            loss is always computed in `float32` or wider and rounded at the end.
    """

    name: str | None
    reduction: str | None
    dtype: Any


class FunctionLoss(keras.losses.Loss, Combinable):
    """The class of a loss, from its function and its hyperparameters.

    A subclass sets `function` and stores each hyperparameter, which is a parameter
    after `y_true` and `y_pred`, as an attribute of the same name. The call and the
    saved configuration follow from them.

    A function that takes `sample_weight` gets the weights of the call times the masks.
    As it has already weighted the samples, `"mean"` then divides by the sum of weights.

    With `_weighs_pixels`, the function returns one loss per image, and gets the weights
    of the pixels, or `None` if all are 1. An image then has the mean weight of those of
    its pixels that are not masked, and is masked if all of them are.
    """

    function: ClassVar[Callable[..., Any]]
    _weighs_pixels: ClassVar[bool] = False
    _names: ClassVar[tuple[str, ...]]  # of the parameters after `y_pred`
    __repr__ = shown

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        if callable(getattr(cls, "function", None)):  # not abstract, nor a property
            cls._names = parameters_of_class(cls, 2)

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
        names = (name for name in self._names if name != WEIGHTS)
        return {name: getattr(self, name) for name in names}

    def __call__(self, y_true, y_pred, sample_weight=None):
        require_numbers("y_pred", y_pred)  # before Keras converts it to a tensor
        if sample_weight is not None:
            require_numbers("sample_weight", sample_weight)
        if isinstance(sample_weight, list | tuple):
            sample_weight = ops.convert_to_tensor(sample_weight, wide(self.dtype))
        if self._weighs_pixels:
            return self._of_images(y_true, y_pred, sample_weight)
        reduction, weights = self.reduction, {}
        if WEIGHTS in self._names:
            sample_weight = self._weights(y_pred, sample_weight)
            weights = {WEIGHTS: sample_weight}
            if reduction in ("mean", "sum_over_batch_size"):
                reduction = "mean_with_sample_weight"
        bound = _Bound(self, y_true, reduction, weights, sample_weight)
        if isinstance(y_pred, list | tuple) and all(map(ops.is_tensor, y_pred)):
            bound._parts = y_pred
        if sample_weight is not None:
            sample_weight = bound.weights_of_each(y_pred, sample_weight)
        loss = bound(0.0, y_pred, _to_be_masked(sample_weight, bound.dtype))
        if self.reduction not in (None, "none") and tuple(loss.shape) == (0,):
            loss = ops.sum(loss)  # for an empty batch Keras returns no values
        if getattr(self, "gather", False) and reduction in MEANS:
            by_weight = reduction == "mean_with_sample_weight"
            counted = self._weights(y_pred, sample_weight if by_weight else None)
            loss = backend.mean_of_all(loss, ops.sum(counted))
        return ops.cast(loss, self.dtype)

    def _of_images(self, y_true, y_pred, sample_weight):
        ones = _Ones(wide(self.dtype), None, self._pixels)
        unmasked = ones(0.0, y_pred)
        is_masked = unmasked is not ones.values  # Keras returns them as they are
        images = ops.ones_like(_first_of_each(ones.samples))
        weights, of_pixels = images, unmasked if is_masked else None
        if sample_weight is not None:
            given = ops.convert_to_tensor(sample_weight, ones.dtype)
            if len(given.shape) == 1 or tuple(given.shape[1:]) == (1,):
                _require_weights_of(images, given)
                weights = ops.reshape(given, (-1,))
            else:
                given = _spread(given, ones.values)
                weigh = _Ones(wide(self.dtype), given, self._pixels)
                of_pixels = weigh(0.0, y_pred, _to_be_masked(given, ones.dtype))
                count = _sum_of_each(unmasked)
                weights = _sum_of_each(of_pixels) / ops.where(count > 0, count, 1.0)
        if is_masked:
            images = _mask([images, _sum_of_each(unmasked) > 0])
        bound = _Bound(
            self, y_true, self.reduction, {WEIGHTS: of_pixels}, weights, y_pred
        )
        loss = bound(0.0, images, _to_be_masked(weights, bound.dtype))
        if self.reduction not in (None, "none") and tuple(loss.shape) == (0,):
            loss = ops.sum(loss)
        return ops.cast(loss, self.dtype)

    def _pixels(self, y_pred):
        """A part of `y_pred` with one number per pixel: that of the first class."""
        return classes_last(y_pred, getattr(self, "axis", -1))[..., 0]

    def call(self, y_true, y_pred, **weights):
        return self.function(y_true, y_pred, **self._hyperparameters, **weights)

    def _weights(self, y_pred, sample_weight):
        """The sample weights, or 1 without any, times the mask of `y_pred`."""
        return weights_of(y_pred, sample_weight, wide(self.dtype))

    def get_config(self):
        # Keras leaves out the dtype, which a reloaded loss would lose.
        own = {name: saved(value) for name, value in self._hyperparameters.items()}
        return super().get_config() | {"dtype": self.dtype} | own

    @classmethod
    def from_config(cls, config):
        return cls(**{name: loaded(value) for name, value in dict(config).items()})


class _Bound(keras.losses.Loss):
    """Applies Keras's masks, weights and reduction to a loss with its labels bound.

    Keras would cast the labels to the dtype of the loss, in which integers collide (257
    and 256 in `bfloat16`), and would sum in that dtype.
    """

    def __init__(
        self, loss, y_true, reduction, weights: dict, sample_weight, y_pred=None
    ):
        super().__init__(loss.name, reduction, wide(loss.dtype))
        self._loss = loss
        self._y_true = y_true
        self._y_pred = y_pred  # `None` for those that Keras gives
        self._parts: Any = None  # the tensors of a tuple, whose masks Keras ignores
        self._weights = weights
        self._sample_weight = sample_weight
        self._values: Any = None  # the losses, if they are known already

    def weights_of_each(self, y_pred, sample_weight):
        """The weights in the shape of the losses, which are computed for it."""
        convert = functools.partial(ops.convert_to_tensor, dtype=self.dtype)
        self._values = self.call(0.0, keras.tree.map_structure(convert, y_pred))
        return _spread(convert(sample_weight), self._values)

    def call(self, y_true, y_pred):
        if self._values is not None:
            return self._values
        y_pred = y_pred if self._y_pred is None else self._y_pred
        loss = self._loss.call(self._y_true, y_pred, **self._weights)
        if self._parts is not None:
            loss = _mask_of_all([loss, *self._parts])
        _require_weights_of(loss, self._sample_weight)
        return loss


def _require_weights_of(loss, sample_weight) -> None:
    """Raises if multiplying the losses by the weights would fail, or add axes."""
    if not hasattr(sample_weight, "shape"):
        return
    own, given = tuple(loss.shape), tuple(sample_weight.shape)
    if not own:  # one loss per batch, which Keras multiplies by each weight
        return
    last = given[:-1] if len(given) == len(own) + 1 and given[-1] == 1 else given
    pairs = zip(reversed(own), reversed(last), strict=False)
    fits = all(a == b or b == 1 or None in (a, b) for a, b in pairs)
    if len(last) not in (0, len(own)) or not fits:
        each = f", or {(own[0], *[1] * (len(own) - 1))}" if len(own) > 1 else ""
        raise ValueError(
            f"`sample_weight` must have one weight per sample, of shape {own}{each}. "
            f"Received: sample_weight.shape={given}"
        )


def _spread(sample_weight, loss):
    """Repeats weights that would be broadcast, until they have the shape of the losses.

    Keras multiplies weights by a mask in place on PyTorch, and divides a weighted mean
    by the sum of the weights as they are given.
    """
    _require_weights_of(loss, sample_weight)
    own, given = tuple(loss.shape), tuple(sample_weight.shape)
    if not own or (given == own and None not in own):
        return sample_weight
    if len(given) == len(own) + 1:
        sample_weight = without_last(sample_weight)
    return sample_weight * ops.ones_like(loss)


class _Ones(keras.losses.Loss):
    """A loss of 1 per sample: Keras multiplies it by the sample weights and masks."""

    def __init__(self, dtype, sample_weight, samples=None):
        super().__init__("ones", None, dtype)
        self._sample_weight = sample_weight
        self._of = samples or _first_of_each

    def call(self, y_true, y_pred):
        first = y_pred[0] if isinstance(y_pred, tuple | list) and y_pred else None
        is_tensors = hasattr(first, "shape")
        y_pred = ops.convert_to_tensor(first if is_tensors else y_pred)
        self.samples = x = self._of(y_pred)
        one = ops.ones((1,) * len(x.shape), x.dtype)
        self.values = ops.broadcast_to(one, ops.shape(x))  # takes no memory
        _require_weights_of(self.values, self._sample_weight)
        return self.values


def weights_of(y_pred, sample_weight, dtype):
    """Returns the sample weights, or 1 without any, times the mask of `y_pred`."""
    ones = _Ones(dtype, sample_weight)
    return ones(0.0, y_pred, _to_be_masked(sample_weight, dtype))


def _first_of_each(y_pred):
    return y_pred[(slice(None), *[0] * (len(y_pred.shape) - 1))]


def _sum_of_each(x):
    axes = tuple(range(1, len(x.shape)))
    return ops.sum(x, axis=axes) if axes else x


def _to_be_masked(sample_weight, dtype):
    """Copies weights, because Keras multiplies them by the mask in place on PyTorch."""
    if sample_weight is None:
        return None
    return backend.to_be_changed([ops.convert_to_tensor(sample_weight, dtype)])[0]


class _Mask(keras.layers.Layer):
    """Returns its first input with the second as its mask.

    A layer is the only public way to attach a mask on every backend.
    """

    def __init__(self):
        # Without its own dtype, the layer would fix the default dtype of all layers.
        super().__init__(autocast=False, dtype="float32", name="loss_mask")

    def call(self, inputs):
        return inputs[0]

    def compute_mask(self, inputs, previous_mask):
        return inputs[1]


_mask = _Mask()  # not in a cache, which `torch.compile` refuses


class _MaskOfAll(_Mask):
    """Returns its first input with the masks of all inputs: what none of them masks."""

    def compute_mask(self, inputs, previous_mask):
        masks = [mask for mask in previous_mask if mask is not None]
        return functools.reduce(ops.logical_and, masks) if masks else None


_mask_of_all = _MaskOfAll()


def masked(values, valid):
    """Returns `values`, set to 0 and masked out of means where not `valid`."""
    return _mask([ops.where(valid, values, ops.zeros_like(values)), valid])


def with_mask(values, mask):
    """Returns `values` with a mask, which replaces their own."""
    return _mask([ops.copy(values), mask])  # a mask is an attribute of a tensor


def predictions(y_pred):
    """Returns predictions as a tensor in `float32` or wider."""
    require_numbers("y_pred", y_pred)
    y_pred = ops.convert_to_tensor(y_pred)
    return ops.cast(y_pred, wide(y_pred.dtype))


def numbers(y_true, dtype):
    """Returns numeric labels as a tensor of `dtype`."""
    require_numbers("y_true", y_true)
    return ops.convert_to_tensor(y_true, dtype)


def require_numbers(name: str, values) -> None:
    """Raises for `None`, for strings and for ragged tensors."""
    if values is None:
        raise ValueError(f"`{name}` must hold numbers. Received: {name}=None")
    if backend.is_ragged(values):
        raise ValueError(
            f"`{name}` must not be a RaggedTensor. Pass `{name}.to_tensor()`, and "
            "exclude its padding with a mask, `sample_weight` or `ignore_class`. "
            f"Received: {name}={values!r}"
        )
    while isinstance(values, list | tuple) and values:
        values = values[0]
    dtype = getattr(values, "dtype", None)
    kind = getattr(dtype, "kind", "")  # NumPy dtypes have a kind, TensorFlow's do not
    is_text = kind in ("U", "S", "O") or getattr(dtype, "name", "") == "string"
    if is_text or isinstance(values, str | bytes):
        cure = (
            " To convert class names to integers, use "
            "`keras.layers.StringLookup(num_oov_indices=0)`."
        )
        cure = "" if name == "sample_weight" else cure
        raise ValueError(f"`{name}` must hold numbers.{cure} Received: {values!r}")


def aligned(y_true, y_pred, sparse: str = "") -> tuple[Any, Any]:
    """Returns both as tensors of the same shape, in `float32` or wider.

    Either may lack a last axis of size 1; a single axis is the batch axis. Any other
    difference in shape is an error: nothing is broadcast. `sparse` names what takes
    integer labels, for the error.
    """
    y_pred = predictions(y_pred)
    y_true = numbers(y_true, y_pred.dtype)
    shapes = tuple(y_true.shape), tuple(y_pred.shape)
    ranks = len(shapes[0]), len(shapes[1])
    if max(ranks) == 1 or ranks[0] == ranks[1] - 1:
        y_true = ops.expand_dims(y_true, -1)
    if max(ranks) == 1 or ranks[1] == ranks[0] - 1:
        y_pred = ops.expand_dims(y_pred, -1)
    is_sparse = len(y_true.shape) > 0 and y_true.shape[-1] == 1
    cure = f" For integer labels, use {sparse}." if sparse and is_sparse else ""
    # One f-string: `torch.compile` cannot join strings that hold unknown sizes.
    require_one_shape(
        y_true,
        y_pred,
        "`y_true` and `y_pred` must have the same shape, of rank 1 or more. A last "
        f"axis of size 1 may be missing.{cure} Received: y_true.shape={shapes[0]}, "
        f"y_pred.shape={shapes[1]}",
    )
    return backend.same_shape(y_true, y_pred)


def classes_last(y_pred, axis: int):
    """Returns `y_pred` with the class axis moved to the end."""
    rank = len(y_pred.shape)
    if not (1 <= axis < rank or -rank < axis < 0):
        raise ValueError(
            f"Argument `axis` must be an axis of `y_pred` other than the first, the "
            f"batch axis. Received: axis={axis}, y_pred.shape={tuple(y_pred.shape)}"
        )
    is_last = axis in (-1, rank - 1)  # `moveaxis` of TensorFlow copies
    return y_pred if is_last else backend.moveaxis(y_pred, axis, -1)


def without_last(x):
    """Returns `x` without its last axis, whose size is 1 but may not be known yet."""
    return ops.reshape(x, ops.shape(x)[:-1])


def with_last(x, size: int):
    """Returns `x` with a last axis of size `size`, which may not be known yet."""
    return ops.reshape(x, (*ops.shape(x)[:-1], size)) if x.shape[-1] is None else x


def mean(values, keepdims: bool = False):
    """The mean over the last axis. `ops.mean` would narrow `float64`."""
    count = ops.cast(ops.shape(values)[-1], values.dtype)
    return ops.sum(values, axis=-1, keepdims=keepdims) / count


def require_one_shape(y_true, y_pred, message: str) -> None:
    """Raises unless both shapes are equal, as far as they are known."""
    shapes = tuple(y_true.shape), tuple(y_pred.shape)
    differ = len(shapes[0]) != len(shapes[1]) or any(
        None not in pair and pair[0] != pair[1] for pair in zip(*shapes, strict=True)
    )
    if differ or not shapes[0]:
        raise ValueError(message)
