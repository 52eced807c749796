"""Adan."""

from typing import Unpack

from keras import ops

from tfx_extras._checks import Number
from tfx_extras._checks import require
from tfx_extras._register import register
from tfx_extras._typed import typechecked
from tfx_extras.optimizers._base import Optimizer
from tfx_extras.optimizers._options import LearningRate
from tfx_extras.optimizers._options import OptimizerOptions
from tfx_extras.optimizers._rectification import bias_correction

__all__ = ["Adan"]


@register
class Adan(Optimizer):
    r"""Adan: adaptive Nesterov momentum, from the differences of gradients.

    Use it for vision transformers and other models that train with large batches. The
    default learning rate is that of Adam. Its authors use rates 5 to 10 times as large
    as those of Adam, such as 0.015 with a weight decay of 0.02 for ViT-S. The state
    takes twice as much memory as that of Adam. Keras has no equivalent.
    `keras.optimizers.Nadam` estimates Nesterov momentum from the momentum alone.

    $$
    \begin{aligned}
    d_t &= g_t - g_{t-1} \qquad d_1 = 0 \\
    m_t &= \beta_1 m_{t-1} + (1 - \beta_1)\, g_t \\
    k_t &= \beta_2 k_{t-1} + (1 - \beta_2)\, d_t \\
    n_t &= \beta_3 n_{t-1} + (1 - \beta_3)\, (g_t + \beta_2 d_t)^2 \\
    w_t &= \frac{w_{t-1} - \eta\, u_t}{1 + \eta \lambda} \qquad
    u_t = \frac{m_t / (1 - \beta_1^t) + \beta_2 k_t / (1 - \beta_2^t)}
        {\sqrt{n_t / (1 - \beta_3^t)} + \epsilon}
    \end{aligned}
    $$

    $g_t$ is the gradient, $w_t$ are the weights, $\eta$ is the learning rate, and
    $\lambda$ the weight decay. $m_t$ is the momentum, $k_t$ the momentum of the
    differences, and $n_t$ the second moment. Without `proximal`, and with
    `independent_decay`, weights decay before the step, as with every optimizer.

    Memory: 16 bytes of state per weight, and 2 more per 16-bit weight
    (bfloat16, float16).

    Differs from the paper in the meaning of the betas, which are 1 minus those of the
    paper, as in its authors' code.

    Args:
        learning_rate: $\eta$, in [0, inf): a number, a schedule, or a function without
            arguments that returns it.
        beta_1: $\beta_1$, decay rate of the momentum, in [0, 1).
        beta_2: $\beta_2$, decay rate of the momentum of the differences, in [0, 1).
        beta_3: $\beta_3$, decay rate of the second moment, in [0, 1).
        epsilon: $\epsilon$, in (0, inf).
        proximal: Whether weights are divided by $1 + \eta \lambda$ after the step,
            instead of the decay before the step.
        **kwargs: Options of every optimizer, such as `weight_decay`,
            `weight_decay_exclude`, `clipnorm`, `use_ema` and
            `gradient_accumulation_steps`: see `OptimizerOptions`.

    Raises:
        ValueError: If an argument is outside its interval.
        TypeError: If an argument has the wrong type or an unknown name.

    Example:
        >>> w = keras.Variable([1.0, -2.0])
        >>> tfx_extras.optimizers.Adan(0.1).apply([2 * w], [w])
        >>> print(w.numpy().round(4))
        [ 0.9 -1.9]

    Reference: Xie et al., 2022. https://arxiv.org/abs/2208.06677
    """

    @typechecked
    def __init__(
        self,
        learning_rate: LearningRate = 0.001,
        beta_1: Number = 0.98,
        beta_2: Number = 0.92,
        beta_3: Number = 0.99,
        epsilon: Number = 1e-8,
        proximal: bool = True,
        **kwargs: Unpack[OptimizerOptions],
    ):
        super().__init__(learning_rate, **kwargs)
        self.beta_1 = require("beta_1", beta_1, "[0, 1)")
        self.beta_2 = require("beta_2", beta_2, "[0, 1)")
        self.beta_3 = require("beta_3", beta_3, "[0, 1)")
        self.epsilon = require("epsilon", epsilon, "(0, inf)")
        if self.cautious_decay and proximal and not self.independent_decay:
            raise ValueError(
                "Argument `cautious_decay` must be False with `proximal`, which "
                "divides all weights. Received: cautious_decay=True, proximal=True"
            )
        self.proximal = self.decays_inside = proximal
        self.slots = ("momentum", "difference", "variance", "previous_gradient")

    def coefficients(self, step):
        betas = self.beta_1, self.beta_2, self.beta_3
        has_past = ops.cast(step > 1, step.dtype)
        return has_past, *(1 / bias_correction(beta, step) for beta in betas)

    def update(self, gradient, variable, coefficients, slots):
        has_past, c_1, c_2, c_3 = coefficients
        momentum, difference, variance, previous = slots
        d = has_past * (gradient - previous)
        m = self.beta_1 * momentum + (1 - self.beta_1) * gradient
        k = self.beta_2 * difference + (1 - self.beta_2) * d
        square = ops.square(gradient + self.beta_2 * d)
        n = self.beta_3 * variance + (1 - self.beta_3) * square
        u = c_1 * m + self.beta_2 * c_2 * k
        return u / (ops.sqrt(c_3 * n) + self.epsilon), (m, k, n, gradient)

    def move(self, gradient, variable, now, slots, index):
        w, slots = super().move(gradient, variable, now, slots, index)
        if self.proximal and not self.independent_decay and self._decays[index]:
            w = w / (1 + now.learning_rate * now.weight_decay)
        return w, slots

    def get_config(self):
        return super().get_config() | {
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
            "beta_3": self.beta_3,
            "epsilon": self.epsilon,
            "proximal": self.proximal,
        }
