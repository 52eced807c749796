"""The triplet losses."""

from collections.abc import Callable
from typing import Any

from tfx_extras import losses
from tfx_extras._checks import Number
from tfx_extras._checks import require
from tfx_extras.losses.embedding._distances import require_distance
from tfx_extras.tfa._register import register
from tfx_extras.tfa._typed import typechecked
from tfx_extras.tfa.losses._base import Loss
from tfx_extras.tfa.losses._base import of_batch
from tfx_extras.tfa.losses._base import of_pairs

Distance = str | Callable[..., Any]


@register
def triplet_semihard_loss(
    y_true, y_pred, margin: Number = 1.0, distance_metric: Distance = "L2"
):
    r"""`tfx_extras.losses.triplet_semi_hard_loss`, as one number per batch.

    $$ L = \frac1{|P|} \sum_{(a, p) \in P} \max(m + d_{ap} - d_{an}, 0) $$

    Differs from TensorFlow Addons: a batch without a positive pair, or with a single
    class, has loss 0 instead of NaN or an arbitrary number. Memory grows with the
    square of the batch size, not with its cube.

    Args:
        y_true: Labels, of shape `(batch,)` or `(batch, 1)`.
        y_pred: Embeddings, of shape `(batch, features)`.
        margin: $m$, in [0, inf).
        distance_metric: $d$: `"L2"`, `"squared-L2"`, `"angular"`, or a function that
            takes embeddings and returns their pairwise distances, of shape
            `(batch, batch)`.

    Returns:
        A scalar.

    Raises:
        ValueError: If a shape is wrong, or the metric is unknown.

    Example:
        >>> loss = tfx_extras.tfa.losses.triplet_semihard_loss(
        ...     [0, 0, 1], [[0.0], [1.0], [1.5]])
        >>> print(float(loss))
        1.0

    Reference: Schroff et al., 2015, section 3.2. https://arxiv.org/abs/1503.03832
    """
    metric = of_pairs(distance_metric)
    return of_batch(losses.triplet_semi_hard_loss(y_true, y_pred, margin, metric))


@register
def triplet_hard_loss(
    y_true,
    y_pred,
    margin: Number = 1.0,
    soft: bool = False,
    distance_metric: Distance = "L2",
):
    r"""`tfx_extras.losses.triplet_hard_loss`, as one number per batch.

    $$ L = \frac1{|A|} \sum_{a \in A} h(\max_p d_{ap} - \min_n d_{an}) $$

    Differs from TensorFlow Addons: anchors without a positive or a negative do not
    count, and a soft margin does not overflow for large distances.

    Args:
        y_true: Labels, of shape `(batch,)` or `(batch, 1)`.
        y_pred: Embeddings, of shape `(batch, features)`.
        margin: $m$, in [0, inf). It has no effect with `soft`.
        soft: Whether to use a soft margin.
        distance_metric: As for `triplet_semihard_loss`.

    Returns:
        A scalar.

    Raises:
        ValueError: If a shape is wrong, or the metric is unknown.

    Example:
        >>> loss = tfx_extras.tfa.losses.triplet_hard_loss(
        ...     [0, 0, 1], [[0.0], [1.0], [1.5]])
        >>> print(float(loss))
        1.0

    Reference: Hermans et al., 2017, eq. 5. https://arxiv.org/abs/1703.07737
    """
    metric = of_pairs(distance_metric)
    return of_batch(losses.triplet_hard_loss(y_true, y_pred, margin, soft, metric))


@register
class TripletSemiHardLoss(Loss):
    """Semi-hard triplet loss: class form of `triplet_semihard_loss`.

    Args:
        margin: $m$, in [0, inf).
        distance_metric: As for the function form. A function must be registered by
            `keras.saving.register_keras_serializable`.
        name: Name of the loss.
        **kwargs: `reduction`, as in Keras. Without sample weights, it has no effect,
            since the loss of a batch is one number.

    Raises:
        ValueError: If an argument is outside its interval, or `distance_metric` is a
            function that is not registered.

    Example:
        >>> loss = tfx_extras.tfa.losses.TripletSemiHardLoss()
        >>> print(float(loss([0, 0, 1], [[0.0], [1.0], [1.5]])))
        1.0

    Reference: Schroff et al., 2015, section 3.2. https://arxiv.org/abs/1503.03832
    """

    function = staticmethod(triplet_semihard_loss)

    @typechecked
    def __init__(
        self,
        margin: Number = 1.0,
        distance_metric: Distance = "L2",
        name: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(name, **kwargs)
        self.margin = require("margin", margin, "[0, inf)")
        self.distance_metric = require_distance(distance_metric)


@register
class TripletHardLoss(Loss):
    """Batch-hard triplet loss: class form of `triplet_hard_loss`.

    Args:
        margin: $m$, in [0, inf). It has no effect with `soft`.
        soft: Whether to use a soft margin.
        distance_metric: As for the function form. A function must be registered by
            `keras.saving.register_keras_serializable`.
        name: Name of the loss.
        **kwargs: `reduction`, as in Keras. Without sample weights, it has no effect,
            since the loss of a batch is one number.

    Raises:
        ValueError: If an argument is outside its interval, or `distance_metric` is a
            function that is not registered.

    Example:
        >>> loss = tfx_extras.tfa.losses.TripletHardLoss(margin=0.5)
        >>> print(float(loss([0, 0, 1], [[0.0], [1.0], [1.5]])))
        0.5

    Reference: Hermans et al., 2017, eq. 5. https://arxiv.org/abs/1703.07737
    """

    function = staticmethod(triplet_hard_loss)

    @typechecked
    def __init__(
        self,
        margin: Number = 1.0,
        soft: bool = False,
        distance_metric: Distance = "L2",
        name: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(name, **kwargs)
        self.margin = require("margin", margin, "[0, inf)")
        self.soft = soft
        self.distance_metric = require_distance(distance_metric)
