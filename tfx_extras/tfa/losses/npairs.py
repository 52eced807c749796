"""The N-pairs losses."""

from tfx_extras import losses
from tfx_extras.tfa._register import register
from tfx_extras.tfa._typed import typechecked
from tfx_extras.tfa.losses._base import Loss
from tfx_extras.tfa.losses._base import of_batch


@register
def npairs_loss(y_true, y_pred):
    r"""`tfx_extras.losses.n_pairs_loss`, as one number per batch.

    $$ L = -\frac1B \sum_{i, j} t_{ij} \log \frac{e^{s_{ij}}}{\sum_k e^{s_{ik}}} $$

    Differs from TensorFlow Addons: labels are compared in their own dtype, and may have
    shape `(batch, 1)`.

    Args:
        y_true: Labels, of shape `(batch,)` or `(batch, 1)`.
        y_pred: Similarities $s$, of shape `(batch, batch)`.

    Returns:
        A scalar.

    Example:
        >>> loss = tfx_extras.tfa.losses.npairs_loss([0, 1], [[2.0, 0.0], [0.0, 1.0]])
        >>> print(f"{float(loss):.4f}")
        0.2201

    Reference: Sohn, 2016, eq. 7.
    https://papers.nips.cc/paper/2016/hash/6b180037abbebea991d8b1232f8a8ca9
    """
    return of_batch(losses.n_pairs_loss(y_true, y_pred))


@register
def npairs_multilabel_loss(y_true, y_pred):
    r"""`tfx_extras.losses.n_pairs_multilabel_loss`, as one number per batch.

    $$ L = -\frac1{|A|} \sum_{i \in A} \sum_j t_{ij}
        \log \frac{e^{s_{ij}}}{\sum_k e^{s_{ik}}} $$

    Differs from TensorFlow Addons: samples without a label have loss 0 instead of NaN.

    Args:
        y_true: Labels, 0 or 1 for each class, of shape `(batch, classes)`. On
            TensorFlow they may be sparse.
        y_pred: Similarities $s$, of shape `(batch, batch)`.

    Returns:
        A scalar.

    Example:
        >>> loss = tfx_extras.tfa.losses.npairs_multilabel_loss(
        ...     [[1, 1], [0, 1]], [[2.0, 0.0], [0.0, 1.0]])
        >>> print(f"{float(loss):.4f}")
        0.8034

    Reference: Sohn, 2016.
    https://papers.nips.cc/paper/2016/hash/6b180037abbebea991d8b1232f8a8ca9
    """
    return of_batch(losses.n_pairs_multilabel_loss(y_true, y_pred))


class _Npairs(Loss):
    """Base of losses whose constructors accept no `reduction`."""

    def get_config(self):
        config = super().get_config()
        del config["reduction"]
        return config

    @classmethod
    def from_config(cls, config):
        return cls(config["name"])


@register
class NpairsLoss(_Npairs):
    """N-pairs loss: class form of `npairs_loss`, which has the formula.

    Args:
        name: Name of the loss.

    Raises:
        ValueError: On a call, if a shape is wrong.

    Example:
        >>> loss = tfx_extras.tfa.losses.NpairsLoss()
        >>> print(f"{float(loss([0, 1], [[2.0, 0.0], [0.0, 1.0]])):.4f}")
        0.2201

    Reference: Sohn, 2016, eq. 7.
    https://papers.nips.cc/paper/2016/hash/6b180037abbebea991d8b1232f8a8ca9
    """

    function = staticmethod(npairs_loss)

    @typechecked
    def __init__(self, name: str | None = "npairs_loss"):
        super().__init__(name)


@register
class NpairsMultilabelLoss(_Npairs):
    """Multi-label N-pairs loss: class form of `npairs_multilabel_loss`.

    Args:
        name: Name of the loss.

    Raises:
        ValueError: On a call, if a shape is wrong.

    Example:
        >>> loss = tfx_extras.tfa.losses.NpairsMultilabelLoss()
        >>> value = loss([[1, 1], [0, 1]], [[2.0, 0.0], [0.0, 1.0]])
        >>> print(f"{float(value):.4f}")
        0.8034

    Reference: Sohn, 2016.
    https://papers.nips.cc/paper/2016/hash/6b180037abbebea991d8b1232f8a8ca9
    """

    function = staticmethod(npairs_multilabel_loss)

    @typechecked
    def __init__(self, name: str | None = "npairs_multilabel_loss"):
        super().__init__(name)
