"""Losses of quantiles."""

from collections.abc import Sequence
from typing import Any
from typing import Unpack

import numpy as np
from keras import ops

from tfx_extras._backend import backend
from tfx_extras._checks import Number
from tfx_extras._checks import require
from tfx_extras._checks import require_each
from tfx_extras._register import register
from tfx_extras._typed import typechecked
from tfx_extras.losses._base import FunctionLoss
from tfx_extras.losses._base import LossOptions
from tfx_extras.losses._base import aligned
from tfx_extras.losses._base import mean
from tfx_extras.losses._base import numbers
from tfx_extras.losses._base import predictions
from tfx_extras.losses._base import require_one_shape
from tfx_extras.losses._base import with_last

__all__ = ["PinballLoss", "pinball_loss"]

Quantiles = Sequence[Number] | np.ndarray  # one per value of the last axis


@register
def pinball_loss(y_true, y_pred, tau: Number | Quantiles = 0.5):
    r"""The absolute error, weighed by its sign, which makes predictions quantiles.

    $$ L = \frac1n \sum_{i=1}^n \max(\tau_i e_i, (\tau_i - 1)\, e_i), \quad
        e = y - \hat y $$

    What predicts best is exceeded by the fraction $1 - \tau$ of the values. With
    `tau` 0.5 the loss is half of the absolute error, and the best is the median.
    Where the error is 0, so is the gradient.

    Several quantiles of one value are predicted at once with a sequence for `tau`:
    each value of the last axis of `y_pred` is then compared with the same $y$.

    Args:
        y_true: Values $y$, any real numbers, of the shape of `y_pred`, or, if `tau`
            is a sequence, without its last axis or with one of size 1.
        y_pred: Predictions $\hat y$, of shape `(..., values)`.
        tau: $\tau$, in [0, 1]: one number, or one for each value of the last axis
            of `y_pred`.

    Returns:
        The loss in the unit of $y$, of shape `(...)`, in `float32` or wider.
        Predictions of rank 1 are a batch, unless `tau` is a sequence: one loss for
        each.

    Raises:
        ValueError: If the shape of `y_true` is another, or the number of quantiles
            is not that of the values of the last axis of `y_pred`.

    Example:
        >>> loss = tfx_extras.losses.pinball_loss(
        ...     [10.0, 20.0], [[8.0, 12.0], [12.0, 28.0]], tau=[0.25, 0.75])
        >>> print(keras.ops.convert_to_numpy(loss))
        [0.5 2. ]

    Reference: Koenker and Bassett, 1978. https://doi.org/10.2307/1913643
    """
    tau = np.asarray(tau, "float64")  # 1 - tau, too, is rounded once
    align = aligned if tau.ndim == 0 else _aligned_with_quantiles
    y_true, y_pred = align(y_true, y_pred)
    if tau.ndim > 0:
        y_pred = with_last(y_pred, len(tau))
    if tau.ndim > 0 and tau.shape != (y_pred.shape[-1],):
        raise ValueError(
            "Argument `tau` must be a number, or hold one for each of the "
            f"{y_pred.shape[-1]} values of the last axis of `y_pred`. "
            f"Received: tau.shape={tau.shape}, y_pred.shape={tuple(y_pred.shape)}"
        )
    error = y_true - y_pred
    above, below = (ops.convert_to_tensor(t, error.dtype) for t in (tau, tau - 1))
    slope = ops.where(error < 0, below, ops.zeros_like(error))
    return mean(error * ops.where(error > 0, above, slope))


def _aligned_with_quantiles(y_true, y_pred) -> tuple[Any, Any]:
    """Returns both, of one shape or `y_true` with a last axis of size 1."""
    y_pred = predictions(y_pred)
    y_true = numbers(y_true, y_pred.dtype)
    shapes = tuple(y_true.shape), tuple(y_pred.shape)
    if len(shapes[0]) == len(shapes[1]) - 1:
        y_true = ops.expand_dims(y_true, -1)
    is_one = len(y_true.shape) > 0 and y_true.shape[-1] == 1
    like = y_pred[..., :1] if is_one and len(shapes[1]) > 0 else y_pred
    message = (
        "`y_true` must have the shape of `y_pred`, of rank 2 or more, up to a last "
        f"axis that lacks or is of size 1. Received: y_true.shape={shapes[0]}, "
        f"y_pred.shape={shapes[1]}"
    )
    if len(shapes[1]) < 2:
        raise ValueError(message)
    require_one_shape(y_true, like, message)
    return backend.same_shape(y_true, like)[0], y_pred


@register
class PinballLoss(FunctionLoss):
    r"""The absolute error, weighed by its sign, which makes predictions quantiles.

    Class form of `pinball_loss`, which has the formula.

    Args:
        tau: $\tau$, in [0, 1]: one number, or one for each value of the last axis
            of predictions, which are then quantiles of the same value.
        **kwargs: Options of every loss: see `LossOptions`.

    Raises:
        ValueError: If an argument is outside its interval.

    Example:
        >>> loss = tfx_extras.losses.PinballLoss(tau=0.75)
        >>> print(float(loss([[0.0], [0.0]], [[2.0], [-2.0]])))
        1.0

    Reference: Koenker and Bassett, 1978. https://doi.org/10.2307/1913643
    """

    function = staticmethod(pinball_loss)

    @typechecked
    def __init__(self, tau: Number | Quantiles = 0.5, **kwargs: Unpack[LossOptions]):
        super().__init__(**kwargs)
        if isinstance(tau, float | int | np.number):
            self.tau = require("tau", tau, "[0, 1]")
        else:
            self.tau = require_each("tau", tau, "[0, 1]")
