"""Losses for noisy labels: what a mislabeled example can add is bounded or small."""

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
from tfx_extras.losses._base import predictions
from tfx_extras.losses._labels import dense_labels
from tfx_extras.losses._labels import require_class_axis
from tfx_extras.losses._labels import require_ignore_class
from tfx_extras.losses._labels import sparse_labels
from tfx_extras.losses._probabilities import TINY
from tfx_extras.losses._probabilities import at_least
from tfx_extras.losses._probabilities import probabilities
from tfx_extras.losses.classification._long_rows import surprise_of_own

__all__ = [
    "GeneralizedCategoricalCrossentropy",
    "GeneralizedSparseCategoricalCrossentropy",
    "SymmetricCategoricalCrossentropy",
    "SymmetricSparseCategoricalCrossentropy",
    "generalized_categorical_crossentropy",
    "generalized_sparse_categorical_crossentropy",
    "symmetric_categorical_crossentropy",
    "symmetric_sparse_categorical_crossentropy",
]


@register
def generalized_categorical_crossentropy(
    y_true,
    y_pred,
    q: Number = 0.7,
    ignore_class: int | None = None,
    from_logits: bool = False,
    axis: int = -1,
):
    r"""Generalized categorical cross-entropy (GCE): bounded loss for noisy labels.

    Function form of `GeneralizedCategoricalCrossentropy`, which has the formula.

    Args:
        y_true: Labels $y$ in [0, 1], such as one-hot labels, of the shape of `y_pred`.
        y_pred: Predictions, of shape `(batch, ..., classes)`: probabilities, which are
            divided by their sum, or, with `from_logits`, logits.
        q: $q$, in [0, 1]: larger values are more robust, but learn more slowly. 0 gives
            cross-entropy, 1 half the absolute error of the probabilities.
        ignore_class: Samples whose largest label is that of this class have loss 0 and
            do not count in the mean.
        from_logits: Whether `y_pred` holds logits (any real numbers) instead of
            probabilities. Logits are numerically more accurate: probabilities are
            clipped to at least `keras.config.epsilon()`.
        axis: Axis of the classes. It must not be 0, the batch axis.

    Returns:
        The loss, in [0, 1 / q], of the shape of `y_pred` without `axis`, in `float32`
        or wider.

    Raises:
        ValueError: If `y_true` and `y_pred` differ in shape.

    Example:
        >>> loss = tfx_extras.losses.generalized_categorical_crossentropy(
        ...     [[1, 0, 0], [0, 0, 1]], [[0.9, 0.1, 0.0], [0.2, 0.3, 0.5]])
        >>> print(keras.ops.convert_to_numpy(loss).round(4))
        [0.1016 0.5492]
    """
    labels, y_pred = dense_labels(
        y_true, y_pred, ignore_class, axis, "`GeneralizedSparseCategoricalCrossentropy`"
    )
    p = probabilities(y_pred, from_logits)
    term = functools.partial(_generalized_of_class, p, q)
    return labels.settle(labels.expected(term, p.values, 1.0, 0.0))


@register
class GeneralizedCategoricalCrossentropy(FunctionLoss):
    r"""Generalized categorical cross-entropy (GCE): bounded loss for noisy labels.

    Use it for multi-class classification when some training labels are wrong.
    Cross-entropy has no bound, so mislabeled examples come to dominate it and are
    memorized in the end; here an example adds at most $1 / q$. Avoid large `q` with
    many classes, where training hardly starts: the gradient of an example is that of
    cross-entropy times $p^q$. `keras.losses.CategoricalGeneralizedCrossEntropy` has the
    same formula, with `q=0.5` by default, for probabilities and integer labels only. In
    Keras 3.15.1, its gradient is not finite where a probability is 0.

    $$ L = \sum_{c=1}^C y_c\, \frac{1 - p_c^q}{q} $$

    $p_c$ is the predicted probability of class $c$ out of $C$, and $y_c$ its label. For
    $q \to 0$ the loss is cross-entropy. For $q = 1$ and one-hot labels it is half the
    sum of the absolute errors of the probabilities.

    Returns one loss per sample, of the shape of `y_pred` without `axis`, which
    `reduction` averages. Time and memory grow linearly with the number of predictions.

    The default of `q` is that of the paper. The loss is computed from $\log p$, without
    cancellation for small losses. For integer labels, use
    `GeneralizedSparseCategoricalCrossentropy`.

    Args:
        q: $q$, in [0, 1]: larger values are more robust, but learn more slowly. 0 gives
            cross-entropy, 1 half the absolute error of the probabilities.
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
        >>> loss = tfx_extras.losses.GeneralizedCategoricalCrossentropy(
        ...     from_logits=True)
        >>> value = loss([[1, 0], [0, 1]], [[2.0, 0.0], [0.0, 1.0]])
        >>> print(f"{float(value):.4f}")
        0.2014

    Reference: Zhang and Sabuncu, 2018, eq. 6. https://arxiv.org/abs/1805.07836
    """

    function = staticmethod(generalized_categorical_crossentropy)

    @typechecked
    def __init__(
        self,
        q: Number = 0.7,
        ignore_class: int | np.integer | None = None,
        from_logits: bool = False,
        axis: int = -1,
        **kwargs: Unpack[LossOptions],
    ):
        super().__init__(**kwargs)
        self.q = require("q", q, "[0, 1]")
        self.ignore_class = require_ignore_class(ignore_class)
        self.from_logits = from_logits
        self.axis = require_class_axis(axis)


@register
def generalized_sparse_categorical_crossentropy(
    y_true,
    y_pred,
    q: Number = 0.7,
    ignore_class: int | None = None,
    from_logits: bool = False,
    axis: int = -1,
):
    r"""Generalized sparse categorical cross-entropy (GCE) for noisy integer labels.

    Function form of `GeneralizedSparseCategoricalCrossentropy`, which has the formula.

    Args:
        y_true: Classes $y$: integers in [0, classes), of the shape of `y_pred` without
            `axis`, or with a last axis of size 1.
        y_pred: Predictions, of shape `(batch, ..., classes)`: probabilities, which are
            divided by their sum, or, with `from_logits`, logits.
        q: $q$, in [0, 1]: larger values are more robust, but learn more slowly. 0 gives
            cross-entropy, 1 half the absolute error of the probabilities.
        ignore_class: Samples with this label, any integer such as -1 or 255, have loss
            0 and do not count in the mean.
        from_logits: Whether `y_pred` holds logits (any real numbers) instead of
            probabilities. Logits are numerically more accurate: probabilities are
            clipped to at least `keras.config.epsilon()`.
        axis: Axis of the classes. It must not be 0, the batch axis.

    Returns:
        The loss, in [0, 1 / q], of the shape of `y_pred` without `axis`, in `float32`
        or wider. It is NaN where a label is out of range and checking all labels would
        be slow: in compiled code and on a GPU.

    Raises:
        ValueError: If the shapes do not match, or a label is found to be out of range.

    Example:
        >>> loss = tfx_extras.losses.generalized_sparse_categorical_crossentropy(
        ...     [0, 2], [[0.9, 0.1, 0.0], [0.2, 0.3, 0.5]])
        >>> print(keras.ops.convert_to_numpy(loss).round(4))
        [0.1016 0.5492]
    """
    labels, y_pred = sparse_labels(
        y_true,
        y_pred,
        ignore_class,
        axis,
        "`GeneralizedCategoricalCrossentropy`",
        as_given=True,
    )

    def term(surprise, miss):
        return _generalized(surprise, q)

    return labels.settle(_of_own(labels, y_pred, from_logits, term))


@register
class GeneralizedSparseCategoricalCrossentropy(FunctionLoss):
    r"""Generalized sparse categorical cross-entropy (GCE) for noisy integer labels.

    Use it for multi-class classification with integer labels when some training labels
    are wrong. Cross-entropy has no bound, so mislabeled examples come to dominate it
    and are memorized in the end; here an example adds at most $1 / q$. Avoid large `q`
    with many classes, where training hardly starts: the gradient of an example is that
    of cross-entropy times $p_y^q$. `keras.losses.CategoricalGeneralizedCrossEntropy`
    has the same formula, with `q=0.5` by default, for probabilities only. In Keras
    3.15.1, its gradient is not finite where a probability is 0.

    $$ L = \frac{1 - p_y^q}{q} $$

    $p_y$ is the predicted probability of the class $y$ of the sample. For $q \to 0$ the
    loss is cross-entropy, $-\log p_y$. For $q = 1$ it is $1 - p_y$, half the sum of the
    absolute errors of the probabilities. The result equals
    `GeneralizedCategoricalCrossentropy` of one-hot labels, which are never built.

    Returns one loss per sample, of the shape of `y_pred` without `axis`, which
    `reduction` averages. It is NaN where a label is out of range and checking all
    labels would be slow: in compiled code and on a GPU. Time and memory grow linearly
    with the number of predictions.

    The default of `q` is that of the paper. The loss is computed from $\log p_y$,
    without cancellation for small losses.

    Args:
        q: $q$, in [0, 1]: larger values are more robust, but learn more slowly. 0 gives
            cross-entropy, 1 half the absolute error of the probabilities.
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
        >>> loss = tfx_extras.losses.GeneralizedSparseCategoricalCrossentropy(
        ...     from_logits=True)
        >>> value = loss([0, 2], [[2.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
        >>> print(f"{float(value):.4f}")
        0.3390

    Reference: Zhang and Sabuncu, 2018, eq. 6. https://arxiv.org/abs/1805.07836
    """

    function = staticmethod(generalized_sparse_categorical_crossentropy)

    @typechecked
    def __init__(
        self,
        q: Number = 0.7,
        ignore_class: int | np.integer | None = None,
        from_logits: bool = False,
        axis: int = -1,
        **kwargs: Unpack[LossOptions],
    ):
        super().__init__(**kwargs)
        self.q = require("q", q, "[0, 1]")
        self.ignore_class = require_ignore_class(ignore_class)
        self.from_logits = from_logits
        self.axis = require_class_axis(axis)


def _of_own(labels, y_pred, from_logits, term):
    """Returns `term(-log(p), 1 - p)` of the own class of each sample."""
    if from_logits and backend.has_fast_shares(y_pred):
        surprise = surprise_of_own(y_pred, labels.classes[..., None])
        return term(surprise, -ops.expm1(-surprise))
    p = probabilities(predictions(y_pred), from_logits)

    def of_class(values):
        return term(p.surprise(values), p.miss(values))

    return labels.expected(of_class, p.values, 1.0, 0.0)


def _generalized_of_class(p, q, values):
    return _generalized(p.surprise(values), q)


def _generalized(surprise, q):
    """(1 - p**q) / q, where surprise is -log(p)."""
    if q < TINY:
        return surprise
    a = q * surprise
    # Where `expm1` is near -1, its derivative loses digits: JAX and PyTorch compute it
    # as the result plus 1.
    is_far = a > 0.5
    near = -ops.expm1(-ops.where(is_far, ops.zeros_like(a), a))
    return ops.where(is_far, 1 - ops.exp(-a), near) / q


@register
def symmetric_categorical_crossentropy(
    y_true,
    y_pred,
    alpha: Number = 0.1,
    beta: Number = 1.0,
    log_zero: Number = -4.0,
    ignore_class: int | None = None,
    from_logits: bool = False,
    axis: int = -1,
):
    r"""Symmetric categorical cross-entropy (SCE): adds a bounded term for noisy labels.

    Function form of `SymmetricCategoricalCrossentropy`, which has the formula.

    Args:
        y_true: Labels $y$ in [0, 1], such as one-hot labels, of the shape of `y_pred`.
        y_pred: Predictions, of shape `(batch, ..., classes)`: probabilities, which are
            divided by their sum, or, with `from_logits`, logits.
        alpha: $\alpha$, in [0, inf): the weight of cross-entropy.
        beta: $\beta$, in [0, inf): the weight of reverse cross-entropy.
        log_zero: $A$, in (-inf, 0]: the logarithm of a label that is 0, in nats.
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
        >>> loss = tfx_extras.losses.symmetric_categorical_crossentropy(
        ...     [[1, 0, 0], [0, 0, 1]], [[0.9, 0.1, 0.0], [0.2, 0.3, 0.5]])
        >>> print(keras.ops.convert_to_numpy(loss).round(4))
        [0.4105 2.0693]
    """
    labels, y_pred = dense_labels(
        y_true, y_pred, ignore_class, axis, "`SymmetricSparseCategoricalCrossentropy`"
    )
    p = probabilities(y_pred, from_logits)
    entropy = labels.expected(p.surprise, p.values, 1.0, 0.0)
    log_y = _logarithm(labels.shares, log_zero)
    reverse = ops.sum(p.share(p.values) * -log_y, axis=-1)
    return labels.settle(alpha * entropy + beta * reverse)


def _logarithm(y, log_zero):
    """The maximum of log(y) and `log_zero`."""
    bound = max(math.exp(log_zero), TINY)
    least = ops.convert_to_tensor(log_zero, y.dtype)
    return ops.where(y <= bound, least, ops.log(at_least(y, bound)))


@register
class SymmetricCategoricalCrossentropy(FunctionLoss):
    r"""Symmetric categorical cross-entropy (SCE): adds a bounded term for noisy labels.

    Use it for multi-class classification when some training labels are wrong. It adds
    the cross-entropy with labels and predictions exchanged, which is bounded and robust
    to noise, to a smaller share of cross-entropy, which learns hard classes faster. It
    has more to tune than `GeneralizedCategoricalCrossentropy`. Keras has no equivalent.

    $$ L = -\alpha \sum_{c=1}^C y_c \log p_c
        - \beta \sum_{c=1}^C p_c \max(\log y_c, A) $$

    $p_c$ is the predicted probability of class $c$ out of $C$, and $y_c$ its label. $A$
    is used in place of $\log 0$. For one-hot labels, the last sum is
    $A\, (1 - p_y)$ with the class $y$ of the sample.

    Returns one loss per sample, in nats, of the shape of `y_pred` without `axis`, which
    `reduction` averages. Time and memory grow linearly with the number of predictions.

    The defaults of `alpha` and `beta` are those of the paper for CIFAR-10; for
    CIFAR-100, it uses 6 and 0.1. Published code clips labels at 1e-4 instead, which is
    `log_zero=-9.21`. For integer labels, use `SymmetricSparseCategoricalCrossentropy`.

    Args:
        alpha: $\alpha$, in [0, inf): the weight of cross-entropy.
        beta: $\beta$, in [0, inf): the weight of reverse cross-entropy.
        log_zero: $A$, in (-inf, 0]: the logarithm of a label that is 0, in nats.
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
        >>> loss = tfx_extras.losses.SymmetricCategoricalCrossentropy(
        ...     from_logits=True)
        >>> value = loss([[1, 0], [0, 1]], [[2.0, 0.0], [0.0, 1.0]])
        >>> print(f"{float(value):.4f}")
        0.7983

    Reference: Wang et al., 2019. https://arxiv.org/abs/1908.06112
    """

    function = staticmethod(symmetric_categorical_crossentropy)

    @typechecked
    def __init__(
        self,
        alpha: Number = 0.1,
        beta: Number = 1.0,
        log_zero: Number = -4.0,
        ignore_class: int | np.integer | None = None,
        from_logits: bool = False,
        axis: int = -1,
        **kwargs: Unpack[LossOptions],
    ):
        super().__init__(**kwargs)
        self.alpha = require("alpha", alpha, "[0, inf)")
        self.beta = require("beta", beta, "[0, inf)")
        self.log_zero = require("log_zero", log_zero, "(-inf, 0]")
        self.ignore_class = require_ignore_class(ignore_class)
        self.from_logits = from_logits
        self.axis = require_class_axis(axis)


@register
def symmetric_sparse_categorical_crossentropy(
    y_true,
    y_pred,
    alpha: Number = 0.1,
    beta: Number = 1.0,
    log_zero: Number = -4.0,
    ignore_class: int | None = None,
    from_logits: bool = False,
    axis: int = -1,
):
    r"""Symmetric sparse categorical cross-entropy (SCE) for noisy integer labels.

    Function form of `SymmetricSparseCategoricalCrossentropy`, which has the formula.

    Args:
        y_true: Classes $y$: integers in [0, classes), of the shape of `y_pred` without
            `axis`, or with a last axis of size 1.
        y_pred: Predictions, of shape `(batch, ..., classes)`: probabilities, which are
            divided by their sum, or, with `from_logits`, logits.
        alpha: $\alpha$, in [0, inf): the weight of cross-entropy.
        beta: $\beta$, in [0, inf): the weight of reverse cross-entropy.
        log_zero: $A$, in (-inf, 0]: the logarithm of a label that is 0, in nats.
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
        >>> loss = tfx_extras.losses.symmetric_sparse_categorical_crossentropy(
        ...     [0, 2], [[0.9, 0.1, 0.0], [0.2, 0.3, 0.5]])
        >>> print(keras.ops.convert_to_numpy(loss).round(4))
        [0.4105 2.0693]
    """
    labels, y_pred = sparse_labels(
        y_true,
        y_pred,
        ignore_class,
        axis,
        "`SymmetricCategoricalCrossentropy`",
        as_given=True,
    )

    def term(surprise, miss):
        return alpha * surprise - beta * log_zero * miss

    return labels.settle(_of_own(labels, y_pred, from_logits, term))


@register
class SymmetricSparseCategoricalCrossentropy(FunctionLoss):
    r"""Symmetric sparse categorical cross-entropy (SCE) for noisy integer labels.

    Use it for multi-class classification with integer labels when some of them are
    wrong. It adds the cross-entropy with labels and predictions exchanged, which is
    bounded and robust to noise, to a smaller share of cross-entropy, which learns hard
    classes faster. It has more to tune than `GeneralizedSparseCategoricalCrossentropy`.
    Keras has no equivalent.

    $$ L = -\alpha \log p_y - \beta A\, (1 - p_y) $$

    $p_y$ is the predicted probability of the class $y$ of the sample. $A$ is used in
    place of $\log 0$. The result equals `SymmetricCategoricalCrossentropy` of one-hot
    labels, which are never built.

    Returns one loss per sample, in nats, of the shape of `y_pred` without `axis`, which
    `reduction` averages. It is NaN where a label is out of range and checking all
    labels would be slow: in compiled code and on a GPU. Time and memory grow linearly
    with the number of predictions.

    The defaults of `alpha` and `beta` are those of the paper for CIFAR-10; for
    CIFAR-100, it uses 6 and 0.1. Published code clips labels at 1e-4 instead, which is
    `log_zero=-9.21`.

    Args:
        alpha: $\alpha$, in [0, inf): the weight of cross-entropy.
        beta: $\beta$, in [0, inf): the weight of reverse cross-entropy.
        log_zero: $A$, in (-inf, 0]: the logarithm of a label that is 0, in nats.
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
        >>> loss = tfx_extras.losses.SymmetricSparseCategoricalCrossentropy(
        ...     from_logits=True)
        >>> value = loss([0, 2], [[2.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
        >>> print(f"{float(value):.4f}")
        1.3133

    Reference: Wang et al., 2019. https://arxiv.org/abs/1908.06112
    """

    function = staticmethod(symmetric_sparse_categorical_crossentropy)

    @typechecked
    def __init__(
        self,
        alpha: Number = 0.1,
        beta: Number = 1.0,
        log_zero: Number = -4.0,
        ignore_class: int | np.integer | None = None,
        from_logits: bool = False,
        axis: int = -1,
        **kwargs: Unpack[LossOptions],
    ):
        super().__init__(**kwargs)
        self.alpha = require("alpha", alpha, "[0, inf)")
        self.beta = require("beta", beta, "[0, inf)")
        self.log_zero = require("log_zero", log_zero, "(-inf, 0]")
        self.ignore_class = require_ignore_class(ignore_class)
        self.from_logits = from_logits
        self.axis = require_class_axis(axis)
