"""COCOB."""

from types import MappingProxyType
from typing import Unpack

from keras import ops

from tfx_extras._checks import Number
from tfx_extras._checks import require
from tfx_extras._register import register
from tfx_extras._typed import typechecked
from tfx_extras.optimizers._base import Optimizer
from tfx_extras.optimizers._options import LearningRate
from tfx_extras.optimizers._options import OptimizerOptions

__all__ = ["COCOB"]


@register
class COCOB(Optimizer):
    r"""COCOB: coin-betting optimizer with no learning rate to tune.

    Use it for parameter-free training, where each weight finds its own step size by
    betting on its gradients, as on a coin. It costs memory: five state tensors, where
    Adam has two. Keras has no equivalent.

    $$
    \begin{aligned}
    L_t &= \max(L_{t-1}, |g_t|) \qquad
    \theta_t = \theta_{t-1} + g_t \qquad
    G_t = G_{t-1} + |g_t| \\
    R_t &= \max(R_{t-1} - g_t b_{t-1}, 0) \\
    b_t &= -\frac{\theta_t}{L_t \max(G_t + L_t, \alpha L_t)}\, (R_t + L_t) \\
    w_t &= w_{t-1} + \eta\, (b_t - b_{t-1})
    \end{aligned}
    $$

    $g_t$ is the gradient, $w_t$ are the weights, and $\eta$ is the learning rate. $L_t$
    is the maximum magnitude of the gradient so far, with $L_0 = 10^{-8}$. $\theta_t$ is
    the sum of the gradients, $G_t$ the sum of their magnitudes, and $R_t$ the reward.
    $b_t$ is the bet, 0 at first, which is how far each weight is from its initial
    value. All of this is computed for each weight by itself. In the first step, weights
    move by $1 / \alpha$.

    Memory: 20 bytes of state per weight, and 2 more per 16-bit weight
    (bfloat16, float16).

    Differs from the paper in the factor $\eta$, which is 1 there. Callbacks and
    schedules may set it.

    Args:
        learning_rate: $\eta$, in [0, inf): a number, a schedule, or a function without
            arguments that returns it.
        alpha: $\alpha$, in [1, inf). The larger it is, the smaller are the first steps.
        **kwargs: Options of every optimizer, such as `weight_decay`,
            `weight_decay_exclude`, `clipnorm`, `use_ema` and
            `gradient_accumulation_steps`: see `OptimizerOptions`.

    Raises:
        ValueError: If an argument is outside its interval.
        TypeError: If an argument has the wrong type or an unknown name.

    Example:
        >>> w = keras.Variable([1.0, -2.0])
        >>> tfx_extras.optimizers.COCOB().apply([2 * w], [w])
        >>> print(w.numpy().round(4))
        [ 0.99 -1.99]

    Reference: Orabona and Tommasi, 2017. https://arxiv.org/abs/1705.07795
    """

    # The bet follows from the others, but computing the past bet takes their old values
    # beside the new ones, and XLA would copy all four.
    slots = ("largest", "gradient_sum", "magnitude_sum", "reward", "bet")
    initial_values = MappingProxyType({"largest": 1e-8})
    _finds_its_rate = True  # `find_learning_rate` refuses it

    @typechecked
    def __init__(
        self,
        learning_rate: LearningRate = 1.0,
        alpha: Number = 100.0,
        **kwargs: Unpack[OptimizerOptions],
    ):
        super().__init__(learning_rate, **kwargs)
        self.alpha = require("alpha", alpha, "[1, inf)")

    def update(self, gradient, variable, coefficients, slots):
        largest, gradient_sum, magnitude_sum, reward, past_bet = slots
        magnitude = ops.absolute(gradient)
        largest = ops.where(magnitude > largest, magnitude, largest)
        gradient_sum = gradient_sum + gradient
        magnitude_sum = magnitude_sum + magnitude
        # Not `relu`, which XLA would compute again for the bet, from a copy of the past
        # reward.
        reward = reward - gradient * past_bet
        reward = ops.where(reward < 0, 0.0, reward)
        total, least = magnitude_sum + largest, self.alpha * largest
        scale = ops.where(total > least, total, least)
        # Two quotients, because a product of two magnitudes could overflow.
        bet = -(gradient_sum / scale) * (reward / largest + 1)
        slots = largest, gradient_sum, magnitude_sum, reward, bet
        return past_bet - bet, slots

    def get_config(self):
        return super().get_config() | {"alpha": self.alpha}
