"""The pinball loss."""

from typing import Any

import keras
import numpy as np
from keras import ops

from tfx_extras import losses
from tfx_extras._checks import require
from tfx_extras.losses._base import aligned
from tfx_extras.losses._base import mean
from tfx_extras.tfa._register import register
from tfx_extras.tfa._typed import typechecked
from tfx_extras.tfa.losses._base import Loss


@register
def pinball_loss(y_true, y_pred, tau: Any = 0.5):
    r"""`tfx_extras.losses.pinball_loss`, the pinball (quantile) loss.

    $$ L = \frac1n \sum_{i=1}^n \max(\tau_i e_i, (\tau_i - 1)\, e_i), \quad
        e = y - \hat y $$

    Differs from TensorFlow Addons: $\tau$ has the precision of the predictions. The
    shapes of `y_true` and `y_pred` may differ only by a last axis of size 1; they are
    never broadcast.

    Args:
        y_true: Regression targets $y$, of the shape of `y_pred`.
        y_pred: Predictions $\hat y$, of shape `(batch, ..., values)`, or `(values,)`.
        tau: $\tau$, in [0, 1]: a number, or one number for each value of a sample, of
            shape `(..., values)` or `(values,)`.

    Returns:
        The loss, of shape `(batch, ...)`; a scalar for `(values,)`.

    Raises:
        ValueError: If a shape is wrong.

    Example:
        >>> loss = tfx_extras.tfa.losses.pinball_loss([[0.0, 0.0]], [[2.0, -2.0]], 0.75)
        >>> print(keras.ops.convert_to_numpy(loss))
        [1.]

    Reference: Koenker and Bassett, 1978. https://doi.org/10.2307/1913643
    """
    y_true, y_pred = (ops.convert_to_tensor(y) for y in (y_true, y_pred))
    values = _of_samples(y_true, y_pred, tau)
    is_one = len(y_true.shape) == len(y_pred.shape) == 1
    return mean(values) if is_one else values


def _of_samples(y_true, y_pred, tau):
    """Like `pinball_loss`, but predictions of rank 1 are taken as a batch."""
    tau = _array(tau)
    if tau.ndim < 2:
        return losses.pinball_loss(y_true, y_pred, tau)
    y_true, y_pred = aligned(y_true, y_pred)
    if tau.shape != tuple(y_pred.shape)[1:]:
        raise ValueError(
            "Argument `tau` must be a number, or have the shape of a sample or of its "
            f"last axis. Received: tau.shape={tau.shape}, "
            f"y_pred.shape={tuple(y_pred.shape)}"
        )
    error = y_true - y_pred
    above, below = (ops.convert_to_tensor(t, error.dtype) for t in (tau, tau - 1))
    slope = ops.where(error < 0, below, ops.zeros_like(error))
    return mean(error * ops.where(error > 0, above, slope))


def _array(tau) -> np.ndarray:
    is_tensor = ops.is_tensor(tau) or isinstance(tau, keras.Variable)
    return np.asarray(ops.convert_to_numpy(tau) if is_tensor else tau, "float64")


@register
class PinballLoss(Loss):
    r"""Pinball loss: class form of `pinball_loss`, which has the formula.

    Predictions of rank 1 are taken as a batch, so `sample_weight` has one weight for
    each.

    Args:
        tau: $\tau$, in [0, 1]: a number, or one number for each value of a sample, of
            the shape of a sample or of its last axis.
        reduction: As in Keras; `"auto"` means `"sum_over_batch_size"`.
        name: Name of the loss.

    Raises:
        ValueError: If an argument is outside its interval.

    Example:
        >>> loss = tfx_extras.tfa.losses.PinballLoss(tau=0.75)
        >>> print(float(loss([[0.0], [0.0]], [[2.0], [-2.0]])))
        1.0

    Reference: Koenker and Bassett, 1978. https://doi.org/10.2307/1913643
    """

    function = staticmethod(_of_samples)

    @typechecked
    def __init__(
        self,
        tau: Any = 0.5,
        reduction: str | None = "auto",
        name: str | None = "pinball_loss",
    ):
        super().__init__(name or "pinball_loss", reduction)
        values = _array(tau)
        for value in values.flat:
            require("tau", value, "[0, 1]")
        self.tau = values.tolist()
