"""Regression losses, quadratic for small errors and linear for large ones."""

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
    r"""Half the squared error up to `delta`, and linear from there.

    $$ L = \frac1n \sum_{i=1}^n q_i \left( e_i - \tfrac12 q_i \right), \quad
        q_i = \max(-\delta, \min(e_i, \delta)), \quad e = y - \hat y $$

    Equals `keras.losses.huber`, and `torch.nn.functional.huber_loss` of each sample.

    Args:
        y_true: Values $y$, any real numbers, of shape `(..., values)`.
        y_pred: Predictions $\hat y$, of the same shape.
        delta: $\delta$, error from which the loss is linear, in (0, inf), in the
            unit of $y$.

    Returns:
        The loss in the unit of $y$, squared, of shape `(...)`, in `float32` or
        wider. Predictions of rank 1 are a batch: one loss for each.

    Raises:
        ValueError: If `y_true` and `y_pred` differ in shape.

    Example:
        >>> loss = tfx_extras.losses.huber([0.0, 0.0, 0.0], [0.5, 1.0, 3.0])
        >>> print(keras.ops.convert_to_numpy(loss))
        [0.125 0.5   2.5  ]

    Reference: Huber, 1964. https://doi.org/10.1214/aoms/1177703732
    """
    y_true, y_pred = aligned(y_true, y_pred)
    error = y_true - y_pred
    q = _within(error, delta)
    return mean(q * (error - q / 2))


@register
class Huber(FunctionLoss):
    r"""Half the squared error up to `delta`, and linear from there.

    Class form of `huber`, which has the formula.

    Args:
        delta: $\delta$, error from which the loss is linear, in (0, inf), in the
            unit of what is predicted.
        **kwargs: Options of every loss: see `LossOptions`.

    Raises:
        ValueError: If an argument is outside its interval.

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
    r"""The absolute error, rounded off where it is less than `beta`.

    $$ L = \frac1n \sum_{i=1}^n \frac{q_i}{\beta}
        \left( e_i - \tfrac12 q_i \right), \quad
        q_i = \max(-\beta, \min(e_i, \beta)), \quad e = y - \hat y $$

    It is `huber` divided by its `delta`, so its slope is at most 1 whatever
    `beta`. With `beta` 0 it is the absolute error. Equals
    `torch.nn.functional.smooth_l1_loss` of each sample.

    Args:
        y_true: Values $y$, any real numbers, of shape `(..., values)`.
        y_pred: Predictions $\hat y$, of the same shape.
        beta: $\beta$, error from which the loss is linear, in [0, inf), in the
            unit of $y$.

    Returns:
        The loss in the unit of $y$, of shape `(...)`, in `float32` or wider.
        Predictions of rank 1 are a batch: one loss for each.

    Raises:
        ValueError: If `y_true` and `y_pred` differ in shape.

    Example:
        >>> loss = tfx_extras.losses.smooth_l1([0.0, 0.0], [0.25, 3.0], beta=0.5)
        >>> print(keras.ops.convert_to_numpy(loss))
        [0.0625 2.75  ]

    Reference: Girshick, 2015. https://arxiv.org/abs/1504.08083
    """
    y_true, y_pred = aligned(y_true, y_pred)
    error = y_true - y_pred
    if beta == 0:
        return mean(error * ops.sign(error))  # not abs: in JAX, its slope at 0 is 1
    q = _within(error, beta)
    return mean(q / beta * (error - q / 2))


@register
class SmoothL1(FunctionLoss):
    r"""The absolute error, rounded off where it is less than `beta`.

    Class form of `smooth_l1`, which has the formula.

    Args:
        beta: $\beta$, error from which the loss is linear, in [0, inf), in the
            unit of what is predicted; 0 gives the absolute error.
        **kwargs: Options of every loss: see `LossOptions`.

    Raises:
        ValueError: If an argument is outside its interval.

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
    r"""Nearly `huber`, and smooth.

    $$ L = \frac1n \sum_{i=1}^n \delta^2 \left( \sqrt{1 + (e_i / \delta)^2} - 1
        \right), \quad e = y - \hat y $$

    For small errors it is half their square, for large ones
    $\delta\, (|e| - \delta)$. It is computed in a form that neither cancels for
    the former nor overflows for the latter.

    Args:
        y_true: Values $y$, any real numbers, of shape `(..., values)`.
        y_pred: Predictions $\hat y$, of the same shape.
        delta: $\delta$, error around which the loss becomes linear, in (0, inf),
            in the unit of $y$.

    Returns:
        The loss in the unit of $y$, squared, of shape `(...)`, in `float32` or
        wider. Predictions of rank 1 are a batch: one loss for each.

    Raises:
        ValueError: If `y_true` and `y_pred` differ in shape.

    Example:
        >>> loss = tfx_extras.losses.pseudo_huber([0.0, 0.0], [0.75, 1e9])
        >>> print(keras.ops.convert_to_numpy(loss))
        [2.5e-01 1.0e+09]

    Reference: Charbonnier et al., 1997. https://doi.org/10.1109/83.551699
    """
    y_true, y_pred = aligned(y_true, y_pred)
    error = y_true - y_pred
    size = ops.abs(error)
    delta_ = ops.convert_to_tensor(delta, error.dtype)
    # delta error**2 / (hypot(error, delta) + delta), divided by the larger of the two.
    # Small errors keep their sign: the second derivative of their size is lost at 0.
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
    r"""Nearly `Huber`, and smooth.

    Class form of `pseudo_huber`, which has the formula.

    Args:
        delta: $\delta$, error around which the loss becomes linear, in (0, inf),
            in the unit of what is predicted.
        **kwargs: Options of every loss: see `LossOptions`.

    Raises:
        ValueError: If an argument is outside its interval.

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
    """The error, or the bound with its sign; NaN stays.

    Not the smaller of the bound and the absolute error: at 0, that has a second
    derivative of 0.
    """
    bound = ops.convert_to_tensor(bound, error.dtype)
    error = ops.where(error > bound, bound, error)
    return ops.where(error < -bound, -bound, error)
