"""Rectified Adam."""

from typing import Unpack

from keras import ops

from tfx_extras._backend import backend
from tfx_extras._checks import Number
from tfx_extras._checks import require
from tfx_extras._register import register
from tfx_extras._typed import typechecked
from tfx_extras.optimizers._base import Optimizer
from tfx_extras.optimizers._options import LearningRate
from tfx_extras.optimizers._options import OptimizerOptions
from tfx_extras.optimizers._rectification import corrections
from tfx_extras.optimizers._rectification import rate_factor

__all__ = ["RAdam"]


@register
class RAdam(Optimizer):
    r"""Rectified Adam (RAdam): Adam with a built-in learning-rate warm-up.

    Use it in place of Adam with a warm-up: it shortens the early steps, whose second
    moment rests on few gradients. It does not replace tuning the learning rate. Keras
    has no equivalent. There, `keras.optimizers.Adam` is combined with a schedule that
    warms up, such as `keras.optimizers.schedules.CosineDecay`.

    $$
    \begin{aligned}
    m_t &= \beta_1 m_{t-1} + (1 - \beta_1)\, g_t \\
    v_t &= \beta_2 v_{t-1} + (1 - \beta_2)\, g_t^2 \\
    \rho_\infty &= \frac{2}{1 - \beta_2} - 1 \qquad
    \rho_t = \rho_\infty - \frac{2 t \beta_2^t}{1 - \beta_2^t} \\
    r_t &= \sqrt{\frac{(\rho_t - 4) (\rho_t - 2) \rho_\infty}
        {(\rho_\infty - 4) (\rho_\infty - 2) \rho_t}} \\
    w_t &= w_{t-1} - \eta\, r_t\,
        \frac{m_t / (1 - \beta_1^t)}{\sqrt{v_t / (1 - \beta_2^t)} + \epsilon}
    \end{aligned}
    $$

    $g_t$ is the gradient, $w_t$ are the weights, and $\eta$ is the learning rate. $m_t$
    is the first moment (momentum), and $v_t$ the second moment. $\rho_t$ is the length
    of the moving average of $v$, in steps. While it is below `sma_threshold` (5 steps,
    by default), $r_t$ and the denominator are both 1, and the step is that of gradient
    descent with momentum. With `amsgrad`, the maximum of $v$ so far replaces $v_t$ in
    the last line.

    Memory: 8 bytes of state per weight, 12 with `amsgrad`, and 2 more per 16-bit weight
    (bfloat16, float16).

    Differs from the paper in the default of `sma_threshold`. It is 4 in the paper, and
    5 here, as in its authors' code, TensorFlow Addons, PyTorch and Optax.

    Args:
        learning_rate: $\eta$, in [0, inf): a number, a schedule, or a function without
            arguments that returns it.
        beta_1: $\beta_1$, decay rate of the first moment (momentum), in [0, 1).
        beta_2: $\beta_2$, decay rate of the second moment, in [0, 1). If it is at most
            0.6 (0.66 for a threshold of 5), $r_t$ is never used.
        epsilon: $\epsilon$, in (0, inf).
        amsgrad: Whether to use AMSGrad, which replaces the second moment by its maximum
            so far.
        sma_threshold: Minimum $\rho_t$ for which $r_t$ is used, in [4, inf).
        **kwargs: Options of every optimizer, such as `weight_decay`,
            `weight_decay_exclude`, `clipnorm`, `use_ema` and
            `gradient_accumulation_steps`: see `OptimizerOptions`.

    Raises:
        ValueError: If an argument is outside its interval.
        TypeError: If an argument has the wrong type or an unknown name.

    Example:
        >>> w = keras.Variable([1.0, -2.0])
        >>> tfx_extras.optimizers.RAdam(0.1).apply([2 * w], [w])
        >>> print(w.numpy().round(4))
        [ 0.8 -1.6]

    Reference: Liu et al., 2019. https://arxiv.org/abs/1908.03265
    """

    @typechecked
    def __init__(
        self,
        learning_rate: LearningRate = 0.001,
        beta_1: Number = 0.9,
        beta_2: Number = 0.999,
        epsilon: Number = 1e-7,
        amsgrad: bool = False,
        sma_threshold: Number = 5.0,
        **kwargs: Unpack[OptimizerOptions],
    ):
        super().__init__(learning_rate, **kwargs)
        self.beta_1 = require("beta_1", beta_1, "[0, 1)")
        self.beta_2 = require("beta_2", beta_2, "[0, 1)")
        self.epsilon = require("epsilon", epsilon, "(0, inf)")
        self.amsgrad = amsgrad
        self.sma_threshold = require("sma_threshold", sma_threshold, "[4, inf)")
        self.slots = ("momentum", "variance") + ("max_variance",) * amsgrad

    def coefficients(self, step):
        return corrections(step, self.beta_1, self.beta_2, self.sma_threshold)

    def _rate_factor(self, step):
        return rate_factor(step, self.beta_2, self.sma_threshold)

    def update(self, gradient, variable, coefficients, slots):
        factor, c_2, is_defined = coefficients
        momentum, variance, *max_variance = slots
        m = self.beta_1 * momentum + (1 - self.beta_1) * gradient
        v = self.beta_2 * variance + (1 - self.beta_2) * ops.square(gradient)
        maxima = tuple(ops.where(v > past, v, past) for past in max_variance)
        largest = maxima[0] if self.amsgrad else v
        deviation = ops.sqrt(largest * c_2) + self.epsilon
        direction = (m * factor) / backend.choose(is_defined, deviation, 1.0)
        return direction, (m, v, *maxima)

    def get_config(self):
        return super().get_config() | {
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
            "epsilon": self.epsilon,
            "amsgrad": self.amsgrad,
            "sma_threshold": self.sma_threshold,
        }
