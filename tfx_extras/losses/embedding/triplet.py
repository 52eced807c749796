"""Losses of triplets: an anchor should be nearer to its like than to others."""

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
from tfx_extras.losses._probabilities import softplus
from tfx_extras.losses.embedding._distances import Distance
from tfx_extras.losses.embedding._distances import by_row
from tfx_extras.losses.embedding._distances import require_distance
from tfx_extras.losses.embedding._pairs import averaged
from tfx_extras.losses.embedding._pairs import count
from tfx_extras.losses.embedding._pairs import highest
from tfx_extras.losses.embedding._pairs import lowest
from tfx_extras.losses.embedding._pairs import pairs
from tfx_extras.losses.embedding._pairs import sum_where
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
    r"""Each like sample should be nearer than the nearest other one beyond it.

    $$ L = \frac1{|P|} \sum_{(a, p) \in P} \max(m + d_{ap} - d_{an}, 0), \quad
        n = \arg\min_{n:\ d_{an} > d_{ap}} d_{an} $$

    Here $P$ are the ordered pairs of different samples with the same label, and $n$
    is the semi-hard negative: of the samples with another label, the nearest of
    those farther than $p$, or the farthest if there is none. Of batches with only
    one label, or without a pair of like samples, the loss is 0, with a gradient of
    0.

    Time and memory grow as the square of the batch (times its logarithm, the time).

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
        One value per anchor, in the unit of $d$, of shape `(batch,)`, in `float32`
        or wider: the sum over its positives, times $B / |P|$ for a batch of $B$, so
        that the mean of the values is $L$.

    Raises:
        ValueError: If the shapes are others, or the metric is unknown.

    Example:
        >>> loss = tfx_extras.losses.triplet_semi_hard_loss(
        ...     [0, 0, 1], [[0.0], [1.0], [1.5]])
        >>> print(keras.ops.convert_to_numpy(loss))
        [0.75 2.25 0.  ]

    Reference: Schroff et al., 2015, section 3.2. https://arxiv.org/abs/1503.03832
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
    r"""Each like sample should be nearer than the nearest other one beyond it.

    Class form of `triplet_semi_hard_loss`, which has the formula. Labels are
    compared as what they are: integers of any size do not fall together.

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
    r"""The farthest like sample should be nearer than the nearest other one.

    $$ L = \frac1{|A|} \sum_{a \in A} h(\max_p d_{ap} - \min_n d_{an}), \quad
        h(x) = \max(x + m, 0) $$

    Here $p$ are the other samples with the label of $a$, $n$ those with another
    label, and $A$ the anchors that have both. The rest cost 0, with a gradient of
    0. With `soft`, $h(x) = \log(1 + e^x)$, which pulls for ever.

    Time and memory grow as the square of the batch.

    Args:
        y_true: Labels, any integers or floats, of shape `(batch,)` or `(batch, 1)`.
        y_pred: Embeddings, of shape `(batch, features)`.
        margin: $m$, in [0, inf), in the unit of $d$. Without meaning for `soft`.
        soft: Whether the margin is soft.
        distance_metric: $d$: `"L2"`, `"squared-L2"`, `"angular"` (1 less the
            cosine), or a function that takes embeddings of shape `(rows, features)`
            and `(columns, features)` and returns distances `(rows, columns)`.
        gather: Whether to take negatives and positives from all replicas of a
            data-parallel run, which then gives the number of one device.

    Returns:
        One value per anchor, in the unit of $d$, of shape `(batch,)`, in `float32`
        or wider, times $B / |A|$ for a batch of $B$, so that the mean of the values
        is $L$.

    Raises:
        ValueError: If the shapes are others, or the metric is unknown.

    Example:
        >>> loss = tfx_extras.losses.triplet_hard_loss(
        ...     [0, 0, 1], [[0.0], [1.0], [1.5]])
        >>> print(keras.ops.convert_to_numpy(loss))
        [0.75 2.25 0.  ]

    Reference: Hermans et al., 2017, eq. 5. https://arxiv.org/abs/1703.07737
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
    r"""The farthest like sample should be nearer than the nearest other one.

    Class form of `triplet_hard_loss`, which has the formula.

    Args:
        margin: $m$, in [0, inf), in the unit of the distance. Without meaning for
            `soft`.
        soft: Whether the margin is soft.
        distance_metric: `"L2"`, `"squared-L2"`, `"angular"`, or a registered
            function of two batches of embeddings.
        gather: Whether to take pairs from all replicas of a data-parallel run.
        **kwargs: Options of every loss: see `LossOptions`.

    Raises:
        ValueError: If an argument is outside its interval, or a function is not
            registered.

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
    r"""An anchor should be nearer to its positive than to its negative.

    $$ L = h(d_{ap} - d_{an}), \quad h(x) = \max(x + m, 0) $$

    With `soft`, $h(x) = \log(1 + e^x)$. With `swap`, the negative is held against
    the anchor or the positive, whichever is nearer: $\min(d_{an}, d_{pn})$ takes the
    place of $d_{an}$.

    Args:
        y_true: Not looked at, since triplets say themselves what is alike: `None`,
            or whatever the data has.
        y_pred: Embeddings of anchors, positives and negatives, of shape
            `(batch, 3, features)`, or a tuple or list of three tensors of shape
            `(batch, features)`.
        margin: $m$, in [0, inf), in the unit of $d$. Without meaning for `soft`.
        soft: Whether the margin is soft.
        swap: Whether the positive may stand for the anchor.
        distance_metric: $d$: `"L2"`, `"squared-L2"`, `"angular"` (1 less the
            cosine), or a function that takes two tensors of embeddings of shape
            `(batch, features)` and returns distances `(batch,)`.

    Returns:
        The loss in the unit of $d$, of shape `(batch,)`, in `float32` or wider.

    Raises:
        ValueError: If there are not three embeddings per sample, or the metric is
            unknown.

    Example:
        >>> loss = tfx_extras.losses.triplet_loss(
        ...     None, [[[0.0], [1.0], [1.5]], [[0.0], [1.0], [3.0]]])
        >>> print(keras.ops.convert_to_numpy(loss))
        [0.5 0. ]

    Reference: Schroff et al., 2015, eq. 2. https://arxiv.org/abs/1503.03832
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
    r"""An anchor should be nearer to its positive than to its negative.

    Class form of `triplet_loss`, which has the formula, for triplets that the data
    give. To have them found in a batch of labelled samples, see
    `TripletSemiHardLoss` and `TripletHardLoss`.

    Args:
        margin: $m$, in [0, inf), in the unit of the distance. Without meaning for
            `soft`.
        soft: Whether the margin is soft.
        swap: Whether the positive may stand for the anchor.
        distance_metric: `"L2"`, `"squared-L2"`, `"angular"`, or a registered
            function of two tensors of embeddings, row by row.
        **kwargs: Options of every loss: see `LossOptions`.

    Raises:
        ValueError: If an argument is outside its interval, or a function is not
            registered.

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
    """Returns the column of the semi-hard negative of each pair; any, if none is.

    Also returns in which rows a negative is NaN, which may be sorted to any place.
    """
    infinity = ops.full_like(d, float("inf"))
    largest = ops.full_like(d, np.finfo(keras.backend.standardize_dtype(d.dtype)).max)
    d_an = ops.where(d > largest, largest, d)  # before what is no negative
    d_an = ops.where(negatives, d_an, infinity)
    is_nan = ops.isnan(ops.sum(d_an, axis=-1, keepdims=True))
    order = ops.argsort(d_an, axis=-1)
    d_an = ops.take_along_axis(d_an, order, axis=-1)
    nearer = ops.cast(backend.count_up_to(d_an, d), "int32")
    last = ops.sum(ops.cast(negatives, "int32"), axis=-1, keepdims=True) - 1
    chosen = ops.relu(ops.where(nearer < last, nearer, last))
    return ops.take_along_axis(order, chosen, axis=-1), is_nan
