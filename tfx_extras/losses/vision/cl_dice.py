"""clDice loss of masks of thin structures, such as vessels."""

from typing import Any
from typing import Unpack

import numpy as np
from keras import ops

from tfx_extras._backend import backend
from tfx_extras._checks import Number
from tfx_extras._checks import require
from tfx_extras._checks import require_one_of
from tfx_extras._register import register
from tfx_extras._typed import typechecked
from tfx_extras.losses._base import FunctionLoss
from tfx_extras.losses._base import LossOptions
from tfx_extras.losses._base import classes_last
from tfx_extras.losses._base import numbers
from tfx_extras.losses._base import predictions
from tfx_extras.losses._base import require_one_shape
from tfx_extras.losses._labels import require_class_axis
from tfx_extras.losses._probabilities import require_shares
from tfx_extras.losses.vision._pixels import ACTIVATIONS
from tfx_extras.losses.vision._pixels import in_rows
from tfx_extras.losses.vision._pixels import in_rows_of_classes
from tfx_extras.losses.vision._pixels import pixel_weights
from tfx_extras.losses.vision._pixels import probabilities

__all__ = ["CLDiceLoss", "cl_dice_loss"]


@register
def cl_dice_loss(
    y_true,
    y_pred,
    iterations: int = 3,
    smooth: Number = 1.0,
    activation: str | None = None,
    axis: int = -1,
    sample_weight=None,
):
    r"""Soft clDice loss (centerline Dice): keeps thin structures connected.

    Function form of `CLDiceLoss`, which has the formula. It also takes the weights of
    the pixels, because they are part of the formula.

    Args:
        y_true: Labels $y$ in [0, 1], such as masks, of the shape of `y_pred`. A last
            axis of size 1 may be missing.
        y_pred: Predictions, of shape `(batch, height, width, classes)` or
            `(batch, depth, height, width, classes)`: probabilities $q$ or, with
            `activation`, logits.
        iterations: $n$, in [0, 1000]: how often the masks are eroded. It should be half
            of the width of the thickest structure in pixels, or more.
        smooth: $S$, in (0, inf), in pixels: smooths the loss of short skeletons.
        activation: How `y_pred` becomes probabilities: by `"sigmoid"`, for a single
            class or classes that may overlap, or by `"softmax"`, for classes that
            exclude each other. `None` takes probabilities. Logits are numerically more
            accurate.
        axis: Axis of the classes. It must not be 0, the batch axis.
        sample_weight: Weights $w$ of the pixels, in [0, inf), of the shape of `y_pred`
            without `axis`. `None` gives all the weight 1.

    Returns:
        One loss per image, in [0, 1], of shape `(batch,)`, in `float32` or wider.

    Raises:
        ValueError: If shapes do not match, images are not of 2 or 3 dimensions, or
            `activation` is unknown.

    Example:
        >>> line = np.zeros((1, 3, 6, 1))
        >>> line[:, 1] = 1
        >>> broken = line.copy()
        >>> broken[:, :, 3] = 0
        >>> loss = tfx_extras.losses.cl_dice_loss(line, broken)
        >>> print(keras.ops.convert_to_numpy(loss).round(4))
        [0.0769]
    """
    y, z, sides = _aligned(y_true, y_pred, axis)
    w = pixel_weights(sample_weight, None, z[..., 0])
    y, z = in_rows_of_classes(y), in_rows_of_classes(z)
    if w is not None:
        w = ops.expand_dims(in_rows(w), 1)
        # Not only a product with 0, which would keep NaN and infinite gradients.
        y, z = (ops.where(w > 0, x, ops.zeros_like(x)) for x in (y, z))
    require_shares(y)
    q = probabilities(z, activation)
    misses = _misses(q, y, z, activation)
    q = q if w is None else ops.where(w > 0, q, ops.zeros_like(q))
    of_q, of_y = (_skeleton(x, sides, iterations) for x in (q, y))
    # T and Q of the formula, and 1 minus each as a sum of its own: nothing cancels.
    t, not_t = _shares(of_q, y, 1 - y, w, smooth)
    q, not_q = _shares(of_y, q, misses, w, smooth)
    return (not_t * q + not_q * t) / (t + q)


@register
class CLDiceLoss(FunctionLoss):
    r"""Soft clDice loss (centerline Dice): keeps thin structures connected.

    Use it for segmentation of vessels, roads, neurons and cracks, where a gap of one
    pixel matters more than the width, added to an overlap loss: `0.5 * dice + 0.5 *
    cl_dice`. Avoid it alone: a prediction of 1 everywhere has no skeleton, so it has
    the loss 0 for an image without an object. Keras has no equivalent.

    $$ L = 1 - \frac{2\, T Q}{T + Q}, \quad
        T = \frac{\sum w K(q)\, y + S}{\sum w K(q) + S}, \quad
        Q = \frac{\sum w K(y)\, q + S}{\sum w K(y) + S} $$

    $y$ are the labels, $q$ the predicted probabilities and $w$ the weights of the
    pixels. The sums are over the pixels and classes of an image, and $S$ is the
    smoothing term. $T$ is the precision of the topology: how much of the predicted
    skeleton is within the true mask. $Q$ is its sensitivity: how much of the true
    skeleton was found. The soft skeleton $K(x)$ is computed by $n$ erosions:

    $$ K_k = K_{k-1} + (1 - K_{k-1})\, d_k, \quad
        d_k = \max(x_k - D(E(x_k)), 0), \quad x_{k+1} = E(x_k) $$

    It starts with $x_0 = x$ and $K_{-1} = 0$, and $K(x)$ is $K_n$. The erosion $E$ is
    the minimum of a pixel and its direct neighbors, the dilation $D$ the maximum over
    a square of 3 pixels a side, or a cube. Pixels outside the image change neither.

    MONAI adds 1e-4 to $T + Q$, so its loss is greater than 0 also for equal masks, and
    sums over the batch as well, as the authors do. For classes with a softmax, the
    background has a skeleton too; use one sigmoid per class to leave it out.

    Excess and missed skeletons are summed by themselves instead of being the difference
    from 1, so small losses keep their digits.

    Returns one loss per image, in [0, 1], of shape `(batch,)`, which `reduction`
    averages. It is 0 if both masks are empty. Time and memory grow linearly with the
    number of predictions and with `iterations`.

    `sample_weight` of shape `(batch,)` weighs images. With one weight per pixel, the
    weights, and the mask of the predictions, enter the sums, and an image has the mean
    weight of its pixels. Pixels of weight 0 are empty in both masks.

    Args:
        iterations: $n$, in [0, 1000]: how often the masks are eroded. It should be half
            of the width of the thickest structure in pixels, or more.
        smooth: $S$, in (0, inf), in pixels: smooths the loss of short skeletons.
        activation: How `y_pred` becomes probabilities: by `"sigmoid"`, for a single
            class or classes that may overlap, or by `"softmax"`, for classes that
            exclude each other. `None` takes probabilities. Logits are numerically more
            accurate.
        axis: Axis of the classes. It must not be 0, the batch axis.
        **kwargs: `name`, `reduction` and `dtype`: see `LossOptions`.

    Call arguments:
        y_true: Labels $y$ in [0, 1], such as masks, of the shape of `y_pred`. A last
            axis of size 1 may be missing.
        y_pred: Predictions, of shape `(batch, height, width, classes)` or
            `(batch, depth, height, width, classes)`: probabilities $q$ or, with
            `activation`, logits.

    Raises:
        ValueError: If an argument is outside its interval or unknown, or, in a call, if
            shapes do not match or images are not of 2 or 3 dimensions.
        TypeError: If an argument has the wrong type or an unknown name.

    Example:
        >>> line = np.zeros((1, 3, 6, 1))
        >>> line[:, 1] = 1
        >>> broken = 8 * line - 4
        >>> broken[:, :, 3] = -4
        >>> loss = tfx_extras.losses.CLDiceLoss(activation="sigmoid")
        >>> print(f"{float(loss(line, broken)):.4f}")
        0.0829

    Reference: Shit et al., 2020. https://arxiv.org/abs/2003.07311
    """

    function = staticmethod(cl_dice_loss)
    _weighs_pixels = True

    @typechecked
    def __init__(
        self,
        iterations: int | np.integer = 3,
        smooth: Number = 1.0,
        activation: str | None = None,
        axis: int = -1,
        **kwargs: Unpack[LossOptions],
    ):
        super().__init__(**kwargs)
        self.iterations = require("iterations", iterations, "[0, 1000]")
        self.smooth = require("smooth", smooth, "(0, inf)")
        self.activation = require_one_of("activation", activation, ACTIVATIONS)
        self.axis = require_class_axis(axis)


def _aligned(y_true, y_pred, axis: int) -> tuple[Any, Any, Any]:
    """Returns labels and predictions of one shape, and the sides of the images.

    The classes are last.
    """
    y_pred = predictions(y_pred)
    y_true = numbers(y_true, y_pred.dtype)
    shapes = tuple(y_true.shape), tuple(y_pred.shape)
    rank = len(shapes[1])
    is_last = axis in (-1, rank - 1)
    if is_last and len(shapes[0]) == rank - 1 and shapes[1][-1] == 1:
        y_true = ops.expand_dims(y_true, -1)
    require_one_shape(
        y_true,
        y_pred,
        "`y_true` and `y_pred` must have the same shape, with an axis for the classes. "
        f"For integer labels, use `keras.ops.one_hot(y_true, classes)`. Received: "
        f"y_true.shape={shapes[0]}, y_pred.shape={shapes[1]}",
    )
    if rank not in (4, 5):
        raise ValueError(
            "`y_pred` must have the shape `(batch, height, width, classes)` or "
            "`(batch, depth, height, width, classes)`. For a single class, use "
            f"`keras.ops.expand_dims(x, -1)`. Received: y_pred.shape={shapes[1]}"
        )
    y_true, y_pred = backend.same_shape(y_true, y_pred)
    y_true, y_pred = classes_last(y_true, axis), classes_last(y_pred, axis)
    return y_true, y_pred, ops.shape(y_pred)[1:-1]


def _misses(q, y, z, activation):
    """Returns 1 - q, with all digits for labels of 1, also where q rounds to 1."""
    if activation == "sigmoid":
        return ops.sigmoid(-z)
    if activation is None:
        return 1 - q
    found = y * q  # the other classes have 1 - q: those that are wrong, and right ones
    wrong = ops.sum(q - found, axis=1, keepdims=True)
    return wrong + (ops.sum(found, axis=1, keepdims=True) - found)


def _skeleton(x, sides, iterations: int):
    """The soft skeleton of masks of shape `(batch, classes, pixels)`.

    Each value of an eroded or dilated mask is that of one pixel, and its gradient goes
    to that pixel: masks are moved with the places of their pixels, without a gradient,
    and values are taken from the places. Erosion makes equal neighbors, among which
    TensorFlow's 3-dimensional pool gives each the whole gradient, and XLA may choose
    differently in the gradient of a comparison.
    """
    shape = ops.shape(x)
    x = ops.reshape(x, (shape[0] * shape[1], shape[2]))
    values = ops.reshape(ops.stop_gradient(x), (shape[0] * shape[1], *sides))
    places = ops.reshape(ops.arange(shape[2], dtype="int32"), (1, *sides))
    mask = values, ops.zeros_like(values, dtype="int32") + places
    skeleton = ops.zeros_like(x)
    for k in range(iterations + 1):
        outer = _taken(x, mask) if k > 0 else x
        mask = _eroded(*mask)
        opened = _taken(x, _dilated(*mask))
        skeleton = skeleton + (1 - skeleton) * ops.relu(outer - opened)
    return ops.reshape(skeleton, shape)


def _taken(x, mask):
    """The pixels of `x`, of shape `(masks, pixels)`, whose places a mask has."""
    return ops.take_along_axis(x, ops.reshape(mask[1], ops.shape(x)), axis=1)


def _eroded(values, places):
    """The minimum of each pixel and its neighbors along the axes."""
    least = mask = -values, places
    for axis in range(1, len(values.shape)):
        other = _largest(*mask, axis)
        least = other if axis == 1 else _larger(least, other)
    return -least[0], least[1]


def _dilated(values, places):
    """The maximum over the square, or cube, around each pixel."""
    for axis in range(1, len(values.shape)):
        values, places = _largest(values, places, axis)
    return values, places


def _largest(values, places, axis: int):
    """The maximum of each pixel and both neighbors along one axis."""
    before, after, first, last = (
        (*[slice(None)] * axis, slice(start, end))
        for start, end in ((None, -1), (1, None), (None, 1), (-1, None))
    )
    mask = tuple(
        ops.concatenate([x[first], x, x[last]], axis=axis) for x in (values, places)
    )
    for _ in range(2):
        mask = _larger(*(tuple(x[part] for x in mask) for part in (before, after)))
    return mask


def _larger(one, other):
    is_larger = one[0] > other[0]
    return tuple(ops.where(is_larger, a, b) for a, b in zip(one, other, strict=True))


def _shares(skeleton, found, others, w, smooth):
    """The weighted mean of `found` over a skeleton, and that of `others`."""
    skeleton = skeleton if w is None else w * skeleton
    count = ops.sum(skeleton, axis=(1, 2)) + smooth
    found, others = (ops.sum(skeleton * x, axis=(1, 2)) for x in (found, others))
    return (found + smooth) / count, others / count
