"""Preference losses: of two responses to a prompt, one is preferred.

They tune language models on pairs of responses, without reinforcement learning.
"""

import math
from typing import Any
from typing import Unpack

from keras import ops

from tfx_extras._backend import backend
from tfx_extras._checks import Number
from tfx_extras._checks import require
from tfx_extras._register import register
from tfx_extras._typed import typechecked
from tfx_extras.losses._base import FunctionLoss
from tfx_extras.losses._base import LossOptions
from tfx_extras.losses._base import numbers
from tfx_extras.losses._base import predictions
from tfx_extras.losses._base import require_one_shape
from tfx_extras.losses._base import with_last
from tfx_extras.losses._base import without_last
from tfx_extras.losses._labels import sparse_labels
from tfx_extras.losses._probabilities import TINY
from tfx_extras.losses._probabilities import at_least
from tfx_extras.losses._probabilities import within
from tfx_extras.losses.classification.smoothed import crossentropy

__all__ = [
    "DPOLoss",
    "IPOLoss",
    "ORPOLoss",
    "RewardLoss",
    "SimPOLoss",
    "dpo_loss",
    "ipo_loss",
    "orpo_loss",
    "reward_loss",
    "sequence_log_probabilities",
    "simpo_loss",
]

NOT_POSITIVE = "`y_pred` must hold log-probabilities, which are not positive."
CURE = "Did you pass losses? Log-probabilities are minus the cross-entropy."


@register
def dpo_loss(y_true, y_pred, beta: Number = 0.1, label_smoothing: Number = 0.0):
    r"""DPO loss: direct preference optimization of a language model on pairs.

    Function form of `DPOLoss`, which has the formula.

    Args:
        y_true: Log-probabilities $\log \pi_0$ of the same responses under the reference
            model, of shape `(batch, 2)`.
        y_pred: Log-probabilities $\log \pi$ under the trained model, of shape
            `(batch, 2)`: first of the chosen, then of the rejected response.
        beta: $\beta$, in (0, inf). Larger values keep the model closer to the
            reference.
        label_smoothing: $e$, in [0, 0.5]: the fraction of preferences that is assumed
            to be wrong.

    Returns:
        One loss per pair, in nats, of shape `(batch,)`, in `float32` or wider.

    Raises:
        ValueError: If shapes do not match.

    Example:
        >>> loss = tfx_extras.losses.dpo_loss(
        ...     [[-20.0, -20.0]], [[-10.0, -30.0]])
        >>> print(keras.ops.convert_to_numpy(loss).round(4))
        [0.1269]
    """
    h = beta * _gained(y_true, y_pred)
    loss = -ops.log_sigmoid(h)
    if label_smoothing > 0:
        loss = (1 - label_smoothing) * loss - label_smoothing * ops.log_sigmoid(-h)
    return loss


@register
class DPOLoss(FunctionLoss):
    r"""DPO loss: direct preference optimization of a language model on pairs.

    Use it to tune a language model on preferences: pairs of responses to a prompt, of
    which people, or another model, chose one. It needs no reward model and no
    reinforcement learning (RLHF), only a reference model that is not trained, usually
    the model before the tuning, whose log-probabilities can be computed once.
    `IPOLoss` overfits less where preferences are nearly certain. `SimPOLoss` and
    `ORPOLoss` need no reference model. Keras has no equivalent.

    $$ L = -(1 - e) \log \sigma(h) - e \log \sigma(-h), \quad
        h = \beta \left( \log \frac{\pi(c)}{\pi_0(c)}
        - \log \frac{\pi(r)}{\pi_0(r)} \right) $$

    $\pi(c)$ and $\pi(r)$ are the probabilities of the chosen and the rejected response
    under the trained model, and $\pi_0$ those under the reference model.
    $\sigma(h) = 1 / (1 + e^{-h})$ is the predicted probability of the preference,
    $\beta$ says how strongly the model is held to the reference, and $e$ is the
    fraction of preferences assumed to be wrong (conservative DPO).

    `sequence_log_probabilities` computes the log-probabilities from logits; they are
    sums over the tokens of the response. If the trained model is the reference, the
    loss is log 2. A sample is trained by the difference of its responses alone, so that
    both may become less probable.

    Returns one loss per pair, in nats, of shape `(batch,)`, which `reduction`
    averages.

    Args:
        beta: $\beta$, in (0, inf). Larger values keep the model closer to the
            reference.
        label_smoothing: $e$, in [0, 0.5]: the fraction of preferences that is assumed
            to be wrong.
        **kwargs: `name`, `reduction` and `dtype`: see `LossOptions`.

    Call arguments:
        y_true: Log-probabilities $\log \pi_0$ of the same responses under the reference
            model, of shape `(batch, 2)`.
        y_pred: Log-probabilities $\log \pi$ under the trained model, of shape
            `(batch, 2)`: first of the chosen, then of the rejected response.

    Raises:
        ValueError: If an argument is outside its interval, or if shapes do not match in
            a call.
        TypeError: If an argument has the wrong type or an unknown name.

    Example:
        >>> loss = tfx_extras.losses.DPOLoss(beta=0.1, label_smoothing=0.1)
        >>> value = loss([[-20.0, -20.0]], [[-10.0, -30.0]])
        >>> print(f"{float(value):.4f}")
        0.3269

    References:
        Rafailov et al., 2023. https://arxiv.org/abs/2305.18290
        Mitchell, 2023 (conservative DPO). https://ericmitchell.ai/cdpo.pdf
    """

    function = staticmethod(dpo_loss)

    @typechecked
    def __init__(
        self,
        beta: Number = 0.1,
        label_smoothing: Number = 0.0,
        **kwargs: Unpack[LossOptions],
    ):
        super().__init__(**kwargs)
        self.beta = require("beta", beta, "(0, inf)")
        self.label_smoothing = require("label_smoothing", label_smoothing, "[0, 0.5]")


@register
def ipo_loss(y_true, y_pred, beta: Number = 0.1):
    r"""IPO loss: identity preference optimization, which overfits less than DPO.

    Function form of `IPOLoss`, which has the formula.

    Args:
        y_true: Mean log-probabilities per token $\log \pi_0$ of the same responses
            under the reference model, of shape `(batch, 2)`.
        y_pred: Mean log-probabilities per token $\log \pi$ under the trained model, of
            shape `(batch, 2)`: first of the chosen, then of the rejected response.
        beta: $\beta$, in (0, inf). Larger values keep the model closer to the
            reference.

    Returns:
        One loss per pair, in [0, inf), of shape `(batch,)`, in `float32` or wider.

    Raises:
        ValueError: If shapes do not match.

    Example:
        >>> loss = tfx_extras.losses.ipo_loss(
        ...     [[-2.0, -2.0]], [[-1.5, -3.0]])
        >>> print(keras.ops.convert_to_numpy(loss).round(4))
        [12.25]
    """
    return ops.square(_gained(y_true, y_pred) - 1 / (2 * beta))


@register
class IPOLoss(FunctionLoss):
    r"""IPO loss: identity preference optimization, which overfits less than DPO.

    Use it in place of `DPOLoss` to tune a language model on preferences that are nearly
    certain or that each pair shows once. DPO then drives the probability of the
    rejected response to 0; here, the difference of the responses has a target at a
    finite distance. `SimPOLoss` and `ORPOLoss` need no reference model. Keras has no
    equivalent.

    $$ L = \left( \log \frac{\pi(c)}{\pi_0(c)} - \log \frac{\pi(r)}{\pi_0(r)}
        - \frac1{2 \beta} \right)^2 $$

    $\log \pi(c)$ and $\log \pi(r)$ are the log-probabilities of the chosen and the
    rejected response under the trained model, and $\log \pi_0$ those under the
    reference model. $\beta$, the paper's $\tau$, says how strongly the model is held to
    the reference.

    Log-probabilities are means over the tokens of a response, as in other
    implementations: with sums, long responses would reach the target at once.
    `sequence_log_probabilities(..., mean=True)` computes them from logits.

    Returns one loss per pair, in [0, inf), of shape `(batch,)`, which `reduction`
    averages.

    Args:
        beta: $\beta$, in (0, inf). Larger values keep the model closer to the
            reference.
        **kwargs: `name`, `reduction` and `dtype`: see `LossOptions`.

    Call arguments:
        y_true: Mean log-probabilities per token $\log \pi_0$ of the same responses
            under the reference model, of shape `(batch, 2)`.
        y_pred: Mean log-probabilities per token $\log \pi$ under the trained model, of
            shape `(batch, 2)`: first of the chosen, then of the rejected response.

    Raises:
        ValueError: If an argument is outside its interval, or if shapes do not match in
            a call.
        TypeError: If an argument has the wrong type or an unknown name.

    Example:
        >>> loss = tfx_extras.losses.IPOLoss(beta=0.5)
        >>> value = loss([[-2.0, -2.0]], [[-1.5, -3.0]])
        >>> print(f"{float(value):.4f}")
        0.2500

    Reference: Azar et al., 2023, eq. 17. https://arxiv.org/abs/2310.12036
    """

    function = staticmethod(ipo_loss)

    @typechecked
    def __init__(
        self,
        beta: Number = 0.1,
        **kwargs: Unpack[LossOptions],
    ):
        super().__init__(**kwargs)
        self.beta = require("beta", beta, "(0, inf)")


@register
def orpo_loss(y_true, y_pred, beta: Number = 0.1):
    r"""ORPO loss: odds-ratio preference optimization, with supervised fine-tuning.

    Function form of `ORPOLoss`, which has the formula.

    Args:
        y_true: Ignored, since the formula has no reference model: `None`, or anything.
        y_pred: Mean log-probabilities per token $\log \pi$ under the trained model, in
            (-inf, 0], of shape `(batch, 2)`: first of the chosen, then of the rejected
            response.
        beta: $\beta$, in [0, inf): the weight of the preference beside the
            cross-entropy.

    Returns:
        One loss per pair, in nats, of shape `(batch,)`, in `float32` or wider.

    Raises:
        ValueError: If shapes do not match, or a log-probability is found to be
            positive.

    Example:
        >>> loss = tfx_extras.losses.orpo_loss(
        ...     None, [[-0.5, -2.0]])
        >>> print(keras.ops.convert_to_numpy(loss).round(4))
        [0.5097]
    """
    y_pred = _log_probabilities(y_pred)
    # log(1 - p) by expm1: p rounds to 1 long before log(p) is 0.
    odds = y_pred - ops.log(at_least(-ops.expm1(y_pred), TINY))
    return -y_pred[:, 0] - beta * ops.log_sigmoid(odds[:, 0] - odds[:, 1])


@register
class ORPOLoss(FunctionLoss):
    r"""ORPO loss: odds-ratio preference optimization, with supervised fine-tuning.

    Use it to tune a language model on pairs of responses in one step, without a
    reference model and without supervised fine-tuning before: the loss contains the
    cross-entropy of the chosen response. `SimPOLoss` has no such term, and `DPOLoss`
    holds the model to a reference. Keras has no equivalent.

    $$ L = -\log \pi(c) - \beta \log \sigma \left( \log \frac{\pi(c)}{1 - \pi(c)}
        - \log \frac{\pi(r)}{1 - \pi(r)} \right) $$

    $\log \pi(c)$ and $\log \pi(r)$ are the mean log-probabilities per token of the
    chosen and the rejected response, $\sigma(x) = 1 / (1 + e^{-x})$, and $\beta$, the
    paper's $\lambda$, is the weight of the log odds ratio.

    `sequence_log_probabilities(..., mean=True)` computes the log-probabilities from
    logits. The cross-entropy is the mean over the tokens of each chosen response, so
    that all pairs weigh the same; some implementations average over all tokens of a
    batch, also those of the prompt. The odds stay accurate for probabilities near 1.

    Returns one loss per pair, in nats, of shape `(batch,)`, which `reduction`
    averages.

    Args:
        beta: $\beta$, in [0, inf): the weight of the preference beside the
            cross-entropy.
        **kwargs: `name`, `reduction` and `dtype`: see `LossOptions`.

    Call arguments:
        y_true: Ignored, since the formula has no reference model: `None`, or anything.
        y_pred: Mean log-probabilities per token $\log \pi$ under the trained model, in
            (-inf, 0], of shape `(batch, 2)`: first of the chosen, then of the rejected
            response.

    Raises:
        ValueError: If an argument is outside its interval, or if shapes do not match in
            a call, or a log-probability is found to be
            positive.
        TypeError: If an argument has the wrong type or an unknown name.

    Example:
        >>> loss = tfx_extras.losses.ORPOLoss(beta=1.0)
        >>> value = loss(None, [[-0.5, -2.0]])
        >>> print(f"{float(value):.4f}")
        0.5967

    Reference: Hong et al., 2024, eq. 4 and 7. https://arxiv.org/abs/2403.07691
    """

    function = staticmethod(orpo_loss)

    @typechecked
    def __init__(
        self,
        beta: Number = 0.1,
        **kwargs: Unpack[LossOptions],
    ):
        super().__init__(**kwargs)
        self.beta = require("beta", beta, "[0, inf)")


@register
def simpo_loss(y_true, y_pred, beta: Number = 2.0, margin: Number = 1.0):
    r"""SimPO loss: simple preference optimization without a reference model.

    Function form of `SimPOLoss`, which has the formula.

    Args:
        y_true: Ignored, since the formula has no reference model: `None`, or anything.
        y_pred: Mean log-probabilities per token $\log \pi$ under the trained model, of
            shape `(batch, 2)`: first of the chosen, then of the rejected response.
        beta: $\beta$, in (0, inf): the scale of the rewards.
        margin: $\gamma$, in [0, inf): by how much the reward of the chosen response
            should exceed that of the rejected one.

    Returns:
        One loss per pair, in nats, of shape `(batch,)`, in `float32` or wider.

    Raises:
        ValueError: If shapes do not match.

    Example:
        >>> loss = tfx_extras.losses.simpo_loss(
        ...     None, [[-1.0, -2.0]])
        >>> print(keras.ops.convert_to_numpy(loss).round(4))
        [0.3133]
    """
    y_pred = _log_probabilities(y_pred)
    return -ops.log_sigmoid(beta * (y_pred[:, 0] - y_pred[:, 1]) - margin)


@register
class SimPOLoss(FunctionLoss):
    r"""SimPO loss: simple preference optimization without a reference model.

    Use it to tune a language model on pairs of responses without a reference model. The
    mean log-probability per token, by which models also rank responses, is the reward,
    and the chosen response should exceed the other one by a margin. `DPOLoss` holds the
    model to a reference, and `ORPOLoss` adds the cross-entropy of the chosen response.
    Keras has no equivalent.

    $$ L = -\log \sigma \left( \beta \log \pi(c) - \beta \log \pi(r) - \gamma
        \right) $$

    $\log \pi(c)$ and $\log \pi(r)$ are the mean log-probabilities per token of the
    chosen and the rejected response, $\sigma(x) = 1 / (1 + e^{-x})$, $\beta$ is the
    scale of the rewards, and $\gamma$ the margin.

    `sequence_log_probabilities(..., mean=True)` computes the log-probabilities from
    logits. Nothing but a small learning rate holds the model to what it was. The margin
    is that of the scaled rewards; some implementations have an argument for
    $\gamma / \beta$ instead.

    Returns one loss per pair, in nats, of shape `(batch,)`, which `reduction`
    averages.

    Args:
        beta: $\beta$, in (0, inf): the scale of the rewards.
        margin: $\gamma$, in [0, inf): by how much the reward of the chosen response
            should exceed that of the rejected one.
        **kwargs: `name`, `reduction` and `dtype`: see `LossOptions`.

    Call arguments:
        y_true: Ignored, since the formula has no reference model: `None`, or anything.
        y_pred: Mean log-probabilities per token $\log \pi$ under the trained model, of
            shape `(batch, 2)`: first of the chosen, then of the rejected response.

    Raises:
        ValueError: If an argument is outside its interval, or if shapes do not match in
            a call.
        TypeError: If an argument has the wrong type or an unknown name.

    Example:
        >>> loss = tfx_extras.losses.SimPOLoss(beta=2.5, margin=0.5)
        >>> value = loss(None, [[-1.0, -2.0]])
        >>> print(f"{float(value):.4f}")
        0.1269

    Reference: Meng et al., 2024. https://arxiv.org/abs/2405.14734
    """

    function = staticmethod(simpo_loss)

    @typechecked
    def __init__(
        self,
        beta: Number = 2.0,
        margin: Number = 1.0,
        **kwargs: Unpack[LossOptions],
    ):
        super().__init__(**kwargs)
        self.beta = require("beta", beta, "(0, inf)")
        self.margin = require("margin", margin, "[0, inf)")


@register
def reward_loss(y_true, y_pred):
    r"""Reward loss: Bradley-Terry model of preferences, for reward models.

    Function form of `RewardLoss`, which has the formula.

    Args:
        y_true: Margins $m$ of the pairs, any real numbers, of shape `(batch,)` or
            `(batch, 1)`. `None` means 0.
        y_pred: Rewards, any real numbers, of shape `(batch, 2)`: first of the chosen,
            then of the rejected response.

    Returns:
        One loss per pair, in nats, of shape `(batch,)`, in `float32` or wider.

    Raises:
        ValueError: If shapes do not match.

    Example:
        >>> loss = tfx_extras.losses.reward_loss(
        ...     None, [[2.0, 1.0], [0.0, 1.0]])
        >>> print(keras.ops.convert_to_numpy(loss).round(4))
        [0.3133 1.3133]
    """
    y_pred = _pair("y_pred", y_pred)
    difference = y_pred[:, 0] - y_pred[:, 1]
    if y_true is not None:
        difference = difference - _margins(y_true, difference)
    return -ops.log_sigmoid(difference)


@register
class RewardLoss(FunctionLoss):
    r"""Reward loss: Bradley-Terry model of preferences, for reward models.

    Use it to train a reward model on pairs of responses of which one is preferred, as
    in reinforcement learning from human feedback (RLHF), or to rank any two things by a
    score. `DPOLoss` trains a language model on the pairs directly. Keras has no
    equivalent; `keras.losses.BinaryCrossentropy(from_logits=True)` of the difference of
    the rewards, with label 1, is the same without margins.

    $$ L = -\log \sigma(c - r - m) $$

    $c$ and $r$ are the rewards of the chosen and the rejected response, of which
    $\sigma(c - r)$ is the probability of the preference, with
    $\sigma(x) = 1 / (1 + e^{-x})$. $m$ is a margin, such as a larger one for pairs
    whose responses differ more.

    A constant added to all rewards changes nothing.

    Returns one loss per pair, in nats, of shape `(batch,)`, which `reduction`
    averages.

    Args:
        **kwargs: `name`, `reduction` and `dtype`: see `LossOptions`.

    Call arguments:
        y_true: Margins $m$ of the pairs, any real numbers, of shape `(batch,)` or
            `(batch, 1)`. `None` means 0.
        y_pred: Rewards, any real numbers, of shape `(batch, 2)`: first of the chosen,
            then of the rejected response.

    Raises:
        ValueError: If shapes do not match in a call.
        TypeError: If an argument has the wrong type or an unknown name.

    Example:
        >>> loss = tfx_extras.losses.RewardLoss()
        >>> value = loss([1.0, 0.0], [[2.0, 1.0], [0.0, 1.0]])
        >>> print(f"{float(value):.4f}")
        1.0032

    References:
        Ouyang et al., 2022. https://arxiv.org/abs/2203.02155
        Touvron et al., 2023 (margins). https://arxiv.org/abs/2307.09288
    """

    function = staticmethod(reward_loss)

    @typechecked
    def __init__(
        self,
        **kwargs: Unpack[LossOptions],
    ):
        super().__init__(**kwargs)


@typechecked
def sequence_log_probabilities(
    y_true, y_pred, mean: bool = False, ignore_class: int | None = None
):
    r"""Log-probabilities of sequences under a language model, from its logits.

    Use it to compute the inputs of `DPOLoss`, `IPOLoss`, `ORPOLoss` and `SimPOLoss`, or
    to compare whole sequences. Keras has no equivalent;
    `keras.losses.SparseCategoricalCrossentropy` returns minus the log-probability of
    each token.

    $$ \log \pi(y) = \sum_{t=1}^T \log \frac{e^{z_{t y_t}}}{\sum_k e^{z_{tk}}} $$

    $y_t$ is token $t$ out of $T$, and $z_{tk}$ the logit of token $k$ at its place,
    computed from the tokens before it: the labels must be shifted by one token against
    the inputs of the model, `labels = tokens[:, 1:]` for `logits = model(tokens[:,
    :-1])`. Tokens of the prompt and padding do not belong to the response: set their
    labels to `ignore_class`.

    No copy of the logits is kept where they are long rows. Where even the logits do not
    fit in memory, `-keras.ops.sum(chunked_linear_crossentropy(...), axis=-1)` computes
    the same sum.

    Args:
        y_true: Tokens $y$: integers in [0, classes), of shape `(batch, ..., tokens)`,
            or with a last axis of size 1.
        y_pred: Logits $z$, any real numbers, of shape `(batch, ..., tokens, classes)`.
        mean: Whether to divide by the number of tokens that count.
        ignore_class: Tokens with this label, any integer such as -1 or -100, do not
            count. `None` counts all.

    Returns:
        Log-probabilities in nats, of shape `(batch, ...)`, in `float32` or wider. They
        are 0 where no token counts, and NaN where a label is out of range and checking
        all labels would be slow: in compiled code and on a GPU.

    Raises:
        ValueError: If the shapes do not match, or a label is found to be out of range.

    Example:
        >>> log_p = tfx_extras.losses.sequence_log_probabilities(
        ...     [[1, 0, -1]], [[[0.0, 1.0], [2.0, 0.0], [5.0, 5.0]]], ignore_class=-1)
        >>> print(keras.ops.convert_to_numpy(log_p).round(4))
        [-0.4402]

    Reference: Rafailov et al., 2023. https://arxiv.org/abs/2305.18290
    """
    labels, y_pred = sparse_labels(y_true, y_pred, ignore_class, -1, as_given=True)
    if len(y_pred.shape) < 3:
        raise ValueError(
            "`y_pred` must hold the logits of each token, of shape `(batch, ..., "
            f"tokens, classes)`. Received: y_pred.shape={tuple(y_pred.shape)}"
        )
    tokens = labels.settle(crossentropy(labels, y_pred, from_logits=True))
    total = -ops.sum(tokens, axis=-1)
    if not mean:
        return total
    valid = ops.ones_like(tokens) if labels.valid is None else labels.valid
    return total / at_least(ops.sum(ops.cast(valid, total.dtype), axis=-1), 1.0)


def _pair(name: str, values) -> Any:
    """Returns values of the chosen and the rejected response, of shape `(batch, 2)`."""
    values = predictions(values) if name == "y_pred" else values
    shape = tuple(values.shape)
    if len(shape) != 2 or shape[1] not in (2, None):
        raise ValueError(
            f"`{name}` must have one number for the chosen and one for the rejected "
            f"response, of shape `(batch, 2)`. Received: {name}.shape={shape}"
        )
    return with_last(values, 2)


def _log_probabilities(y_pred) -> Any:
    """Returns pairs of log-probabilities, or raises where they are seen not to be."""
    return within(_pair("y_pred", y_pred), -math.inf, 0.0, NOT_POSITIVE, CURE)


def _gained(y_true, y_pred):
    """How much more than the reference the model prefers the chosen response."""
    y_pred = _log_probabilities(y_pred)
    if y_true is None:
        raise ValueError(
            "`y_true` must hold the log-probabilities under the reference model, of "
            "shape `(batch, 2)`. `SimPOLoss` and `ORPOLoss` need no reference model. "
            "Received: y_true=None"
        )
    y_true = _pair("y_true", numbers(y_true, y_pred.dtype))
    require_one_shape(
        y_true,
        y_pred,
        "`y_true`, of the reference model, and `y_pred` must have the same shape. "
        f"Received: y_true.shape={tuple(y_true.shape)}, "
        f"y_pred.shape={tuple(y_pred.shape)}",
    )
    y_true, y_pred = backend.same_shape(y_true, y_pred)
    gain = y_pred - y_true
    return gain[:, 0] - gain[:, 1]


def _margins(y_true, difference):
    """Returns margins of shape `(batch,)`."""
    margins = numbers(y_true, difference.dtype)
    shape = tuple(margins.shape)
    if len(shape) == 2 and shape[1] in (1, None):
        margins = without_last(margins)
    require_one_shape(
        margins,
        difference,
        "`y_true` must be `None` or have one margin per pair, of shape `(batch,)` or "
        f"`(batch, 1)`. Received: y_true.shape={shape}, for y_pred.shape="
        f"{(*difference.shape, 2)}",
    )
    return backend.same_shape(margins, difference)[0]
