"""Poly-1 losses: cross-entropy with another weight of its first polynomial term."""

import functools
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
from tfx_extras.losses._base import aligned
from tfx_extras.losses._base import mean
from tfx_extras.losses._base import predictions
from tfx_extras.losses._labels import DenseLabels
from tfx_extras.losses._labels import SparseLabels
from tfx_extras.losses._labels import dense_labels
from tfx_extras.losses._labels import require_class_axis
from tfx_extras.losses._labels import require_ignore_class
from tfx_extras.losses._labels import sparse_labels
from tfx_extras.losses._probabilities import logarithms
from tfx_extras.losses._probabilities import power
from tfx_extras.losses._probabilities import probabilities
from tfx_extras.losses._probabilities import require_shares
from tfx_extras.losses.classification._long_rows import surprise_of_own

__all__ = [
    "PolyCategoricalCrossentropy",
    "PolySigmoidCrossentropy",
    "PolySparseCategoricalCrossentropy",
    "poly_categorical_crossentropy",
    "poly_sigmoid_crossentropy",
    "poly_sparse_categorical_crossentropy",
]


@register
def poly_categorical_crossentropy(
    y_true,
    y_pred,
    epsilon: Number = 1.0,
    label_smoothing: Number = 0.0,
    ignore_class: int | None = None,
    from_logits: bool = False,
    axis: int = -1,
):
    r"""Poly-1 categorical cross-entropy (PolyLoss): adds a multiple of 1 - p to it.

    Function form of `PolyCategoricalCrossentropy`, which has the formula.

    Args:
        y_true: Labels $y$ in [0, 1], such as one-hot labels, of the shape of `y_pred`.
        y_pred: Predictions, of shape `(batch, ..., classes)`: probabilities, which are
            divided by their sum, or, with `from_logits`, logits.
        epsilon: $\varepsilon$, in [-1, inf): the weight of the added term. 0 gives
            cross-entropy.
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
        ValueError: If `y_true` and `y_pred` differ in shape.

    Example:
        >>> loss = tfx_extras.losses.poly_categorical_crossentropy(
        ...     [[1, 0, 0], [0, 0, 1]], [[0.9, 0.1, 0.0], [0.2, 0.3, 0.5]])
        >>> print(keras.ops.convert_to_numpy(loss).round(4))
        [0.2054 1.1931]
    """
    labels, y_pred = dense_labels(
        y_true, y_pred, ignore_class, axis, "`PolySparseCategoricalCrossentropy`"
    )
    return labels.settle(_poly(labels, y_pred, epsilon, label_smoothing, from_logits))


@register
class PolyCategoricalCrossentropy(FunctionLoss):
    r"""Poly-1 categorical cross-entropy (PolyLoss): adds a multiple of 1 - p to it.

    Use it in place of cross-entropy for multi-class classification, if you have time to
    tune one number: the weight of the first term of the polynomial expansion of
    cross-entropy. A positive weight keeps a larger gradient for examples that are
    already classified well, and makes predictions more confident; focal losses do the
    opposite. `keras.losses.CategoricalCrossentropy` is the case $\varepsilon = 0$.

    $$ L = \sum_{c=1}^C y'_c \left( -\log p_c + \varepsilon\, (1 - p_c) \right) $$

    $p_c$ is the predicted probability of class $c$ out of $C$. Label smoothing replaces
    each label $y_c$ by $y'_c = (1 - e)\, y_c + e / C$. Cross-entropy is
    $-\log p = \sum_{j=1}^\infty (1 - p)^j / j$, so $\varepsilon$ is added to the first
    coefficient, which is 1.

    Returns one loss per sample, in nats, of the shape of `y_pred` without `axis`, which
    `reduction` averages. Time and memory grow linearly with the number of predictions.

    The paper uses $\varepsilon = 2$ for ImageNet, which is the default of timm and
    Optax, and negative ones for detection. With label smoothing, the minimum of the
    loss is above 0. For integer labels, use `PolySparseCategoricalCrossentropy`.

    Args:
        epsilon: $\varepsilon$, in [-1, inf): the weight of the added term. 0 gives
            cross-entropy.
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
        ValueError: If an argument is outside its interval, or `y_true` and `y_pred`
            differ in shape.
        TypeError: If an argument has the wrong type or an unknown name.

    Example:
        >>> loss = tfx_extras.losses.PolyCategoricalCrossentropy(
        ...     epsilon=2.0, from_logits=True)
        >>> value = loss([[1, 0], [0, 1]], [[2.0, 0.0], [0.0, 1.0]])
        >>> print(f"{float(value):.4f}")
        0.6082

    Reference: Leng et al., 2022. https://arxiv.org/abs/2204.12511
    """

    function = staticmethod(poly_categorical_crossentropy)

    @typechecked
    def __init__(
        self,
        epsilon: Number = 1.0,
        label_smoothing: Number = 0.0,
        ignore_class: int | np.integer | None = None,
        from_logits: bool = False,
        axis: int = -1,
        **kwargs: Unpack[LossOptions],
    ):
        super().__init__(**kwargs)
        self.epsilon = require("epsilon", epsilon, "[-1, inf)")
        self.label_smoothing = require("label_smoothing", label_smoothing, "[0, 1]")
        self.ignore_class = require_ignore_class(ignore_class)
        self.from_logits = from_logits
        self.axis = require_class_axis(axis)


@register
def poly_sparse_categorical_crossentropy(
    y_true,
    y_pred,
    epsilon: Number = 1.0,
    label_smoothing: Number = 0.0,
    ignore_class: int | None = None,
    from_logits: bool = False,
    axis: int = -1,
):
    r"""Poly-1 sparse categorical cross-entropy: PolyLoss for integer labels.

    Function form of `PolySparseCategoricalCrossentropy`, which has the formula.

    Args:
        y_true: Classes $y$: integers in [0, classes), of the shape of `y_pred` without
            `axis`, or with a last axis of size 1.
        y_pred: Predictions, of shape `(batch, ..., classes)`: probabilities, which are
            divided by their sum, or, with `from_logits`, logits.
        epsilon: $\varepsilon$, in [-1, inf): the weight of the added term. 0 gives
            cross-entropy.
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
        ValueError: If the shapes do not match, or a label is found to be out of range.

    Example:
        >>> loss = tfx_extras.losses.poly_sparse_categorical_crossentropy(
        ...     [0, 2], [[0.9, 0.1, 0.0], [0.2, 0.3, 0.5]])
        >>> print(keras.ops.convert_to_numpy(loss).round(4))
        [0.2054 1.1931]
    """
    labels, y_pred = sparse_labels(
        y_true,
        y_pred,
        ignore_class,
        axis,
        "`PolyCategoricalCrossentropy`",
        as_given=True,
    )
    return labels.settle(_poly(labels, y_pred, epsilon, label_smoothing, from_logits))


@register
class PolySparseCategoricalCrossentropy(FunctionLoss):
    r"""Poly-1 sparse categorical cross-entropy: PolyLoss for integer labels.

    Use it in place of cross-entropy for multi-class classification with integer labels,
    if you have time to tune one number: the weight of the first term of the polynomial
    expansion of cross-entropy. A positive weight keeps a larger gradient for examples
    that are already classified well, and makes predictions more confident; focal losses
    do the opposite. `keras.losses.SparseCategoricalCrossentropy` is the case
    $\varepsilon = 0$.

    $$ L = (1 - e) \left( -\log p_y + \varepsilon\, (1 - p_y) \right)
        + \frac{e}{C} \sum_{c=1}^C \left( -\log p_c + \varepsilon\, (1 - p_c) \right) $$

    $p_c$ is the predicted probability of class $c$ out of $C$, and $y$ the class of the
    sample. $e$ is the label smoothing. Cross-entropy is
    $-\log p = \sum_{j=1}^\infty (1 - p)^j / j$, so $\varepsilon$ is added to the first
    coefficient, which is 1. The result equals `PolyCategoricalCrossentropy` of one-hot
    labels, which are never built.

    Returns one loss per sample, in nats, of the shape of `y_pred` without `axis`, which
    `reduction` averages. It is NaN where a label is out of range and checking all
    labels would be slow: in compiled code and on a GPU. Time and memory grow linearly
    with the number of predictions.

    The paper uses $\varepsilon = 2$ for ImageNet, which is the default of timm and
    Optax, and negative ones for detection. With label smoothing, the minimum of the
    loss is above 0.

    Args:
        epsilon: $\varepsilon$, in [-1, inf): the weight of the added term. 0 gives
            cross-entropy.
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
        ValueError: If an argument is outside its interval, the shapes do not match, or
            a label is found to be out of range.
        TypeError: If an argument has the wrong type or an unknown name.

    Example:
        >>> loss = tfx_extras.losses.PolySparseCategoricalCrossentropy(
        ...     epsilon=2.0, from_logits=True)
        >>> value = loss([0, 2], [[2.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
        >>> print(f"{float(value):.4f}")
        1.0324

    Reference: Leng et al., 2022. https://arxiv.org/abs/2204.12511
    """

    function = staticmethod(poly_sparse_categorical_crossentropy)

    @typechecked
    def __init__(
        self,
        epsilon: Number = 1.0,
        label_smoothing: Number = 0.0,
        ignore_class: int | np.integer | None = None,
        from_logits: bool = False,
        axis: int = -1,
        **kwargs: Unpack[LossOptions],
    ):
        super().__init__(**kwargs)
        self.epsilon = require("epsilon", epsilon, "[-1, inf)")
        self.label_smoothing = require("label_smoothing", label_smoothing, "[0, 1]")
        self.ignore_class = require_ignore_class(ignore_class)
        self.from_logits = from_logits
        self.axis = require_class_axis(axis)


@register
def poly_sigmoid_crossentropy(
    y_true,
    y_pred,
    epsilon: Number = 1.0,
    gamma: Number = 0.0,
    alpha: Number | None = None,
    label_smoothing: Number = 0.0,
    from_logits: bool = False,
):
    r"""Poly-1 sigmoid cross-entropy: PolyLoss for binary labels, also with focal loss.

    Function form of `PolySigmoidCrossentropy`, which has the formula.

    Args:
        y_true: Labels $y$ in [0, 1], of shape `(batch, ..., classes)`, or `(batch,)`
            for a single class.
        y_pred: Predictions, of the shape of `y_true`: probabilities $q$ or, with
            `from_logits`, logits.
        epsilon: $\varepsilon$, in [-1, inf): the weight of the added term. 0 gives
            binary cross-entropy or, with `gamma`, focal loss.
        gamma: $\gamma$, in [0, inf): the focusing parameter. Larger values down-weight
            easy examples more; 0 does not.
        alpha: $\alpha$, in [0, 1]: the weight of label 1. Label 0 has the weight
            $1 - \alpha$. `None` gives both the weight 1.
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
        >>> loss = tfx_extras.losses.poly_sigmoid_crossentropy(
        ...     [[1, 0], [0, 1]], [[0.9, 0.2], [0.5, 0.5]])
        >>> print(keras.ops.convert_to_numpy(loss).round(4))
        [0.3143 1.1931]
    """
    y, q = aligned(y_true, y_pred, "`PolySparseCategoricalCrossentropy`")
    require_shares(y)
    if from_logits:
        log_q, log_not_q = ops.log_sigmoid(q), ops.log_sigmoid(-q)
        q, not_q = ops.sigmoid(q), ops.sigmoid(-q)
    else:
        log_q, log_not_q, _, _ = logarithms(q)
        not_q, q = -ops.expm1(log_q), -ops.expm1(log_not_q)
    weight = 1.0 if alpha is None else alpha * y + (1 - alpha) * (1 - y)
    y = (1 - label_smoothing) * y + label_smoothing / 2
    if gamma > 0:
        miss = y * not_q + (1 - y) * q
        # Powers of the tiny bound of `power` would be slow. Their slope is infinite at
        # 0 only if gamma < 1.
        weight = weight * (power(miss, gamma) if gamma < 1 else miss**gamma)
    of_1, of_0 = _term(-log_q, not_q, epsilon), _term(-log_not_q, q, epsilon)
    return mean(weight * (y * of_1 + (1 - y) * of_0))


@register
class PolySigmoidCrossentropy(FunctionLoss):
    r"""Poly-1 sigmoid cross-entropy: PolyLoss for binary labels, also with focal loss.

    Use it in place of binary cross-entropy or focal loss for binary or multi-label
    classification and detection, if you have time to tune one more number: the weight
    of the first term of the polynomial expansion of the loss. With focal loss, as in
    object detection, the paper uses `epsilon=-1` and `gamma=2`.
    `keras.losses.BinaryCrossentropy` is the case $\varepsilon = \gamma = 0$.

    $$ L = \frac1C \sum_{c=1}^C \alpha_c\, (1 - p_c)^\gamma
        \left( -y'_c \log q_c - (1 - y'_c) \log(1 - q_c)
        + \varepsilon\, (1 - p_c) \right) $$

    $q_c$ is the predicted probability of class $c$ out of $C$.
    $p_c = y'_c q_c + (1 - y'_c)(1 - q_c)$ is the probability that the prediction gives
    to the true label. Label smoothing replaces each label $y_c$ by
    $y'_c = (1 - e)\, y_c + e / 2$. The weight of a label is
    $\alpha_c = \alpha y_c + (1 - \alpha)(1 - y_c)$.

    Returns one loss per sample, in nats, of the shape of `y_pred` without its last
    axis, which `reduction` averages. Time and memory grow linearly with the number of
    predictions.

    The loss of a sample is the mean over its classes, as everywhere in Keras. The
    classes may overlap. For mutually exclusive classes, use
    `PolyCategoricalCrossentropy`.

    Args:
        epsilon: $\varepsilon$, in [-1, inf): the weight of the added term. 0 gives
            binary cross-entropy or, with `gamma`, focal loss.
        gamma: $\gamma$, in [0, inf): the focusing parameter. Larger values down-weight
            easy examples more; 0 does not.
        alpha: $\alpha$, in [0, 1]: the weight of label 1. Label 0 has the weight
            $1 - \alpha$. `None` gives both the weight 1.
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
        >>> loss = tfx_extras.losses.PolySigmoidCrossentropy(from_logits=True)
        >>> print(f"{float(loss([[1], [0]], [[2.0], [-1.0]])):.4f}")
        0.4142

    Reference: Leng et al., 2022. https://arxiv.org/abs/2204.12511
    """

    function = staticmethod(poly_sigmoid_crossentropy)

    @typechecked
    def __init__(
        self,
        epsilon: Number = 1.0,
        gamma: Number = 0.0,
        alpha: Number | None = None,
        label_smoothing: Number = 0.0,
        from_logits: bool = False,
        **kwargs: Unpack[LossOptions],
    ):
        super().__init__(**kwargs)
        self.epsilon = require("epsilon", epsilon, "[-1, inf)")
        self.gamma = require("gamma", gamma, "[0, inf)")
        self.alpha = None if alpha is None else require("alpha", alpha, "[0, 1]")
        self.label_smoothing = require("label_smoothing", label_smoothing, "[0, 1]")
        self.from_logits = from_logits


def _poly(
    labels: DenseLabels | SparseLabels, y_pred, epsilon, label_smoothing, from_logits
):
    is_whole = from_logits and label_smoothing == 0
    if (
        isinstance(labels, SparseLabels)
        and is_whole
        and backend.has_fast_shares(y_pred)
    ):
        surprise = surprise_of_own(y_pred, labels.classes[..., None])
        return _term(surprise, -ops.expm1(-surprise), epsilon)
    p = probabilities(predictions(y_pred), from_logits)
    term = functools.partial(_of_class, p, epsilon)
    return labels.expected(term, p.values, 1.0, label_smoothing)


def _of_class(p, epsilon, values):
    surprise = p.surprise(values)
    return _term(surprise, -ops.expm1(-surprise), epsilon)


def _term(surprise, miss, epsilon):
    """-log(p) + epsilon (1 - p), without cancellation."""
    if epsilon >= 0:
        return surprise + epsilon * miss
    return (1 + epsilon) * miss + _later_terms(surprise)


def _later_terms(surprise):
    """The terms of -log(p) after the first: s - (1 - exp(-s)), where s is -log(p)."""
    return backend.with_slope(_excess, _slope_of_excess, (surprise,))


def _excess(surprise):
    """Those terms by their sum or, where it cancels, by their series in s."""
    is_small = surprise < 0.25
    small = ops.where(is_small, surprise, ops.zeros_like(surprise))
    series = 0.0
    for k in range(12 if "64" in str(surprise.dtype) else 7, 1, -1):
        series = (-1) ** k / math.factorial(k) + small * series
    large = surprise + ops.expm1(-surprise)
    return ops.where(is_small, ops.square(small) * series, large), ()


def _slope_of_excess(upstream, found, surprise, wanted):
    return (upstream * -ops.expm1(-surprise),)
