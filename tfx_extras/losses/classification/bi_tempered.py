"""Bi-tempered logistic loss, for noisy labels."""

import math
from typing import Unpack

import numpy as np
from keras import ops

from tfx_extras._backend import backend
from tfx_extras._checks import Number
from tfx_extras._checks import require
from tfx_extras._register import register
from tfx_extras._typed import typechecked
from tfx_extras.losses._base import FunctionLoss
from tfx_extras.losses._base import LossOptions
from tfx_extras.losses._labels import dense_labels
from tfx_extras.losses._labels import require_class_axis
from tfx_extras.losses._labels import require_ignore_class
from tfx_extras.losses._labels import sparse_labels
from tfx_extras.losses._probabilities import TINY
from tfx_extras.losses._probabilities import at_least

__all__ = [
    "BiTemperedLoss",
    "SparseBiTemperedLoss",
    "bi_tempered_loss",
    "sparse_bi_tempered_loss",
]

STEPS = 8  # of Newton's method; more change nothing in `float64`


@register
def bi_tempered_loss(
    y_true,
    y_pred,
    t1: Number = 0.8,
    t2: Number = 1.4,
    label_smoothing: Number = 0.0,
    ignore_class: int | None = None,
    axis: int = -1,
):
    r"""Bi-tempered logistic loss: bounded, heavy-tailed softmax loss for noisy labels.

    Function form of `BiTemperedLoss`, which has the formula.

    Args:
        y_true: Labels $y$ in [0, 1], such as one-hot labels, of the shape of `y_pred`.
        y_pred: Logits $z$, any real numbers, of shape `(batch, ..., classes)`.
        t1: $t_1$, in [0, 1]: below 1, the loss of an example is bounded. Smaller values
            ignore mislabeled examples far from the decision boundary more.
        t2: $t_2$, in [1, 5]: above 1, the tail of the softmax is heavier. Larger
            values are more robust to mislabeled examples near the boundary.
        label_smoothing: $e$, in [0, 1]: the fraction of each label's probability that
            is spread uniformly over all classes.
        ignore_class: Samples whose largest label is that of this class have loss 0 and
            do not count in the mean.
        axis: Axis of the classes. It must not be 0, the batch axis.

    Returns:
        The loss, of the shape of `y_pred` without `axis`, in `float32` or wider.

    Raises:
        ValueError: If `y_true` and `y_pred` differ in shape.

    Example:
        >>> loss = tfx_extras.losses.bi_tempered_loss(
        ...     [[1, 0, 0], [0, 1, 0]], [[5.0, 0.0, 0.0], [50.0, 0.0, 0.0]])
        >>> print(keras.ops.convert_to_numpy(loss).round(4))
        [0.0666 3.9081]
    """
    labels, z = dense_labels(
        y_true, y_pred, ignore_class, axis, "`SparseBiTemperedLoss`"
    )
    surprise = _surprise(z, t2)
    y = (1 - label_smoothing) * labels.shares
    if label_smoothing > 0:
        y = y + label_smoothing / ops.cast(ops.shape(z)[-1], z.dtype)
    return labels.settle(ops.sum(_divergence(y, surprise, t1), axis=-1))


@register
class BiTemperedLoss(FunctionLoss):
    r"""Bi-tempered logistic loss: bounded, heavy-tailed softmax loss for noisy labels.

    Use it for multi-class classification when some training labels are wrong. With the
    temperature $t_1 < 1$ the loss is bounded, so that mislabeled examples far from the
    decision boundary do not dominate it. With $t_2 > 1$ probabilities decrease more
    slowly than with softmax, so that mislabeled examples near the boundary distort it
    less. `GeneralizedCategoricalCrossentropy` has the first property and one number to
    tune. `keras.losses.CategoricalCrossentropy` is the case $t_1 = t_2 = 1$, up to the
    entropy of the labels.

    $$ L = \sum_{c=1}^C \left( y'_c \left( \log_{t_1} y'_c - \log_{t_1} p_c \right)
        - \frac{y_c'^{2 - t_1} - p_c^{2 - t_1}}{2 - t_1} \right), \quad
        p_c = \exp_{t_2}(z_c - \lambda) $$

    $$ \log_t u = \frac{u^{1 - t} - 1}{1 - t}, \quad
        \exp_t u = \max(1 + (1 - t)\, u, 0)^{1 / (1 - t)} $$

    $z_c$ is the logit of class $c$ out of $C$, and $\lambda$ is such that the $p_c$ sum
    to 1. Label smoothing replaces each label $y_c$ by $y'_c = (1 - e)\, y_c + e / C$.
    $\log_1$ and $\exp_1$ are the logarithm and the exponential function. The loss is 0
    where $p = y'$.

    Returns one loss per sample, of the shape of `y_pred` without `axis`, which
    `reduction` averages. Time and memory grow linearly with the number of predictions.
    It makes about 50 passes over them, ten times as many as cross-entropy.

    $\lambda$ is exact. The code of the authors makes 5 steps of a fixed-point
    iteration, with which probabilities are wrong by up to 0.3 %; here, Newton's method
    makes 8 steps, and nothing is differentiated through the first six. There is no
    `from_logits`, because the softmax is part of the loss: for predictions, take the
    class with the largest logit. The code of the authors spreads $e\, C / (C - 1)$ in
    place of $e$. For integer labels, use `SparseBiTemperedLoss`.

    Args:
        t1: $t_1$, in [0, 1]: below 1, the loss of an example is bounded. Smaller values
            ignore mislabeled examples far from the decision boundary more.
        t2: $t_2$, in [1, 5]: above 1, the tail of the softmax is heavier. Larger
            values are more robust to mislabeled examples near the boundary.
        label_smoothing: $e$, in [0, 1]: the fraction of each label's probability that
            is spread uniformly over all classes.
        ignore_class: Samples whose largest label is that of this class have loss 0 and
            do not count in the mean.
        axis: Axis of the classes. It must not be 0, the batch axis.
        **kwargs: `name`, `reduction` and `dtype`: see `LossOptions`.

    Call arguments:
        y_true: Labels $y$ in [0, 1], such as one-hot labels, of the shape of `y_pred`.
        y_pred: Logits $z$, any real numbers, of shape `(batch, ..., classes)`.

    Raises:
        ValueError: If an argument is outside its interval, or `y_true` and `y_pred`
            differ in shape.
        TypeError: If an argument has the wrong type or an unknown name.

    Example:
        >>> loss = tfx_extras.losses.BiTemperedLoss(t1=1.0, t2=1.0)
        >>> value = loss([[1, 0], [0, 1]], [[2.0, 0.0], [0.0, 1.0]])
        >>> print(f"{float(value):.4f}")  # cross-entropy
        0.2201

    Reference: Amid et al., 2019. https://arxiv.org/abs/1906.03361
    """

    function = staticmethod(bi_tempered_loss)

    @typechecked
    def __init__(
        self,
        t1: Number = 0.8,
        t2: Number = 1.4,
        label_smoothing: Number = 0.0,
        ignore_class: int | np.integer | None = None,
        axis: int = -1,
        **kwargs: Unpack[LossOptions],
    ):
        super().__init__(**kwargs)
        self.t1 = require("t1", t1, "[0, 1]")
        self.t2 = require("t2", t2, "[1, 5]")
        self.label_smoothing = require("label_smoothing", label_smoothing, "[0, 1]")
        self.ignore_class = require_ignore_class(ignore_class)
        self.axis = require_class_axis(axis)


@register
def sparse_bi_tempered_loss(
    y_true,
    y_pred,
    t1: Number = 0.8,
    t2: Number = 1.4,
    label_smoothing: Number = 0.0,
    ignore_class: int | None = None,
    axis: int = -1,
):
    r"""Sparse bi-tempered logistic loss: robust softmax loss for noisy integer labels.

    Function form of `SparseBiTemperedLoss`, which has the formula.

    Args:
        y_true: Classes $y$: integers in [0, classes), of the shape of `y_pred` without
            `axis`, or with a last axis of size 1.
        y_pred: Logits $z$, any real numbers, of shape `(batch, ..., classes)`.
        t1: $t_1$, in [0, 1]: below 1, the loss of an example is bounded. Smaller values
            ignore mislabeled examples far from the decision boundary more.
        t2: $t_2$, in [1, 5]: above 1, the tail of the softmax is heavier. Larger
            values are more robust to mislabeled examples near the boundary.
        label_smoothing: $e$, in [0, 1]: the fraction of each label's probability that
            is spread uniformly over all classes.
        ignore_class: Samples with this label, any integer such as -1 or 255, have loss
            0 and do not count in the mean.
        axis: Axis of the classes. It must not be 0, the batch axis.

    Returns:
        The loss, of the shape of `y_pred` without `axis`, in `float32` or wider. It is
        NaN where a label is out of range and checking all labels would be slow: in
        compiled code and on a GPU.

    Raises:
        ValueError: If the shapes do not match, or a label is found to be out of range.

    Example:
        >>> loss = tfx_extras.losses.sparse_bi_tempered_loss(
        ...     [0, 1], [[5.0, 0.0, 0.0], [50.0, 0.0, 0.0]])
        >>> print(keras.ops.convert_to_numpy(loss).round(4))
        [0.0666 3.9081]
    """
    labels, z = sparse_labels(y_true, y_pred, ignore_class, axis, "`BiTemperedLoss`")
    surprise = _surprise(z, t2)
    own = labels.classes[..., None]
    is_own = ops.arange(ops.shape(z)[-1], dtype=own.dtype) == own
    if label_smoothing > 0:
        least = label_smoothing / ops.cast(ops.shape(z)[-1], z.dtype)
        y = ops.where(is_own, 1 - label_smoothing + least, least)
        loss = _divergence(ops.cast(y, z.dtype), surprise, t1)
    else:
        of_own = _of_label_1(ops.take_along_axis(surprise, own, axis=-1), t1)
        of_others = ops.exp(-(2 - t1) * surprise) / (2 - t1)
        loss = ops.where(is_own, of_own, of_others)
    return labels.settle(ops.sum(loss, axis=-1))


@register
class SparseBiTemperedLoss(FunctionLoss):
    r"""Sparse bi-tempered logistic loss: robust softmax loss for noisy integer labels.

    Use it for multi-class classification with integer labels when some of them are
    wrong. With the temperature $t_1 < 1$ the loss is bounded, so that mislabeled
    examples far from the decision boundary do not dominate it. With $t_2 > 1$
    probabilities decrease more slowly than with softmax, so that mislabeled examples
    near the boundary distort it less. `GeneralizedSparseCategoricalCrossentropy` has
    the first property and one number to tune.
    `keras.losses.SparseCategoricalCrossentropy` is the case $t_1 = t_2 = 1$.

    $$ L = -\log_{t_1} p_y - \frac{1}{2 - t_1}
        + \sum_{c=1}^C \frac{p_c^{2 - t_1}}{2 - t_1}, \quad
        p_c = \exp_{t_2}(z_c - \lambda) $$

    $$ \log_t u = \frac{u^{1 - t} - 1}{1 - t}, \quad
        \exp_t u = \max(1 + (1 - t)\, u, 0)^{1 / (1 - t)} $$

    $z_c$ is the logit of class $c$ out of $C$, $y$ the class of the sample, and
    $\lambda$ is such that the $p_c$ sum to 1. $\log_1$ and $\exp_1$ are the logarithm
    and the exponential function. With label smoothing $e$, the loss is `BiTemperedLoss`
    of labels $1 - e + e / C$ for class $y$ and $e / C$ for the others.

    Returns one loss per sample, of the shape of `y_pred` without `axis`, which
    `reduction` averages. It is NaN where a label is out of range and checking all
    labels would be slow: in compiled code and on a GPU. Time and memory grow linearly
    with the number of predictions. It makes about 50 passes over them, ten times as
    many as cross-entropy.

    $\lambda$ is exact. The code of the authors makes 5 steps of a fixed-point
    iteration, with which probabilities are wrong by up to 0.3 %; here, Newton's method
    makes 8 steps, and nothing is differentiated through the first six. There is no
    `from_logits`, because the softmax is part of the loss: for predictions, take the
    class with the largest logit.

    Args:
        t1: $t_1$, in [0, 1]: below 1, the loss of an example is bounded. Smaller values
            ignore mislabeled examples far from the decision boundary more.
        t2: $t_2$, in [1, 5]: above 1, the tail of the softmax is heavier. Larger
            values are more robust to mislabeled examples near the boundary.
        label_smoothing: $e$, in [0, 1]: the fraction of each label's probability that
            is spread uniformly over all classes.
        ignore_class: Samples with this label, any integer such as -1 or 255, have loss
            0 and do not count in the mean.
        axis: Axis of the classes. It must not be 0, the batch axis.
        **kwargs: `name`, `reduction` and `dtype`: see `LossOptions`.

    Call arguments:
        y_true: Classes $y$: integers in [0, classes), of the shape of `y_pred` without
            `axis`, or with a last axis of size 1.
        y_pred: Logits $z$, any real numbers, of shape `(batch, ..., classes)`.

    Raises:
        ValueError: If an argument is outside its interval, the shapes do not match, or
            a label is found to be out of range.
        TypeError: If an argument has the wrong type or an unknown name.

    Example:
        >>> loss = tfx_extras.losses.SparseBiTemperedLoss()
        >>> value = loss([0, 2], [[2.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
        >>> print(f"{float(value):.4f}")
        0.3986

    Reference: Amid et al., 2019. https://arxiv.org/abs/1906.03361
    """

    function = staticmethod(sparse_bi_tempered_loss)

    @typechecked
    def __init__(
        self,
        t1: Number = 0.8,
        t2: Number = 1.4,
        label_smoothing: Number = 0.0,
        ignore_class: int | np.integer | None = None,
        axis: int = -1,
        **kwargs: Unpack[LossOptions],
    ):
        super().__init__(**kwargs)
        self.t1 = require("t1", t1, "[0, 1]")
        self.t2 = require("t2", t2, "[1, 5]")
        self.label_smoothing = require("label_smoothing", label_smoothing, "[0, 1]")
        self.ignore_class = require_ignore_class(ignore_class)
        self.axis = require_class_axis(axis)


def _surprise(z, t):
    r"""-log(p) of all classes, where p is exp_t(z - lambda).

    Newton's method finds the root of $S^{1 - t} - 1$, where $S = \sum_c p_c$. From the
    maximum of the logits, it approaches lambda from below, since $S^{1 - t}$ is concave
    in lambda. Gradients flow through the last two steps: the first of them has the
    derivatives of lambda, the second one also second derivatives.
    """
    largest = ops.stop_gradient(backend.largest(z, float("-inf")))
    is_first = _is_first(z >= largest)
    z = z - largest
    shift, constant = ops.zeros_like(largest), ops.stop_gradient(z)
    for _ in range(STEPS - 2):
        shift = _newton(constant, shift, is_first, t)
    shift = ops.stop_gradient(shift)
    for _ in range(2):
        shift = _newton(z, shift, is_first, t)
    return _surprise_at(z, shift, t)


def _is_first(is_largest):
    """A mask of the first place of each row where a mask holds."""
    count = ops.shape(is_largest)[-1]
    places = ops.arange(count, dtype="int32")
    first = -backend.largest(-ops.where(is_largest, places, count), -2147483647)
    return places == first


def _newton(z, shift, is_first, t):
    surprise = _surprise_at(z, shift, t)
    # The largest probability is near 1, and so is the sum: both minus 1 keep digits.
    parts = ops.where(is_first, ops.expm1(-surprise), ops.exp(-surprise))
    log_sum = ops.log1p(ops.sum(parts, axis=-1, keepdims=True))
    log_t = log_sum if t == 1 else ops.expm1((1 - t) * log_sum) / (1 - t)
    slope = ops.sum(ops.exp(-t * surprise), axis=-1, keepdims=True)
    return shift + ops.exp(t * log_sum) * log_t / slope


def _surprise_at(z, shift, t):
    below = shift - z
    return below if t == 1 else ops.log1p((t - 1) * below) / (t - 1)


def _divergence(y, surprise, t):
    """The loss of each class: the Bregman divergence of y and p."""
    a, b = 1 - t, 2 - t
    p_b = ops.exp(-b * surprise)
    is_0 = y == 0
    log_y = ops.log(at_least(y, TINY))
    ratio = log_y + ops.where(is_0, ops.zeros_like(surprise), surprise)  # log(y / p)
    y_b = ops.exp(b * log_y)
    is_near = ops.abs(ratio) < 0.5
    near = ops.where(is_near, ratio, ops.zeros_like(ratio))
    first = ratio if a == 0 else -ops.expm1(-a * ratio) / a
    far = y_b * first - (y_b - p_b) / b
    loss = ops.where(is_near, y_b * _series(near, t), far)
    return ops.where(is_0, p_b / b, loss)


def _of_label_1(surprise, t):
    """The divergence of y = 1 and p."""
    a, b = 1 - t, 2 - t
    is_near = surprise < 0.5
    near = ops.where(is_near, surprise, ops.zeros_like(surprise))
    first = surprise if a == 0 else -ops.expm1(-a * surprise) / a
    far = first + ops.expm1(-b * surprise) / b
    return ops.where(is_near, _series(near, t), far)


def _series(x, t):
    """(1 - exp(-a x)) / a - (1 - exp(-b x)) / b near 0, where it cancels."""
    a, b = 1 - t, 2 - t
    total = 0.0
    for j in range(18 if "64" in str(x.dtype) else 11, 1, -1):
        factor = (-1) ** j * (b ** (j - 1) - a ** (j - 1)) / math.factorial(j)
        total = factor + x * total
    return ops.square(x) * total
