"""AdaBelief."""

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

__all__ = ["AdaBelief"]


@register
class AdaBelief(Optimizer):
    r"""AdaBelief: Adam scaled by how far gradients deviate from their moving average.

    Use it in place of Adam to take large steps where gradients agree with their moving
    average, and small steps where they deviate from it. Do not reuse Adam's `epsilon`,
    which is too large here: it is added under the root at each step. Keras has no
    equivalent. `keras.optimizers.Adam` averages the squares of the gradients
    themselves.

    $$
    \begin{aligned}
    m_t &= \beta_1 m_{t-1} + (1 - \beta_1)\, g_t \\
    s_t &= \beta_2 s_{t-1} + (1 - \beta_2)\, (g_t - m_t)^2 + \epsilon \\
    w_t &= w_{t-1} - \eta\, r_t\,
        \frac{m_t / (1 - \beta_1^t)}{\sqrt{s_t / (1 - \beta_2^t)} + \epsilon}
    \end{aligned}
    $$

    $g_t$ is the gradient, $w_t$ are the weights, and $\eta$ is the learning rate. $m_t$
    is the first moment (momentum), and $s_t$ the second moment of the deviations. With
    `rectify`, $r_t$ is the factor of `RAdam`. While it is undefined (5 steps, by
    default), the denominator is 1. Without `rectify`, $r_t = 1$. With `amsgrad`, the
    maximum of $s$ so far replaces $s_t$ in the last line.

    Memory: 8 bytes of state per weight, 12 with `amsgrad`, and 2 more per 16-bit weight
    (bfloat16, float16).

    Differs from the paper, and agrees with its authors' code, in two points. `rectify`
    is on by default, and $\epsilon$ is accumulated in $s_t$.

    Args:
        learning_rate: $\eta$, in [0, inf): a number, a schedule, or a function without
            arguments that returns it.
        beta_1: $\beta_1$, decay rate of the first moment (momentum), in [0, 1).
        beta_2: $\beta_2$, decay rate of the second moment, in [0, 1).
        epsilon: $\epsilon$, in (0, inf). It is added under the root at each step, so it
            must be much smaller than Adam's.
        rectify: Whether to correct for the few gradients seen so far, as `RAdam` does.
        amsgrad: Whether to use AMSGrad, which replaces the second moment by its maximum
            so far.
        sma_threshold: Minimum $\rho_t$, the length of the moving average in steps, for
            which $r_t$ is used, in [4, inf): see `RAdam`.
        **kwargs: Options of every optimizer, such as `weight_decay`,
            `weight_decay_exclude`, `clipnorm`, `use_ema` and
            `gradient_accumulation_steps`: see `OptimizerOptions`.

    Raises:
        ValueError: If an argument is outside its interval.
        TypeError: If an argument has the wrong type or an unknown name.

    Example:
        >>> w = keras.Variable([1.0, -2.0])
        >>> tfx_extras.optimizers.AdaBelief(0.1).apply([2 * w], [w])
        >>> print(w.numpy().round(4))
        [ 0.8 -1.6]

    Reference: Zhuang et al., 2020. https://arxiv.org/abs/2010.07468
    """

    @typechecked
    def __init__(
        self,
        learning_rate: LearningRate = 0.001,
        beta_1: Number = 0.9,
        beta_2: Number = 0.999,
        epsilon: Number = 1e-14,
        rectify: bool = True,
        amsgrad: bool = False,
        sma_threshold: Number = 5.0,
        **kwargs: Unpack[OptimizerOptions],
    ):
        super().__init__(learning_rate, **kwargs)
        self.beta_1 = require("beta_1", beta_1, "[0, 1)")
        self.beta_2 = require("beta_2", beta_2, "[0, 1)")
        self.epsilon = require("epsilon", epsilon, "(0, inf)")
        self.rectify = rectify
        self.amsgrad = amsgrad
        self.sma_threshold = require("sma_threshold", sma_threshold, "[4, inf)")
        self.slots = ("momentum", "variance") + ("max_variance",) * amsgrad

    def coefficients(self, step):
        threshold = self.sma_threshold if self.rectify else None
        return corrections(step, self.beta_1, self.beta_2, threshold)

    def _rate_factor(self, step):
        if not self.rectify:
            return 1.0
        return rate_factor(step, self.beta_2, self.sma_threshold)

    def update(self, gradient, variable, coefficients, slots):
        factor, c_2, is_defined = coefficients
        momentum, variance, *max_variance = slots
        m = self.beta_1 * momentum + (1 - self.beta_1) * gradient
        surprise = ops.square(gradient - m)
        # In another order, XLA on a CPU would compute the sum once for each use.
        s = self.beta_2 * variance + ((1 - self.beta_2) * surprise + self.epsilon)
        maxima = tuple(ops.where(s > past, s, past) for past in max_variance)
        largest = maxima[0] if self.amsgrad else s
        deviation = ops.sqrt(largest * c_2) + self.epsilon
        direction = (m * factor) / backend.choose(is_defined, deviation, 1.0)
        return direction, (m, s, *maxima)

    def get_config(self):
        return super().get_config() | {
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
            "epsilon": self.epsilon,
            "rectify": self.rectify,
            "amsgrad": self.amsgrad,
            "sma_threshold": self.sma_threshold,
        }
