"""Proximal Adagrad."""

from typing import Unpack

from keras import ops

from tfx_extras._checks import Number
from tfx_extras._checks import require
from tfx_extras._register import register
from tfx_extras._typed import typechecked
from tfx_extras.optimizers._base import Optimizer
from tfx_extras.optimizers._options import LearningRate
from tfx_extras.optimizers._options import OptimizerOptions
from tfx_extras.optimizers._proximal import shrunk

__all__ = ["ProximalAdagrad"]


@register
class ProximalAdagrad(Optimizer):
    r"""Proximal Adagrad: Adagrad with L1 and L2 penalties, for sparse weights.

    Use it for sparse models, such as linear models with feature selection: the L1
    penalty makes weights exactly zero. As in Adagrad, effective learning rates only
    fall, so progress may slow down in long training. `keras.optimizers.Adagrad` has no
    penalties. `keras.optimizers.Ftrl` also makes weights exactly zero, by another
    formula.

    $$
    \begin{aligned}
    A_t &= A_{t-1} + g_t^2 \qquad \eta_t = \frac{\eta}{\sqrt{A_t}} \qquad
    x_t = w_{t-1} - \eta_t g_t \\
    w_t &= \text{sign}(x_t)\, \frac{\max(|x_t| - \eta_t l_1, 0)}{1 + \eta_t l_2}
    \end{aligned}
    $$

    $g_t$ is the gradient, $w_t$ are the weights, and $\eta$ is the learning rate. $A_t$
    is the sum of the squared gradients, with an initial value $A_0$. The last line is
    the step of FOBOS for the penalty $l_1 |w| + l_2 w^2 / 2$.

    Memory: 4 bytes of state per weight, and 2 more per 16-bit weight
    (bfloat16, float16).

    Differs from `keras.optimizers.Adagrad` in that there is no epsilon. The positive
    initial value of $A$ prevents a division by zero.

    Args:
        learning_rate: $\eta$, in [0, inf): a number, a schedule, or a function without
            arguments that returns it.
        initial_accumulator_value: $A_0$, in (0, inf).
        l1_regularization_strength: $l_1$, in [0, inf). It makes weights exactly 0.
        l2_regularization_strength: $l_2$, in [0, inf).
        **kwargs: Options of every optimizer, such as `weight_decay`,
            `weight_decay_exclude`, `clipnorm`, `use_ema` and
            `gradient_accumulation_steps`: see `OptimizerOptions`.

    Raises:
        ValueError: If an argument is outside its interval.
        TypeError: If an argument has the wrong type or an unknown name.

    Example:
        >>> w = keras.Variable([1.0, 0.01])
        >>> optimizer = tfx_extras.optimizers.ProximalAdagrad(
        ...     0.1, l1_regularization_strength=0.1
        ... )
        >>> optimizer.apply([2 * w], [w])
        >>> print(w.numpy().round(4))
        [0.8963 0.    ]

    Reference: Duchi and Singer, 2009.
    https://papers.nips.cc/paper/3793-efficient-learning-using-forward-backward-splitting
    """

    @typechecked
    def __init__(
        self,
        learning_rate: LearningRate = 0.001,
        initial_accumulator_value: Number = 0.1,
        l1_regularization_strength: Number = 0.0,
        l2_regularization_strength: Number = 0.0,
        **kwargs: Unpack[OptimizerOptions],
    ):
        super().__init__(learning_rate, **kwargs)
        self.initial_accumulator_value = require(
            "initial_accumulator_value", initial_accumulator_value, "(0, inf)"
        )
        self.l1_regularization_strength = require(
            "l1_regularization_strength", l1_regularization_strength, "[0, inf)"
        )
        self.l2_regularization_strength = require(
            "l2_regularization_strength", l2_regularization_strength, "[0, inf)"
        )
        self.slots = ("accumulator",)
        self.initial_values = {"accumulator": self.initial_accumulator_value}

    def move(self, gradient, variable, now, slots, index):
        (accumulator,) = slots
        a = accumulator + ops.square(gradient)
        rate = now.learning_rate / ops.sqrt(a)
        l1, l2 = self.l1_regularization_strength, self.l2_regularization_strength
        return shrunk(variable - rate * gradient, rate, l1, l2), (a,)

    def get_config(self):
        return super().get_config() | {
            "initial_accumulator_value": self.initial_accumulator_value,
            "l1_regularization_strength": self.l1_regularization_strength,
            "l2_regularization_strength": self.l2_regularization_strength,
        }
