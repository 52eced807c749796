"""Yogi."""

from typing import Unpack

from keras import ops

from tfx_extras._checks import Number
from tfx_extras._checks import require
from tfx_extras._checks import require_one_of
from tfx_extras._register import register
from tfx_extras._typed import typechecked
from tfx_extras.optimizers._base import Optimizer
from tfx_extras.optimizers._options import LearningRate
from tfx_extras.optimizers._options import OptimizerOptions
from tfx_extras.optimizers._proximal import shrunk
from tfx_extras.optimizers._rectification import bias_correction

__all__ = ["Yogi"]


@register
class Yogi(Optimizer):
    r"""Yogi: Adam whose effective learning rate grows slowly after large gradients.

    Use it in place of Adam where training is unstable after large gradients: the second
    moment falls slowly then, so steps grow slowly, where those of Adam may leap. The
    defaults of `learning_rate` and `epsilon` are larger than Adam's. Keras has no
    equivalent. The second moment of `keras.optimizers.Adam` changes in proportion to
    its distance from the squared gradient.

    $$
    \begin{aligned}
    m_t &= \beta_1 m_{t-1} + (1 - \beta_1)\, g_t \\
    v_t &= v_{t-1} + (1 - \beta_2)\, \text{sign}(g_t^2 - v_{t-1})\, g_t^2 \\
    \eta_t &= \eta\, \frac{\sqrt{1 - \beta_2^t}}{1 - \beta_1^t}\,
        \frac{1}{\sqrt{v_t} + \epsilon} \qquad
    x_t = w_{t-1} - \eta_t m_t \\
    w_t &= \text{sign}(x_t)\, \frac{\max(|x_t| - \eta_t l_1, 0)}{1 + \eta_t l_2}
    \end{aligned}
    $$

    $g_t$ is the gradient, $w_t$ are the weights, and $\eta$ is the learning rate. $m_t$
    is the first moment (momentum), and $v_t$ the second moment, which changes by no
    more than the square of the gradient. With `activation="tanh"`,
    $\tanh(10\, (g_t^2 - v_{t-1}))$ replaces the sign.

    Memory: 8 bytes of state per weight, and 2 more per 16-bit weight
    (bfloat16, float16).

    Differs from the paper, and agrees with TensorFlow Addons, in the bias correction,
    which is that of `keras.optimizers.Adam`, and in the penalties of the last line.

    Args:
        learning_rate: $\eta$, in [0, inf): a number, a schedule, or a function without
            arguments that returns it.
        beta_1: $\beta_1$, decay rate of the first moment (momentum), in [0, 1).
        beta_2: $\beta_2$, decay rate of the second moment, in [0, 1).
        epsilon: $\epsilon$, in (0, inf).
        initial_accumulator_value: $v_0$, in [0, inf).
        l1_regularization_strength: $l_1$, in [0, inf). It makes weights exactly 0.
        l2_regularization_strength: $l_2$, in [0, inf).
        activation: `"sign"` or `"tanh"`.
        **kwargs: Options of every optimizer, such as `weight_decay`,
            `weight_decay_exclude`, `clipnorm`, `use_ema` and
            `gradient_accumulation_steps`: see `OptimizerOptions`.

    Raises:
        ValueError: If an argument is outside its interval.
        TypeError: If an argument has the wrong type or an unknown name.

    Example:
        >>> w = keras.Variable([1.0, -2.0])
        >>> tfx_extras.optimizers.Yogi(0.1).apply([2 * w], [w])
        >>> print(w.numpy().round(4))
        [ 0.9016 -1.9008]

    Reference: Zaheer et al., 2018.
    https://papers.nips.cc/paper/8186-adaptive-methods-for-nonconvex-optimization
    """

    @typechecked
    def __init__(
        self,
        learning_rate: LearningRate = 0.01,
        beta_1: Number = 0.9,
        beta_2: Number = 0.999,
        epsilon: Number = 1e-3,
        initial_accumulator_value: Number = 1e-6,
        l1_regularization_strength: Number = 0.0,
        l2_regularization_strength: Number = 0.0,
        activation: str = "sign",
        **kwargs: Unpack[OptimizerOptions],
    ):
        super().__init__(learning_rate, **kwargs)
        self.beta_1 = require("beta_1", beta_1, "[0, 1)")
        self.beta_2 = require("beta_2", beta_2, "[0, 1)")
        self.epsilon = require("epsilon", epsilon, "(0, inf)")
        self.initial_accumulator_value = require(
            "initial_accumulator_value", initial_accumulator_value, "[0, inf)"
        )
        self.l1_regularization_strength = require(
            "l1_regularization_strength", l1_regularization_strength, "[0, inf)"
        )
        self.l2_regularization_strength = require(
            "l2_regularization_strength", l2_regularization_strength, "[0, inf)"
        )
        self.activation = require_one_of("activation", activation, ("sign", "tanh"))
        self.slots = ("momentum", "variance")
        self.initial_values = {"variance": self.initial_accumulator_value}

    def coefficients(self, step):
        root = bias_correction(self.beta_2, step) ** 0.5
        return root / bias_correction(self.beta_1, step)

    def move(self, gradient, variable, now, slots, index):
        momentum, variance = slots
        square = ops.square(gradient)
        m = self.beta_1 * momentum + (1 - self.beta_1) * gradient
        growth = self._activated(square - variance)
        v = variance + (1 - self.beta_2) * growth * square
        scale = now.learning_rate * now.coefficients
        rate = scale / (ops.sqrt(v) + self.epsilon)
        l1, l2 = self.l1_regularization_strength, self.l2_regularization_strength
        return shrunk(variable - rate * m, rate, l1, l2), (m, v)

    def _activated(self, x):
        if self.activation == "sign":
            return ops.sign(x)
        # Not `ops.tanh(10 * x)`, which is `float32` on JAX.
        distance = -ops.expm1(-20 * ops.absolute(x))
        return ops.sign(x) * distance / (2 - distance)

    def get_config(self):
        return super().get_config() | {
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
            "epsilon": self.epsilon,
            "initial_accumulator_value": self.initial_accumulator_value,
            "l1_regularization_strength": self.l1_regularization_strength,
            "l2_regularization_strength": self.l2_regularization_strength,
            "activation": self.activation,
        }
