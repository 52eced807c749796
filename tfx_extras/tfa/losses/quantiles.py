"""The pinball loss."""

from typing import Any

import numpy as np

from tfx_extras import losses
from tfx_extras._typed import typechecked
from tfx_extras.tfa._register import register
from tfx_extras.tfa._typed import typechecked
from tfx_extras.tfa.losses._base import Loss


@register
def pinball_loss(y_true, y_pred, tau: Any = 0.5):
    r"""`tfx_extras.losses.pinball_loss`.

    $$ L = \frac1n \sum_{i=1}^n \max(\tau_i e_i, (\tau_i - 1)\, e_i), \quad
        e = y - \hat y $$

    Differs from TensorFlow Addons: $\tau$ keeps the precision of predictions, and
    shapes differ by a last axis of size 1 alone, never by broadcasting.

    Args:
        y_true: Values $y$, of the shape of `y_pred`.
        y_pred: Predictions $\hat y$, of shape `(..., values)`.
        tau: $\tau$, in [0, 1]: a number, or one for each value of the last axis.

    Returns:
        The loss, of shape `(...)`.

    Raises:
        ValueError: If the shapes are others.

    Example:
        >>> loss = tfx_extras.tfa.losses.pinball_loss([[0.0, 0.0]], [[2.0, -2.0]], 0.75)
        >>> print(keras.ops.convert_to_numpy(loss))
        [1.]

    Reference: Koenker and Bassett, 1978. https://doi.org/10.2307/1913643
    """
    return losses.pinball_loss(y_true, y_pred, tau)


@register
class PinballLoss(Loss):
    r"""Class form of `pinball_loss`, which has the formula.

    Args:
        tau: $\tau$, in [0, 1]: a number, or one for each value of the last axis.
        reduction: As in Keras; `"auto"` is `"sum_over_batch_size"`.
        name: Name of the loss.

    Raises:
        ValueError: If an argument is outside its interval.

    Example:
        >>> loss = tfx_extras.tfa.losses.PinballLoss(tau=0.75)
        >>> print(float(loss([[0.0], [0.0]], [[2.0], [-2.0]])))
        1.0

    Reference: Koenker and Bassett, 1978. https://doi.org/10.2307/1913643
    """

    function = staticmethod(pinball_loss)

    @typechecked
    def __init__(
        self,
        tau: Any = 0.5,
        reduction: str | None = "auto",
        name: str | None = "pinball_loss",
    ):
        super().__init__(name, reduction)
        self.tau = losses.PinballLoss(np.asarray(tau).tolist()).tau
