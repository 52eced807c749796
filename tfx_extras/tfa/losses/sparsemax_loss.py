"""The sparsemax loss."""

from tfx_extras import losses
from tfx_extras.tfa._register import register
from tfx_extras.tfa._typed import typechecked
from tfx_extras.tfa.losses._base import Loss


@register
def sparsemax_loss(logits, sparsemax, labels, name: str | None = None):
    r"""`tfx_extras.losses.sparsemax_loss`, the sparsemax loss of logits.

    $$ L = \sum_{j:\ p_j > 0} p_j \left( z_j - \frac{p_j}2 \right)
        + \sum_j q_j \left( \frac{q_j}2 - z_j \right) $$

    Differs from TensorFlow Addons: the loss of large logits is not NaN.

    Args:
        logits: $z$, of shape `(batch, classes)`.
        sparsemax: $p$, the sparsemax of `logits`. It is not used, but computed again
            with higher precision.
        labels: $q$, of the shape of `logits`.
        name: Has no effect.

    Returns:
        The loss, of shape `(batch,)`.

    Raises:
        ValueError: If the shapes differ.

    Example:
        >>> z = np.array([[1.0, 0.5, -1.0]])
        >>> loss = tfx_extras.tfa.losses.sparsemax_loss(
        ...     z, tfx_extras.losses.sparsemax(z), [[1, 0, 0]])
        >>> print(keras.ops.convert_to_numpy(loss))
        [0.0625]

    Reference: Martins and Astudillo, 2016. https://arxiv.org/abs/1602.02068
    """
    return losses.sparsemax_loss(labels, logits)


def sparsemax_loss_from_logits(y_true, logits_pred):
    """Sparsemax loss, without the `sparsemax` argument.

    Args:
        y_true: Labels, of the shape of `logits_pred`.
        logits_pred: Logits, of shape `(batch, classes)`.

    Returns:
        The loss, of shape `(batch,)`.
    """
    return losses.sparsemax_loss(y_true, logits_pred)


@register
class SparsemaxLoss(Loss):
    """Sparsemax loss: class form of `sparsemax_loss`, which has the formula.

    Args:
        from_logits: Must be `True`.
        reduction: As in Keras; `"auto"` means `"sum_over_batch_size"`.
        name: Name of the loss.

    Raises:
        ValueError: If `from_logits` is `False`.

    Example:
        >>> loss = tfx_extras.tfa.losses.SparsemaxLoss()
        >>> print(float(loss([[1, 0, 0]], [[1.0, 0.5, -1.0]])))
        0.0625

    Reference: Martins and Astudillo, 2016. https://arxiv.org/abs/1602.02068
    """

    function = staticmethod(sparsemax_loss_from_logits)

    @typechecked
    def __init__(
        self,
        from_logits: bool = True,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "sparsemax_loss",
    ):
        super().__init__(name, reduction)
        if not from_logits:
            raise ValueError(
                "Argument `from_logits` must be True. "
                f"Received: from_logits={from_logits}"
            )
        self.from_logits = from_logits

    def get_config(self):
        return super().get_config() | {"from_logits": self.from_logits}
