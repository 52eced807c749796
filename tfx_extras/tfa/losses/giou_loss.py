"""The loss of bounding boxes."""

from keras import ops

from tfx_extras import losses
from tfx_extras._checks import require_one_of
from tfx_extras.losses._base import predictions
from tfx_extras.tfa._register import register
from tfx_extras.tfa._typed import typechecked
from tfx_extras.tfa.losses._base import Loss

MODES = ("giou", "iou")


@register
def giou_loss(y_true, y_pred, mode: str = "giou"):
    r"""`tfx_extras.losses.giou_loss`, the generalized IoU loss of bounding boxes.

    $$ L_\text{iou} = 1 - I / U, \quad L_\text{giou} = L_\text{iou} + (C - U) / C $$

    Differs from TensorFlow Addons: axes of size 1 are kept, and inverted boxes have a
    gradient.

    Args:
        y_true: Boxes `[y_min, x_min, y_max, x_max]`, of shape `(..., 4)`.
        y_pred: Boxes, of the same shape or one that broadcasts with it. Shapes
            `(n, 1, 4)` and `(1, m, 4)` compare every pair of boxes.
        mode: `"giou"` or `"iou"`.

    Returns:
        The loss of each pair of boxes, of shape `(...)`.

    Raises:
        ValueError: If a shape is wrong, or `mode` is unknown.

    Example:
        >>> loss = tfx_extras.tfa.losses.giou_loss([[0, 0, 1, 2]], [[0, 0, 1, 1]])
        >>> print(keras.ops.convert_to_numpy(loss))
        [0.5]

    Reference: Rezatofighi et al., 2019. https://arxiv.org/abs/1902.09630
    """
    require_one_of("mode", mode, MODES)
    y_pred = predictions(y_pred)
    y_true = ops.convert_to_tensor(y_true, y_pred.dtype)
    shapes = tuple(y_true.shape), tuple(y_pred.shape)
    if any(shape[-1:] != (4,) for shape in shapes):
        raise ValueError(
            "`y_true` and `y_pred` must have shapes `(..., 4)`. Received: "
            f"y_true.shape={shapes[0]}, y_pred.shape={shapes[1]}"
        )
    if shapes[0] != shapes[1]:
        zeros = ops.zeros_like(y_true), ops.zeros_like(y_pred)
        y_true, y_pred = y_true + zeros[1], y_pred + zeros[0]
    if len(y_pred.shape) == 1:
        return losses.giou_loss(y_true[None], y_pred[None], mode)[0]
    return losses.giou_loss(y_true, y_pred, mode)


@register
class GIoULoss(Loss):
    """GIoU loss: class form of `giou_loss`, which has the formula.

    Args:
        mode: `"giou"` or `"iou"`.
        reduction: As in Keras; `"auto"` means `"sum_over_batch_size"`.
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
