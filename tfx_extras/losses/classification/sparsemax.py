"""Sparsemax, which gives probabilities of which many are 0, and its loss."""

from typing import Unpack

import keras
from keras import ops

from tfx_extras._backend import backend
from tfx_extras._register import register
from tfx_extras._typed import typechecked
from tfx_extras.losses._base import FunctionLoss
from tfx_extras.losses._base import LossOptions
from tfx_extras.losses._base import predictions
from tfx_extras.losses._labels import dense_labels
from tfx_extras.losses._labels import require_class_axis

__all__ = ["SparsemaxLoss", "sparsemax", "sparsemax_loss"]


@register
def sparsemax(x, axis: int = -1):
    r"""Turns logits into the nearest probabilities, of which many are 0.

    $$ p_j = \max(z_j - \tau, 0), \quad \tau \text{ such that }
        \sum_j p_j = 1 $$

    It is the point of the simplex that is nearest to the logits $z$, an activation
    in place of softmax. Where $p_j$ is 0, so is its gradient.

    Time is that of sorting along `axis`; the gradient sorts nothing.

    Args:
        x: Logits $z$, any real numbers, of rank 1 or more.
        axis: The axis of the classes.

    Returns:
        Probabilities $p$, of the shape of `x`, in its type (`float32` for
        integers). They are computed in `float32` or wider.

    Raises:
        ValueError: If `x` has no such axis.

    Example:
        >>> p = tfx_extras.losses.sparsemax([[1.0, 0.5, -1.0], [3.0, 1.0, 0.0]])
        >>> print(keras.ops.convert_to_numpy(p))
        [[0.75 0.25 0.  ]
         [1.   0.   0.  ]]

    Reference: Martins and Astudillo, 2016. https://arxiv.org/abs/1602.02068
    """
    x = ops.convert_to_tensor(x)
    if not -len(x.shape) <= axis < len(x.shape):
        raise ValueError(
            "Argument `axis` must be an axis of `x`. "
            f"Received: axis={axis}, x.shape={tuple(x.shape)}"
        )
    dtype = keras.backend.standardize_dtype(x.dtype)
    z = backend.moveaxis(predictions(x), axis, -1)
    p = backend.moveaxis(ops.relu(_above_threshold(z)), -1, axis)
    return ops.cast(p, dtype) if "float" in dtype else p


@register
def sparsemax_loss(y_true, y_pred, axis: int = -1):
    r"""Cross-entropy's counterpart for `sparsemax`: 0 where it gives the labels.

    $$ L = \tfrac12 \sum_j (p_j - y_j)^2 + \sum_j y_j \max(\tau - z_j, 0), \quad
        p_j = \max(z_j - \tau, 0) $$

    Here $p$ is `sparsemax` of the logits $z$, and $\tau$ its threshold. The gradient
    is $p - y$. The paper writes the same as
    $\sum_j (p_j - y_j)(z_j - \tfrac12 p_j - \tfrac12 y_j)$, of which the terms
    cancel.

    Probabilities do not determine the loss, so predictions are always logits, and
    there is no `from_logits`.

    Time is that of sorting along `axis`; the gradient sorts nothing.

    Args:
        y_true: Labels $y$ in [0, 1], which sum to 1 over the classes, of the shape
            of `y_pred`.
        y_pred: Logits $z$, any real numbers, of shape `(batch, ..., classes)`.
        axis: The axis of the classes, not 0.

    Returns:
        The loss, of the shape of `y_pred` without `axis`, in `float32` or wider.

    Raises:
        ValueError: If `y_true` and `y_pred` differ in shape.

    Example:
        >>> loss = tfx_extras.losses.sparsemax_loss(
        ...     [[1, 0, 0], [0, 1, 0]], [[2.0, 0.0, 0.0], [2.0, 0.0, 0.0]])
        >>> print(keras.ops.convert_to_numpy(loss))
        [0. 2.]

    Reference: Martins and Astudillo, 2016, section 3.
        https://arxiv.org/abs/1602.02068
    """
    labels, z = dense_labels(y_true, y_pred, None, axis)
    y, above = labels.shares, _above_threshold(z)
    p = ops.relu(above)
    missed = p - above  # and not relu(-above), of which the slope at 0 would be 0
    missed = ops.where(y == 0, ops.zeros_like(y), missed)  # of logits of -inf, infinite
    return ops.sum(ops.square(p - y) / 2 + y * missed, axis=-1)


@register
class SparsemaxLoss(FunctionLoss):
    r"""Cross-entropy's counterpart for `sparsemax`: 0 where it gives the labels.

    Class form of `sparsemax_loss`, which has the formula. Predictions are logits:
    the last layer has no activation, and `sparsemax` turns them into probabilities.

    Args:
        axis: The axis of the classes, not 0.
        **kwargs: Options of every loss: see `LossOptions`.

    Raises:
        ValueError: If `axis` is that of the batch.

    Example:
        >>> loss = tfx_extras.losses.SparsemaxLoss()
        >>> print(float(loss([[1, 0], [0, 1]], [[0.0, 0.0], [0.0, 2.0]])))
        0.125

    Reference: Martins and Astudillo, 2016, section 3.
        https://arxiv.org/abs/1602.02068
    """

    function = staticmethod(sparsemax_loss)

    @typechecked
    def __init__(self, axis: int = -1, **kwargs: Unpack[LossOptions]):
        super().__init__(**kwargs)
        self.axis = require_class_axis(axis)


def _above_threshold(z):
    """Returns z less the threshold, of which the positive parts sum to 1."""
    # Only differences matter, so the largest may be taken away as a constant.
    largest = backend.largest(z, float("-inf"))
    # Always above the threshold; XLA may round the difference anew, and below it.
    is_largest = z >= largest
    z = z - ops.stop_gradient(largest)  # (the initial value is for empty batches)
    constant = ops.stop_gradient(z)
    support = constant > _sorted_threshold(constant)
    # The sums of sorted values were rounded: looked at again, with one sum.
    support = constant > _threshold(constant, support | is_largest)
    return z - _threshold(z, support | is_largest)


def _sorted_threshold(z):
    """The threshold is the largest of those of the first, of the first two, ..."""
    descending = -ops.sort(-z, axis=-1)
    sums = ops.cast(ops.cumsum(descending, axis=-1), z.dtype)  # narrow on PyTorch
    counts = ops.arange(1, ops.shape(z)[-1] + 1, dtype=z.dtype)
    return backend.largest((sums - 1) / counts, float("-inf"))


def _threshold(z, support):
    """The threshold if these are the classes above it."""
    total = ops.sum(ops.where(support, z, ops.zeros_like(z)), axis=-1, keepdims=True)
    count = ops.sum(ops.cast(support, z.dtype), axis=-1, keepdims=True)
    return (total - 1) / count
