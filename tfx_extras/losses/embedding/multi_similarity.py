"""The multi-similarity loss."""

from typing import Unpack

from keras import ops

from tfx_extras._backend import backend
from tfx_extras._checks import Number
from tfx_extras._checks import require
from tfx_extras._register import register
from tfx_extras._typed import typechecked
from tfx_extras.losses._base import FunctionLoss
from tfx_extras.losses._base import LossOptions
from tfx_extras.losses._probabilities import softplus
from tfx_extras.losses.embedding._distances import unit
from tfx_extras.losses.embedding._pairs import highest
from tfx_extras.losses.embedding._pairs import log_sum_exp
from tfx_extras.losses.embedding._pairs import lowest
from tfx_extras.losses.embedding._pairs import pairs

__all__ = ["MultiSimilarityLoss", "multi_similarity_loss"]


@register
def multi_similarity_loss(
    y_true,
    y_pred,
    alpha: Number = 2.0,
    beta: Number = 50.0,
    base: Number = 0.5,
    epsilon: Number = 0.1,
    gather: bool = False,
):
    r"""Weighs pairs by their similarity, and by that of the others of their anchor.

    $$ L = \frac1B \sum_{i=1}^B \frac1\alpha \log \left( 1 + \sum_{p \in P_i}
        e^{-\alpha (s_{ip} - \lambda)} \right) + \frac1\beta \log \left( 1
        + \sum_{n \in N_i} e^{\beta (s_{in} - \lambda)} \right) $$

    Here $s$ is the cosine of two embeddings. Of the samples with the label of $i$,
    $P_i$ are those with $s_{ip} - \epsilon < \max_n s_{in}$, and of those with
    another label, $N_i$ are those with $s_{in} + \epsilon > \min_p s_{ip}$. An
    anchor without positives or without negatives costs 0, with a gradient of 0.

    Time and memory grow as the square of the batch.

    Args:
        y_true: Labels, any integers or floats, of shape `(batch,)` or `(batch, 1)`.
        y_pred: Embeddings, of any length, of shape `(batch, features)`.
        alpha: $\alpha$, how sharply positives are told apart, in (0, inf).
        beta: $\beta$, how sharply negatives are told apart, in (0, inf).
        base: $\lambda$, similarity from which pairs are counted, in [-1, 1].
        epsilon: $\epsilon$, how much easier than the hardest a pair may be to count,
            in [0, inf); 2 counts all.
        gather: Whether to take negatives and positives from all replicas of a
            data-parallel run, which then gives the number of one device.

    Returns:
        One value per anchor, of shape `(batch,)`, in `float32` or wider.

    Raises:
        ValueError: If the shapes are others.

    Example:
        >>> loss = tfx_extras.losses.multi_similarity_loss(
        ...     [0, 0, 1], [[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]])
        >>> print(keras.ops.convert_to_numpy(loss).round(3))
        [0.    0.599 0.   ]

    Reference: Wang et al., 2019, eq. 11-15. https://arxiv.org/abs/1904.06627
    """
    batch = pairs(y_true, y_pred, gather)
    s = backend.products(unit(batch.anchors), unit(batch.samples))
    nearest = highest(s, batch.negatives)[:, None]
    farthest = lowest(s, batch.positives)[:, None]
    # The easy ones are left out, which NaN is not, as it is not among the hard ones.
    nobody = ops.zeros_like(batch.positives)
    positives = ops.where(s - epsilon >= nearest, nobody, batch.positives)
    negatives = ops.where(s + epsilon <= farthest, nobody, batch.negatives)
    pull = softplus(log_sum_exp(-alpha * (s - base), positives)) / alpha
    push = softplus(log_sum_exp(beta * (s - base), negatives)) / beta
    return pull + push


@register
class MultiSimilarityLoss(FunctionLoss):
    r"""Weighs pairs by their similarity, and by that of the others of their anchor.

    Class form of `multi_similarity_loss`, which has the formula.

    Args:
        alpha: $\alpha$, how sharply positives are told apart, in (0, inf).
        beta: $\beta$, how sharply negatives are told apart, in (0, inf).
        base: $\lambda$, similarity from which pairs are counted, in [-1, 1].
        epsilon: $\epsilon$, how much easier than the hardest a pair may be to count,
            in [0, inf); 2 counts all.
        gather: Whether to take pairs from all replicas of a data-parallel run.
        **kwargs: Options of every loss: see `LossOptions`.

    Raises:
        ValueError: If an argument is outside its interval.

    Example:
        >>> loss = tfx_extras.losses.MultiSimilarityLoss()
        >>> value = loss([0, 0, 1], [[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]])
        >>> print(f"{float(value):.4f}")
        0.1997

    Reference: Wang et al., 2019, eq. 11-15. https://arxiv.org/abs/1904.06627
    """

    function = staticmethod(multi_similarity_loss)

    @typechecked
    def __init__(
        self,
        alpha: Number = 2.0,
        beta: Number = 50.0,
        base: Number = 0.5,
        epsilon: Number = 0.1,
        gather: bool = False,
        **kwargs: Unpack[LossOptions],
    ):
        super().__init__(**kwargs)
        self.alpha = require("alpha", alpha, "(0, inf)")
        self.beta = require("beta", beta, "(0, inf)")
        self.base = require("base", base, "[-1, 1]")
        self.epsilon = require("epsilon", epsilon, "[0, inf)")
        self.gather = gather
