"""N-pairs losses, for samples with one label or with several."""

from typing import Unpack

from keras import ops

from tfx_extras._backend import backend
from tfx_extras._register import register
from tfx_extras._typed import typechecked
from tfx_extras.losses._base import FunctionLoss
from tfx_extras.losses._base import LossOptions
from tfx_extras.losses._base import predictions
from tfx_extras.losses._base import require_numbers
from tfx_extras.losses._base import require_one_shape
from tfx_extras.losses._batch import averaged
from tfx_extras.losses._batch import collected
from tfx_extras.losses.embedding._pairs import equal_labels
from tfx_extras.losses.embedding._pairs import labelled
from tfx_extras.losses.embedding._pairs import square
from tfx_extras.losses.embedding._pairs import views

__all__ = [
    "NPairsLoss",
    "NPairsMultilabelLoss",
    "n_pairs_loss",
    "n_pairs_multilabel_loss",
]


@register
def n_pairs_loss(y_true, y_pred, from_embeddings: bool = False, gather: bool = False):
    r"""N-pairs loss: softmax cross-entropy over the similarities of each anchor.

    Function form of `NPairsLoss`, which has the formula.

    Args:
        y_true: Labels, any integers or floats, of shape `(batch,)` or `(batch, 1)`.
            Integers are compared exactly, however large.
        y_pred: Similarities $s$, of shape `(batch, batch)`. With `from_embeddings`,
            embeddings of anchors and of samples, whose inner products are the
            similarities: of shape `(batch, 2, features)`, or a tuple or list of two
            tensors of shape `(batch, features)`.
        from_embeddings: Whether `y_pred` holds embeddings instead of similarities.
        gather: Whether to gather the samples of all replicas of a data-parallel run
            first, so that each anchor is compared with all of them. The loss then
            equals the loss of the whole batch on one device. It requires
            `from_embeddings`.

    Returns:
        One loss per anchor, in nats, of shape `(batch,)`, in `float32` or wider.

    Raises:
        ValueError: If shapes do not match, or `gather` is set without
            `from_embeddings`.

    Example:
        >>> loss = tfx_extras.losses.n_pairs_loss([0, 1], [[2.0, 0.0], [0.0, 1.0]])
        >>> print(keras.ops.convert_to_numpy(loss).round(3))
        [0.127 0.313]
    """
    s, before = _similarities(y_pred, from_embeddings, gather)
    labels, s = labelled(y_true, s)
    same, _ = equal_labels(labels, gather, before)
    return _crossentropy(ops.cast(same, s.dtype), s)


@register
class NPairsLoss(FunctionLoss):
    r"""N-pairs loss: softmax cross-entropy over the similarities of each anchor.

    Use it for metric learning when each anchor comes with a matching sample. All
    samples of the batch with another label are its negatives. Embeddings are not
    normalized, so their length must be kept small by a regularizer; `NTXentLoss` and
    `SupervisedContrastiveLoss` normalize. Keras has no equivalent;
    `keras.losses.CategoricalCrossentropy` with `from_logits=True` gives the same loss
    only if you compute the targets $t$ yourself.

    $$ L = -\frac1B \sum_{i=1}^B \sum_{j=1}^B t_{ij} \log \frac{e^{s_{ij}}}
        {\sum_k e^{s_{ik}}}, \quad t_{ij} = \frac{[y_i = y_j]}{\sum_k [y_i = y_k]} $$

    $s_{ij}$ is the similarity of anchor $i$ and sample $j$, and $y$ are the labels of
    both. $t_{ij}$ is uniform over the samples with the label of the anchor. The paper
    also penalizes the length of embeddings. For that, give the last layer an
    `activity_regularizer` of `keras.regularizers.L2`.

    Returns one loss per anchor, in nats, of shape `(batch,)`, which `reduction`
    averages. Time and memory grow with the square of the batch size.

    Args:
        from_embeddings: Whether `y_pred` holds embeddings instead of similarities.
        gather: Whether to gather the samples of all replicas of a data-parallel run
            first, so that each anchor is compared with all of them. The loss then
            equals the loss of the whole batch on one device. It requires
            `from_embeddings`.
        **kwargs: `name`, `reduction` and `dtype`: see `LossOptions`.

    Call arguments:
        y_true: Labels, any integers or floats, of shape `(batch,)` or `(batch, 1)`.
            Integers are compared exactly, however large.
        y_pred: Similarities $s$, of shape `(batch, batch)`. With `from_embeddings`,
            embeddings of anchors and of samples, whose inner products are the
            similarities: of shape `(batch, 2, features)`, or a tuple or list of two
            tensors of shape `(batch, features)`.

    Raises:
        ValueError: If `gather` is set without `from_embeddings`, or if shapes do not
            match in a call.
        TypeError: If an argument has the wrong type or an unknown name.

    Example:
        >>> loss = tfx_extras.losses.NPairsLoss()
        >>> print(f"{float(loss([0, 1], [[2.0, 0.0], [0.0, 1.0]])):.4f}")
        0.2201

    Reference: Sohn, 2016, eq. 7.
    https://papers.nips.cc/paper/2016/hash/6b180037abbebea991d8b1232f8a8ca9
    """

    function = staticmethod(n_pairs_loss)

    @typechecked
    def __init__(
        self,
        from_embeddings: bool = False,
        gather: bool = False,
        **kwargs: Unpack[LossOptions],
    ):
        super().__init__(**kwargs)
        self.from_embeddings = from_embeddings
        self.gather = gather
        _require_embeddings(from_embeddings, gather)


@register
def n_pairs_multilabel_loss(
    y_true, y_pred, from_embeddings: bool = False, gather: bool = False
):
    r"""Multilabel N-pairs loss: N-pairs loss for samples with several labels each.

    Function form of `NPairsMultilabelLoss`, which has the formula.

    Args:
        y_true: Labels $y$, 0 or 1 for each class, of shape `(batch, classes)`. On
            TensorFlow they may be sparse.
        y_pred: Similarities $s$, of shape `(batch, batch)`. With `from_embeddings`,
            embeddings of anchors and of samples, whose inner products are the
            similarities: of shape `(batch, 2, features)`, or a tuple or list of two
            tensors of shape `(batch, features)`.
        from_embeddings: Whether `y_pred` holds embeddings instead of similarities.
        gather: Whether to gather the samples of all replicas of a data-parallel run
            first, so that each anchor is compared with all of them. The loss then
            equals the loss of the whole batch on one device. It requires
            `from_embeddings`.

    Returns:
        One loss per anchor, in nats, of shape `(batch,)`, in `float32` or wider, scaled
        by $B / |A|$.

    Raises:
        ValueError: If shapes do not match, or `gather` is set without
            `from_embeddings`.

    Example:
        >>> loss = tfx_extras.losses.n_pairs_multilabel_loss(
        ...     [[1, 1], [0, 1]], [[2.0, 0.0], [0.0, 1.0]])
        >>> print(keras.ops.convert_to_numpy(loss).round(3))
        [0.794 0.813]
    """
    s, _ = _similarities(y_pred, from_embeddings, gather)
    require_numbers("y_true", y_true)
    y = predictions(ops.convert_to_tensor(y_true, sparse=False))
    message = (
        "`y_true` must hold 0 or 1 for each sample and class, of shape `(batch, "
        "classes)`. For one label per sample use NPairsLoss. "
        f"Received: y_true.shape={tuple(y.shape)}, "
        f"y_pred.shape={tuple(s.shape)}"
    )
    if len(y.shape) != 2:
        raise ValueError(message)
    require_one_shape(ops.sum(y, axis=-1), ops.sum(s, axis=-1), message)
    y = ops.cast(y, s.dtype)
    columns, _ = collected(y, gather)
    shared = backend.products(y, columns)
    has_none = ops.sum(shared, axis=-1) <= 0
    loss = _crossentropy(shared, s)
    loss = ops.where(has_none, ops.zeros_like(loss), loss)
    return averaged(loss, ops.cast(~has_none, s.dtype), gather)


@register
class NPairsMultilabelLoss(FunctionLoss):
    r"""Multilabel N-pairs loss: N-pairs loss for samples with several labels each.

    Use it for metric learning when each sample may have several labels, such as tags.
    Samples that share more labels with the anchor should be more similar to it. For one
    label per sample, use `NPairsLoss`. Keras has no equivalent;
    `keras.losses.CategoricalCrossentropy` with `from_logits=True` needs the targets
    $t$, which this loss computes.

    $$ L = -\frac1{|A|} \sum_{i \in A} \sum_{j=1}^B t_{ij} \log \frac{e^{s_{ij}}}
        {\sum_k e^{s_{ik}}}, \quad t_{ij} = \frac{y_i \cdot y_j}
        {\sum_k y_i \cdot y_k} $$

    $s_{ij}$ is the similarity of anchor $i$ and sample $j$. $y_i$ is a vector with 1
    for each label of sample $i$ and 0 for the others. $A$ is the set of anchors that
    share a label with at least one sample. Anchors without labels have loss 0 and
    gradient 0.

    Returns one loss per anchor, in nats, of shape `(batch,)`, which `reduction`
    averages. Each is scaled by $B / |A|$ for batch size $B$, so that their mean is $L$.
    Time and memory grow with the square of the batch size.

    Args:
        from_embeddings: Whether `y_pred` holds embeddings instead of similarities.
        gather: Whether to gather the samples of all replicas of a data-parallel run
            first, so that each anchor is compared with all of them. The loss then
            equals the loss of the whole batch on one device. It requires
            `from_embeddings`.
        **kwargs: `name`, `reduction` and `dtype`: see `LossOptions`.

    Call arguments:
        y_true: Labels $y$, 0 or 1 for each class, of shape `(batch, classes)`. On
            TensorFlow they may be sparse.
        y_pred: Similarities $s$, of shape `(batch, batch)`. With `from_embeddings`,
            embeddings of anchors and of samples, whose inner products are the
            similarities: of shape `(batch, 2, features)`, or a tuple or list of two
            tensors of shape `(batch, features)`.

    Raises:
        ValueError: If `gather` is set without `from_embeddings`, or if shapes do not
            match in a call.
        TypeError: If an argument has the wrong type or an unknown name.

    Example:
        >>> loss = tfx_extras.losses.NPairsMultilabelLoss()
        >>> value = loss([[1, 1], [0, 1]], [[2.0, 0.0], [0.0, 1.0]])
        >>> print(f"{float(value):.4f}")
        0.8034

    Reference: Sohn, 2016. The multilabel form comes from TensorFlow Addons.
    https://papers.nips.cc/paper/2016/hash/6b180037abbebea991d8b1232f8a8ca9
    """

    function = staticmethod(n_pairs_multilabel_loss)

    @typechecked
    def __init__(
        self,
        from_embeddings: bool = False,
        gather: bool = False,
        **kwargs: Unpack[LossOptions],
    ):
        super().__init__(**kwargs)
        self.from_embeddings = from_embeddings
        self.gather = gather
        _require_embeddings(from_embeddings, gather)


def _similarities(y_pred, from_embeddings, gather):
    """Returns similarities, and where the samples of this replica begin."""
    _require_embeddings(from_embeddings, gather)
    if not from_embeddings:
        return square(y_pred, "For embeddings use from_embeddings=True."), 0
    anchors, samples = views(y_pred, 2)
    samples, before = collected(samples, gather)
    return backend.products(anchors, samples), before


def _require_embeddings(from_embeddings, gather) -> None:
    if gather and not from_embeddings:
        raise ValueError(
            "Argument `gather` needs embeddings: set from_embeddings=True. "
            f"Received: gather={gather}, from_embeddings={from_embeddings}"
        )


def _crossentropy(shares, logits):
    """Cross-entropy of logits with `shares` scaled to sum 1; 0 if all shares are 0."""
    total = ops.sum(shares, axis=-1, keepdims=True)
    shares = shares / ops.where(total <= 0, ops.ones_like(total), total)
    largest = backend.largest(logits, float("-inf"))
    logits = logits - ops.stop_gradient(largest)
    partition = ops.log(ops.sum(ops.exp(logits), axis=-1))
    return partition - ops.sum(shares * logits, axis=-1)
