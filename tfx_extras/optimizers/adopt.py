"""ADOPT."""

from typing import Unpack

from keras import ops

from tfx_extras._checks import Number
from tfx_extras._checks import require
from tfx_extras._register import register
from tfx_extras._typed import typechecked
from tfx_extras.optimizers._base import Optimizer
from tfx_extras.optimizers._options import LearningRate
from tfx_extras.optimizers._options import OptimizerOptions

__all__ = ["ADOPT"]


@register
class ADOPT(Optimizer):
    r"""ADOPT: Adam that converges for any decay rate of its second moment.

    Use it in place of Adam where small batches or rare large gradients make training
    unstable. Each gradient is divided by the second moment of the gradients before it,
    and before it enters the momentum. The learning rate and the weight decay are those
    of `AdamW`. In training of less than some ten thousand steps, try `beta_2=0.999`.
    Keras has no equivalent. `keras.optimizers.Adam` divides by a second moment that
    contains the gradient itself.

    $$
    \begin{aligned}
    n_t &= \text{clip}\left(\frac{g_t}{\max(\sqrt{v_{t-1}}, \epsilon)},
        \pm (t - 1)^p\right) \\
    m_t &= \beta_1 m_{t-1} + (1 - \beta_1)\, n_t \\
    v_t &= \beta_2 v_{t-1} + (1 - \beta_2)\, g_t^2 \\
    w_t &= w_{t-1} - \eta \lambda w_{t-1} - \eta\, m_t
    \end{aligned}
    $$

    $g_t$ is the gradient, $w_t$ are the weights, $\eta$ is the learning rate,
    $\lambda$ the weight decay, and $p$ is `clip_power`. $m_t$ is the momentum, and
    $v_t$ the second moment. The first step moves nothing: it sets $v_1 = g_1^2$. A
    weight whose gradients were all 0 so far, as in an embedding, takes its first
    gradient in the same way.

    Memory: 8 bytes of state per weight, and 2 more per 16-bit weight
    (bfloat16, float16).

    Differs from the paper for weights whose first gradients are 0. There, the first
    other gradient is divided by $\epsilon$, and makes the largest step.

    Args:
        learning_rate: $\eta$, in [0, inf): a number, a schedule, or a function without
            arguments that returns it.
        beta_1: $\beta_1$, decay rate of the momentum, in [0, 1).
        beta_2: $\beta_2$, decay rate of the second moment, in [0, 1).
        epsilon: $\epsilon$, in (0, inf).
        clip_power: $p$, in (0, inf). `None` means no clipping, as in the first version
            of the paper.
        **kwargs: Options of every optimizer, such as `weight_decay`,
            `weight_decay_exclude`, `clipnorm`, `use_ema` and
            `gradient_accumulation_steps`: see `OptimizerOptions`.

    Raises:
        ValueError: If an argument is outside its interval.
        TypeError: If an argument has the wrong type or an unknown name.

    Example:
        >>> w = keras.Variable([1.0, -2.0])
        >>> optimizer = tfx_extras.optimizers.ADOPT(0.1)
        >>> for _ in range(2):
        ...     optimizer.apply([2 * w], [w])
        >>> print(w.numpy().round(4))
        [ 0.99 -1.99]

    Reference: Taniguchi et al., 2024. https://arxiv.org/abs/2411.02853
    """

    decays_inside = True

    @typechecked
    def __init__(
        self,
        learning_rate: LearningRate = 0.001,
        beta_1: Number = 0.9,
        beta_2: Number = 0.9999,
        epsilon: Number = 1e-6,
        clip_power: Number | None = 0.25,
        **kwargs: Unpack[OptimizerOptions],
    ):
        super().__init__(learning_rate, **kwargs)
        self.beta_1 = require("beta_1", beta_1, "[0, 1)")
        self.beta_2 = require("beta_2", beta_2, "[0, 1)")
        self.epsilon = require("epsilon", epsilon, "(0, inf)")
        if clip_power is not None:
            clip_power = require("clip_power", clip_power, "(0, inf)")
        self.clip_power = clip_power
        self.slots = ("momentum", "variance")

    def coefficients(self, step):
        """Returns whether weights move, as a number, and the limit of a gradient."""
        moves = ops.cast(step > 1, step.dtype)
        return moves, None if self.clip_power is None else (step - 1) ** self.clip_power

    def move(self, gradient, variable, now, slots, index):
        moves, limit = now.coefficients
        momentum, variance = slots
        root = ops.sqrt(variance)
        epsilon = ops.cast(self.epsilon, root.dtype)
        # Comparisons in this order keep NaN.
        n = gradient / ops.where(root < epsilon, epsilon, root)
        if limit is not None:
            n = ops.where(n > limit, limit, ops.where(n < -limit, -limit, n))
        is_first = variance == 0
        n = ops.where(is_first, 0.0 * gradient, n)
        square = ops.square(gradient)
        v = self.beta_2 * variance + (1 - self.beta_2) * square
        m = self.beta_1 * momentum + (1 - self.beta_1) * n
        direction = moves * self.penalized(m, variable, now, index)
        v = ops.where(is_first, square, v)
        return variable - now.learning_rate * direction, (m, v)

    def get_config(self):
        return super().get_config() | {
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
            "epsilon": self.epsilon,
            "clip_power": self.clip_power,
        }
