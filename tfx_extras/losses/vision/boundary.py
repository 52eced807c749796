"""Boundary loss of masks, and the signed distances that are its targets."""

from collections.abc import Sequence
from typing import Any
from typing import Unpack

import numpy as np
from keras import ops

from tfx_extras._backend import backend
from tfx_extras._checks import Number
from tfx_extras._checks import require
from tfx_extras._checks import require_each
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
from tfx_extras.losses.vision._pixels import ACTIVATIONS
from tfx_extras.losses.vision._pixels import in_rows
from tfx_extras.losses.vision._pixels import in_rows_of_classes
from tfx_extras.losses.vision._pixels import pixel_weights
from tfx_extras.losses.vision._pixels import probabilities

__all__ = ["BoundaryLoss", "boundary_loss", "signed_distances"]


@register
def boundary_loss(
    y_true,
    y_pred,
    activation: str | None = None,
    axis: int = -1,
    sample_weight=None,
):
    r"""Boundary loss: the distance between the boundaries of two masks.

    Function form of `BoundaryLoss`, which has the formula. It also takes the weights of
    the pixels, because they are part of the formula.

    Args:
        y_true: Signed distances $\phi$ to the boundary of the true mask, negative
            inside: the result of `signed_distances`, of the shape of `y_pred`. A last
            axis of size 1 may be missing.
        y_pred: Predictions, of shape `(batch, ..., classes)`, such as
            `(batch, height, width, classes)`: probabilities $q$ or, with `activation`,
            logits.
        activation: How `y_pred` becomes probabilities: by `"sigmoid"`, for a single
            class or classes that may overlap, or by `"softmax"`, for classes that
            exclude each other. `None` takes probabilities. Logits are numerically more
            accurate.
        axis: Axis of the classes. It must not be 0, the batch axis.
        sample_weight: Weights $w$ of the pixels, in [0, inf), of the shape of `y_pred`
            without `axis`. `None` gives all the weight 1.

    Returns:
        One loss per image, in the unit of the distances, of shape `(batch,)`, in
        `float32` or wider. It may be negative.

    Raises:
        ValueError: If shapes do not match or `activation` is unknown.

    Example:
        >>> distances = [[[-1], [0], [1], [2]]]
        >>> loss = tfx_extras.losses.boundary_loss(
        ...     distances, [[[1.0], [1.0], [0.5], [0.0]]])
        >>> print(keras.ops.convert_to_numpy(loss))
        [-0.125]
    """
    phi, z = _aligned(y_true, y_pred, axis)
    w = pixel_weights(sample_weight, None, z[..., 0])
    phi, z = in_rows_of_classes(phi), in_rows_of_classes(z)
    count = ops.cast(ops.shape(z)[1] * ops.shape(z)[2], z.dtype)
    if w is not None:
        w = ops.expand_dims(in_rows(w), 1)
        # Not only a product with 0, which would keep NaN and infinite gradients.
        phi, z = (ops.where(w > 0, x, ops.zeros_like(x)) for x in (phi, z))
        phi = w * phi
        count = ops.cast(ops.shape(z)[1], z.dtype) * ops.sum(w, axis=(1, 2))
        count = ops.where(count > 0, count, ops.ones_like(count))
    return ops.sum(phi * probabilities(z, activation), axis=(1, 2)) / count


@register
class BoundaryLoss(FunctionLoss):
    r"""Boundary loss: the distance between the boundaries of two masks.

    Use it for segmentation of small objects, such as lesions, added to an overlap loss
    or a cross-entropy with a weight such as 0.01, at a second output of the model,
    because its targets are distances. An overlap loss charges every wrong pixel the
    same. This loss charges a pixel by its distance to the true boundary, so
    false positives far from the object cost the most. Avoid it alone: an image without
    an object has the loss 0 whatever is predicted, and the gradient is the same
    for each right pixel as for a wrong one. Keras has no equivalent.

    $$ L = \frac{\sum_i w_i \sum_c \phi_{ic}\, q_{ic}}{C \sum_i w_i} $$

    $\phi_{ic}$ is the signed distance of pixel $i$ to the boundary of the true mask of
    class $c$ out of $C$: positive outside, negative inside. $q_{ic}$ is the predicted
    probability of the class, and $w_i$ is the weight of the pixel. The targets are
    distances, not masks: `signed_distances` computes them, in NumPy, before training or
    in the input pipeline.

    The loss may be negative. Its minimum is the mean of the negative distances, which
    the true mask has. It grows with the size of the objects in pixels, so its weight
    beside another loss depends on the resolution. The authors begin with the weight
    0.01, and raise it by 0.01 in each epoch while they lower the weight of the other
    loss. A class whose distances are all 0 does not count, but the mean includes it;
    the authors leave the background out.

    Returns one loss per image, in the unit of the distances, of shape `(batch,)`, which
    `reduction` averages. Time and memory grow linearly with the number of predictions.

    `sample_weight` of shape `(batch,)` weighs images. With one weight per pixel, the
    weights, and the mask of the predictions, enter the sums, and an image has the mean
    weight of its pixels. If no pixel counts, the loss is 0.

    Args:
        activation: How `y_pred` becomes probabilities: by `"sigmoid"`, for a single
            class or classes that may overlap, or by `"softmax"`, for classes that
            exclude each other. `None` takes probabilities. Logits are numerically more
            accurate.
        axis: Axis of the classes. It must not be 0, the batch axis.
        **kwargs: `name`, `reduction` and `dtype`: see `LossOptions`.

    Call arguments:
        y_true: Signed distances $\phi$ to the boundary of the true mask, negative
            inside: the result of `signed_distances`, of the shape of `y_pred`. A last
            axis of size 1 may be missing.
        y_pred: Predictions, of shape `(batch, ..., classes)`, such as
            `(batch, height, width, classes)`: probabilities $q$ or, with `activation`,
            logits.

    Raises:
        ValueError: If an argument is unknown, or, in a call, if shapes do not match.
        TypeError: If an argument has the wrong type or an unknown name.

    Example:
        >>> masks = np.zeros((1, 5, 5, 1))
        >>> masks[:, 1:4, 1:4] = 1
        >>> distances = tfx_extras.losses.signed_distances(masks)
        >>> loss = tfx_extras.losses.BoundaryLoss(activation="sigmoid")
        >>> print(f"{float(loss(distances, 8 * masks - 4)):.4f}")
        -0.0266

    Reference: Kervadec et al., 2018. https://arxiv.org/abs/1812.07032
    """

    function = staticmethod(boundary_loss)
    _weighs_pixels = True

    @typechecked
    def __init__(
        self,
        activation: str | None = None,
        axis: int = -1,
        **kwargs: Unpack[LossOptions],
    ):
        super().__init__(**kwargs)
        self.activation = require_one_of("activation", activation, ACTIVATIONS)
        self.axis = require_class_axis(axis)


@typechecked
def signed_distances(
    masks: Any, sampling: Number | Sequence[Number] | np.ndarray | None = None
) -> np.ndarray:
    r"""Signed distances to the boundary of masks (distance transform).

    Use it to make the targets of `BoundaryLoss` from masks, before training or, with
    `tf.numpy_function`, in the input pipeline. It runs in NumPy and is exact. Keras has
    no equivalent.

    $$ \phi_i = \begin{cases}
        \min_{j \in M} d(i, j) & i \notin M \\
        s - \min_{j \notin M} d(i, j) & i \in M
    \end{cases} $$

    $M$ are the pixels of the mask, $d$ is the Euclidean distance between two pixels,
    and $s$ is the smallest distance between neighbors: 1, or the minimum of `sampling`.
    So the outermost pixels of the mask have the distance 0 or nearly 0. An empty mask,
    and one that fills the image, have no boundary, and the distance 0 everywhere.

    Without `sampling`, these are the distances of the authors' code and of MONAI. They
    subtract 1 from the inner distances also with other spacings, with which distances
    within the mask may become positive.

    The time is that of one pass over the image for each pixel of the largest distance,
    so distances of large images are best computed once, before training.

    Args:
        masks: Masks of shape `(batch, ..., classes)`, such as
            `(batch, height, width, classes)`. Every value other than 0 is part of the
            mask.
        sampling: The spacing of the pixels, in (0, inf): one number, or one per axis
            between the first and the last, such as the size of a voxel in millimeters.
            `None` is 1.

    Returns:
        An array of the shape of `masks`, in `float32`.

    Raises:
        ValueError: If `masks` has no axis between the first and the last, or has three
            axes and several classes, which is usually a missing axis of classes, or if
            `sampling` does not have one number in its interval for each axis.
        TypeError: If an argument has the wrong type.

    Example:
        >>> masks = np.array([0, 0, 1, 1, 1, 0]).reshape(1, 6, 1)
        >>> print(tfx_extras.losses.signed_distances(masks)[0, :, 0])
        [ 2.  1.  0. -1.  0.  1.]

    Reference: Kervadec et al., 2018. https://arxiv.org/abs/1812.07032
    """
    is_inside = np.asarray(masks) != 0
    shape = is_inside.shape
    if len(shape) < 3:
        raise ValueError(
            "Argument `masks` must have the shape `(batch, ..., classes)`, with one "
            "axis or more for the pixels. For a single mask, pass masks[None, ..., "
            f"None]. Received: masks.shape={shape}"
        )
    if len(shape) == 3 and shape[-1] > 1:
        raise ValueError(
            "Argument `masks` must have the shape `(batch, height, width, classes)`. "
            "For masks of a single class, pass masks[..., None]. For lines of several "
            "classes, pass masks[:, None] as images with one row. "
            f"Received: masks.shape={shape}"
        )
    spacings = _spacings(sampling, len(shape) - 2)
    distances = np.zeros(shape, "float32")
    for image, classes in zip(is_inside, distances, strict=True):
        for c in range(shape[-1]):
            mask = image[..., c]
            if mask.any() and not mask.all():
                outside, inside = (
                    _distances(mask, spacings),
                    _distances(~mask, spacings),
                )
                classes[..., c] = np.where(mask, min(spacings) - inside, outside)
    return distances


def _spacings(sampling, axes: int) -> list[float]:
    """Returns one spacing per axis, or raises."""
    if sampling is None:
        return [1.0] * axes
    if isinstance(sampling, int | Number):
        return [float(require("sampling", sampling, "(0, inf)"))] * axes
    spacings = require_each("sampling", sampling, "(0, inf)")
    if len(spacings) != axes:
        raise ValueError(
            "Argument `sampling` must be one number, or one for each of the axes of "
            f"`masks` between the first and the last, of which there are {axes}. "
            f"Received: sampling={sampling}"
        )
    return [float(spacing) for spacing in spacings]


def _distances(mask: np.ndarray, spacings: list[float]) -> np.ndarray:
    """The distance of each pixel to the nearest pixel of a mask that is not empty.

    The squares of distances along the axes add up, so the axes follow one another.
    """
    places = np.arange(len(mask), dtype=float).reshape(-1, *[1] * (mask.ndim - 1))
    before = np.maximum.accumulate(np.where(mask, places, -np.inf))
    after = np.minimum.accumulate(np.where(mask, places, np.inf)[::-1])[::-1]
    squares = (spacings[0] * np.minimum(places - before, after - places)) ** 2
    for axis in range(1, mask.ndim):
        of_lines = np.moveaxis(squares, axis, 0)
        nearest = of_lines.copy()
        for steps in range(1, len(nearest)):
            square = (spacings[axis] * steps) ** 2
            if square >= nearest.max():
                break  # from here on, no step brings a pixel nearer
            ahead, behind = of_lines[steps:] + square, of_lines[:-steps] + square
            np.minimum(nearest[:-steps], ahead, out=nearest[:-steps])
            np.minimum(nearest[steps:], behind, out=nearest[steps:])
        squares = np.moveaxis(nearest, 0, axis)
    return np.sqrt(squares)


def _aligned(y_true, y_pred, axis: int) -> tuple[Any, Any]:
    """Returns distances and predictions of one shape, with the classes last."""
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
        "`y_true` must hold the signed distances of each class, of the shape of "
        "`y_pred`. `tfx_extras.losses.signed_distances` makes them from masks. "
        f"Received: y_true.shape={shapes[0]}, y_pred.shape={shapes[1]}",
    )
    y_true, y_pred = backend.same_shape(y_true, y_pred)
    return classes_last(y_true, axis), classes_last(y_pred, axis)
