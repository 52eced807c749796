"""N-pairs losses: the similarities of an anchor as logits of its like."""

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
from tfx_extras.losses.embedding._pairs import averaged
from tfx_extras.losses.embedding._pairs import collected
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
    r"""Cross-entropy that asks which samples have the label of an anchor.

    $$ L = -\frac1B \sum_{i=1}^B \sum_{j=1}^B t_{ij} \log \frac{e^{s_{ij}}}
        {\sum_k e^{s_{ik}}}, \quad t_{ij} = \frac{[y_i = y_j]}{\sum_k [y_i = y_k]} $$

    Here $s_{ij}$ is the similarity of anchor $i$ and sample $j$, both of which have
    the labels $y$.

    The paper also keeps the length of embeddings small: give the last layer an
    `activity_regularizer` of `keras.regularizers.L2`.

    Time and memory grow as the square of the batch.

    Args:
        y_true: Labels, any integers or floats, of shape `(batch,)` or `(batch, 1)`.
        y_pred: Similarities $s$, of shape `(batch, batch)`. With `from_embeddings`,
            embeddings of anchors and of samples, whose inner products they are: of
            shape `(batch, 2, features)`, or a tuple or list of two tensors of shape
            `(batch, features)`.
        from_embeddings: Whether `y_pred` holds embeddings.
        gather: Whether to take the samples of all replicas of a data-parallel run,
            which then gives the number of one device. It needs `from_embeddings`.

    Returns:
        One value per anchor, in nats, of shape `(batch,)`, in `float32` or wider.

    Raises:
        ValueError: If the shapes are others, or `gather` is without embeddings.

    Example:
        >>> loss = tfx_extras.losses.n_pairs_loss([0, 1], [[2.0, 0.0], [0.0, 1.0]])
        >>> print(keras.ops.convert_to_numpy(loss).round(3))
        [0.127 0.313]

    Reference: Sohn, 2016, eq. 7.
    https://papers.nips.cc/paper/2016/hash/6b180037abbebea991d8b1232f8a8ca9
    """
    s, before = _similarities(y_pred, from_embeddings, gather)
    labels, s = labelled(y_true, s)
    same, _ = equal_labels(labels, gather, before)
    return _crossentropy(ops.cast(same, s.dtype), s)


@register
class NPairsLoss(FunctionLoss):
    r"""Cross-entropy that asks which samples have the label of an anchor.

    Class form of `n_pairs_loss`, which has the formula.

    Args:
        from_embeddings: Whether predictions are embeddings of anchors and of
            samples, of shape `(batch, 2, features)`, and not their similarities, of
            shape `(batch, batch)`.
        gather: Whether to take the samples of all replicas of a data-parallel run.
            It needs `from_embeddings`.
        **kwargs: Options of every loss: see `LossOptions`.

    Raises:
        ValueError: If `gather` is without embeddings.

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
    r"""Cross-entropy that asks which samples share how many labels with an anchor.

    $$ L = -\frac1{|A|} \sum_{i \in A} \sum_{j=1}^B t_{ij} \log \frac{e^{s_{ij}}}
        {\sum_k e^{s_{ik}}}, \quad t_{ij} = \frac{y_i \cdot y_j}
        {\sum_k y_i \cdot y_k} $$

    Here $s_{ij}$ is the similarity of anchor $i$ and sample $j$, $y_i$ says for each
    class whether $i$ has it, and $A$ are the anchors that share a label with some
    sample: those without labels cost 0, with a gradient of 0.

    Time and memory grow as the square of the batch.

    Args:
        y_true: Labels $y$, 0 or 1 for each class, of shape `(batch, classes)`. On
            TensorFlow they may be sparse.
        y_pred: Similarities $s$, of shape `(batch, batch)`. With `from_embeddings`,
            embeddings of anchors and of samples, whose inner products they are: of
            shape `(batch, 2, features)`, or a tuple or list of two tensors of shape
            `(batch, features)`.
        from_embeddings: Whether `y_pred` holds embeddings.
        gather: Whether to take the samples of all replicas of a data-parallel run,
            which then gives the number of one device. It needs `from_embeddings`.

    Returns:
        One value per anchor, in nats, of shape `(batch,)`, in `float32` or wider,
        times $B / |A|$, so that the mean of the values is $L$.

    Raises:
        ValueError: If the shapes are others, or `gather` is without embeddings.

    Example:
        >>> loss = tfx_extras.losses.n_pairs_multilabel_loss(
        ...     [[1, 1], [0, 1]], [[2.0, 0.0], [0.0, 1.0]])
        >>> print(keras.ops.convert_to_numpy(loss).round(3))
        [0.794 0.813]

    Reference: Sohn, 2016. The form with several labels is that of TensorFlow Addons.
    https://papers.nips.cc/paper/2016/hash/6b180037abbebea991d8b1232f8a8ca9
    """
    s, _ = _similarities(y_pred, from_embeddings, gather)
    require_numbers("y_true", y_true)
    y = predictions(ops.convert_to_tensor(y_true, sparse=False))
    message = (
        "`y_true` must have a number for each sample and class, of shape "
        f"`(batch, classes)`. Received: y_true.shape={tuple(y.shape)}, "
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
    r"""Cross-entropy that asks which samples share how many labels with an anchor.

    Class form of `n_pairs_multilabel_loss`, which has the formula.

    Args:
        from_embeddings: Whether predictions are embeddings of anchors and of
            samples, of shape `(batch, 2, features)`, and not their similarities, of
            shape `(batch, batch)`.
        gather: Whether to take the samples of all replicas of a data-parallel run.
            It needs `from_embeddings`.
        **kwargs: Options of every loss: see `LossOptions`.

    Raises:
        ValueError: If `gather` is without embeddings.

    Example:
        >>> loss = tfx_extras.losses.NPairsMultilabelLoss()
        >>> value = loss([[1, 1], [0, 1]], [[2.0, 0.0], [0.0, 1.0]])
        >>> print(f"{float(value):.4f}")
        0.8034

    Reference: Sohn, 2016. The form with several labels is that of TensorFlow Addons.
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
    """Returns the similarities, and how many samples precede those of this replica."""
    _require_embeddings(from_embeddings, gather)
    if not from_embeddings:
        return square(y_pred), 0
    anchors, samples = views(y_pred, 2)
    samples, before = collected(samples, gather)
    return backend.products(anchors, samples), before


def _require_embeddings(from_embeddings, gather) -> None:
    if gather and not from_embeddings:
        raise ValueError(
            "Argument `gather` needs predictions that are embeddings: give "
            f"from_embeddings=True. Received: gather={gather}, "
            f"from_embeddings={from_embeddings}"
        )


def _crossentropy(shares, logits):
    """Cross-entropy of logits with shares of any sum; 0 if they have none."""
    total = ops.sum(shares, axis=-1, keepdims=True)
    shares = shares / ops.where(total <= 0, ops.ones_like(total), total)
    largest = backend.largest(logits, float("-inf"))
    logits = logits - ops.stop_gradient(largest)
    partition = ops.log(ops.sum(ops.exp(logits), axis=-1))
    return partition - ops.sum(shares * logits, axis=-1)
