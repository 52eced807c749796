"""Overlap losses of bounding boxes."""

import math
from typing import Any
from typing import Unpack

from keras import ops

from tfx_extras._backend import backend
from tfx_extras._checks import require_one_of
from tfx_extras._register import register
from tfx_extras._typed import typechecked
from tfx_extras.losses._base import FunctionLoss
from tfx_extras.losses._base import LossOptions
from tfx_extras.losses._base import numbers
from tfx_extras.losses._base import predictions
from tfx_extras.losses._base import require_one_shape
from tfx_extras.losses._base import with_last

__all__ = ["GIoULoss", "giou_loss"]

MODES = ("iou", "giou", "diou", "ciou")


@register
def giou_loss(y_true, y_pred, mode: str = "giou"):
    r"""GIoU loss: overlap loss of bounding boxes (IoU, GIoU, DIoU or CIoU).

    Function form of `GIoULoss`, which has the formula.

    Args:
        y_true: Boxes, of shape `(batch, ..., 4)`: the coordinates of two opposite
            corners, `[y_min, x_min, y_max, x_max]` or `[x_min, y_min, x_max, y_max]`.
        y_pred: Predicted boxes, of the same shape, in the same order.
        mode: `"iou"`: intersection over union; `"giou"`: also moves boxes that do not
            overlap; `"diou"`: also pulls the centers together; or `"ciou"`: also
            compares aspect ratios.

    Returns:
        One loss per box, in [0, 1] for `"iou"`, [0, 2] for `"giou"` and `"diou"`, and
        [0, 3] for `"ciou"`, of shape `(batch, ...)`, in `float32` or wider.

    Raises:
        ValueError: If shapes differ, the last axis does not have size 4, or `mode` is
            unknown.

    Example:
        >>> loss = tfx_extras.losses.giou_loss(
        ...     [[0, 0, 2, 2], [0, 0, 1, 1]], [[0, 0, 2, 1], [0, 3, 1, 4]])
        >>> print(keras.ops.convert_to_numpy(loss))
        [0.5 1.5]
    """
    require_one_of("mode", mode, MODES)
    y_true, y_pred = _boxes(y_true, y_pred)
    loss = _loss(y_true, y_pred, mode)
    # Comparisons of corners would drop NaN.
    is_nan = ops.any(ops.isnan(y_true) | ops.isnan(y_pred), axis=-1)
    return ops.where(is_nan, ops.full_like(loss, float("nan")), loss)


@register
class GIoULoss(FunctionLoss):
    r"""GIoU loss: overlap loss of bounding boxes (IoU, GIoU, DIoU or CIoU).

    Use it for bounding box regression in object detection, alone or added to a loss of
    coordinates: `Huber() + 0.5 * GIoULoss()`. Avoid `mode="iou"` if boxes may start
    without overlap, where its gradient is 0. Keras has no equivalent;
    `keras.utils.bounding_boxes.compute_ciou` returns the CIoU itself: the loss of
    `mode="ciou"` is 1 minus the CIoU.

    $$ \begin{aligned}
        L_\text{iou} &= 1 - I / U \\
        L_\text{giou} &= L_\text{iou} + (C - U) / C \\
        L_\text{diou} &= L_\text{iou} + d^2 / c^2 \\
        L_\text{ciou} &= L_\text{diou} + \alpha v, \quad
            \alpha = \frac{v}{L_\text{iou} + v}, \quad
            v = \frac4{\pi^2} \left( \arctan \frac wh -
            \arctan \frac{\hat w}{\hat h} \right)^2
        \end{aligned} $$

    $I$ and $U$ are the areas of the intersection and the union of both boxes. $C$ is
    the area of the smallest box that contains both, and $c$ is its diagonal. $d$ is the
    distance of the centers, $w$ and $h$ are width and height of the true box, $\hat w$
    and $\hat h$ are width and height of the predicted box. The gradient treats $\alpha$
    as a constant. A quotient 0 / 0 counts as 0, so two equal boxes without area have
    loss 1.

    A box is given by any two opposite corners, as the papers allow for predictions.
    TensorFlow Addons treats a box whose corners come in another order as a box without
    area, which has gradient 0.

    The gradient of `"iou"` is 0 for boxes that do not overlap. In every mode, the
    gradient is 0 for a box that is a single point in the middle of the other box.

    Returns one loss per box, in [0, 1] for `"iou"`, [0, 2] for `"giou"` and `"diou"`,
    and [0, 3] for `"ciou"`, of shape `(batch, ...)`, which `reduction` averages. Time
    and memory grow linearly with the number of boxes.

    Args:
        mode: `"iou"`: intersection over union; `"giou"`: also moves boxes that do not
            overlap; `"diou"`: also pulls the centers together; or `"ciou"`: also
            compares aspect ratios.
        **kwargs: `name`, `reduction` and `dtype`: see `LossOptions`.

    Call arguments:
        y_true: Boxes, of shape `(batch, ..., 4)`: the coordinates of two opposite
            corners, `[y_min, x_min, y_max, x_max]` or `[x_min, y_min, x_max, y_max]`.
        y_pred: Predicted boxes, of the same shape, in the same order.

    Raises:
        ValueError: If `mode` is unknown, or, in a call, if shapes differ or the last
            axis does not have size 4.
        TypeError: If an argument has the wrong type or an unknown name.

    Example:
        >>> loss = tfx_extras.losses.GIoULoss(mode="diou")
        >>> print(float(loss([[0, 0, 3, 4]], [[0, 0, 3, 4]])))
        0.0

    References:
        Rezatofighi et al., 2019. https://arxiv.org/abs/1902.09630
        Zheng et al., 2020. https://arxiv.org/abs/1911.08287
    """

    function = staticmethod(giou_loss)

    @typechecked
    def __init__(self, mode: str = "giou", **kwargs: Unpack[LossOptions]):
        super().__init__(**kwargs)
        self.mode = require_one_of("mode", mode, MODES)


def _loss(y_true, y_pred, mode):
    (true_low, true_high), (low, high) = _corners(y_true), _corners(y_pred)
    # Lengths along both axes. None is the difference of two others, so nothing cancels.
    overlap = _smaller(high, true_high) - _larger(low, true_low)
    shared = ops.where(overlap >= 0, overlap, ops.zeros_like(overlap))
    gap = shared - overlap
    only = _outside(low, high, true_low, true_high)
    only_true = _outside(true_low, true_high, low, high)
    whole = shared + only + only_true + gap
    # Ratios of areas do not depend on the unit of an axis, so choose one in which areas
    # neither overflow nor underflow.
    unit = _constant_unit(whole)
    i, j = _unstack(shared / unit)
    a, c = _unstack(only / unit)
    b, d = _unstack(only_true / unit)
    difference = a * (j + c) + b * (j + d) + i * (c + d)
    union = i * j + difference
    iou_loss = _ratio(difference, union, 1.0)
    if mode == "iou":
        return iou_loss
    if mode == "giou":
        g, e = _unstack(gap / unit)
        width, height = _unstack(whole / unit)
        empty = a * d + b * c + g * height + e * (i + a + b)
        return iou_loss + _ratio(empty, width * height, 0.0)
    unit = _constant_unit(backend.largest(whole, 0.0))
    centers = ((low - true_low) + (high - true_high)) / 2
    distance = ops.sum(ops.square(centers / unit), axis=-1)
    diagonal = ops.sum(ops.square(whole / unit), axis=-1)
    diou_loss = iou_loss + _ratio(distance, diagonal, 0.0)
    if mode == "diou":
        return diou_loss
    v = ops.square(2 / math.pi * _angle(high - low, true_high - true_low))
    alpha = ops.stop_gradient(_ratio(v, iou_loss + v, 0.0))
    return diou_loss + alpha * v


def _boxes(y_true, y_pred) -> tuple[Any, Any]:
    """Returns both in `float32` or wider, with the same shape `(batch, ..., 4)`."""
    y_pred = predictions(y_pred)
    y_true = numbers(y_true, y_pred.dtype)
    shapes = tuple(y_true.shape), tuple(y_pred.shape)
    message = (
        "`y_true` and `y_pred` must have the same shape `(batch, ..., 4)`. "
        f"Received: y_true.shape={shapes[0]}, y_pred.shape={shapes[1]}"
    )
    if len(shapes[1]) < 2 or shapes[1][-1] not in (4, None):
        raise ValueError(message)
    require_one_shape(y_true, y_pred, message)
    y_pred = with_last(y_pred, 4)
    return backend.same_shape(y_true, y_pred)


def _corners(boxes) -> tuple[Any, Any]:
    """Returns the lower and the upper corner, of shape `(..., 2)`."""
    first, second = boxes[..., :2], boxes[..., 2:]
    # Not min and max: for a side of length 0 they would give both ends equal gradients.
    is_upright = first <= second
    low = ops.where(is_upright, first, second)
    return low, ops.where(is_upright, second, first)


def _outside(low, high, other_low, other_high):
    """Returns the length of the part of an interval that another does not cover."""
    below = _smaller(high, other_low) - low
    above = high - _larger(low, other_high)
    return ops.relu(below) + ops.relu(above)


def _smaller(a, b):
    """Returns the minimum. On PyTorch, `ops.minimum` casts `float64` to `float32`."""
    return ops.where(a < b, a, b)


def _larger(a, b):
    """Returns the maximum. On PyTorch, `ops.maximum` casts `float64` to `float32`."""
    return ops.where(a > b, a, b)


def _constant_unit(lengths):
    """Returns lengths to divide by, as constants for the gradient; 1 instead of 0."""
    return ops.stop_gradient(ops.where(lengths > 0, lengths, ops.ones_like(lengths)))


def _unstack(pairs):
    return pairs[..., 0], pairs[..., 1]


def _ratio(x, y, otherwise: float):
    """Returns `x / y`, or `otherwise` where `y` is 0."""
    is_zero = y == 0
    ratio = x / ops.where(is_zero, ops.ones_like(y), y)
    return ops.where(is_zero, ops.full_like(ratio, otherwise), ratio)


def _angle(a, b):
    """Returns the angle between two vectors of side lengths; 0 if one is a point."""
    a, b = (x / _constant_unit(backend.largest(x, 0.0)) for x in (a, b))
    (x, y), (true_x, true_y) = _unstack(a), _unstack(b)
    sine, cosine = y * true_x - x * true_y, x * true_x + y * true_y
    is_point = (sine == 0) & (cosine == 0)
    # A point has no angle, and its gradient would not be finite.
    angle = backend.arctan2(sine, ops.where(is_point, ops.ones_like(cosine), cosine))
    return ops.where(is_point, ops.zeros_like(angle), angle)
