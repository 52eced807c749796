"""The loss of boxes."""

from tfx_extras import losses
from tfx_extras._checks import require_one_of
from tfx_extras._typed import typechecked
from tfx_extras.tfa._register import register
from tfx_extras.tfa._typed import typechecked
from tfx_extras.tfa.losses._base import Loss

MODES = ("giou", "iou")


@register
def giou_loss(y_true, y_pred, mode: str = "giou"):
    r"""`tfx_extras.losses.giou_loss`.

    $$ L_\text{iou} = 1 - I / U, \quad L_\text{giou} = L_\text{iou} + (C - U) / C $$

    Differs from TensorFlow Addons: no axis is lost, be it of size 1, and inverted boxes
    have a gradient.

    Args:
        y_true: Boxes `[y_min, x_min, y_max, x_max]`, of shape `(batch, ..., 4)`.
        y_pred: Boxes, of the same shape.
        mode: `"giou"` or `"iou"`.

    Returns:
        The loss of each box, of shape `(batch, ...)`.

    Raises:
        ValueError: If the shapes are others, or `mode` is unknown.

    Example:
        >>> loss = tfx_extras.tfa.losses.giou_loss([[0, 0, 1, 2]], [[0, 0, 1, 1]])
        >>> print(keras.ops.convert_to_numpy(loss))
        [0.5]

    Reference: Rezatofighi et al., 2019. https://arxiv.org/abs/1902.09630
    """
    return losses.giou_loss(y_true, y_pred, require_one_of("mode", mode, MODES))


@register
class GIoULoss(Loss):
    """Class form of `giou_loss`, which has the formula.

    Args:
        mode: `"giou"` or `"iou"`.
        reduction: As in Keras; `"auto"` is `"sum_over_batch_size"`.
        name: Name of the loss.

    Raises:
        ValueError: If `mode` is unknown.

    Example:
        >>> loss = tfx_extras.tfa.losses.GIoULoss("iou")
        >>> print(float(loss([[0, 0, 1, 2]], [[0, 0, 1, 1]])))
        0.5

    Reference: Rezatofighi et al., 2019. https://arxiv.org/abs/1902.09630
    """

    function = staticmethod(giou_loss)

    @typechecked
    def __init__(
        self,
        mode: str = "giou",
        reduction: str | None = "auto",
        name: str | None = "giou_loss",
    ):
        super().__init__(name, reduction)
        self.mode = require_one_of("mode", mode, MODES)
