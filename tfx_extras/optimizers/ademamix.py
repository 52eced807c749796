"""AdEMAMix."""

import math
from typing import Unpack

from keras import ops

from tfx_extras._checks import COUNTABLE
from tfx_extras._checks import Number
from tfx_extras._checks import require
from tfx_extras._checks import require_steps
from tfx_extras._register import register
from tfx_extras._typed import typechecked
from tfx_extras.optimizers._base import Optimizer
from tfx_extras.optimizers._options import LearningRate
from tfx_extras.optimizers._options import OptimizerOptions
from tfx_extras.optimizers._rectification import bias_correction

__all__ = ["AdEMAMix"]


@register
class AdEMAMix(Optimizer):
    r"""AdEMAMix: AdamW with a second, slow momentum of some thousand gradients.

    Use it for long training, of some ten thousand steps or more, with `warmup_steps`
    set to the number of all steps. For shorter training, lower `beta_3`: its momentum
    averages about $1 / (1 - \beta_3)$ gradients. Its authors use a weight decay of 0.1,
    and in their example of 256,000 steps $\alpha = 8$. Keras has no equivalent.
    `keras.optimizers.AdamW` has the fast momentum only.

    $$
    \begin{aligned}
    m_{1,t} &= \beta_1 m_{1,t-1} + (1 - \beta_1)\, g_t \\
    m_{2,t} &= \beta_{3,t}\, m_{2,t-1} + (1 - \beta_{3,t})\, g_t \\
    v_t &= \beta_2 v_{t-1} + (1 - \beta_2)\, g_t^2 \\
    w_t &= w_{t-1} - \eta \lambda w_{t-1} - \eta\,
        \frac{m_{1,t} / (1 - \beta_1^t) + \alpha_t m_{2,t}}
        {\sqrt{v_t / (1 - \beta_2^t)} + \epsilon}
    \end{aligned}
    $$

    $g_t$ is the gradient, $w_t$ are the weights, $\eta$ is the learning rate, and
    $\lambda$ the weight decay. $m_1$ is the fast momentum, $m_2$ the slow momentum, and
    $v_t$ the second moment. With $T$ as `warmup_steps` and $\tau = \min(t / T, 1)$,

    $$
    \alpha_t = \alpha \tau \qquad \frac{1}{\ln \beta_{3,t}} =
    \frac{1 - \tau}{\ln \beta_1} + \frac{\tau}{\ln \beta_3}
    $$

    so that the half-life of the slow momentum grows linearly. Without `warmup_steps`,
    $\alpha_t = \alpha$ and $\beta_{3,t} = \beta_3$.

    Memory: 12 bytes of state per weight, 8 if `beta_1` is 0, and 2 more per 16-bit
    weight (bfloat16, float16).

    Args:
        learning_rate: $\eta$, in [0, inf): a number, a schedule, or a function without
            arguments that returns it.
        beta_1: $\beta_1$, decay rate of the fast momentum, in [0, 1). If it is 0, no
            fast momentum is kept.
        beta_2: $\beta_2$, decay rate of the second moment, in [0, 1).
        beta_3: $\beta_3$, decay rate of the slow momentum, in (0, 1), at least
            `beta_1`.
        alpha: $\alpha$, weight of the slow momentum, in [0, inf).
        warmup_steps: $T$, number of steps during which $\alpha_t$ and $\beta_{3,t}$
            grow, 1 or more. `None` means that they are constant: the first steps are
            then large.
        epsilon: $\epsilon$, in (0, inf).
        **kwargs: Options of every optimizer, such as `weight_decay`,
            `weight_decay_exclude`, `clipnorm`, `use_ema` and
            `gradient_accumulation_steps`: see `OptimizerOptions`.

    Raises:
        ValueError: If an argument is outside its interval.
        TypeError: If an argument has the wrong type or an unknown name.

    Example:
        >>> w = keras.Variable([1.0, -2.0])
        >>> optimizer = tfx_extras.optimizers.AdEMAMix(0.1, warmup_steps=1000)
        >>> optimizer.apply([2 * w], [w])
        >>> print(w.numpy().round(4))
        [ 0.9 -1.9]

    Reference: Pagliardini et al., 2024. https://arxiv.org/abs/2409.03137
    """

    @typechecked
    def __init__(
        self,
        learning_rate: LearningRate = 0.001,
        beta_1: Number = 0.9,
        beta_2: Number = 0.999,
        beta_3: Number = 0.9999,
        alpha: Number = 5.0,
        warmup_steps: Number | None = None,
        epsilon: Number = 1e-8,
        **kwargs: Unpack[OptimizerOptions],
    ):
        super().__init__(learning_rate, **kwargs)
        self.beta_1 = require("beta_1", beta_1, "[0, 1)")
        self.beta_2 = require("beta_2", beta_2, "[0, 1)")
        self.beta_3 = require("beta_3", beta_3, "(0, 1)")
        if self.beta_3 < self.beta_1:
            raise ValueError(
                "Argument `beta_3` must be at least `beta_1`, because it belongs to "
                f"the slow momentum. Received: beta_1={beta_1}, beta_3={beta_3}"
            )
        self.alpha = require("alpha", alpha, "[0, inf)")
        if warmup_steps is not None:
            warmup_steps = require_steps(
                "warmup_steps", warmup_steps, f"[1, {COUNTABLE})"
            )
        self.warmup_steps = warmup_steps
        self.epsilon = require("epsilon", epsilon, "(0, inf)")
        fast = ("momentum",) if self.beta_1 else ()
        self.slots = (*fast, "slow_momentum", "variance")

    def coefficients(self, step):
        c_1 = 1 / bias_correction(self.beta_1, step)
        c_2 = 1 / bias_correction(self.beta_2, step)
        if self.warmup_steps is None:
            return c_1, c_2, self.alpha, self.beta_3, 1 - self.beta_3
        passed = step / self.warmup_steps
        passed = ops.where(passed < 1, passed, 1.0)
        fast = 1 / math.log(self.beta_1) if self.beta_1 else 0.0
        log_beta_3 = 1 / ((1 - passed) * fast + passed / math.log(self.beta_3))
        # `1 - exp(x)` loses digits where `beta_3` is close to 1.
        gain = -ops.expm1(log_beta_3)
        return c_1, c_2, self.alpha * passed, ops.exp(log_beta_3), gain

    def update(self, gradient, variable, coefficients, slots):
        c_1, c_2, alpha, beta_3, gain = coefficients
        *fast, slow, variance = slots
        m_1 = self.beta_1 * (fast[0] if fast else 0.0) + (1 - self.beta_1) * gradient
        m_2 = beta_3 * slow + gain * gradient
        v = self.beta_2 * variance + (1 - self.beta_2) * ops.square(gradient)
        direction = (c_1 * m_1 + alpha * m_2) / (ops.sqrt(c_2 * v) + self.epsilon)
        return direction, (m_1, m_2, v) if fast else (m_2, v)

    def get_config(self):
        return super().get_config() | {
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
            "beta_3": self.beta_3,
            "alpha": self.alpha,
            "warmup_steps": self.warmup_steps,
            "epsilon": self.epsilon,
        }
