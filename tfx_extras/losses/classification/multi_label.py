"""Multi-label losses: each sample has any number of the classes."""

from typing import Unpack

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
from tfx_extras.losses._probabilities import at_least
from tfx_extras.losses._probabilities import power
from tfx_extras.losses._probabilities import require_shares

__all__ = ["AsymmetricLoss", "ZLPRLoss", "asymmetric_loss", "zlpr_loss"]

MULTI_HOT = "`keras.ops.one_hot(y_true, classes)`"
SMALL = 0.01  # for smaller margins, 1 - q would lose digits where q is near 1


@register
def asymmetric_loss(
    y_true,
    y_pred,
    gamma_positive: Number = 1.0,
    gamma_negative: Number = 4.0,
    margin: Number = 0.05,
):
    r"""Asymmetric loss (ASL): multi-label focal loss that ignores easy negatives.

    Function form of `AsymmetricLoss`, which has the formula.

    Args:
        y_true: Labels $y$ in [0, 1], of shape `(batch, ..., classes)`, or `(batch,)`
            for a single class.
        y_pred: Logits $z$, any real numbers, of the shape of `y_true`.
        gamma_positive: $\gamma_+$, in [0, inf): the focusing parameter of label 1.
        gamma_negative: $\gamma_-$, in [0, inf): the focusing parameter of label 0.
            Larger values down-weight easy negatives more.
        margin: $m$, in [0, 1): negatives whose probability is at most $m$ have loss 0
            and no gradient. 0 ignores none.

    Returns:
        The loss in nats, of the shape of `y_pred` without its last axis, in `float32`
        or wider. Predictions of shape `(batch,)` give one loss each.

    Raises:
        ValueError: If `y_true` and `y_pred` differ in shape.

    Example:
        >>> loss = tfx_extras.losses.asymmetric_loss(
        ...     [[1, 0], [0, 1]], [[2.0, -3.0], [1.0, -1.0]])
        >>> print(keras.ops.convert_to_numpy(loss).round(4))
        [0.0076 0.603 ]
    """
    y, z = aligned(y_true, y_pred, MULTI_HOT)
    require_shares(y)
    p, not_p = ops.sigmoid(z), ops.sigmoid(-z)
    positive = _focused(not_p, gamma_positive, ops.log_sigmoid(z))
    if margin > 0:
        q = at_least(p - margin, 0.0)
        is_small = margin < SMALL
        log_not_q = _log_of_rest(q, not_p + margin) if is_small else ops.log1p(-q)
    else:
        q, log_not_q = p, ops.log_sigmoid(-z)
    negative = _focused(q, gamma_negative, log_not_q)
    return -mean(y * positive + (1 - y) * negative)


def _focused(miss, gamma, log_hit):
    """miss**gamma * log_hit. Only a power below 1 has an infinite slope at 0."""
    if gamma == 0:
        return log_hit
    if gamma < 1:
        return power(miss, gamma) * log_hit
    return (miss if gamma == 1 else miss**gamma) * log_hit


def _log_of_rest(q, rest):
    """log(1 - q), where `rest` is 1 - q and has more digits than q if q is large."""
    is_large = q > 0.5
    zero, one = (ops.convert_to_tensor(x, q.dtype) for x in (0.0, 1.0))
    of_small = ops.log1p(-ops.where(is_large, zero, q))
    return of_small + ops.log(ops.where(is_large, rest, one))


@register
class AsymmetricLoss(FunctionLoss):
    r"""Asymmetric loss (ASL): multi-label focal loss that ignores easy negatives.

    Use it for multi-label classification with many classes of which each sample has
    few, such as tags of images. There, easy negatives would dominate the loss, and some
    labels are missing. It takes logits only. `SigmoidFocalCrossentropy` treats both
    labels alike. `keras.losses.BinaryFocalCrossentropy` has one focusing parameter for
    both labels and no margin.

    $$ L = -\frac1C \sum_{c=1}^C \left( y_c\, (1 - p_c)^{\gamma_+} \log p_c
        + (1 - y_c)\, q_c^{\gamma_-} \log(1 - q_c) \right), \quad
        q_c = \max(p_c - m, 0) $$

    $p_c = 1 / (1 + e^{-z_c})$ is the predicted probability of class $c$ out of $C$, and
    $y_c$ its label. $q_c$ is that probability, shifted by the margin $m$. A label
    between 0 and 1 interpolates between the two terms. With $m = 0$ and
    $\gamma_+ = \gamma_-$, the loss of labels 0 and 1 is the focal loss without
    $\alpha$.

    Returns one loss per sample, in nats, of the shape of `y_pred` without its last
    axis, which `reduction` averages. Time and memory grow linearly with the number of
    predictions.

    The loss of a sample is the mean over its classes, as everywhere in Keras. The code
    of the authors sums over classes and samples, timm over classes only. To use a
    learning rate that was tuned with timm, multiply the loss by the number of classes,
    as in `80 * AsymmetricLoss()`; with the code of the authors, also pass
    `reduction="sum"`. The defaults are those of both. Probabilities are not clipped, so
    very wrong predictions keep their gradient. The gradient flows through the weights
    $(1 - p)^{\gamma_+}$ and $q^{\gamma_-}$, as in the formula.

    Args:
        gamma_positive: $\gamma_+$, in [0, inf): the focusing parameter of label 1.
        gamma_negative: $\gamma_-$, in [0, inf): the focusing parameter of label 0.
            Larger values down-weight easy negatives more.
        margin: $m$, in [0, 1): negatives whose probability is at most $m$ have loss 0
            and no gradient. 0 ignores none.
        **kwargs: `name`, `reduction` and `dtype`: see `LossOptions`.

    Call arguments:
        y_true: Labels $y$ in [0, 1], of shape `(batch, ..., classes)`, or `(batch,)`
            for a single class.
        y_pred: Logits $z$, any real numbers, of the shape of `y_true`.

    Raises:
        ValueError: If an argument is outside its interval, or `y_true` and `y_pred`
            differ in shape.
        TypeError: If an argument has the wrong type or an unknown name.

    Example:
        >>> loss = tfx_extras.losses.AsymmetricLoss(gamma_positive=0.0)
        >>> value = loss([[1, 0], [0, 1]], [[2.0, -3.0], [1.0, -1.0]])
        >>> print(f"{float(value):.4f}")
        0.4215

    Reference: Ridnik et al., 2020. https://arxiv.org/abs/2009.14119
    """

    function = staticmethod(asymmetric_loss)

    @typechecked
    def __init__(
        self,
        gamma_positive: Number = 1.0,
        gamma_negative: Number = 4.0,
        margin: Number = 0.05,
        **kwargs: Unpack[LossOptions],
    ):
        super().__init__(**kwargs)
        self.gamma_positive = require("gamma_positive", gamma_positive, "[0, inf)")
        self.gamma_negative = require("gamma_negative", gamma_negative, "[0, inf)")
        self.margin = require("margin", margin, "[0, 1)")


@register
def zlpr_loss(y_true, y_pred):
    r"""ZLPR loss: multi-label softmax cross-entropy with the threshold 0.

    Function form of `ZLPRLoss`, which has the formula.

    Args:
        y_true: Labels, of shape `(batch, ..., classes)`. A sample has the classes whose
            label is greater than 1/2.
        y_pred: Logits $z$, any real numbers, of the shape of `y_true`.

    Returns:
        The loss in nats, of the shape of `y_pred` without its last axis, in `float32`
        or wider. Predictions of shape `(batch,)` give one loss each.

    Raises:
        ValueError: If `y_true` and `y_pred` differ in shape.

    Example:
        >>> loss = tfx_extras.losses.zlpr_loss(
        ...     [[1, 0, 0], [1, 1, 0]], [[2.0, -3.0, 0.0], [1.0, -1.0, -2.0]])
        >>> print(keras.ops.convert_to_numpy(loss).round(4))
        [0.8447 1.5345]
    """
    y, z = aligned(y_true, y_pred, MULTI_HOT)
    require_shares(y)
    is_positive = y > 0.5
    z = ops.where(ops.isnan(y), y, z)
    return _log_one_plus_sum(z, ~is_positive) + _log_one_plus_sum(-z, is_positive)


def _log_one_plus_sum(z, condition):
    """log(1 + sum(exp(z))) where the condition holds, with the digits of a small sum.

    The maximum is a constant: the gradient flows through the sum.
    """
    z = ops.where(condition, z, ops.convert_to_tensor(float("-inf"), z.dtype))
    largest = ops.stop_gradient(backend.largest(z, 0.0))
    total = ops.sum(ops.exp(z - largest), axis=-1, keepdims=True)
    return ops.squeeze(largest + ops.log1p(total + ops.expm1(-largest)), -1)


@register
class ZLPRLoss(FunctionLoss):
    r"""ZLPR loss: multi-label softmax cross-entropy with the threshold 0.

    Use it for multi-label classification with many classes of which each sample has
    few. It compares the logits of a sample with each other, as softmax cross-entropy
    does, so that many negatives do not outweigh few positives, and it has nothing to
    tune. It takes logits only. `AsymmetricLoss` treats each class on its own and takes
    labels between 0 and 1. `keras.losses.BinaryCrossentropy` does so without
    compensating for the number of negatives.

    $$ L = \log\left( 1 + \sum_{c \in N} e^{z_c} \right)
        + \log\left( 1 + \sum_{c \in P} e^{-z_c} \right) $$

    $z_c$ is the logit of class $c$, $P$ are the classes of the sample, and $N$ all
    others. The predicted classes are those with $z_c > 0$. They are not calibrated
    probabilities: the sigmoid of $z_c$ is not the probability of class $c$. The loss is
    the multi-label form of softmax cross-entropy that is also known as
    `multilabel_categorical_crossentropy`.

    Returns one loss per sample, in nats, of the shape of `y_pred` without its last
    axis, which `reduction` averages. It is not divided by the number of classes. A
    sample without classes has the second term 0. Time and memory grow linearly with the
    number of predictions.

    Args:
        **kwargs: `name`, `reduction` and `dtype`: see `LossOptions`.

    Call arguments:
        y_true: Labels, of shape `(batch, ..., classes)`. A sample has the classes whose
            label is greater than 1/2.
        y_pred: Logits $z$, any real numbers, of the shape of `y_true`.

    Raises:
        ValueError: If `y_true` and `y_pred` differ in shape.
        TypeError: If an argument has the wrong type or an unknown name.

    Example:
        >>> loss = tfx_extras.losses.ZLPRLoss()
        >>> value = loss([[1, 0, 0], [1, 1, 0]], [[2.0, -3.0, 0.0], [1.0, -1.0, -2.0]])
        >>> print(f"{float(value):.4f}")
        1.1896

    Reference: Su et al., 2022. https://arxiv.org/abs/2208.02955
    """

    function = staticmethod(zlpr_loss)

    @typechecked
    def __init__(self, **kwargs: Unpack[LossOptions]):
        super().__init__(**kwargs)
