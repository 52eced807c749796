"""Focal losses."""

import functools
from typing import Unpack

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
from tfx_extras.losses._probabilities import logarithms
from tfx_extras.losses._probabilities import of_logits
from tfx_extras.losses._probabilities import power
from tfx_extras.losses._probabilities import probabilities
from tfx_extras.losses._probabilities import require_shares
from tfx_extras.losses.classification._long_rows import at
from tfx_extras.losses.classification._long_rows import surprise_of_own

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
    r"""Sigmoid focal loss: binary cross-entropy that down-weights easy examples.

    Function form of `SigmoidFocalCrossentropy`, which has the formula.

    Args:
        y_true: Labels $y$ in [0, 1], of shape `(batch, ..., classes)`, or `(batch,)`
            for a single class.
        y_pred: Predictions, of the shape of `y_true`: probabilities $q$ or, with
            `from_logits`, logits.
        alpha: $\alpha$, in [0, 1]: the weight of label 1. Label 0 has the weight
            $1 - \alpha$. `None` gives both the weight 1.
        gamma: $\gamma$, in [0, inf): the focusing parameter. Larger values down-weight
            easy examples more; 0 gives cross-entropy.
        label_smoothing: $e$, in [0, 1]: how far each label is moved towards 1/2, as a
            fraction of the distance.
        from_logits: Whether `y_pred` holds logits (any real numbers) instead of
            probabilities. Logits are numerically more accurate: $q$ and $1 - q$ are
            clipped to at least `keras.config.epsilon()`.

    Returns:
        The loss in nats, of the shape of `y_pred` without its last axis, in `float32`
        or wider. Predictions of shape `(batch,)` give one loss each.

    Raises:
        ValueError: If `y_true` and `y_pred` differ in shape.

    Example:
        >>> loss = tfx_extras.losses.sigmoid_focal_crossentropy(
        ...     [[1, 0], [0, 1]], [[0.9, 0.2], [0.5, 0.5]])
        >>> print(keras.ops.convert_to_numpy(loss).round(4))
        [0.0035 0.0866]
    """
    y, q = aligned(y_true, y_pred, "`SparseCategoricalFocalCrossentropy`")
    require_shares(y)
    if from_logits:
        log_q, log_not_q = ops.log_sigmoid(q), ops.log_sigmoid(-q)
        q, not_q = ops.sigmoid(q), ops.sigmoid(-q)
    else:
        log_q, log_not_q, q, not_q = logarithms(q)
    weight = 1.0 if alpha is None else alpha * y + (1 - alpha) * (1 - y)
    y = (1 - label_smoothing) * y + label_smoothing / 2
    miss = y * not_q + (1 - y) * q
    surprise = -(y * log_q + (1 - y) * log_not_q)
    return mean(weight * power(miss, gamma) * surprise)


@register
class SigmoidFocalCrossentropy(FunctionLoss):
    r"""Sigmoid focal loss: binary cross-entropy that down-weights easy examples.

    Use it for binary or multi-label classification with class imbalance, where many
    easy negatives would dominate the loss, as in object detection. Avoid it when labels
    are noisy: it puts the most weight on mislabeled examples.
    `keras.losses.BinaryFocalCrossentropy` has the same formula, but applies $\alpha$
    only with `apply_class_balancing=True`. It also clips the probabilities that it
    computes from logits, so very wrong predictions have no gradient.

    $$ L = -\frac1C \sum_{c=1}^C \alpha_c\, (1 - p_c)^\gamma
        \left( y'_c \log q_c + (1 - y'_c) \log(1 - q_c) \right) $$

    $q_c$ is the predicted probability of class $c$ out of $C$.
    $p_c = y'_c q_c + (1 - y'_c)(1 - q_c)$ is the probability that the prediction gives
    to the true label. Label smoothing replaces each label $y_c$ by
    $y'_c = (1 - e)\, y_c + e / 2$. The weight of a label is
    $\alpha_c = \alpha y_c + (1 - \alpha)(1 - y_c)$. A label between 0 and 1
    interpolates, as in Optax.

    Returns one loss per sample, in nats, of the shape of `y_pred` without its last
    axis, which `reduction` averages.

    The loss of a sample is the mean over its classes, as everywhere in Keras. The paper
    and TensorFlow Addons take the sum. The classes may overlap. For mutually exclusive
    classes, use `CategoricalFocalCrossentropy`.

    Args:
        alpha: $\alpha$, in [0, 1]: the weight of label 1. Label 0 has the weight
            $1 - \alpha$. `None` gives both the weight 1.
        gamma: $\gamma$, in [0, inf): the focusing parameter. Larger values down-weight
            easy examples more; 0 gives cross-entropy.
        label_smoothing: $e$, in [0, 1]: how far each label is moved towards 1/2, as a
            fraction of the distance.
        from_logits: Whether `y_pred` holds logits (any real numbers) instead of
            probabilities. Logits are numerically more accurate: $q$ and $1 - q$ are
            clipped to at least `keras.config.epsilon()`.
        **kwargs: `name`, `reduction` and `dtype`: see `LossOptions`.

    Call arguments:
        y_true: Labels $y$ in [0, 1], of shape `(batch, ..., classes)`, or `(batch,)`
            for a single class.
        y_pred: Predictions, of the shape of `y_true`: probabilities $q$ or, with
            `from_logits`, logits.

    Raises:
        ValueError: If an argument is outside its interval, or `y_true` and `y_pred`
            differ in shape.
        TypeError: If an argument has the wrong type or an unknown name.

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
    r"""Categorical focal loss: cross-entropy that down-weights easy examples.

    Function form of `CategoricalFocalCrossentropy`, which has the formula.

    Args:
        y_true: Labels $y$ in [0, 1], such as one-hot labels, of the shape of `y_pred`.
        y_pred: Predictions, of shape `(batch, ..., classes)`: probabilities, which are
            divided by their sum, or, with `from_logits`, logits.
        alpha: $\alpha$, in [0, inf): the weights of the classes, one number for all or
            one per class, of shape `(classes,)`. `None` gives all the weight 1.
        gamma: $\gamma$, in [0, inf): the focusing parameter. Larger values down-weight
            easy examples more; 0 gives cross-entropy.
        label_smoothing: $e$, in [0, 1]: the fraction of each label's probability that
            is spread uniformly over all classes.
        ignore_class: Samples whose largest label is that of this class have loss 0 and
            do not count in the mean.
        from_logits: Whether `y_pred` holds logits (any real numbers) instead of
            probabilities. Logits are numerically more accurate: probabilities are
            clipped to at least `keras.config.epsilon()`.
        axis: Axis of the classes. It must not be 0, the batch axis.

    Returns:
        The loss in nats, of the shape of `y_pred` without `axis`, in `float32` or
        wider.

    Raises:
        ValueError: If `y_true` and `y_pred` differ in shape, or `alpha` is a list
            without one number per class.

    Example:
        >>> loss = tfx_extras.losses.categorical_focal_crossentropy(
        ...     [[1, 0, 0], [0, 0, 1]], [[0.9, 0.1, 0.0], [0.2, 0.3, 0.5]])
        >>> print(keras.ops.convert_to_numpy(loss).round(4))
        [0.0003 0.0433]
    """
    labels, y_pred = dense_labels(
        y_true, y_pred, ignore_class, axis, "`SparseCategoricalFocalCrossentropy`"
    )
    loss = _focal(labels, y_pred, alpha, gamma, label_smoothing, from_logits)
    return labels.settle(loss)


@register
class CategoricalFocalCrossentropy(FunctionLoss):
    r"""Categorical focal loss: cross-entropy that down-weights easy examples.

    Use it for multi-class classification with class imbalance, where easy examples of
    frequent classes would dominate the loss. Avoid it when labels are noisy: it puts
    the most weight on mislabeled examples. `keras.losses.CategoricalFocalCrossentropy`
    has the same formula and defaults, but no `ignore_class`. It also clips the
    probabilities that it computes from logits, so very wrong predictions have no
    gradient.

    $$ L = -\sum_{c=1}^C \alpha_c\, y'_c\, (1 - p_c)^\gamma \log p_c $$

    $p_c$ is the predicted probability of class $c$ out of $C$. Label smoothing replaces
    each label $y_c$ by $y'_c = (1 - e)\, y_c + e / C$. $\alpha_c$ is the weight of the
    class.

    Returns one loss per sample, in nats, of the shape of `y_pred` without `axis`, which
    `reduction` averages.

    The paper has two classes and a weight $\alpha$ for one of them. The form for more
    classes and the default of `alpha` are those of Keras. For integer labels, use
    `SparseCategoricalFocalCrossentropy`.

    Args:
        alpha: $\alpha$, in [0, inf): the weights of the classes, one number for all or
            one per class, of shape `(classes,)`. `None` gives all the weight 1.
        gamma: $\gamma$, in [0, inf): the focusing parameter. Larger values down-weight
            easy examples more; 0 gives cross-entropy.
        label_smoothing: $e$, in [0, 1]: the fraction of each label's probability that
            is spread uniformly over all classes.
        ignore_class: Samples whose largest label is that of this class have loss 0 and
            do not count in the mean.
        from_logits: Whether `y_pred` holds logits (any real numbers) instead of
            probabilities. Logits are numerically more accurate: probabilities are
            clipped to at least `keras.config.epsilon()`.
        axis: Axis of the classes. It must not be 0, the batch axis.
        **kwargs: `name`, `reduction` and `dtype`: see `LossOptions`.

    Call arguments:
        y_true: Labels $y$ in [0, 1], such as one-hot labels, of the shape of `y_pred`.
        y_pred: Predictions, of shape `(batch, ..., classes)`: probabilities, which are
            divided by their sum, or, with `from_logits`, logits.

    Raises:
        ValueError: If an argument is outside its interval, `y_true` and `y_pred` differ
            in shape, or `alpha` is a list without one number per class.
        TypeError: If an argument has the wrong type or an unknown name.

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
    r"""Sparse categorical focal loss: focal cross-entropy for integer labels.

    Function form of `SparseCategoricalFocalCrossentropy`, which has the formula.

    Args:
        y_true: Classes $y$: integers in [0, classes), of the shape of `y_pred` without
            `axis`, or with a last axis of size 1.
        y_pred: Predictions, of shape `(batch, ..., classes)`: probabilities, which are
            divided by their sum, or, with `from_logits`, logits.
        alpha: $\alpha$, in [0, inf): the weights of the classes, one number for all or
            one per class, of shape `(classes,)`. `None` gives all the weight 1.
        gamma: $\gamma$, in [0, inf): the focusing parameter. Larger values down-weight
            easy examples more; 0 gives cross-entropy.
        label_smoothing: $e$, in [0, 1]: the fraction of each label's probability that
            is spread uniformly over all classes.
        ignore_class: Samples with this label, any integer such as -1 or 255, have loss
            0 and do not count in the mean.
        from_logits: Whether `y_pred` holds logits (any real numbers) instead of
            probabilities. Logits are numerically more accurate: probabilities are
            clipped to at least `keras.config.epsilon()`.
        axis: Axis of the classes. It must not be 0, the batch axis.

    Returns:
        The loss in nats, of the shape of `y_pred` without `axis`, in `float32` or
        wider. It is NaN where a label is out of range and checking all labels would be
        slow: in compiled code and on a GPU.

    Raises:
        ValueError: If the shapes do not match, `alpha` is a list without one number per
            class, or a label is found to be out of range.

    Example:
        >>> loss = tfx_extras.losses.sparse_categorical_focal_crossentropy(
        ...     [0, 2], [[0.9, 0.1, 0.0], [0.2, 0.3, 0.5]])
        >>> print(keras.ops.convert_to_numpy(loss).round(4))
        [0.0003 0.0433]
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
    r"""Sparse categorical focal loss: focal cross-entropy for integer labels.

    Use it for multi-class classification with class imbalance and integer labels, where
    easy examples of frequent classes would dominate the loss. Avoid it when labels are
    noisy: it puts the most weight on mislabeled examples. Keras has no equivalent for
    integer labels: `keras.losses.CategoricalFocalCrossentropy` needs one-hot labels,
    which take as much memory as the predictions.

    $$ L = -(1 - e)\, \alpha_y\, (1 - p_y)^\gamma \log p_y
        - \frac{e}{C} \sum_{c=1}^C \alpha_c\, (1 - p_c)^\gamma \log p_c $$

    $p_c$ is the predicted probability of class $c$ out of $C$, $\alpha_c$ the weight of
    that class, and $y$ the class of the sample. $e$ is the label smoothing. The result
    equals `CategoricalFocalCrossentropy` of one-hot labels, which are never built.

    Returns one loss per sample, in nats, of the shape of `y_pred` without `axis`, which
    `reduction` averages. It is NaN where a label is out of range and checking all
    labels would be slow: in compiled code and on a GPU.

    Integer labels are never converted to floating point, so large class numbers stay
    exact whatever the `dtype`.

    Args:
        alpha: $\alpha$, in [0, inf): the weights of the classes, one number for all or
            one per class, of shape `(classes,)`. `None` gives all the weight 1.
        gamma: $\gamma$, in [0, inf): the focusing parameter. Larger values down-weight
            easy examples more; 0 gives cross-entropy.
        label_smoothing: $e$, in [0, 1]: the fraction of each label's probability that
            is spread uniformly over all classes.
        ignore_class: Samples with this label, any integer such as -1 or 255, have loss
            0 and do not count in the mean.
        from_logits: Whether `y_pred` holds logits (any real numbers) instead of
            probabilities. Logits are numerically more accurate: probabilities are
            clipped to at least `keras.config.epsilon()`.
        axis: Axis of the classes. It must not be 0, the batch axis.
        **kwargs: `name`, `reduction` and `dtype`: see `LossOptions`.

    Call arguments:
        y_true: Classes $y$: integers in [0, classes), of the shape of `y_pred` without
            `axis`, or with a last axis of size 1.
        y_pred: Predictions, of shape `(batch, ..., classes)`: probabilities, which are
            divided by their sum, or, with `from_logits`, logits.

    Raises:
        ValueError: If an argument is outside its interval, the shapes do not match,
            `alpha` is a list without one number per class, or a label is found to be
            out of range.
        TypeError: If an argument has the wrong type or an unknown name.

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
    if from_logits and isinstance(labels, SparseLabels):
        own = labels.classes[..., None]
        if label_smoothing == 0 and backend.has_fast_shares(y_pred):
            surprise = surprise_of_own(y_pred, own)
            miss = -ops.expm1(-surprise)
            return at(weights, labels.classes) * power(miss, gamma) * surprise
        if backend.has_fast_rows(y_pred):
            return backend.with_slope(
                _of_long_rows,
                _slope_of_long_rows,
                (y_pred,),
                own,
                weights,
                gamma=gamma,
                label_smoothing=label_smoothing,
            )
    p = probabilities(predictions(y_pred), from_logits)
    focused = functools.partial(_focused, p, gamma)
    return labels.expected(focused, p.values, weights, label_smoothing)


def _focused(p, gamma, values):
    return power(p.miss(values), gamma) * p.surprise(values)


def _of_long_rows(z, own, weights, gamma, label_smoothing):
    """The focal loss of logits, in few passes over them."""
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
    r"""The gradient in the logits: $\sum_k g_k\, (p_c - [k = c])$, times `upstream`.

    The derivative of a term with respect to its surprise, $-\log p_k$, is
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
    of_z = g * ops.where(is_own, -p.miss(at_own), share)  # share - 1 would lose digits
    if label_smoothing > 0:
        g = label_smoothing / classes * weights * slope(p.values)
        of_z = of_z + share * ops.sum(g, axis=-1, keepdims=True) - g
    return (ops.cast(of_z * upstream[..., None], dtype),)
