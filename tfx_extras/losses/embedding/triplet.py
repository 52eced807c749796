"""Triplet losses: an anchor should be closer to its positives than to its negatives."""

from typing import Unpack

import keras
import numpy as np
from keras import ops

from tfx_extras._backend import backend
from tfx_extras._checks import Number
from tfx_extras._checks import require
from tfx_extras._register import register
from tfx_extras._typed import typechecked
from tfx_extras.losses._base import FunctionLoss
from tfx_extras.losses._base import LossOptions
from tfx_extras.losses._batch import averaged
from tfx_extras.losses._batch import count
from tfx_extras.losses._batch import highest
from tfx_extras.losses._batch import lowest
from tfx_extras.losses._batch import sum_where
from tfx_extras.losses._probabilities import softplus
from tfx_extras.losses.embedding._distances import Distance
from tfx_extras.losses.embedding._distances import by_row
from tfx_extras.losses.embedding._distances import require_distance
from tfx_extras.losses.embedding._pairs import pairs
from tfx_extras.losses.embedding._pairs import views

__all__ = [
    "TripletHardLoss",
    "TripletLoss",
    "TripletSemiHardLoss",
    "triplet_hard_loss",
    "triplet_loss",
    "triplet_semi_hard_loss",
]


@register
def triplet_semi_hard_loss(
    y_true,
    y_pred,
    margin: Number = 1.0,
    distance_metric: Distance = "L2",
    gather: bool = False,
):
    r"""Semi-hard triplet loss: uses the closest negative farther than the positive.

    Function form of `TripletSemiHardLoss`, which has the formula.

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
        One loss per anchor, in the unit of $d$, of shape `(batch,)`, in `float32` or
        wider: the sum over its positives, times $B / |P|$ for batch size $B$.

    Raises:
        ValueError: If shapes do not match, or the metric is unknown.

    Example:
        >>> loss = tfx_extras.losses.triplet_semi_hard_loss(
        ...     [0, 0, 1], [[0.0], [1.0], [1.5]])
        >>> print(keras.ops.convert_to_numpy(loss))
        [0.75 2.25 0.  ]
    """
    batch = pairs(y_true, y_pred, gather)
    d = batch.distances(distance_metric)
    column, is_nan = _semi_hard(ops.stop_gradient(d), batch.negatives)
    d_an = ops.take_along_axis(d, column, axis=-1)
    d_an = ops.where(is_nan, ops.full_like(d_an, float("nan")), d_an)
    terms = batch.positives & ops.any(batch.negatives, axis=-1, keepdims=True)
    loss = sum_where(terms, ops.relu(margin + d - d_an))
    return averaged(loss, count(terms, d.dtype), gather)


@register
class TripletSemiHardLoss(FunctionLoss):
    r"""Semi-hard triplet loss: uses the closest negative farther than the positive.

    Use it for metric learning from class labels, as in face recognition and image
    retrieval, which is evaluated by recall@k. It finds triplets in the batch and avoids
    the hardest negatives, which can collapse all embeddings to one point early in
    training (Schroff et al., 2015). Each batch must hold several samples of the same
    label, since anchors without a positive contribute nothing. Keras has no equivalent;
    `keras.losses.Circle` takes the same inputs, but has another formula and needs
    embeddings of length 1.

    $$ L = \frac1{|P|} \sum_{(a, p) \in P} \max(m + d_{ap} - d_{an}, 0), \quad
        n = \arg\min_{n:\ d_{an} > d_{ap}} d_{an} $$

    $P$ is the set of ordered pairs of different samples with the same label, $d$ the
    distance of two embeddings and $m$ the margin. The semi-hard negative $n$ is the
    nearest of the samples with another label that are farther from $a$ than $p$, or the
    farthest sample with another label if there is none. The loss and its gradient are 0
    for a batch with only one label, or without two samples of the same label.

    For hard mining see `TripletHardLoss`; for triplets that the data provides see
    `TripletLoss`.

    Returns one loss per anchor, in the unit of $d$, of shape `(batch,)`, which
    `reduction` averages. Each is the sum over the positives of the anchor, times
    $B / |P|$ for batch size $B$, so that their mean is $L$. Memory grows with $B^2$,
    and time with $B^2 \log B$.

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
        >>> loss = tfx_extras.losses.TripletSemiHardLoss()
        >>> print(float(loss([0, 0, 1], [[0.0], [1.0], [1.5]])))
        1.0

    Reference: Schroff et al., 2015, section 3.2. https://arxiv.org/abs/1503.03832
    """

    function = staticmethod(triplet_semi_hard_loss)

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


@register
def triplet_hard_loss(
    y_true,
    y_pred,
    margin: Number = 1.0,
    soft: bool = False,
    distance_metric: Distance = "L2",
    gather: bool = False,
):
    r"""Batch-hard triplet loss: hardest positive against hardest negative per anchor.

    Function form of `TripletHardLoss`, which has the formula.

    Args:
        y_true: Labels, any integers or floats, of shape `(batch,)` or `(batch, 1)`.
            Integers are compared exactly, however large.
        y_pred: Embeddings, of shape `(batch, features)`.
        margin: $m$, in [0, inf), in the unit of $d$. Ignored with `soft`.
        soft: Whether to use the soft margin, $h(x) = \log(1 + e^x)$.
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
        One loss per anchor, in the unit of $d$, of shape `(batch,)`, in `float32` or
        wider, scaled by $B / |A|$ for batch size $B$.

    Raises:
        ValueError: If shapes do not match, or the metric is unknown.

    Example:
        >>> loss = tfx_extras.losses.triplet_hard_loss(
        ...     [0, 0, 1], [[0.0], [1.0], [1.5]])
        >>> print(keras.ops.convert_to_numpy(loss))
        [0.75 2.25 0.  ]
    """
    batch = pairs(y_true, y_pred, gather)
    d = batch.distances(distance_metric)
    has_both = ops.any(batch.positives, axis=-1) & ops.any(batch.negatives, axis=-1)
    gap = highest(d, batch.positives) - lowest(d, batch.negatives)
    gap = ops.where(has_both, gap, ops.zeros_like(gap))
    loss = softplus(gap) if soft else ops.relu(gap + margin)
    loss = ops.where(has_both, loss, ops.zeros_like(loss))
    return averaged(loss, ops.cast(has_both, d.dtype), gather)


@register
class TripletHardLoss(FunctionLoss):
    r"""Batch-hard triplet loss: hardest positive against hardest negative per anchor.

    Use it for metric learning from class labels with hard mining, where each anchor
    uses its farthest positive and its nearest negative in the batch (hard negatives).
    Use `TripletSemiHardLoss` instead when labels are noisy, since a wrong label easily
    becomes the hardest positive, or when all embeddings collapse to one point early in
    training. Each batch must hold several samples of the same label, since anchors
    without a positive contribute nothing. Keras has no equivalent;
    `keras.losses.Circle` takes the same inputs, but has another formula and needs
    embeddings of length 1.

    $$ L = \frac1{|A|} \sum_{a \in A} h(\max_p d_{ap} - \min_n d_{an}), \quad
        h(x) = \max(x + m, 0) $$

    For an anchor $a$, $p$ runs over the other samples with its label and $n$ over the
    samples with another label. $A$ is the set of anchors that have both; all other
    anchors have loss 0 and gradient 0. $d$ is the distance of two embeddings and $m$
    the margin. With `soft`, $h(x) = \log(1 + e^x)$, which has no margin and is never 0.

    Returns one loss per anchor, in the unit of $d$, of shape `(batch,)`, which
    `reduction` averages. Each is scaled by $B / |A|$ for batch size $B$, so that their
    mean is $L$. Time and memory grow with the square of the batch size.

    Args:
        margin: $m$, in [0, inf), in the unit of $d$. Ignored with `soft`.
        soft: Whether to use the soft margin, $h(x) = \log(1 + e^x)$.
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
        >>> loss = tfx_extras.losses.TripletHardLoss(margin=0.5)
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
        gather: bool = False,
        **kwargs: Unpack[LossOptions],
    ):
        super().__init__(**kwargs)
        self.margin = require("margin", margin, "[0, inf)")
        self.soft = soft
        self.distance_metric = require_distance(distance_metric)
        self.gather = gather


@register
def triplet_loss(
    y_true,
    y_pred,
    margin: Number = 1.0,
    soft: bool = False,
    swap: bool = False,
    distance_metric: Distance = "L2",
):
    r"""Triplet loss: pulls an anchor closer to its positive than to its negative.

    Function form of `TripletLoss`, which has the formula.

    Args:
        y_true: Ignored, since the triplets define what is similar: `None`, or any
            labels.
        y_pred: Embeddings of anchors, positives and negatives, of shape
            `(batch, 3, features)`, or a tuple or list of three tensors of shape
            `(batch, features)`.
        margin: $m$, in [0, inf), in the unit of $d$. Ignored with `soft`.
        soft: Whether to use the soft margin, $h(x) = \log(1 + e^x)$.
        swap: Whether to replace $d_{an}$ by $\min(d_{an}, d_{pn})$.
        distance_metric: $d$: `"L2"`, `"squared-L2"`, `"angular"` (1 minus the cosine),
            or a function that takes two tensors of embeddings of shape
            `(batch, features)` and returns distances of shape `(batch,)`. The class
            takes only functions that are registered with
            `keras.saving.register_keras_serializable()`, so that a saved model can find
            them.

    Returns:
        One loss per triplet, in the unit of $d$, of shape `(batch,)`, in `float32` or
        wider.

    Raises:
        ValueError: If there are not three embeddings per sample, or the metric is
            unknown.

    Example:
        >>> loss = tfx_extras.losses.triplet_loss(
        ...     None, [[[0.0], [1.0], [1.5]], [[0.0], [1.0], [3.0]]])
        >>> print(keras.ops.convert_to_numpy(loss))
        [0.5 0. ]
    """
    anchor, positive, negative = views(y_pred, 3)
    d_ap = by_row(distance_metric, anchor, positive)
    d_an = by_row(distance_metric, anchor, negative)
    if swap:
        d_pn = by_row(distance_metric, positive, negative)
        d_an = ops.where(d_pn < d_an, d_pn, d_an)
    return softplus(d_ap - d_an) if soft else ops.relu(d_ap - d_an + margin)


@register
class TripletLoss(FunctionLoss):
    r"""Triplet loss: pulls an anchor closer to its positive than to its negative.

    Use it for metric learning from triplets that the data provides, when samples have
    no class labels. Triplets that already satisfy the margin contribute nothing. If
    samples have labels, `TripletSemiHardLoss` and `TripletHardLoss` find triplets in
    the batch. Keras has no equivalent.

    $$ L = h(d_{ap} - d_{an}), \quad h(x) = \max(x + m, 0) $$

    $d_{ap}$ is the distance of anchor and positive, $d_{an}$ the distance of anchor and
    negative, and $m$ the margin. With `soft`, $h(x) = \log(1 + e^x)$. With `swap`, the
    negative is compared with the anchor or the positive, whichever is nearer to it:
    $\min(d_{an}, d_{pn})$ replaces $d_{an}$.

    Returns one loss per triplet, in the unit of $d$, of shape `(batch,)`, which
    `reduction` averages. Time and memory grow linearly with the number of triplets.

    Args:
        margin: $m$, in [0, inf), in the unit of $d$. Ignored with `soft`.
        soft: Whether to use the soft margin, $h(x) = \log(1 + e^x)$.
        swap: Whether to replace $d_{an}$ by $\min(d_{an}, d_{pn})$.
        distance_metric: $d$: `"L2"`, `"squared-L2"`, `"angular"` (1 minus the cosine),
            or a function that takes two tensors of embeddings of shape
            `(batch, features)` and returns distances of shape `(batch,)`. The class
            takes only functions that are registered with
            `keras.saving.register_keras_serializable()`, so that a saved model can find
            them.
        **kwargs: `name`, `reduction` and `dtype`: see `LossOptions`.

    Call arguments:
        y_true: Ignored, since the triplets define what is similar: `None`, or any
            labels.
        y_pred: Embeddings of anchors, positives and negatives, of shape
            `(batch, 3, features)`, or a tuple or list of three tensors of shape
            `(batch, features)`.

    Raises:
        ValueError: If an argument is outside its interval, the metric is unknown, or a
            function is not registered, or, in a call, if there are not three embeddings
            per sample.
        TypeError: If an argument has the wrong type or an unknown name.

    Example:
        >>> loss = tfx_extras.losses.TripletLoss(distance_metric="squared-L2")
        >>> print(float(loss(None, [[[0.0], [1.0], [1.0]]])))
        1.0

    Reference: Schroff et al., 2015, eq. 2. https://arxiv.org/abs/1503.03832
    """

    function = staticmethod(triplet_loss)

    @typechecked
    def __init__(
        self,
        margin: Number = 1.0,
        soft: bool = False,
        swap: bool = False,
        distance_metric: Distance = "L2",
        **kwargs: Unpack[LossOptions],
    ):
        super().__init__(**kwargs)
        self.margin = require("margin", margin, "[0, inf)")
        self.soft = soft
        self.swap = swap
        self.distance_metric = require_distance(distance_metric)


def _semi_hard(d, negatives):
    """Returns the column of the semi-hard negative of each pair, any if there is none.

    Also returns which rows have a negative at distance NaN, whose place in the sorted
    row is undefined.
    """
    infinity = ops.full_like(d, float("inf"))
    largest = ops.full_like(d, np.finfo(keras.backend.standardize_dtype(d.dtype)).max)
    d_an = ops.where(d > largest, largest, d)  # sorts before other samples
    d_an = ops.where(negatives, d_an, infinity)
    is_nan = ops.isnan(ops.sum(d_an, axis=-1, keepdims=True))
    order = ops.argsort(d_an, axis=-1)
    d_an = ops.take_along_axis(d_an, order, axis=-1)
    nearer = ops.cast(backend.count_up_to(d_an, d), "int32")
    last = ops.sum(ops.cast(negatives, "int32"), axis=-1, keepdims=True) - 1
    chosen = ops.relu(ops.where(nearer < last, nearer, last))
    return ops.take_along_axis(order, chosen, axis=-1), is_nan
