"""The lifted structured loss, of all positive pairs against all their negatives."""

from typing import Unpack

from keras import ops

from tfx_extras._checks import Number
from tfx_extras._checks import require
from tfx_extras._register import register
from tfx_extras._typed import typechecked
from tfx_extras.losses._base import FunctionLoss
from tfx_extras.losses._base import LossOptions
from tfx_extras.losses._probabilities import log_add_exp
from tfx_extras.losses.embedding._distances import Distance
from tfx_extras.losses.embedding._distances import require_distance
from tfx_extras.losses.embedding._pairs import averaged
from tfx_extras.losses.embedding._pairs import collected
from tfx_extras.losses.embedding._pairs import count
from tfx_extras.losses.embedding._pairs import log_sum_exp
from tfx_extras.losses.embedding._pairs import pairs
from tfx_extras.losses.embedding._pairs import sum_where

__all__ = ["LiftedStructuredLoss", "lifted_structured_loss"]


@register
def lifted_structured_loss(
    y_true,
    y_pred,
    margin: Number = 1.0,
    distance_metric: Distance = "L2",
    gather: bool = False,
):
    r"""Each pair of like samples should be nearer than both are to all others.

    $$ L = \frac1{2 |P|} \sum_{(i, j) \in P} \max(J_{ij}, 0)^2, \quad
        J_{ij} = d_{ij} + \log \left( \sum_{n \in N_i} e^{m - d_{in}}
        + \sum_{n \in N_j} e^{m - d_{jn}} \right) $$

    Here $P$ are the ordered pairs of different samples with the same label, and
    $N_i$ the samples with another label than $i$. Of batches with only one label,
    or without a pair of like samples, the loss is 0, with a gradient of 0.

    Time and memory grow as the square of the batch.

    Args:
        y_true: Labels, any integers or floats, of shape `(batch,)` or `(batch, 1)`.
        y_pred: Embeddings, of shape `(batch, features)`.
        margin: $m$, in [0, inf), in the unit of $d$.
        distance_metric: $d$: `"L2"`, `"squared-L2"`, `"angular"` (1 less the
            cosine), or a function that takes embeddings of shape `(rows, features)`
            and `(columns, features)` and returns distances `(rows, columns)`.
        gather: Whether to take negatives and positives from all replicas of a
            data-parallel run, which then gives the number of one device.

    Returns:
        One value per anchor, of shape `(batch,)`, in `float32` or wider: half the
        sum over its positives, times $B / |P|$ for a batch of $B$, so that the mean
        of the values is $L$.

    Raises:
        ValueError: If the shapes are others, or the metric is unknown.

    Example:
        >>> loss = tfx_extras.losses.lifted_structured_loss(
        ...     [0, 0, 1], [[0.0], [1.0], [2.0]])
        >>> print(keras.ops.convert_to_numpy(loss).round(3))
        [1.293 1.293 0.   ]

    Reference: Song et al., 2015, eq. 4. https://arxiv.org/abs/1511.06452
    """
    batch = pairs(y_true, y_pred, gather)
    d = batch.distances(distance_metric)
    pushes = log_sum_exp(margin - d, batch.negatives)
    # Both samples of a pair share a label: if one has negatives, so has the other.
    has_negatives = ops.any(batch.negatives, axis=-1, keepdims=True)
    others, _ = collected(pushes, gather)
    push = log_add_exp(pushes[:, None], others[None, :])
    terms = batch.positives & has_negatives
    loss = sum_where(terms, ops.square(ops.relu(d + push))) / 2
    return averaged(loss, count(terms, d.dtype), gather)


@register
class LiftedStructuredLoss(FunctionLoss):
    r"""Each pair of like samples should be nearer than both are to all others.

    Class form of `lifted_structured_loss`, which has the formula.

    Args:
        margin: $m$, in [0, inf), in the unit of the distance.
        distance_metric: `"L2"`, `"squared-L2"`, `"angular"`, or a registered
            function of two batches of embeddings.
        gather: Whether to take pairs from all replicas of a data-parallel run.
        **kwargs: Options of every loss: see `LossOptions`.

    Raises:
        ValueError: If an argument is outside its interval, or a function is not
            registered.

    Example:
        >>> loss = tfx_extras.losses.LiftedStructuredLoss(margin=2.0)
        >>> print(f"{float(loss([0, 0, 1], [[0.0], [1.0], [2.0]])):.4f}")
        2.6756

    Reference: Song et al., 2015, eq. 4. https://arxiv.org/abs/1511.06452
    """

    function = staticmethod(lifted_structured_loss)

    @typechecked
    def __init__(
        self,
        margin: Number = 1.0,
        distance_metric: Distance = "L2",
        gather: bool = False,
        **kwargs: Unpack[LossOptions],
    ):
        super().__init__(**kwargs)
        self.margin = require("margin", margin, "[0, inf)")
        self.distance_metric = require_distance(distance_metric)
        self.gather = gather
