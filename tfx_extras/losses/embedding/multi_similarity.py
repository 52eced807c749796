"""Multi-similarity loss."""

from typing import Unpack

from keras import ops

from tfx_extras._backend import backend
from tfx_extras._checks import Number
from tfx_extras._checks import require
from tfx_extras._register import register
from tfx_extras._typed import typechecked
from tfx_extras.losses._base import FunctionLoss
from tfx_extras.losses._base import LossOptions
from tfx_extras.losses._batch import highest
from tfx_extras.losses._batch import log_sum_exp
from tfx_extras.losses._batch import lowest
from tfx_extras.losses._probabilities import softplus
from tfx_extras.losses.embedding._distances import unit
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
    r"""Multi-similarity loss: mines hard pairs and weights them by similarity.

    Function form of `MultiSimilarityLoss`, which has the formula.

    Args:
        y_true: Labels, any integers or floats, of shape `(batch,)` or `(batch, 1)`.
            Integers are compared exactly, however large.
        y_pred: Embeddings, of shape `(batch, features)`. The loss normalizes them to
            length 1.
        alpha: $\alpha$, in (0, inf). Larger values put more weight on the least similar
            positives.
        beta: $\beta$, in (0, inf). Larger values put more weight on the most similar
            negatives.
        base: $\lambda$, in [-1, 1]: a soft threshold. Positives of lower and negatives
            of higher similarity are penalized most.
        epsilon: $\epsilon$, in [0, inf): the margin of the mining. Larger values keep
            more of the easy pairs, and 2 keeps all.
        gather: Whether to gather the samples of all replicas of a data-parallel run
            first, so that each anchor is compared with all of them. The loss then
            equals the loss of the whole batch on one device.

    Returns:
        One loss per anchor, of shape `(batch,)`, in `float32` or wider.

    Raises:
        ValueError: If shapes do not match.

    Example:
        >>> loss = tfx_extras.losses.multi_similarity_loss(
        ...     [0, 0, 1], [[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]])
        >>> print(keras.ops.convert_to_numpy(loss).round(3))
        [0.    0.599 0.   ]
    """
    batch = pairs(y_true, y_pred, gather)
    s = backend.products(unit(batch.anchors), unit(batch.samples))
    nearest = highest(s, batch.negatives)[:, None]
    farthest = lowest(s, batch.positives)[:, None]
    # Drop easy pairs instead of keeping hard ones: any comparison with NaN is false, so
    # this keeps NaN in the loss.
    nobody = ops.zeros_like(batch.positives)
    positives = ops.where(s - epsilon >= nearest, nobody, batch.positives)
    negatives = ops.where(s + epsilon <= farthest, nobody, batch.negatives)
    pull = softplus(log_sum_exp(-alpha * (s - base), positives)) / alpha
    push = softplus(log_sum_exp(beta * (s - base), negatives)) / beta
    return pull + push


@register
class MultiSimilarityLoss(FunctionLoss):
    r"""Multi-similarity loss: mines hard pairs and weights them by similarity.

    Use it for metric learning from class labels, as in image retrieval, which is
    evaluated by recall@k. Hard mining drops the easy pairs of each anchor, and harder
    positives and hard negatives get more weight. Each batch must hold several samples
    of the same label, since anchors without a positive contribute nothing.
    `keras.losses.Circle` also weights pairs by their cosine, but uses all pairs and
    needs embeddings of length 1.

    $$ L = \frac1B \sum_{i=1}^B \frac1\alpha \log \left( 1 + \sum_{p \in P_i}
        e^{-\alpha (s_{ip} - \lambda)} \right) + \frac1\beta \log \left( 1
        + \sum_{n \in N_i} e^{\beta (s_{in} - \lambda)} \right) $$

    $s$ is the cosine of two embeddings and $\lambda$ is `base`. $P_i$ is the set of
    samples with the label of $i$ for which $s_{ip} - \epsilon < \max_n s_{in}$, where
    $n$ runs over the samples with another label. $N_i$ is the set of samples with
    another label for which $s_{in} + \epsilon > \min_p s_{ip}$, where $p$ runs over the
    other samples with the label of $i$. An anchor without positives or without
    negatives has loss 0 and gradient 0.

    Returns one loss per anchor, of shape `(batch,)`, which `reduction` averages. Time
    and memory grow with the square of the batch size.

    Args:
        alpha: $\alpha$, in (0, inf). Larger values put more weight on the least similar
            positives.
        beta: $\beta$, in (0, inf). Larger values put more weight on the most similar
            negatives.
        base: $\lambda$, in [-1, 1]: a soft threshold. Positives of lower and negatives
            of higher similarity are penalized most.
        epsilon: $\epsilon$, in [0, inf): the margin of the mining. Larger values keep
            more of the easy pairs, and 2 keeps all.
        gather: Whether to gather the samples of all replicas of a data-parallel run
            first, so that each anchor is compared with all of them. The loss then
            equals the loss of the whole batch on one device.
        **kwargs: `name`, `reduction` and `dtype`: see `LossOptions`.

    Call arguments:
        y_true: Labels, any integers or floats, of shape `(batch,)` or `(batch, 1)`.
            Integers are compared exactly, however large.
        y_pred: Embeddings, of shape `(batch, features)`. The loss normalizes them to
            length 1.

    Raises:
        ValueError: If an argument is outside its interval, or if shapes do not match in
            a call.
        TypeError: If an argument has the wrong type or an unknown name.

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
