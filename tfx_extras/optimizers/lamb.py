"""LAMB."""

from collections.abc import Sequence
from typing import Unpack

from keras import ops

from tfx_extras._checks import Number
from tfx_extras._checks import require
from tfx_extras._checks import require_patterns
from tfx_extras._register import register
from tfx_extras._typed import typechecked
from tfx_extras.optimizers._base import Optimizer
from tfx_extras.optimizers._options import LearningRate
from tfx_extras.optimizers._options import OptimizerOptions
from tfx_extras.optimizers._rectification import bias_correction

__all__ = ["LAMB"]

# Replaces an epsilon of 0. The square of a smaller number is 0 in `float32`.
_TINY = 1e-19


@register
class LAMB(Optimizer):
    r"""LAMB: Adam with a trust ratio for each layer, for large-batch training.

    Use it with batches of many thousands of samples and a learning-rate warm-up. The
    trust ratio scales the step of each variable to the norm of its weights. For small
    batches, Adam costs less, because it computes no norms. `keras.optimizers.Lamb`
    applies weight decay before the step, outside of the trust ratio, and has neither
    `layer_adaptation_exclude` nor `max_trust_ratio`.

    $$
    \begin{aligned}
    m_t &= \beta_1 m_{t-1} + (1 - \beta_1)\, g_t \\
    v_t &= \beta_2 v_{t-1} + (1 - \beta_2)\, g_t^2 \\
    u_t &= \frac{m_t / (1 - \beta_1^t)}{\sqrt{v_t / (1 - \beta_2^t)} + \epsilon}
        + \lambda w_{t-1} \\
    w_t &= w_{t-1} - \eta\, \frac{\|w_{t-1}\|}{\|u_t\|}\, u_t
    \end{aligned}
    $$

    $g_t$ is the gradient, $w_t$ are the weights of one variable, $\eta$ is the learning
    rate, and $\lambda$ the weight decay. $m_t$ is the first moment (momentum), and
    $v_t$ the second moment. The trust ratio $\|w\| / \|u\|$ is 1 where either norm is
    0, and for the variables of `layer_adaptation_exclude`. With `independent_decay`,
    weights decay before the step, and decay has no part in the ratio.

    Memory: 8 bytes of state per weight, and 2 more per 16-bit weight
    (bfloat16, float16).

    Differs from `keras.optimizers.Lamb` in that the trust ratio includes the weight
    decay, as in the paper, and in the default of `epsilon`, which is that of TensorFlow
    Addons.

    Args:
        learning_rate: $\eta$, in [0, inf): a number, a schedule, or a function without
            arguments that returns it.
        beta_1: $\beta_1$, decay rate of the first moment (momentum), in [0, 1).
        beta_2: $\beta_2$, decay rate of the second moment, in [0, 1).
        epsilon: $\epsilon$, in [0, inf).
        layer_adaptation_exclude: Regular expressions. Variables whose `path` matches
            any of them have a trust ratio of 1, whatever `max_trust_ratio`.
        max_trust_ratio: Maximum of the trust ratio, in (0, inf). It also holds where
            the ratio is 1 because a norm is 0. `None` means no maximum.
        **kwargs: Options of every optimizer, such as `weight_decay`,
            `weight_decay_exclude`, `clipnorm`, `use_ema` and
            `gradient_accumulation_steps`: see `OptimizerOptions`.

    Raises:
        ValueError: If an argument is outside its interval.
        TypeError: If an argument has the wrong type or an unknown name.

    Example:
        >>> w = keras.Variable([3.0, -4.0])
        >>> tfx_extras.optimizers.LAMB(0.1).apply([2 * w], [w])
        >>> print(w.numpy().round(4))
        [ 2.6464 -3.6464]

    Reference: You et al., 2019. https://arxiv.org/abs/1904.00962
    """

    decays_inside = True
    has_norms = True
    _path_arguments = (*Optimizer._path_arguments, "layer_adaptation_exclude")

    @typechecked
    def __init__(
        self,
        learning_rate: LearningRate = 0.001,
        beta_1: Number = 0.9,
        beta_2: Number = 0.999,
        epsilon: Number = 1e-6,
        layer_adaptation_exclude: Sequence[str] = (),
        max_trust_ratio: Number | None = None,
        **kwargs: Unpack[OptimizerOptions],
    ):
        super().__init__(learning_rate, **kwargs)
        self.beta_1 = require("beta_1", beta_1, "[0, 1)")
        self.beta_2 = require("beta_2", beta_2, "[0, 1)")
        self.epsilon = require("epsilon", epsilon, "[0, inf)")
        self.layer_adaptation_exclude = require_patterns(
            "layer_adaptation_exclude", layer_adaptation_exclude
        )
        if max_trust_ratio is not None:
            max_trust_ratio = require("max_trust_ratio", max_trust_ratio, "(0, inf)")
        self.max_trust_ratio = max_trust_ratio
        self.slots = ("momentum", "variance")

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        self._is_excluded = self._matches("layer_adaptation_exclude")

    def _traits(self, index):
        return *super()._traits(index), self._is_excluded[index]

    def coefficients(self, step):
        return bias_correction(self.beta_1, step), bias_correction(self.beta_2, step)

    def update(self, gradient, variable, coefficients, slots):
        c_1, c_2 = coefficients
        momentum, variance = slots
        m = self.beta_1 * momentum + (1 - self.beta_1) * gradient
        v = self.beta_2 * variance + (1 - self.beta_2) * ops.square(gradient)
        m_hat, v_hat = m / c_1, v / c_2
        return m_hat / (ops.sqrt(v_hat) + max(self.epsilon, _TINY)), (m, v)

    def move(self, gradient, variable, now, slots, index):
        u, slots = self.update(gradient, variable, now.coefficients, slots)
        u = self.penalized(u, variable, now, index)
        learning_rate = now.learning_rate
        if not self._is_excluded[index]:
            learning_rate = learning_rate * self._trust_ratio(variable, u)
        return variable - learning_rate * u, slots

    def _trust_ratio(self, w, u):
        w_norm, u_norm = map(ops.sqrt, self.squared_norms(w, u))
        ratio = w_norm / ops.where(u_norm > 0, u_norm, 1.0)
        ratio = ops.where((w_norm > 0) & (u_norm > 0), ratio, 1.0)
        if self.max_trust_ratio is None:
            return ratio
        most = ops.cast(self.max_trust_ratio, ratio.dtype)
        return ops.where(ratio < most, ratio, most)

    def get_config(self):
        return super().get_config() | {
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
            "epsilon": self.epsilon,
            "layer_adaptation_exclude": list(self.layer_adaptation_exclude),
            "max_trust_ratio": self.max_trust_ratio,
        }
