"""Pixels in rows, their weights and probabilities, which losses of masks share."""

from typing import Any

from keras import ops

from tfx_extras._backend import backend
from tfx_extras._checks import require_one_of
from tfx_extras.losses._base import require_one_shape
from tfx_extras.losses._base import without_last
from tfx_extras.losses._probabilities import within

ACTIVATIONS = (None, "sigmoid", "softmax")
OVER = ("sample", "batch")
CURE = 'Did you mean activation="sigmoid" or activation="softmax"?'


def in_rows(x):
    """Returns `x` of shape `(batch, ...)` with its pixels on one axis."""
    images, *sizes = ops.shape(x)
    return ops.reshape(x, (images, _product(sizes)))


def in_rows_of_classes(x):
    """Returns `x` of shape `(batch, ..., classes)` as `(batch, classes, pixels)`.

    On PyTorch, sums over pixels and the softmax are faster if pixels are last.
    """
    images, *sizes, classes = ops.shape(x)
    x = x if x.shape[-1] == 1 or not sizes else backend.moveaxis(x, -1, 1)
    return ops.reshape(x, (images, classes, _product(sizes)))


def _product(sizes) -> Any:
    """The product of sizes, of which some may be tensors."""
    product: Any = 1
    for size in sizes:
        product = product * size
    return product


def pixel_weights(sample_weight, valid, pixels) -> Any:
    """Returns weights of the shape of `pixels`, 0 where not `valid`, or `None`.

    Args:
        sample_weight: The weights given, or `None`.
        valid: Which pixels count, or `None` if all do.
        pixels: A tensor of the shape and dtype that the weights must have.
    """
    if sample_weight is None:
        return None if valid is None else ops.cast(valid, pixels.dtype)
    weights = ops.convert_to_tensor(sample_weight, pixels.dtype)
    shape = tuple(weights.shape)
    if len(shape) == len(pixels.shape) + 1 and shape[-1] in (1, None):
        weights = without_last(weights)
    require_one_shape(
        weights,
        pixels,
        "`sample_weight` must have one weight per pixel, of shape "
        f"{tuple(pixels.shape)}. Received: sample_weight.shape={shape}",
    )
    weights, _ = backend.same_shape(weights, pixels)
    if valid is None:
        return weights
    return ops.where(valid, weights, ops.zeros_like(weights))


def probabilities(z, activation: str | None):
    """Returns the probabilities of the classes, which are on axis 1."""
    require_one_of("activation", activation, ACTIVATIONS)
    if activation == "sigmoid":
        return ops.sigmoid(z)
    if activation is None:
        return within(z, 0.0, 1.0, "`y_pred` must hold probabilities in [0, 1].", CURE)
    if z.shape[1] == 1:
        raise ValueError(
            'Argument `activation` must be "sigmoid" for a single class, because the '
            f'softmax of one number is 1. Received: activation="{activation}", and '
            "one class in `y_pred`"
        )
    return backend.softmax_of_classes(z)
