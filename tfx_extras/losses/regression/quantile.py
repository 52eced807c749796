"""Pinball (quantile) loss."""

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
    r"""Pinball (quantile) loss: asymmetric absolute error for quantile regression.

    Function form of `PinballLoss`, which has the formula.

    Args:
        y_true: Targets $y$, any real numbers, of the shape of `y_pred`. If `tau` is a
            sequence, the last axis may be missing or have size 1.
        y_pred: Predictions $\hat y$, of shape `(..., values)`.
        tau: $\tau$, in [0, 1]: one number, or a sequence with one for each value on the
            last axis of `y_pred`.

    Returns:
        One loss per sample, in the unit of $y$, of shape `(...)`, in `float32` or
        wider. If `tau` is a number, predictions of shape `(batch,)` have one loss each.

    Raises:
        ValueError: If shapes do not match, or the number of quantiles is not the size
            of the last axis of `y_pred`.

    Example:
        >>> loss = tfx_extras.losses.pinball_loss(
        ...     [10.0, 20.0], [[8.0, 12.0], [12.0, 28.0]], tau=[0.25, 0.75])
        >>> print(keras.ops.convert_to_numpy(loss))
        [0.5 2. ]
    """
    shape = np.asarray(tau).shape
    align = aligned if shape == () else _aligned_with_quantiles
    y_true, y_pred = align(y_true, y_pred)
    if shape != ():
        y_pred = with_last(y_pred, shape[0])
    if shape not in ((), (y_pred.shape[-1],)):
        raise ValueError(
            "Argument `tau` must be one number, or a sequence with one for each of the "
            f"{y_pred.shape[-1]} values on the last axis of `y_pred`. "
            f"Received: tau.shape={shape}, y_pred.shape={tuple(y_pred.shape)}"
        )
    # Python numbers, so that 1 - tau is rounded only once.
    given: Any = tau
    each = [given] if shape == () else [given[i] for i in range(shape[0])]
    above, below = [float(t) for t in each], [float(t) - 1 for t in each]
    error = y_true - y_pred
    above, below = (ops.convert_to_tensor(t, error.dtype) for t in (above, below))
    slope = ops.where(error < 0, below, ops.zeros_like(error))
    return mean(error * ops.where(error > 0, above, slope))


def _aligned_with_quantiles(y_true, y_pred) -> tuple[Any, Any]:
    """Returns both, with the same shape, or a last axis of size 1 in `y_true`."""
    y_pred = predictions(y_pred)
    y_true = numbers(y_true, y_pred.dtype)
    shapes = tuple(y_true.shape), tuple(y_pred.shape)
    if len(shapes[0]) == len(shapes[1]) - 1:
        y_true = ops.expand_dims(y_true, -1)
    is_one = len(y_true.shape) > 0 and y_true.shape[-1] == 1
    like = y_pred[..., :1] if is_one and len(shapes[1]) > 0 else y_pred
    message = (
        "If `tau` is a sequence, `y_pred` must have shape `(batch, ..., quantiles)`, "
        "and `y_true` the same shape, or without the last axis, or with size 1 there. "
        f"Received: y_true.shape={shapes[0]}, y_pred.shape={shapes[1]}"
    )
    if len(shapes[1]) < 2:
        raise ValueError(message)
    require_one_shape(y_true, like, message)
    return backend.same_shape(y_true, like)[0], y_pred


@register
class PinballLoss(FunctionLoss):
    r"""Pinball (quantile) loss: asymmetric absolute error for quantile regression.

    Use it for quantile regression and prediction intervals. With `tau=[0.05, 0.95]`,
    two outputs bound an interval that should hold 90 % of the targets. Nothing keeps
    several quantiles in order, so they may cross. Keras has no equivalent; with
    `tau=0.5`, the loss is half of `keras.losses.MeanAbsoluteError`.

    $$ L = \frac1n \sum_{i=1}^n \max(\tau_i e_i, (\tau_i - 1)\, e_i), \quad
        e = y - \hat y $$

    $y_i$ is a target, $\hat y_i$ its prediction, and $n$ the number of values on the
    last axis. The prediction that minimizes the mean loss is exceeded by the fraction
    $1 - \tau$ of the targets. With $\tau = 0.5$ it is the median. Where the error is 0,
    the gradient is 0.

    A sequence for `tau` predicts several quantiles of the same value at once: each
    value on the last axis of `y_pred` is compared with the same $y$.

    Returns one loss per sample, in the unit of $y$, of shape `(...)`, which `reduction`
    averages. If `tau` is a number, predictions of shape `(batch,)` have one loss each.
    Time and memory grow linearly with the number of predictions.

    Args:
        tau: $\tau$, in [0, 1]: one number, or a sequence with one for each value on the
            last axis of `y_pred`.
        **kwargs: `name`, `reduction` and `dtype`: see `LossOptions`.

    Call arguments:
        y_true: Targets $y$, any real numbers, of the shape of `y_pred`. If `tau` is a
            sequence, the last axis may be missing or have size 1.
        y_pred: Predictions $\hat y$, of shape `(..., values)`.

    Raises:
        ValueError: If an argument is outside its interval, or, in a call, if shapes do
            not match or the number of quantiles is wrong.
        TypeError: If an argument has the wrong type or an unknown name.

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
