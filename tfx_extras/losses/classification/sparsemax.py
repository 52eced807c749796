"""Sparsemax, an activation whose probabilities are often exactly 0, and its loss."""

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
    r"""Sparsemax: an activation like softmax whose probabilities are often exactly 0.

    Use it in place of softmax where most probabilities should be exactly 0. Where a
    probability is 0, so is its gradient: train a classifier on its logits with
    `SparsemaxLoss`. `keras.activations.sparsemax` has the same formula, but in Keras
    3.15.1 its values do not sum to 1 if more than one of them should be positive
    (https://github.com/keras-team/keras/issues/23425).

    $$ p_j = \max(z_j - \tau, 0), \quad \tau \text{ such that }
        \sum_j p_j = 1 $$

    $p$ is the probability vector that is nearest to the logits $z$, in Euclidean
    distance. $\tau$ is the threshold that makes it sum to 1.

    The time is that of sorting along `axis`. The gradient does not sort.

    Args:
        x: Logits $z$, any real numbers, of rank 1 or more.
        axis: Axis of the classes.

    Returns:
        Probabilities $p$, of the shape of `x`, in its dtype (`float32` for integers).
        They are computed in `float32` or wider.

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
    r"""Sparsemax loss: the counterpart of cross-entropy for `sparsemax`.

    Function form of `SparsemaxLoss`, which has the formula.

    Args:
        y_true: Labels $y$ in [0, 1], which sum to 1 over the classes, such as one-hot
            labels, of the shape of `y_pred`.
        y_pred: Logits $z$, any real numbers, of shape `(batch, ..., classes)`.
        axis: Axis of the classes. It must not be 0, the batch axis.

    Returns:
        The loss, of the shape of `y_pred` without `axis`, in `float32` or wider.

    Raises:
        ValueError: If `y_true` and `y_pred` differ in shape.

    Example:
        >>> loss = tfx_extras.losses.sparsemax_loss(
        ...     [[1, 0, 0], [0, 1, 0]], [[2.0, 0.0, 0.0], [2.0, 0.0, 0.0]])
        >>> print(keras.ops.convert_to_numpy(loss))
        [0. 2.]
    """
    labels, z = dense_labels(y_true, y_pred, None, axis)
    y, above = labels.shares, _above_threshold(z)
    p = ops.relu(above)
    missed = p - above  # not relu(-above), whose gradient at 0 would be 0
    missed = ops.where(y == 0, ops.zeros_like(y), missed)  # infinite for -inf
    return ops.sum(ops.square(p - y) / 2 + y * missed, axis=-1)


@register
class SparsemaxLoss(FunctionLoss):
    r"""Sparsemax loss: the counterpart of cross-entropy for `sparsemax`.

    Use it to train a classifier whose probabilities are computed by `sparsemax`, with
    one-hot labels or labels that share the probability among several classes. It
    takes logits only: leave the last layer without activation, and apply `sparsemax` to
    its output for predictions. It sorts the logits, which takes more time than
    cross-entropy with many classes. Keras has no equivalent.

    $$ L = \tfrac12 \sum_j (p_j - y_j)^2 + \sum_j y_j \max(\tau - z_j, 0), \quad
        p_j = \max(z_j - \tau, 0) $$

    $p$ is `sparsemax` of the logits $z$, $\tau$ its threshold, and $y$ the labels. The
    loss is 0 where $p = y$, and its gradient in $z$ is $p - y$. The paper writes the
    same as $\sum_j (p_j - y_j)(z_j - \tfrac12 p_j - \tfrac12 y_j)$, whose terms cancel.

    Returns one loss per sample, of the shape of `y_pred` without `axis`, which
    `reduction` averages.

    There is no `from_logits`, because probabilities do not determine the loss. The time
    is that of sorting along `axis`. The gradient does not sort.

    Args:
        axis: Axis of the classes. It must not be 0, the batch axis.
        **kwargs: `name`, `reduction` and `dtype`: see `LossOptions`.

    Call arguments:
        y_true: Labels $y$ in [0, 1], which sum to 1 over the classes, such as one-hot
            labels, of the shape of `y_pred`.
        y_pred: Logits $z$, any real numbers, of shape `(batch, ..., classes)`.

    Raises:
        ValueError: If `axis` is the batch axis, or `y_true` and `y_pred` differ in
            shape.
        TypeError: If an argument has the wrong type or an unknown name.

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
    """Returns z minus the threshold; its positive parts sum to 1."""
    # Only differences matter, so the maximum can be subtracted as a constant. Its
    # initial value is for empty batches.
    largest = backend.largest(z, float("-inf"))
    # The maximum is always in the support. XLA may compute the difference again with
    # other rounding, which would put it below the threshold.
    is_largest = z >= largest
    z = z - ops.stop_gradient(largest)
    constant = ops.stop_gradient(z)
    support = constant > _sorted_threshold(constant)
    # The cumulative sums were rounded: find the support again from a single sum.
    support = constant > _threshold(constant, support | is_largest)
    return z - _threshold(z, support | is_largest)


def _sorted_threshold(z):
    """The maximum of the thresholds for the first value, the first two, and so on."""
    descending = -ops.sort(-z, axis=-1)
    sums = ops.cast(ops.cumsum(descending, axis=-1), z.dtype)  # `float32` on PyTorch
    counts = ops.arange(1, ops.shape(z)[-1] + 1, dtype=z.dtype)
    return backend.largest((sums - 1) / counts, float("-inf"))


def _threshold(z, support):
    """The threshold if `support` are the classes above it."""
    total = ops.sum(ops.where(support, z, ops.zeros_like(z)), axis=-1, keepdims=True)
    count = ops.sum(ops.cast(support, z.dtype), axis=-1, keepdims=True)
    return (total - 1) / count
