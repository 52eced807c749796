"""Robust regression losses: quadratic for small errors, less steep for large ones."""

from typing import Any
from typing import Unpack

from keras import ops

from tfx_extras._backend import backend
from tfx_extras._checks import Number
from tfx_extras._checks import require
from tfx_extras._register import register
from tfx_extras._typed import typechecked
from tfx_extras.losses._base import FunctionLoss
from tfx_extras.losses._base import LossOptions
from tfx_extras.losses._base import aligned
from tfx_extras.losses._base import mean
from tfx_extras.losses._slopes import elementwise

__all__ = [
    "CharbonnierLoss",
    "GeneralRobustLoss",
    "Huber",
    "PseudoHuber",
    "SmoothL1",
    "charbonnier_loss",
    "general_robust_loss",
    "huber",
    "pseudo_huber",
    "smooth_l1",
]

TINY_SQUARE = 1e-15  # `float32` holds the squares of larger numbers to all digits
FAR = 1e18  # `float32` holds the squares of smaller numbers
TINY_POWER = 1e-14  # a power, or its distance from 2, that changes nothing if it is 0


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
    return mean(elementwise(_huber, y_true - y_pred, delta=delta))


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
    return mean(elementwise(_smooth_l1, error, delta=beta))


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
    return mean(elementwise(_pseudo_huber, y_true - y_pred, delta=delta))


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


@register
def charbonnier_loss(y_true, y_pred, epsilon: Number = 1e-3):
    r"""Charbonnier loss: absolute error that is smooth near 0.

    Function form of `CharbonnierLoss`, which has the formula.

    Args:
        y_true: Targets $y$, any real numbers, of shape `(..., values)`.
        y_pred: Predictions $\hat y$, of the same shape.
        epsilon: $\epsilon$, in (0, inf), in the unit of $y$: the error below which the
            loss is smooth, and the loss of an error of 0.

    Returns:
        One loss per sample, in the unit of $y$, of shape `(...)`, in `float32` or
        wider. Predictions of shape `(batch,)` have one loss each.

    Raises:
        ValueError: If shapes do not match.

    Example:
        >>> loss = tfx_extras.losses.charbonnier_loss([0.0, 0.0], [3.0, 0.0], epsilon=4)
        >>> print(keras.ops.convert_to_numpy(loss))
        [5. 4.]
    """
    y_true, y_pred = aligned(y_true, y_pred)
    error = y_true - y_pred
    if not TINY_SQUARE < epsilon < 1 / TINY_SQUARE:  # its square loses digits
        _, larger, ratio = _legs(error, epsilon)
        return mean(larger * ops.sqrt(1 + ops.square(ratio)))
    root = ops.sqrt(ops.square(error) + epsilon**2)
    if backend.may_be_infinite(root):
        root = ops.where(root < float("inf"), root, ops.abs(error))
    return mean(root)


@register
class CharbonnierLoss(FunctionLoss):
    r"""Charbonnier loss: absolute error that is smooth near 0.

    Use it for image restoration and super-resolution, where the absolute error gives
    sharper images than the squared error, and its gradient should not jump at 0.
    `keras.losses.MeanAbsoluteError` is the same loss with $\epsilon = 0$. `PseudoHuber`
    with `delta=epsilon` has the same gradient up to a factor, but is 0 without errors.

    $$ L = \frac1n \sum_{i=1}^n \sqrt{e_i^2 + \epsilon^2}, \quad e = y - \hat y $$

    $y_i$ is a target, $\hat y_i$ its prediction, and $n$ the number of values on the
    last axis. The loss is at least $\epsilon$. It is `PseudoHuber` with
    $\delta = \epsilon$, divided by $\epsilon$, plus $\epsilon$. Some implementations
    add $\epsilon$ itself under the root, so their `eps` is $\epsilon^2$ here.

    Returns one loss per sample, in the unit of $y$, of shape `(...)`, which `reduction`
    averages. Predictions of shape `(batch,)` have one loss each. Time and memory grow
    linearly with the number of predictions.

    Args:
        epsilon: $\epsilon$, in (0, inf), in the unit of $y$: the error below which the
            loss is smooth, and the loss of an error of 0.
        **kwargs: `name`, `reduction` and `dtype`: see `LossOptions`.

    Call arguments:
        y_true: Targets $y$, any real numbers, of shape `(..., values)`.
        y_pred: Predictions $\hat y$, of the same shape.

    Raises:
        ValueError: If an argument is outside its interval, or if shapes do not match in
            a call.
        TypeError: If an argument has the wrong type or an unknown name.

    Example:
        >>> loss = tfx_extras.losses.CharbonnierLoss(epsilon=3.0)
        >>> print(float(loss([[0.0]], [[4.0]])))
        5.0

    References:
        Charbonnier et al., 1997. https://doi.org/10.1109/83.551699
        Lai et al., 2017. https://arxiv.org/abs/1704.03915
    """

    function = staticmethod(charbonnier_loss)

    @typechecked
    def __init__(self, epsilon: Number = 1e-3, **kwargs: Unpack[LossOptions]):
        super().__init__(**kwargs)
        self.epsilon = require("epsilon", epsilon, "(0, inf)")


@register
def general_robust_loss(y_true, y_pred, alpha: Number = 1.0, scale: Number = 1.0):
    r"""General robust loss (Barron): one power from squared error to ignored outliers.

    Function form of `GeneralRobustLoss`, which has the formula.

    Args:
        y_true: Targets $y$, any real numbers, of shape `(..., values)`.
        y_pred: Predictions $\hat y$, of the same shape.
        alpha: $\alpha$, in [-inf, 2]: how robust the loss is. 2 gives half the squared
            error; lower values give outliers less influence.
        scale: $c$, in (0, inf), in the unit of $y$: the error up to which the loss is
            about quadratic.

    Returns:
        One loss per sample, without a unit, of shape `(...)`, in `float32` or wider.
        Predictions of shape `(batch,)` have one loss each.

    Raises:
        ValueError: If shapes do not match.

    Example:
        >>> loss = tfx_extras.losses.general_robust_loss([0, 0], [1.0, 1e6], alpha=-2)
        >>> print(keras.ops.convert_to_numpy(loss).round(4))
        [0.4 2. ]
    """
    y_true, y_pred = aligned(y_true, y_pred)
    error = (y_true - y_pred) / scale
    distance = 2 - alpha
    if alpha == 1:  # for which there is a form that does not overflow
        return mean(elementwise(_pseudo_huber, error, delta=1.0))
    q = ops.square(error)
    if distance < TINY_POWER:
        return mean(q / 2)
    if abs(alpha) < TINY_POWER:
        return mean(ops.log1p(q / 2))
    if distance * TINY_POWER > 1:
        return mean(-ops.expm1(-q / 2))
    growth = ops.expm1(alpha / 2 * ops.log1p(q / distance))
    return mean(distance / alpha * growth)


@register
class GeneralRobustLoss(FunctionLoss):
    r"""General robust loss (Barron): one power from squared error to ignored outliers.

    Use it for robust regression with outliers, to tune how much they count by one
    number. $\alpha = 1$ is a smooth absolute error, and with $\alpha < 0$ the loss of
    an outlier is bounded, so that its gradient vanishes; then start from a good model,
    or with a larger $\alpha$. `keras.losses.Huber` and `keras.losses.LogCosh` grow like
    the absolute error.

    $$ L = \frac1n \sum_{i=1}^n \begin{cases}
        e_i^2 / 2 & \alpha = 2 \\
        \log(1 + e_i^2 / 2) & \alpha = 0 \\
        1 - \exp(-e_i^2 / 2) & \alpha = -\infty \\
        \frac{|\alpha - 2|}{\alpha} \left( \left( \frac{e_i^2}{|\alpha - 2|} + 1
            \right)^{\alpha / 2} - 1 \right) & \text{otherwise} \end{cases},
        \quad e = \frac{y - \hat y}{c} $$

    $y_i$ is a target, $\hat y_i$ its prediction, and $n$ the number of values on the
    last axis. Whatever $\alpha$ is, the loss of small errors is half their square. Many
    robust losses are special cases: $\alpha = 1$ is `PseudoHuber` with $\delta = c$,
    divided by $c^2$ (also called L1-L2), 0 is the Cauchy or Lorentzian loss, -2 that of
    Geman and McClure, which is at most 2, and $-\infty$ that of Welsch or Leclerc,
    which is at most 1.

    The paper also defines the loss for $\alpha > 2$, where it is not robust, and lets
    $\alpha$ be trained, with a term that depends on it. Here it is a constant.

    Returns one loss per sample, without a unit, of shape `(...)`, which `reduction`
    averages. Predictions of shape `(batch,)` have one loss each. Time and memory grow
    linearly with the number of predictions.

    Args:
        alpha: $\alpha$, in [-inf, 2]: how robust the loss is. 2 gives half the squared
            error; lower values give outliers less influence.
        scale: $c$, in (0, inf), in the unit of $y$: the error up to which the loss is
            about quadratic.
        **kwargs: `name`, `reduction` and `dtype`: see `LossOptions`.

    Call arguments:
        y_true: Targets $y$, any real numbers, of shape `(..., values)`.
        y_pred: Predictions $\hat y$, of the same shape.

    Raises:
        ValueError: If an argument is outside its interval, or if shapes do not match in
            a call.
        TypeError: If an argument has the wrong type or an unknown name.

    Example:
        >>> loss = tfx_extras.losses.GeneralRobustLoss(alpha=0.0, scale=2.0)
        >>> print(f"{float(loss([[0.0]], [[2.0]])):.4f}")
        0.4055

    Reference: Barron, 2019. https://arxiv.org/abs/1701.03077
    """

    function = staticmethod(general_robust_loss)

    @typechecked
    def __init__(
        self, alpha: Number = 1.0, scale: Number = 1.0, **kwargs: Unpack[LossOptions]
    ):
        super().__init__(**kwargs)
        self.alpha = require("alpha", alpha, "[-inf, 2]")
        self.scale = require("scale", scale, "(0, inf)")


def _huber(error, delta):
    q = backend.limited(error, delta)  # not `abs`, whose second derivative is 0 at 0
    return q * (error - q / 2), (q,)


def _smooth_l1(error, delta):
    q = backend.limited(error, delta)
    slope = q / delta
    return slope * (error - q / 2), (slope,)


def _pseudo_huber(error, delta):
    ratio = error / delta
    if not backend.may_exceed(ops.abs(ratio), FAR):
        root = ops.sqrt(1 + ops.square(ratio))
        return delta * error * (ratio / (root + 1)), (delta * (ratio / root),)
    # This is delta error**2 / (hypot(error, delta) + delta), with numerator and
    # denominator divided by the larger of abs(error) and delta.
    is_large, _, ratio = _legs(error, delta)
    one = ops.ones_like(ratio)
    error_part = ops.where(is_large, ops.sign(error), ratio)
    delta_part = ops.where(is_large, ratio, one)
    hypotenuse = ops.sqrt(1 + ops.square(ratio))
    loss = delta * error * error_part / (hypotenuse + delta_part)
    return loss, (delta * error_part / hypotenuse,)


def _legs(error, delta) -> tuple[Any, Any, Any]:
    """Returns whether the error exceeds delta, the larger of both, and their ratio.

    Small errors keep their sign in the ratio, since abs would lose the second
    derivative at 0.
    """
    size = ops.abs(error)
    delta = ops.convert_to_tensor(delta, error.dtype)
    is_large = size > delta
    larger = ops.where(is_large, size, delta)
    return is_large, larger, ops.where(is_large, delta, error) / larger
