"""Wing losses: steep for small errors of landmarks and their heatmaps."""

import math
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
from tfx_extras.losses._probabilities import SLACK

__all__ = ["AdaptiveWingLoss", "WingLoss", "adaptive_wing_loss", "wing_loss"]


@register
def wing_loss(y_true, y_pred, width: Number = 10.0, curvature: Number = 2.0):
    r"""Wing loss: logarithmic for small errors of landmarks, linear for large ones.

    Function form of `WingLoss`, which has the formula.

    Args:
        y_true: Targets $y$, any real numbers, of shape `(..., values)`.
        y_pred: Predictions $\hat y$, of the same shape.
        width: $w$, in (0, inf), in the unit of $y$: the error from which the loss is
            linear.
        curvature: $\epsilon$, in (0, inf), in the unit of $y$. Smaller values give
            small errors more weight.

    Returns:
        One loss per sample, in the unit of $y$, of shape `(...)`, in `float32` or
        wider. Predictions of shape `(batch,)` have one loss each.

    Raises:
        ValueError: If shapes do not match.

    Example:
        >>> loss = tfx_extras.losses.wing_loss([0.0, 0.0, 0.0], [0.0, 2.0, 20.0])
        >>> print(keras.ops.convert_to_numpy(loss).round(4))
        [ 0.      6.9315 27.9176]
    """
    y_true, y_pred = aligned(y_true, y_pred)
    size = _size(y_true - y_pred)
    q = _at_most(size, width)
    return mean(width * ops.log1p(q / curvature) + (size - q))


@register
class WingLoss(FunctionLoss):
    r"""Wing loss: logarithmic for small errors of landmarks, linear for large ones.

    Use it for the regression of landmarks (keypoints) of faces, bodies or hands, whose
    small and medium errors should not be drowned by large ones. Its gradient is largest
    for small errors: $w / \epsilon$. The defaults are for coordinates in pixels: divide
    both by the size of the image if yours are in [0, 1]. For heatmaps, use
    `AdaptiveWingLoss`. `keras.losses.Huber` gives small errors less weight instead.

    $$ L = \frac1n \sum_{i=1}^n \left( w \log(1 + q_i / \epsilon) + |e_i| - q_i \right),
        \quad q_i = \min(|e_i|, w), \quad e = y - \hat y $$

    $y_i$ is a target, $\hat y_i$ its prediction, and $n$ the number of values on the
    last axis. $q_i$ is the size of the error, limited to $w$. Where the error is 0, the
    gradient is 0.

    Returns one loss per sample, in the unit of $y$, of shape `(...)`, which `reduction`
    averages. Predictions of shape `(batch,)` have one loss each. Time and memory grow
    linearly with the number of predictions.

    Args:
        width: $w$, in (0, inf), in the unit of $y$: the error from which the loss is
            linear.
        curvature: $\epsilon$, in (0, inf), in the unit of $y$. Smaller values give
            small errors more weight.
        **kwargs: `name`, `reduction` and `dtype`: see `LossOptions`.

    Call arguments:
        y_true: Targets $y$, any real numbers, of shape `(..., values)`.
        y_pred: Predictions $\hat y$, of the same shape.

    Raises:
        ValueError: If an argument is outside its interval, or if shapes do not match in
            a call.
        TypeError: If an argument has the wrong type or an unknown name.

    Example:
        >>> loss = tfx_extras.losses.WingLoss(width=5.0, curvature=0.5)
        >>> print(f"{float(loss([[0.0]], [[0.5]])):.4f}")
        3.4657

    Reference: Feng et al., 2017. https://arxiv.org/abs/1711.06753
    """

    function = staticmethod(wing_loss)

    @typechecked
    def __init__(
        self,
        width: Number = 10.0,
        curvature: Number = 2.0,
        **kwargs: Unpack[LossOptions],
    ):
        super().__init__(**kwargs)
        self.width = require("width", width, "(0, inf)")
        self.curvature = require("curvature", curvature, "(0, inf)")


@register
def adaptive_wing_loss(
    y_true,
    y_pred,
    omega: Number = 14.0,
    theta: Number = 0.5,
    epsilon: Number = 1.0,
    alpha: Number = 2.1,
):
    r"""Adaptive wing loss: wing loss for heatmaps, steeper where the target is bright.

    Function form of `AdaptiveWingLoss`, which has the formula.

    Args:
        y_true: Heatmaps $y$, in [0, 1], of shape `(batch, ..., channels)`.
        y_pred: Predicted heatmaps $\hat y$, any real numbers, of the same shape.
        omega: $\omega$, in (0, inf): the scale of the loss.
        theta: $\theta$, in (0, inf): the error from which the loss is linear.
        epsilon: $\epsilon$, in (0, inf). Smaller values give small errors more weight.
        alpha: $\alpha$, in [2, inf): the exponent of the error where the target is 0.
            It falls to $\alpha - 1$ where the target is 1.

    Returns:
        One loss per sample, without a unit, of the shape of `y_pred` without its last
        axis, in `float32` or wider. Predictions of shape `(batch,)` have one loss each.

    Raises:
        ValueError: If shapes do not match, or a target is found to be outside [0, 1].

    Example:
        >>> loss = tfx_extras.losses.adaptive_wing_loss([0.0, 1.0], [0.25, 0.75])
        >>> print(keras.ops.convert_to_numpy(loss).round(4))
        [0.7417 2.7568]
    """
    y, y_pred = aligned(y_true, y_pred)
    message = "`y_true` must hold heatmaps in [0, 1]. Divide them by their maximum."
    backend.check_within(y, 0.0, 1.0, SLACK, message)
    size = _size(y - y_pred)
    q = _at_most(size, theta)
    k = alpha - y
    # A is omega k r**(k - 1) / (epsilon (1 + r**k)) with r = theta / epsilon.
    a = omega / theta * k * ops.sigmoid(math.log(theta / epsilon) * k)
    # A power of 0 would have a gradient that is not finite where k is 1.
    is_zero = q == 0
    power = ops.where(is_zero, ops.ones_like(q), q / epsilon) ** k
    power = ops.where(is_zero, ops.zeros_like(q), power)
    return mean(omega * ops.log1p(power) + a * (size - q))


@register
class AdaptiveWingLoss(FunctionLoss):
    r"""Adaptive wing loss: wing loss for heatmaps, steeper where the target is bright.

    Use it for the regression of heatmaps of landmarks (keypoints), as in face alignment
    and pose estimation, where few bright pixels matter and most pixels are 0. For
    coordinates, use `WingLoss`. `keras.losses.MeanSquaredError` gives small errors of
    bright pixels little weight, which blurs the heatmaps.

    $$ L = \frac1n \sum_{i=1}^n \left( \omega \log\left( 1 + (q_i / \epsilon)^{k_i}
        \right) + A_i\, (|e_i| - q_i) \right), \quad A = \frac{\omega k}{\epsilon} \cdot
        \frac{(\theta / \epsilon)^{k - 1}}{1 + (\theta / \epsilon)^k} $$

    $e = y - \hat y$ is the error of a pixel, $q = \min(|e|, \theta)$ its size, limited
    to $\theta$, and $k = \alpha - y$ the exponent. $A$ is the slope at $\theta$, so
    that the loss is linear from there on. $n$ is the number of channels, the values on
    the last axis.

    To give the pixels around the bright ones more weight, as the weighted loss map of
    the paper does, pass `sample_weight` of the shape of the loss. It weights all
    channels of a pixel alike.

    Returns one loss per sample, without a unit, of the shape of `y_pred` without its
    last axis, which `reduction` averages. Predictions of shape `(batch,)` have one loss
    each. Time and memory grow linearly with the number of predictions.

    Args:
        omega: $\omega$, in (0, inf): the scale of the loss.
        theta: $\theta$, in (0, inf): the error from which the loss is linear.
        epsilon: $\epsilon$, in (0, inf). Smaller values give small errors more weight.
        alpha: $\alpha$, in [2, inf): the exponent of the error where the target is 0.
            It falls to $\alpha - 1$ where the target is 1.
        **kwargs: `name`, `reduction` and `dtype`: see `LossOptions`.

    Call arguments:
        y_true: Heatmaps $y$, in [0, 1], of shape `(batch, ..., channels)`.
        y_pred: Predicted heatmaps $\hat y$, any real numbers, of the same shape.

    Raises:
        ValueError: If an argument is outside its interval, or, in a call, if shapes do
            not match or a target is found to be outside [0, 1].
        TypeError: If an argument has the wrong type or an unknown name.

    Example:
        >>> loss = tfx_extras.losses.AdaptiveWingLoss()
        >>> print(f"{float(loss([[0.0], [1.0]], [[0.25], [0.75]])):.4f}")
        1.7493

    Reference: Wang et al., 2019. https://arxiv.org/abs/1904.07399
    """

    function = staticmethod(adaptive_wing_loss)

    @typechecked
    def __init__(
        self,
        omega: Number = 14.0,
        theta: Number = 0.5,
        epsilon: Number = 1.0,
        alpha: Number = 2.1,
        **kwargs: Unpack[LossOptions],
    ):
        super().__init__(**kwargs)
        self.omega = require("omega", omega, "(0, inf)")
        self.theta = require("theta", theta, "(0, inf)")
        self.epsilon = require("epsilon", epsilon, "(0, inf)")
        self.alpha = require("alpha", alpha, "[2, inf)")


def _size(error):
    # Not abs, which has gradient 1 at 0 in JAX.
    return error * ops.stop_gradient(ops.sign(error))


def _at_most(size, bound):
    """The minimum of both. NaN stays."""
    bound = ops.convert_to_tensor(bound, size.dtype)
    return ops.where(size > bound, bound, size)
