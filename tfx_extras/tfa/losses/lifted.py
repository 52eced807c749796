"""The lifted structured loss."""

from typing import Any

from tfx_extras import losses
from tfx_extras._checks import Number
from tfx_extras._checks import require
from tfx_extras.tfa._register import register
from tfx_extras.tfa._typed import typechecked
from tfx_extras.tfa.losses._base import Loss
from tfx_extras.tfa.losses._base import of_batch


@register
def lifted_struct_loss(labels, embeddings, margin: Number = 1.0):
    r"""`tfx_extras.losses.lifted_structured_loss`, as one number per batch.

    $$ L = \frac1{2 |P|} \sum_{(i, j) \in P} \max(J_{ij}, 0)^2 $$

    Differs from TensorFlow Addons: a batch without a positive pair, or with a single
    class, has loss 0 instead of NaN.

    Args:
        labels: Labels, of shape `(batch,)` or `(batch, 1)`.
        embeddings: Embeddings, of shape `(batch, features)`.
        margin: $m$, in [0, inf).

    Returns:
        A scalar.

    Example:
        >>> loss = tfx_extras.tfa.losses.lifted_struct_loss(
        ...     [0, 0, 1], [[0.0], [1.0], [2.0]])
        >>> print(f"{float(loss):.4f}")
        0.8623

    Reference: Song et al., 2015, eq. 4. https://arxiv.org/abs/1511.06452
    """
    return of_batch(losses.lifted_structured_loss(labels, embeddings, margin))


@register
class LiftedStructLoss(Loss):
    """Lifted structured loss: class form of `lifted_struct_loss`.

    Args:
        margin: $m$, in [0, inf).
        name: Name of the loss.
        **kwargs: `reduction`, as in Keras. Without sample weights, it has no effect,
            since the loss of a batch is one number.

    Raises:
        ValueError: If an argument is outside its interval.

    Example:
        >>> loss = tfx_extras.tfa.losses.LiftedStructLoss(margin=2.0)
        >>> print(f"{float(loss([0, 0, 1], [[0.0], [1.0], [2.0]])):.4f}")
        2.6756

    Reference: Song et al., 2015, eq. 4. https://arxiv.org/abs/1511.06452
    """

    function = staticmethod(lifted_struct_loss)

    @typechecked
    def __init__(self, margin: Number = 1.0, name: str | None = None, **kwargs: Any):
        super().__init__(name, **kwargs)
        self.margin = require("margin", margin, "[0, inf)")
