"""Robust regression losses: quadratic for small errors, linear for large ones."""

from typing import Unpack

from keras import ops

from tfx_extras._checks import Number
from tfx_extras._checks import require
from tfx_extras._register import register
from tfx_extras._typed import typechecked
from tfx_extras.losses._base import FunctionLoss
from tfx_extras.losses._base import LossOptions
from tfx_extras.losses._base import aligned
from tfx_extras.losses._base import mean

__all__ = ["Huber", "PseudoHuber", "SmoothL1", "huber", "pseudo_huber", "smooth_l1"]


@register
def huber(y_true, y_pred, delta: Number = 1.0):
    r"""Huber loss: quadratic for small errors, linear for large ones.

    Function form of `Huber`, which has the formula.

    Args:
        y_true: Targets $y$, any real numbers, of shape `(..., values)`.
        y_pred: Predictions $\hat y$, of the same shape.
        delta: $\delta$, in (0, inf), in the unit of $y$: the error from which the loss
            is linear.

    Returns:
        One loss per sample, in the squared unit of $y$, of shape `(...)`, in `float32`
        or wider. Predictions of shape `(batch,)` have one loss each.

    Raises:
        ValueError: If shapes do not match.

    Example:
        >>> loss = tfx_extras.losses.huber([0.0, 0.0, 0.0], [0.5, 1.0, 3.0])
        >>> print(keras.ops.convert_to_numpy(loss))
        [0.125 0.5   2.5  ]
    """
    y_true, y_pred = aligned(y_true, y_pred)
    error = y_true - y_pred
    q = _within(error, delta)
    return mean(q * (error - q / 2))


@register
class Huber(FunctionLoss):
    r"""Huber loss: quadratic for small errors, linear for large ones.

    Use it for robust regression, where outliers would dominate a squared error. Choose
    `delta` above the usual errors and below the outliers. If no error exceeds it, the
    loss is half the squared error. `keras.losses.Huber` has the same formula, but
    broadcasts shapes that do not match and weights samples wrongly if predictions have
    shape `(batch,)`.

    $$ L = \frac1n \sum_{i=1}^n q_i \left( e_i - \tfrac12 q_i \right), \quad
        q_i = \max(-\delta, \min(e_i, \delta)), \quad e = y - \hat y $$

    $y_i$ is a target, $\hat y_i$ its prediction, and $n$ the number of values on the
    last axis. $q_i$ is the error, limited to $[-\delta, \delta]$.

    The differences from `keras.losses.Huber` are these. Targets of shape `(n, 1)` with
    predictions of shape `(n, 4)` raise an error instead of being broadcast. Predictions
    of shape `(batch,)` have one loss each, so that `sample_weight` and `reduction`
    apply to each of them; Keras averages them first. The loss is computed in `float32`
    or wider even if `dtype` is a 16-bit type. It can be added to other losses:
    `Huber() + 0.5 * GIoULoss()`.

    The loss of each sample equals `torch.nn.functional.huber_loss`.

    Returns one loss per sample, in the squared unit of $y$, of shape `(...)`, which
    `reduction` averages. Time and memory grow linearly with the number of predictions.

    Args:
        delta: $\delta$, in (0, inf), in the unit of $y$: the error from which the loss
            is linear.
        **kwargs: `name`, `reduction` and `dtype`: see `LossOptions`.

    Call arguments:
        y_true: Targets $y$, any real numbers, of shape `(..., values)`.
        y_pred: Predictions $\hat y$, of the same shape.

    Raises:
        ValueError: If an argument is outside its interval, or if shapes do not match in
            a call.
        TypeError: If an argument has the wrong type or an unknown name.

    Example:
        >>> loss = tfx_extras.losses.Huber(delta=2.0)
        >>> print(float(loss([[0.0], [0.0]], [[1.0], [3.0]])))
        2.25

    Reference: Huber, 1964. https://doi.org/10.1214/aoms/1177703732
    """

    function = staticmethod(huber)

    @typechecked
    def __init__(self, delta: Number = 1.0, **kwargs: Unpack[LossOptions]):
        super().__init__(**kwargs)
        self.delta = require("delta", delta, "(0, inf)")


@register
def smooth_l1(y_true, y_pred, beta: Number = 1.0):
    r"""Smooth L1 loss: absolute error that is quadratic near 0.

    Function form of `SmoothL1`, which has the formula.

    Args:
        y_true: Targets $y$, any real numbers, of shape `(..., values)`.
        y_pred: Predictions $\hat y$, of the same shape.
        beta: $\beta$, in [0, inf), in the unit of $y$: the error from which the loss is
            linear. 0 gives the absolute error.

    Returns:
        One loss per sample, in the unit of $y$, of shape `(...)`, in `float32` or
        wider. Predictions of shape `(batch,)` have one loss each.

    Raises:
        ValueError: If shapes do not match.

    Example:
        >>> loss = tfx_extras.losses.smooth_l1([0.0, 0.0], [0.25, 3.0], beta=0.5)
        >>> print(keras.ops.convert_to_numpy(loss))
        [0.0625 2.75  ]
    """
    y_true, y_pred = aligned(y_true, y_pred)
    error = y_true - y_pred
    if beta == 0:
        return mean(error * ops.sign(error))  # abs has gradient 1 at 0 in JAX
    q = _within(error, beta)
    return mean(q / beta * (error - q / 2))


@register
class SmoothL1(FunctionLoss):
    r"""Smooth L1 loss: absolute error that is quadratic near 0.

    Use it for robust regression with outliers, for example for the bounding box
    coordinates of an object detector (Girshick, 2015). Its derivative with respect to
    an error is at most 1 in absolute value, whatever `beta` is. Small errors therefore
    weigh less when `beta` is large; with `Huber` they do not. `keras.losses.Huber` with
    `delta=beta` is `beta` times this loss.

    $$ L = \frac1n \sum_{i=1}^n \frac{q_i}{\beta}
        \left( e_i - \tfrac12 q_i \right), \quad
        q_i = \max(-\beta, \min(e_i, \beta)), \quad e = y - \hat y $$

    $y_i$ is a target, $\hat y_i$ its prediction, and $n$ the number of values on the
    last axis. $q_i$ is the error, limited to $[-\beta, \beta]$. The loss is `Huber`
    with $\delta = \beta$, divided by $\beta$. With $\beta = 0$ it is the absolute
    error. The loss of each sample equals `torch.nn.functional.smooth_l1_loss`.

    Returns one loss per sample, in the unit of $y$, of shape `(...)`, which `reduction`
    averages. Predictions of shape `(batch,)` have one loss each. Time and memory grow
    linearly with the number of predictions.

    Args:
        beta: $\beta$, in [0, inf), in the unit of $y$: the error from which the loss is
            linear. 0 gives the absolute error.
        **kwargs: `name`, `reduction` and `dtype`: see `LossOptions`.

    Call arguments:
        y_true: Targets $y$, any real numbers, of shape `(..., values)`.
        y_pred: Predictions $\hat y$, of the same shape.

    Raises:
        ValueError: If an argument is outside its interval, or if shapes do not match in
            a call.
        TypeError: If an argument has the wrong type or an unknown name.

    Example:
        >>> loss = tfx_extras.losses.SmoothL1(beta=2.0)
        >>> print(float(loss([[0.0], [0.0]], [[1.0], [3.0]])))
        1.125

    Reference: Girshick, 2015. https://arxiv.org/abs/1504.08083
    """

    function = staticmethod(smooth_l1)

    @typechecked
    def __init__(self, beta: Number = 1.0, **kwargs: Unpack[LossOptions]):
        super().__init__(**kwargs)
        self.beta = require("beta", beta, "[0, inf)")


@register
def pseudo_huber(y_true, y_pred, delta: Number = 1.0):
    r"""Pseudo-Huber loss: smooth approximation of the Huber loss.

    Function form of `PseudoHuber`, which has the formula.

    Args:
        y_true: Targets $y$, any real numbers, of shape `(..., values)`.
        y_pred: Predictions $\hat y$, of the same shape.
        delta: $\delta$, in (0, inf), in the unit of $y$: the error around which the
            loss becomes linear.

    Returns:
        One loss per sample, in the squared unit of $y$, of shape `(...)`, in `float32`
        or wider. Predictions of shape `(batch,)` have one loss each.

    Raises:
        ValueError: If shapes do not match.

    Example:
        >>> loss = tfx_extras.losses.pseudo_huber([0.0, 0.0], [0.75, 1e9])
        >>> print(keras.ops.convert_to_numpy(loss))
        [2.5e-01 1.0e+09]
    """
    y_true, y_pred = aligned(y_true, y_pred)
    error = y_true - y_pred
    size = ops.abs(error)
    delta_ = ops.convert_to_tensor(delta, error.dtype)
    # This is delta error**2 / (hypot(error, delta) + delta), with numerator and
    # denominator divided by the larger of abs(error) and delta. Small errors keep their
    # sign, since abs would lose the second derivative at 0.
    is_large = size > delta_
    larger = ops.where(is_large, size, delta_)
    ratio = ops.where(is_large, delta_, error) / larger
    one = ops.ones_like(ratio)
    error_part = ops.where(is_large, ops.sign(error), ratio)
    delta_part = ops.where(is_large, ratio, one)
    hypotenuse = ops.sqrt(1 + ops.square(ratio))
    return mean(delta * error * error_part / (hypotenuse + delta_part))


@register
class PseudoHuber(FunctionLoss):
    r"""Pseudo-Huber loss: smooth approximation of the Huber loss.

    Use it for robust regression with outliers when the loss should have continuous
    derivatives of every order. The second derivative of `Huber` jumps at `delta`, but
    `Huber` is exactly linear for large errors. `keras.losses.LogCosh` is as smooth, but
    has no `delta`.

    $$ L = \frac1n \sum_{i=1}^n \delta^2 \left( \sqrt{1 + (e_i / \delta)^2} - 1
        \right), \quad e = y - \hat y $$

    $y_i$ is a target, $\hat y_i$ its prediction, and $n$ the number of values on the
    last axis. For small errors the loss approaches half their square, for large ones
    $\delta\, (|e| - \delta)$. It is computed in a form that neither cancels for small
    errors nor overflows for large ones.

    Returns one loss per sample, in the squared unit of $y$, of shape `(...)`, which
    `reduction` averages. Predictions of shape `(batch,)` have one loss each. Time and
    memory grow linearly with the number of predictions.

    Args:
        delta: $\delta$, in (0, inf), in the unit of $y$: the error around which the
            loss becomes linear.
        **kwargs: `name`, `reduction` and `dtype`: see `LossOptions`.

    Call arguments:
        y_true: Targets $y$, any real numbers, of shape `(..., values)`.
        y_pred: Predictions $\hat y$, of the same shape.

    Raises:
        ValueError: If an argument is outside its interval, or if shapes do not match in
            a call.
        TypeError: If an argument has the wrong type or an unknown name.

    Example:
        >>> loss = tfx_extras.losses.PseudoHuber(delta=4.0)
        >>> print(float(loss([[0.0]], [[3.0]])))
        4.0

    Reference: Charbonnier et al., 1997. https://doi.org/10.1109/83.551699
    """

    function = staticmethod(pseudo_huber)

    @typechecked
    def __init__(self, delta: Number = 1.0, **kwargs: Unpack[LossOptions]):
        super().__init__(**kwargs)
        self.delta = require("delta", delta, "(0, inf)")


def _within(error, bound):
    """Clips the error to [-bound, bound]; NaN stays NaN.

    It does not use the absolute error, with which the loss would have a second
    derivative of 0 at 0.
    """
    bound = ops.convert_to_tensor(bound, error.dtype)
    error = ops.where(error > bound, bound, error)
    return ops.where(error < -bound, -bound, error)
