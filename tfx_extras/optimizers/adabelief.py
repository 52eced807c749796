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

__all__ = ["AdaBelief"]


@register
class AdaBelief(Optimizer):
    r"""Adam, scaled by how far gradients are from their own moving average.

    $$
    \begin{aligned}
    m_t &= \beta_1 m_{t-1} + (1 - \beta_1)\, g_t \\
    s_t &= \beta_2 s_{t-1} + (1 - \beta_2)\, (g_t - m_t)^2 + \epsilon \\
    w_t &= w_{t-1} - \eta\, r_t\,
        \frac{m_t / (1 - \beta_1^t)}{\sqrt{s_t / (1 - \beta_2^t)} + \epsilon}
    \end{aligned}
    $$

    Here $g_t$ is the gradient, $w_t$ the weights and $\eta$ the learning rate.
    With `rectify`, $r_t$ is the factor of `RAdam`, and while it is undefined (5
    updates, by default) the denominator is 1. Without, $r_t = 1$. With
    `amsgrad`, the largest $s$ so far takes the place of $s_t$ in the last line.

    Memory: 2 slots, 3 with `amsgrad`: 8 or 12 bytes per weight, and 2 more for
    half precision weights.

    Differs from the paper, and agrees with its authors' code, in the default of
    `rectify`, and in that $\epsilon$ accumulates in $s_t$.

    Args:
        learning_rate: $\eta$, in [0, inf): a number, a schedule, or a callable
            without arguments.
        beta_1: $\beta_1$, decay of the momentum, in [0, 1).
        beta_2: $\beta_2$, decay of the variance, in [0, 1).
        epsilon: $\epsilon$, in (0, inf). It enters under the root at every
            update, so it is much smaller than Adam's.
        rectify: Whether to correct for the few gradients seen so far.
        amsgrad: Whether the denominator may only grow.
        sma_threshold: Length of the average, in updates, from which $r_t$ is
            used, in [4, inf).
        **kwargs: Options of every optimizer: see `OptimizerOptions`.

    Raises:
        ValueError: If an argument is outside its interval.

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
        return corrections(step, self.beta_1, self.beta_2, self.sma_threshold)

    def update(self, gradient, variable, coefficients, slots):
        c_1, c_2, r, is_defined = coefficients
        momentum, variance, *max_variance = slots
        m = self.beta_1 * momentum + (1 - self.beta_1) * gradient
        surprise = ops.square(gradient - m)
        # So added up, XLA on a CPU does not compute it once for each use.
        s = self.beta_2 * variance + ((1 - self.beta_2) * surprise + self.epsilon)
        maxima = tuple(ops.where(s > past, s, past) for past in max_variance)
        largest = maxima[0] if self.amsgrad else s
        deviation = ops.sqrt(largest * c_2) + self.epsilon
        if self.rectify:
            direction = backend.choose(is_defined, (m * r) / deviation, m * c_1)
        else:
            direction = (m * c_1) / deviation
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
