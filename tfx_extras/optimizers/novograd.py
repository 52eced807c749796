"""NovoGrad."""

from typing import Unpack

from keras import ops

from tfx_extras._checks import Number
from tfx_extras._checks import require
from tfx_extras._register import register
from tfx_extras._typed import typechecked
from tfx_extras.optimizers._base import Optimizer
from tfx_extras.optimizers._options import LearningRate
from tfx_extras.optimizers._options import OptimizerOptions

__all__ = ["NovoGrad"]


@register
class NovoGrad(Optimizer):
    r"""NovoGrad: gradients normalized for each layer, with half the memory of Adam.

    Use it to save memory: it keeps one moment per weight and one number per variable,
    where Adam keeps two moments per weight. A learning rate that was tuned for Adam
    does not carry over, because each gradient is divided by the norm of its whole
    variable. Keras has no equivalent. `keras.optimizers.Lion` needs as little memory.

    $$
    \begin{aligned}
    v_t &= \beta_2 v_{t-1} + (1 - \beta_2)\, \|g_t\|^2 \qquad v_1 = \|g_1\|^2 \\
    m_t &= \beta_1 m_{t-1} + \frac{g_t}{\sqrt{v_t} + \epsilon} + \lambda w_{t-1} \\
    w_t &= w_{t-1} - \eta\, m_t
    \end{aligned}
    $$

    $g_t$ is the gradient of a variable, $w_t$ are its weights, $\eta$ is the learning
    rate, and $\lambda$ the weight decay. $g_1$ is the first gradient that is not 0.
    $v_t$ is the second moment, a single number, and $m_t$ is the momentum. With
    `grad_averaging`, what is added to the momentum after the first gradient is
    multiplied by $1 - \beta_1$. With `amsgrad`, the maximum of $v$ so far replaces
    $v_t$ in the second line. With `independent_decay`, weights decay before the step,
    and decay does not enter the momentum.

    Memory: 4 bytes of state per weight, 1 number (2 with `amsgrad`) per variable, and 2
    more bytes per 16-bit weight (bfloat16, float16).

    Differs from the paper in the defaults of `beta_1` and `beta_2`, which are 0.95 and
    0.98 there. Differs from TensorFlow Addons while the learning rate changes: see
    `rate_in_momentum`.

    Args:
        learning_rate: $\eta$, in [0, inf): a number, a schedule, or a function without
            arguments that returns it.
        beta_1: $\beta_1$, decay rate of the momentum, in [0, 1).
        beta_2: $\beta_2$, decay rate of the second moment, in [0, 1).
        epsilon: $\epsilon$, in (0, inf).
        grad_averaging: Whether the momentum is an average instead of a sum.
        amsgrad: Whether to use AMSGrad, which replaces the second moment by its maximum
            so far.
        rate_in_momentum: Whether $\eta$ multiplies what is added to the momentum, as in
            TensorFlow Addons, instead of the momentum itself. Each past gradient then
            keeps the learning rate of its own step.
        **kwargs: Options of every optimizer, such as `weight_decay`,
            `weight_decay_exclude`, `clipnorm`, `use_ema` and
            `gradient_accumulation_steps`: see `OptimizerOptions`.

    Raises:
        ValueError: If an argument is outside its interval.
        TypeError: If an argument has the wrong type or an unknown name.

    Example:
        >>> w = keras.Variable([3.0, -4.0])
        >>> tfx_extras.optimizers.NovoGrad(0.1).apply([2 * w], [w])
        >>> print(w.numpy().round(4))
        [ 2.94 -3.92]

    Reference: Ginsburg et al., 2019. https://arxiv.org/abs/1905.11286
    """

    decays_inside = True
    has_norms = True

    @typechecked
    def __init__(
        self,
        learning_rate: LearningRate = 0.001,
        beta_1: Number = 0.9,
        beta_2: Number = 0.999,
        epsilon: Number = 1e-7,
        grad_averaging: bool = False,
        amsgrad: bool = False,
        rate_in_momentum: bool = False,
        **kwargs: Unpack[OptimizerOptions],
    ):
        super().__init__(learning_rate, **kwargs)
        self.beta_1 = require("beta_1", beta_1, "[0, 1)")
        self.beta_2 = require("beta_2", beta_2, "[0, 1)")
        self.epsilon = require("epsilon", epsilon, "(0, inf)")
        self.grad_averaging = grad_averaging
        self.amsgrad = amsgrad
        self.rate_in_momentum = rate_in_momentum
        self.scalar_slots = ("variance",) + ("max_variance",) * amsgrad
        self.slots = ("momentum", *self.scalar_slots)
        # The variance tells whether there was a gradient yet: it is 0 until then. If
        # `beta_2` is 0, a later gradient of 0 gives 0 too, so -1 marks the start.
        if self.beta_2 == 0:
            self.initial_values = {"variance": -1.0}

    def move(self, gradient, variable, now, slots, index):
        momentum, variance, *max_variance = slots
        (square,) = self.squared_norms(gradient)
        is_first = variance == (0.0 if self.beta_2 else -1.0)
        v = self.beta_2 * variance + (1 - self.beta_2) * square
        v = ops.where(is_first, square, v)
        maxima = tuple(ops.where(v > past, v, past) for past in max_variance)
        largest = maxima[0] if self.amsgrad else v
        direction = gradient / (ops.sqrt(largest) + self.epsilon)
        direction = self.penalized(direction, variable, now, index)
        if self.grad_averaging:
            direction = ops.where(is_first, direction, (1 - self.beta_1) * direction)
        if self.rate_in_momentum:
            direction = now.learning_rate * direction
        if self.beta_2 == 0:
            v = ops.where(is_first & (square == 0), variance, v)
        m = self.beta_1 * momentum + direction
        change = m if self.rate_in_momentum else now.learning_rate * m
        return variable - change, (m, v, *maxima)

    def get_config(self):
        return super().get_config() | {
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
            "epsilon": self.epsilon,
            "grad_averaging": self.grad_averaging,
            "amsgrad": self.amsgrad,
            "rate_in_momentum": self.rate_in_momentum,
        }
