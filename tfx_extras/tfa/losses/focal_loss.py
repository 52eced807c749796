"""The focal loss."""

from keras import ops

from tfx_extras import losses
from tfx_extras._checks import Number
from tfx_extras._checks import require
from tfx_extras.tfa._register import register
from tfx_extras.tfa._typed import typechecked
from tfx_extras.tfa.losses._base import Loss


@register
def sigmoid_focal_crossentropy(
    y_true,
    y_pred,
    alpha: Number | None = 0.25,
    gamma: Number | None = 2.0,
    from_logits: bool = False,
):
    r"""`tfx_extras.losses.sigmoid_focal_crossentropy`, summed over classes.

    $$ L = -\sum_{c=1}^C \alpha_c\, (1 - p_c)^\gamma
        \left( y_c \log q_c + (1 - y_c) \log(1 - q_c) \right) $$

    Args:
        y_true: Labels $y$ in [0, 1], of shape `(..., classes)`.
        y_pred: Probabilities $q$, or logits with `from_logits`.
        alpha: $\alpha$, weight of the label 1, in [0, 1]. `None` and 0 mean no weights.
        gamma: The focusing parameter $\gamma$, in [0, inf). `None` and 0 give
            cross-entropy.
        from_logits: Whether `y_pred` holds logits.

    Returns:
        The loss, of shape `(...)`. Predictions of rank 1 are taken as a batch, with one
        loss for each.

    Raises:
        ValueError: If `y_true` and `y_pred` differ in shape.

    Example:
        >>> loss = tfx_extras.tfa.losses.sigmoid_focal_crossentropy(
        ...     [[1, 0], [0, 1]], [[0.9, 0.2], [0.5, 0.5]])
        >>> print(keras.ops.convert_to_numpy(loss).round(4))
        [0.007  0.1733]

    Reference: Lin et al., 2017, eq. 5. https://arxiv.org/abs/1708.02002
    """
    y_pred = ops.convert_to_tensor(y_pred)
    classes = y_pred.shape[-1] if len(y_pred.shape) > 1 else 1
    return classes * losses.sigmoid_focal_crossentropy(
        y_true, y_pred, alpha or None, gamma or 0.0, from_logits=from_logits
    )


@register
class SigmoidFocalCrossEntropy(Loss):
    r"""Focal loss: class form of `sigmoid_focal_crossentropy`, which has the formula.

    Args:
        from_logits: Whether `y_pred` holds logits, which are numerically more accurate.
        alpha: $\alpha$, weight of the label 1, in [0, 1]. `None` and 0 mean no weights.
        gamma: The focusing parameter $\gamma$, in [0, inf). `None` and 0 give
            cross-entropy.
        reduction: As in Keras; `"auto"` means `"sum_over_batch_size"`. By default,
            there is no reduction. TensorFlow then minimizes the sum of the values of
            all samples, but JAX and PyTorch cannot train with more than one number.
        name: Name of the loss.

    Raises:
        ValueError: If an argument is outside its interval.

    Example:
        >>> loss = tfx_extras.tfa.losses.SigmoidFocalCrossEntropy(reduction="auto")
        >>> print(f"{float(loss([[1, 0], [0, 1]], [[0.9, 0.2], [0.5, 0.5]])):.4f}")
        0.0901

    Reference: Lin et al., 2017, eq. 5. https://arxiv.org/abs/1708.02002
    """

    function = staticmethod(sigmoid_focal_crossentropy)

    @typechecked
    def __init__(
        self,
        from_logits: bool = False,
        alpha: Number | None = 0.25,
        gamma: Number | None = 2.0,
        reduction: str | None = "none",
        name: str | None = "sigmoid_focal_crossentropy",
    ):
        super().__init__(name, reduction)
        self.from_logits = from_logits
        self.alpha = None if alpha is None else require("alpha", alpha, "[0, 1]")
        self.gamma = None if gamma is None else require("gamma", gamma, "[0, inf)")
