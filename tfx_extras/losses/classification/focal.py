"""Focal losses."""

import functools
from typing import Unpack

import keras
import numpy as np
from keras import ops

from tfx_extras._backend import backend
from tfx_extras._checks import Number
from tfx_extras._checks import require
from tfx_extras._precision import wide
from tfx_extras._register import register
from tfx_extras._typed import typechecked
from tfx_extras.losses._base import FunctionLoss
from tfx_extras.losses._base import LossOptions
from tfx_extras.losses._base import aligned
from tfx_extras.losses._base import mean
from tfx_extras.losses._base import predictions
from tfx_extras.losses._labels import ClassWeights
from tfx_extras.losses._labels import DenseLabels
from tfx_extras.losses._labels import SparseLabels
from tfx_extras.losses._labels import dense_labels
from tfx_extras.losses._labels import per_class
from tfx_extras.losses._labels import require_class_axis
from tfx_extras.losses._labels import require_ignore_class
from tfx_extras.losses._labels import require_weights
from tfx_extras.losses._labels import sparse_labels
from tfx_extras.losses._probabilities import TINY
from tfx_extras.losses._probabilities import Logits
from tfx_extras.losses._probabilities import at_least
from tfx_extras.losses._probabilities import in_unit_interval
from tfx_extras.losses._probabilities import of_logits
from tfx_extras.losses._probabilities import power
from tfx_extras.losses._probabilities import probabilities
from tfx_extras.losses.classification._long_rows import at

__all__ = [
    "CategoricalFocalCrossentropy",
    "SigmoidFocalCrossentropy",
    "SparseCategoricalFocalCrossentropy",
    "categorical_focal_crossentropy",
    "sigmoid_focal_crossentropy",
    "sparse_categorical_focal_crossentropy",
]


@register
def sigmoid_focal_crossentropy(
    y_true,
    y_pred,
    alpha: Number | None = 0.25,
    gamma: Number = 2.0,
    label_smoothing: Number = 0.0,
    from_logits: bool = False,
):
    r"""Binary cross-entropy in which what is already well classified weighs little.

    $$ L = -\frac1C \sum_{c=1}^C \alpha_c\, (1 - p_c)^\gamma
        \left( y'_c \log q_c + (1 - y'_c) \log(1 - q_c) \right) $$

    Here $q_c$ is the predicted probability of class $c$ out of $C$, and
    $p_c = y'_c q_c + (1 - y'_c)(1 - q_c)$ the probability given to the truth
    about it. Of a label $y_c$, smoothing makes
    $y'_c = (1 - e)\, y_c + e / 2$, and
    $\alpha_c = \alpha y_c + (1 - \alpha)(1 - y_c)$. A label between 0 and 1
    interpolates, as in Optax.

    Differs from the paper in the mean over classes, as everywhere in Keras, where
    the paper, and TensorFlow Addons, take the sum. The classes may overlap: for
    exclusive ones, see `categorical_focal_crossentropy`.

    Args:
        y_true: Labels $y$ in [0, 1], of shape `(..., classes)`.
        y_pred: Predictions, of shape `(..., classes)`: probabilities $q$ or, with
            `from_logits`, any real numbers.
        alpha: $\alpha$, weight of the label 1, in [0, 1]; that of the label 0 is
            $1 - \alpha$. `None` weighs both by 1.
        gamma: $\gamma$, in [0, inf); 0 gives cross-entropy.
        label_smoothing: $e$, in [0, 1].
        from_logits: Whether `y_pred` holds logits. This is the more exact: of
            probabilities, and of their complements, what is less than
            `keras.config.epsilon()` counts as that.

    Returns:
        The loss in nats, of shape `(...)`, in `float32` or wider. Predictions of
        rank 1 are a batch: one loss for each.

    Raises:
        ValueError: If `y_true` and `y_pred` differ in shape.

    Example:
        >>> loss = tfx_extras.losses.sigmoid_focal_crossentropy(
        ...     [[1, 0], [0, 1]], [[0.9, 0.2], [0.5, 0.5]])
        >>> print(keras.ops.convert_to_numpy(loss).round(4))
        [0.0035 0.0866]

    Reference: Lin et al., 2017, eq. 5. https://arxiv.org/abs/1708.02002
    """
    y, q = aligned(y_true, y_pred)
    if from_logits:
        log_q, log_not_q = ops.log_sigmoid(q), ops.log_sigmoid(-q)
        q, not_q = ops.sigmoid(q), ops.sigmoid(-q)
    else:
        log_q, log_not_q, q, not_q = _logarithms(q)
    weight = 1.0 if alpha is None else alpha * y + (1 - alpha) * (1 - y)
    y = (1 - label_smoothing) * y + label_smoothing / 2
    miss = y * not_q + (1 - y) * q
    surprise = -(y * log_q + (1 - y) * log_not_q)
    return mean(weight * power(miss, gamma) * surprise)


def _logarithms(q):
    """Returns log(q), log(1 - q), q and 1 - q, of at least epsilon each."""
    q = in_unit_interval(q)
    epsilon = keras.config.epsilon()
    is_certain = 1 - q < epsilon
    uncertain = ops.where(is_certain, ops.zeros_like(q), q)
    q, not_q = at_least(q, epsilon), at_least(1 - q, epsilon)
    # Not the logarithm of 1 - q, in which a small q has been rounded away.
    log_not_q = ops.where(is_certain, ops.log(not_q), ops.log1p(-uncertain))
    return ops.log(q), log_not_q, q, not_q


@register
class SigmoidFocalCrossentropy(FunctionLoss):
    r"""Binary cross-entropy in which what is already well classified weighs little.

    Class form of `sigmoid_focal_crossentropy`, which has the formula.

    Args:
        alpha: $\alpha$, weight of the label 1, in [0, 1]; that of the label 0 is
            $1 - \alpha$. `None` weighs both by 1.
        gamma: $\gamma$, in [0, inf), how little the well classified weighs; 0
            gives cross-entropy.
        label_smoothing: $e$, in [0, 1], how much of a label is moved to 1/2.
        from_logits: Whether predictions are logits, the more exact.
        **kwargs: Options of every loss: see `LossOptions`.

    Raises:
        ValueError: If an argument is outside its interval.

    Example:
        >>> loss = tfx_extras.losses.SigmoidFocalCrossentropy(from_logits=True)
        >>> print(f"{float(loss([[1], [0]], [[2.0], [-1.0]])):.4f}")
        0.0087

    Reference: Lin et al., 2017, eq. 5. https://arxiv.org/abs/1708.02002
    """

    function = staticmethod(sigmoid_focal_crossentropy)

    @typechecked
    def __init__(
        self,
        alpha: Number | None = 0.25,
        gamma: Number = 2.0,
        label_smoothing: Number = 0.0,
        from_logits: bool = False,
        **kwargs: Unpack[LossOptions],
    ):
        super().__init__(**kwargs)
        self.alpha = None if alpha is None else require("alpha", alpha, "[0, 1]")
        self.gamma = require("gamma", gamma, "[0, inf)")
        self.label_smoothing = require("label_smoothing", label_smoothing, "[0, 1]")
        self.from_logits = from_logits


@register
def categorical_focal_crossentropy(
    y_true,
    y_pred,
    alpha: Number | ClassWeights | None = 0.25,
    gamma: Number = 2.0,
    label_smoothing: Number = 0.0,
    ignore_class: int | None = None,
    from_logits: bool = False,
    axis: int = -1,
):
    r"""Cross-entropy in which what is already well classified weighs little.

    $$ L = -\sum_{c=1}^C \alpha_c\, y'_c\, (1 - p_c)^\gamma \log p_c $$

    Here $p_c$ is the predicted probability of class $c$ out of $C$. Of a label
    $y_c$, smoothing makes $y'_c = (1 - e)\, y_c + e / C$.

    The paper has two classes, and $\alpha$ of one of them; the form for more, and
    the default of `alpha`, are those of Keras, which clips logits, too.

    Args:
        y_true: Labels $y$ in [0, 1], of the shape of `y_pred`.
        y_pred: Predictions, of shape `(batch, ..., classes)`: probabilities,
            which need not sum to 1, or, with `from_logits`, any real numbers.
        alpha: $\alpha$, in [0, inf): one number, or one per class, of shape
            `(classes,)`. `None` weighs all by 1.
        gamma: $\gamma$, in [0, inf); 0 gives cross-entropy.
        label_smoothing: $e$, in [0, 1].
        ignore_class: Samples whose largest label is that of this class have loss
            0 and are left out of means.
        from_logits: Whether `y_pred` holds logits. This is the more exact:
            probabilities below `keras.config.epsilon()` count as that.
        axis: The axis of the classes, not 0.

    Returns:
        The loss in nats, of the shape of `y_pred` without `axis`, in `float32` or
        wider.

    Raises:
        ValueError: If `y_true` and `y_pred` differ in shape, or `alpha` has not
            one number per class.

    Example:
        >>> loss = tfx_extras.losses.categorical_focal_crossentropy(
        ...     [[1, 0, 0], [0, 0, 1]], [[0.9, 0.1, 0.0], [0.2, 0.3, 0.5]])
        >>> print(keras.ops.convert_to_numpy(loss).round(4))
        [0.0003 0.0433]

    Reference: Lin et al., 2017. https://arxiv.org/abs/1708.02002
    """
    labels, y_pred = dense_labels(
        y_true, y_pred, ignore_class, axis, "`SparseCategoricalFocalCrossentropy`"
    )
    loss = _focal(labels, y_pred, alpha, gamma, label_smoothing, from_logits)
    return labels.settle(loss)


@register
class CategoricalFocalCrossentropy(FunctionLoss):
    r"""Cross-entropy in which what is already well classified weighs little.

    Class form of `categorical_focal_crossentropy`, which has the formula.

    Args:
        alpha: $\alpha$, weights of the classes, in [0, inf): one number, or one
            per class, of shape `(classes,)`. `None` weighs all by 1.
        gamma: $\gamma$, in [0, inf), how little the well classified weighs; 0
            gives cross-entropy.
        label_smoothing: $e$, in [0, 1], how much of a label is spread evenly over
            the classes.
        ignore_class: Samples whose largest label is that of this class have
            loss 0 and are left out of means.
        from_logits: Whether predictions are logits, the more exact.
        axis: The axis of the classes, not 0.
        **kwargs: Options of every loss: see `LossOptions`.

    Raises:
        ValueError: If an argument is outside its interval.

    Example:
        >>> loss = tfx_extras.losses.CategoricalFocalCrossentropy(from_logits=True)
        >>> value = loss([[1, 0], [0, 1]], [[2.0, 0.0], [0.0, 1.0]])
        >>> print(f"{float(value):.4f}")
        0.0031

    Reference: Lin et al., 2017. https://arxiv.org/abs/1708.02002
    """

    function = staticmethod(categorical_focal_crossentropy)

    @typechecked
    def __init__(
        self,
        alpha: Number | ClassWeights | None = 0.25,
        gamma: Number = 2.0,
        label_smoothing: Number = 0.0,
        ignore_class: int | np.integer | None = None,
        from_logits: bool = False,
        axis: int = -1,
        **kwargs: Unpack[LossOptions],
    ):
        super().__init__(**kwargs)
        self.alpha = require_weights("alpha", alpha)
        self.gamma = require("gamma", gamma, "[0, inf)")
        self.label_smoothing = require("label_smoothing", label_smoothing, "[0, 1]")
        self.ignore_class = require_ignore_class(ignore_class)
        self.from_logits = from_logits
        self.axis = require_class_axis(axis)


@register
def sparse_categorical_focal_crossentropy(
    y_true,
    y_pred,
    alpha: Number | ClassWeights | None = 0.25,
    gamma: Number = 2.0,
    label_smoothing: Number = 0.0,
    ignore_class: int | None = None,
    from_logits: bool = False,
    axis: int = -1,
):
    r"""Cross-entropy in which what is already well classified weighs little.

    $$ L = -(1 - e)\, \alpha_y\, (1 - p_y)^\gamma \log p_y
        - \frac{e}{C} \sum_{c=1}^C \alpha_c\, (1 - p_c)^\gamma \log p_c $$

    Here $p_c$ is the predicted probability of class $c$ out of $C$, and $y$ the
    class of the sample. It is `categorical_focal_crossentropy` of one-hot labels,
    which are not built.

    Args:
        y_true: Classes $y$, integers in [0, classes), of the shape of `y_pred`
            without `axis`, or with a last axis of size 1.
        y_pred: Predictions, of shape `(batch, ..., classes)`: probabilities,
            which need not sum to 1, or, with `from_logits`, any real numbers.
        alpha: $\alpha$, in [0, inf): one number, or one per class, of shape
            `(classes,)`. `None` weighs all by 1.
        gamma: $\gamma$, in [0, inf); 0 gives cross-entropy.
        label_smoothing: $e$, in [0, 1].
        ignore_class: Samples with this label, any integer, such as -1 or 255,
            have loss 0 and are left out of means.
        from_logits: Whether `y_pred` holds logits. This is the more exact:
            probabilities below `keras.config.epsilon()` count as that.
        axis: The axis of the classes, not 0.

    Returns:
        The loss in nats, of the shape of `y_pred` without `axis`, in `float32` or
        wider. It is NaN where the label is no class and looking at all labels
        would slow down: in compiled code, and on a GPU.

    Raises:
        ValueError: If the shape of `y_true` is another, `alpha` has not one number
            per class, or a label is seen to be no class.

    Example:
        >>> loss = tfx_extras.losses.sparse_categorical_focal_crossentropy(
        ...     [0, 2], [[0.9, 0.1, 0.0], [0.2, 0.3, 0.5]])
        >>> print(keras.ops.convert_to_numpy(loss).round(4))
        [0.0003 0.0433]

    Reference: Lin et al., 2017. https://arxiv.org/abs/1708.02002
    """
    labels, y_pred = sparse_labels(
        y_true,
        y_pred,
        ignore_class,
        axis,
        "`CategoricalFocalCrossentropy`",
        as_given=True,
    )
    loss = _focal(labels, y_pred, alpha, gamma, label_smoothing, from_logits)
    return labels.settle(loss)


@register
class SparseCategoricalFocalCrossentropy(FunctionLoss):
    r"""Cross-entropy in which what is already well classified weighs little.

    Class form of `sparse_categorical_focal_crossentropy`, which has the formula.

    Labels stay the integers they are, whatever their number and `dtype`.

    Args:
        alpha: $\alpha$, weights of the classes, in [0, inf): one number, or one
            per class, of shape `(classes,)`. `None` weighs all by 1.
        gamma: $\gamma$, in [0, inf), how little the well classified weighs; 0
            gives cross-entropy.
        label_smoothing: $e$, in [0, 1], how much of a label is spread evenly over
            the classes.
        ignore_class: Samples with this label, any integer, such as -1 or 255, have
            loss 0 and are left out of means.
        from_logits: Whether predictions are logits, the more exact.
        axis: The axis of the classes, not 0.
        **kwargs: Options of every loss: see `LossOptions`.

    Raises:
        ValueError: If an argument is outside its interval.

    Example:
        >>> loss = tfx_extras.losses.SparseCategoricalFocalCrossentropy(
        ...     from_logits=True)
        >>> value = loss([0, 2], [[2.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
        >>> print(f"{float(value):.4f}")
        0.0137

    Reference: Lin et al., 2017. https://arxiv.org/abs/1708.02002
    """

    function = staticmethod(sparse_categorical_focal_crossentropy)

    @typechecked
    def __init__(
        self,
        alpha: Number | ClassWeights | None = 0.25,
        gamma: Number = 2.0,
        label_smoothing: Number = 0.0,
        ignore_class: int | np.integer | None = None,
        from_logits: bool = False,
        axis: int = -1,
        **kwargs: Unpack[LossOptions],
    ):
        super().__init__(**kwargs)
        self.alpha = require_weights("alpha", alpha)
        self.gamma = require("gamma", gamma, "[0, inf)")
        self.label_smoothing = require("label_smoothing", label_smoothing, "[0, 1]")
        self.ignore_class = require_ignore_class(ignore_class)
        self.from_logits = from_logits
        self.axis = require_class_axis(axis)


def _focal(
    labels: DenseLabels | SparseLabels,
    y_pred,
    alpha,
    gamma,
    label_smoothing,
    from_logits,
):
    weights = per_class("alpha", alpha, y_pred.shape[-1], wide(y_pred.dtype))
    is_sparse = isinstance(labels, SparseLabels)
    if from_logits and is_sparse and backend.has_fast_rows(y_pred):
        own = labels.classes[..., None]
        settings = {"gamma": gamma, "label_smoothing": label_smoothing}
        return backend.with_slope(
            _of_long_rows, _slope_of_long_rows, (y_pred,), own, weights, **settings
        )
    p = probabilities(predictions(y_pred), from_logits)
    focused = functools.partial(_focused, p, gamma)
    return labels.expected(focused, p.values, weights, label_smoothing)


def _focused(p, gamma, values):
    return power(p.miss(values), gamma) * p.surprise(values)


def _of_long_rows(z, own, weights, gamma, label_smoothing):
    """The same of logits, in few passes over them."""
    p = of_logits(predictions(z))
    at_own = ops.take_along_axis(p.values, own, axis=-1)
    loss = (1 - label_smoothing) * at(weights, own) * _focused(p, gamma, at_own)
    loss = ops.squeeze(loss, -1)
    if label_smoothing > 0:
        others = mean(weights * _focused(p, gamma, p.values))
        loss = loss + label_smoothing * others
    return loss, (p.rest, p.largest)


def _slope_of_long_rows(
    upstream, found, z, own, weights, wanted, gamma, label_smoothing
):
    r"""$\sum_k g_k\, (p_c - [k = c])$, times `upstream`.

    The slope of a term in its surprise, $-\log p_k$, is
    $g_k = w_k\, y'_k\, (1 - p_k)^{\gamma - 1} (1 - p_k - \gamma p_k \log p_k)$.
    """
    dtype, z = z.dtype, predictions(z)
    p = Logits(z - found[1], *found)

    def slope(values):
        miss = at_least(p.miss(values), TINY)
        rise = gamma * p.share(values) * p.surprise(values)
        return miss ** (gamma - 1) * (miss + rise)

    classes, share = z.shape[-1], p.share(p.values)
    at_own = ops.take_along_axis(z, own, axis=-1) - found[1]
    g = (1 - label_smoothing) * at(weights, own) * slope(at_own)
    is_own = ops.arange(classes, dtype=own.dtype) == own
    of_z = g * ops.where(is_own, -p.miss(at_own), share)  # not 1 less than the share
    if label_smoothing > 0:
        g = label_smoothing / classes * weights * slope(p.values)
        of_z = of_z + share * ops.sum(g, axis=-1, keepdims=True) - g
    return (ops.cast(of_z * upstream[..., None], dtype),)
