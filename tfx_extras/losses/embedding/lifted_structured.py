"""Lifted structured loss."""

from typing import Unpack

from keras import ops

from tfx_extras._checks import Number
from tfx_extras._checks import require
from tfx_extras._register import register
from tfx_extras._typed import typechecked
from tfx_extras.losses._base import FunctionLoss
from tfx_extras.losses._base import LossOptions
from tfx_extras.losses._batch import averaged
from tfx_extras.losses._batch import collected
from tfx_extras.losses._batch import count
from tfx_extras.losses._batch import log_sum_exp
from tfx_extras.losses._batch import sum_where
from tfx_extras.losses._probabilities import log_add_exp
from tfx_extras.losses.embedding._distances import Distance
from tfx_extras.losses.embedding._distances import require_distance
from tfx_extras.losses.embedding._pairs import pairs

__all__ = ["LiftedStructuredLoss", "lifted_structured_loss"]


@register
def lifted_structured_loss(
    y_true,
    y_pred,
    margin: Number = 1.0,
    distance_metric: Distance = "L2",
    gather: bool = False,
):
    r"""Lifted structured loss: each positive pair against all of its negatives.

    Function form of `LiftedStructuredLoss`, which has the formula.

    Args:
        y_true: Labels, any integers or floats, of shape `(batch,)` or `(batch, 1)`.
            Integers are compared exactly, however large.
        y_pred: Embeddings, of shape `(batch, features)`.
        margin: $m$, in [0, inf), in the unit of $d$.
        distance_metric: $d$: `"L2"`, `"squared-L2"`, `"angular"` (1 minus the cosine),
            or a function that takes embeddings of shape `(rows, features)` and
            `(columns, features)` and returns distances of shape `(rows, columns)`. The
            class takes only functions that are registered with
            `keras.saving.register_keras_serializable()`, so that a saved model can find
            them.
        gather: Whether to gather the samples of all replicas of a data-parallel run
            first, so that each anchor is compared with all of them. The loss then
            equals the loss of the whole batch on one device.

    Returns:
        One loss per anchor, of shape `(batch,)`, in `float32` or wider: half the sum
        over its positives, times $B / |P|$ for batch size $B$.

    Raises:
        ValueError: If shapes do not match, or the metric is unknown.

    Example:
        >>> loss = tfx_extras.losses.lifted_structured_loss(
        ...     [0, 0, 1], [[0.0], [1.0], [2.0]])
        >>> print(keras.ops.convert_to_numpy(loss).round(3))
        [1.293 1.293 0.   ]
    """
    batch = pairs(y_true, y_pred, gather)
    d = batch.distances(distance_metric)
    pushes = log_sum_exp(margin - d, batch.negatives)
    # Both samples of a pair have the same label: both have negatives or neither has.
    has_negatives = ops.any(batch.negatives, axis=-1, keepdims=True)
    others, _ = collected(pushes, gather)
    push = log_add_exp(pushes[:, None], others[None, :])
    terms = batch.positives & has_negatives
    loss = sum_where(terms, ops.square(ops.relu(d + push))) / 2
    return averaged(loss, count(terms, d.dtype), gather)


@register
class LiftedStructuredLoss(FunctionLoss):
    r"""Lifted structured loss: each positive pair against all of its negatives.

    Use it for metric learning from class labels, as in image retrieval, which is
    evaluated by recall@k. It compares each positive pair with all negatives of the
    batch, where a triplet loss uses one. Each batch must hold several samples of the
    same label, since anchors without a positive contribute nothing. Keras has no
    equivalent; `keras.losses.Circle` takes the same inputs, but has another formula and
    needs embeddings of length 1.

    $$ L = \frac1{2 |P|} \sum_{(i, j) \in P} \max(J_{ij}, 0)^2, \quad
        J_{ij} = d_{ij} + \log \left( \sum_{n \in N_i} e^{m - d_{in}}
        + \sum_{n \in N_j} e^{m - d_{jn}} \right) $$

    $P$ is the set of ordered pairs of different samples with the same label, $N_i$ the
    set of samples whose label differs from the label of $i$, $d$ the distance of two
    embeddings and $m$ the margin. The loss and its gradient are 0 for a batch with only
    one label, or without two samples of the same label.

    Returns one loss per anchor, of shape `(batch,)`, which `reduction` averages. Each
    is half the sum over the positives of the anchor, times $B / |P|$ for batch size
    $B$, so that their mean is $L$. Time and memory grow with the square of the batch
    size.

    Args:
        margin: $m$, in [0, inf), in the unit of $d$.
        distance_metric: $d$: `"L2"`, `"squared-L2"`, `"angular"` (1 minus the cosine),
            or a function that takes embeddings of shape `(rows, features)` and
            `(columns, features)` and returns distances of shape `(rows, columns)`. The
            class takes only functions that are registered with
            `keras.saving.register_keras_serializable()`, so that a saved model can find
            them.
        gather: Whether to gather the samples of all replicas of a data-parallel run
            first, so that each anchor is compared with all of them. The loss then
            equals the loss of the whole batch on one device.
        **kwargs: `name`, `reduction` and `dtype`: see `LossOptions`.

    Call arguments:
        y_true: Labels, any integers or floats, of shape `(batch,)` or `(batch, 1)`.
            Integers are compared exactly, however large.
        y_pred: Embeddings, of shape `(batch, features)`.

    Raises:
        ValueError: If an argument is outside its interval, the metric is unknown, or a
            function is not registered, or if shapes do not match in a call.
        TypeError: If an argument has the wrong type or an unknown name.

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
