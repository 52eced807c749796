"""The contrastive loss."""

from tfx_extras import losses
from tfx_extras._checks import Number
from tfx_extras._checks import require
from tfx_extras.tfa._register import register
from tfx_extras.tfa._typed import typechecked
from tfx_extras.tfa.losses._base import Loss


@register
def contrastive_loss(y_true, y_pred, margin: Number = 1.0):
    r"""`tfx_extras.losses.contrastive_loss`, the contrastive loss, of distances.

    $$ L = y d^2 + (1 - y) \max(m - d, 0)^2 $$

    Differs from TensorFlow Addons: the shapes of `y_true` and `y_pred` may differ only
    by a last axis of size 1. They are never broadcast.

    Args:
        y_true: Labels $y$, 1 for similar and 0 for dissimilar pairs, of shape
            `(batch,)`.
        y_pred: Distances $d$, of shape `(batch,)`.
        margin: $m$, in [0, inf).

    Returns:
        The loss of each pair, of shape `(batch,)`.

    Example:
        >>> loss = tfx_extras.tfa.losses.contrastive_loss([1, 0], [0.5, 0.5])
        >>> print(keras.ops.convert_to_numpy(loss))
        [0.25 0.25]

    Reference: Hadsell et al., 2006. https://doi.org/10.1109/CVPR.2006.100
    """
    return losses.contrastive_loss(y_true, y_pred, margin)


@register
class ContrastiveLoss(Loss):
    """Contrastive loss: class form of `contrastive_loss`, which has the formula.

    Args:
        margin: $m$, in [0, inf).
        reduction: As in Keras; `"auto"` means `"sum_over_batch_size"`.
        name: Name of the loss.

    Raises:
        ValueError: If an argument is outside its interval.

    Example:
        >>> loss = tfx_extras.tfa.losses.ContrastiveLoss(margin=2.0)
        >>> print(float(loss([1, 0], [0.5, 0.5])))
        1.25

    Reference: Hadsell et al., 2006. https://doi.org/10.1109/CVPR.2006.100
    """

    function = staticmethod(contrastive_loss)

    @typechecked
    def __init__(
        self,
        margin: Number = 1.0,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "contrastive_loss",
    ):
        super().__init__(name, reduction)
        self.margin = require("margin", margin, "[0, inf)")
