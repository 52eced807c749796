"""Prodigy."""

import math
from typing import Any
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

__all__ = ["Prodigy"]


@register
class Prodigy(Optimizer):
    r"""Prodigy: Adam that estimates its learning rate during training.

    Use it where there is no time to search for a learning rate, as when fine-tuning
    with LoRA or training diffusion models. Pass a schedule that ends at 0, such as
    cosine decay from 1: at a constant rate, the estimate may grow without end. If the
    estimate stays at `d0` for long, raise `d0`. Use `AdamW` if the learning rate is
    known: it takes half the memory. Keras has no equivalent.

    $$
    \begin{aligned}
    \eta_t &= d_{t-1}\, \eta \qquad
    \gamma_t = \frac{d_{t-1}}{d_0}\, \eta_t \\
    r_t &= \beta_3 r_{t-1} + \gamma_t \langle g_t, w_0 - w_{t-1} \rangle \qquad
    s_t = \beta_3 s_{t-1} + \gamma_t\, g_t \\
    \hat{d}_t &= c\, r_t / \|s_t\|_1 \qquad
    d_t = \max(d_{t-1}, \hat{d}_t) \\
    m_t &= \beta_1 m_{t-1} + (1 - \beta_1)\, d_{t-1} g_t \qquad
    v_t = \beta_2 v_{t-1} + (1 - \beta_2)\, d_{t-1}^2 g_t^2 \\
    w_t &= w_{t-1} - \eta_t \lambda w_{t-1} -
        \eta_t\, \frac{m_t}{\sqrt{v_t} + d_t \epsilon}
    \end{aligned}
    $$

    $g_t$ are the gradients, $w_t$ the weights, $\eta$ is the learning rate, and
    $\lambda$ the weight decay. $d_t$ estimates how far the weights must move, one
    number for all variables, and begins at $d_0$. The scalar product and the norm are
    over all variables that have a gradient in this step. $d_t$ stays while $s_t$ is 0.
    With `growth_rate`, $d_t$ follows the maximum of all $\hat{d}_t$ by steps of at most
    this factor. With `bias_correction`, $\eta_t$ is multiplied by
    $\sqrt{1 - \beta_2^t} / (1 - \beta_1^t)$. With `safeguard_warmup`, $\eta$ and its
    correction are left out of the $\gamma_t$ of $s_t$, so that a warm-up does not raise
    the estimate.

    `optimizer.estimate` is $d_t$, and `optimizer.estimated_learning_rate` is
    $d_t\, \eta$, the rate of the next step. `LearningRateLogger` logs both.

    Each variable keeps $w_t - w_0$, the sum of its steps, in place of $w_0$, because
    steps of $10^{-6}$ are lost in the difference of two weights in `float32`. So moves
    of the weights by others, such as `Lookahead`, a constraint or
    `ema_overwrite_frequency`, do not count.

    `ParameterGroups` may multiply the learning rate of some variables by 0, which
    leaves them out of the estimate. It cannot multiply it by other numbers, because
    there is one estimate for all.

    Memory: 16 bytes of state per weight, and 2 more per 16-bit weight
    (bfloat16, float16).

    Args:
        learning_rate: $\eta$, in [0, inf), a factor of the estimate: a number, a
            schedule, or a function without arguments that returns it.
        beta_1: $\beta_1$, decay rate of the momentum, in [0, 1).
        beta_2: $\beta_2$, decay rate of the second moment, in [0, 1).
        beta_3: $\beta_3$, decay rate of the estimate, in [0, 1). `None` means
            $\sqrt{\beta_2}$.
        epsilon: $\epsilon$, in (0, inf).
        d0: $d_0$, in (0, inf): the first estimate. If it is too large, training
            diverges, because the estimate never falls.
        d_coef: $c$, in (0, inf), a factor of the estimate. It is the only argument that
            should be tuned: try 0.5 and 2.
        growth_rate: Maximum factor of the estimate per step, in [1, inf), after its
            first rise above `d0`. `None` means no maximum.
        safeguard_warmup: Whether a low learning rate at the beginning has no influence
            on the estimate. Set it if the schedule has a warm-up.
        bias_correction: Whether to correct the bias of the moments, as Adam does.
        **kwargs: Options of every optimizer, such as `weight_decay`,
            `weight_decay_exclude`, `clipnorm`, `use_ema` and
            `gradient_accumulation_steps`: see `OptimizerOptions`. `cautious` and
            `cautious_decay` cannot be set.

    Raises:
        ValueError: If an argument is outside its interval.
        TypeError: If an argument has the wrong type or an unknown name.

    Example:
        >>> w = keras.Variable([1.0, -2.0])
        >>> optimizer = tfx_extras.optimizers.Prodigy(d0=0.01)
        >>> for _ in range(3):
        ...     optimizer.apply([2 * w], [w])
        >>> print(w.numpy().round(4))
        [ 0.8488 -1.8489]

    Reference: Mishchenko and Defazio, 2023. https://arxiv.org/abs/2306.06101
    """

    slots = ("displacement", "sums", "momentum", "variance")
    _finds_its_rate = True  # `find_learning_rate` refuses it

    @typechecked
    def __init__(
        self,
        learning_rate: LearningRate = 1.0,
        beta_1: Number = 0.9,
        beta_2: Number = 0.999,
        beta_3: Number | None = None,
        epsilon: Number = 1e-8,
        d0: Number = 1e-6,
        d_coef: Number = 1.0,
        growth_rate: Number | None = None,
        safeguard_warmup: bool = False,
        bias_correction: bool = False,
        **kwargs: Unpack[OptimizerOptions],
    ):
        super().__init__(learning_rate, **kwargs)
        for name in ("cautious", "cautious_decay"):
            if getattr(self, name):
                raise ValueError(
                    f"Argument `{name}` must be False for `Prodigy`, which measures "
                    f"how far its own steps have moved. Received: {name}=True"
                )
        self.beta_1 = require("beta_1", beta_1, "[0, 1)")
        self.beta_2 = require("beta_2", beta_2, "[0, 1)")
        if beta_3 is not None:
            beta_3 = require("beta_3", beta_3, "[0, 1)")
        self.beta_3 = beta_3
        self.epsilon = require("epsilon", epsilon, "(0, inf)")
        self.d0 = require("d0", d0, "(0, inf)")
        self.d_coef = require("d_coef", d_coef, "(0, inf)")
        if growth_rate is not None:
            growth_rate = require("growth_rate", growth_rate, "[1, inf)")
        self.growth_rate = growth_rate
        self.safeguard_warmup = safeguard_warmup
        self.bias_correction = bias_correction
        self.shared_values = {"d": self.d0, "d_max": self.d0, "r": 0.0}

    @property
    def estimate(self) -> Any:
        """How far the weights must move: d0 at first, and never less later."""
        d = ops.convert_to_tensor(self._shared[0]) if self.built else self.d0
        return ops.cast(d, "float32")

    @property
    def estimated_learning_rate(self) -> Any:
        """The learning rate times the estimate: that of the next step."""
        return ops.cast(self.learning_rate, "float32") * self.estimate

    def _take_rates(self, own_rates):
        for factor in {own.factor for own in own_rates or ()} - {0.0, 1.0}:
            raise ValueError(
                "Argument `learning_rate_multiplier` must be 0 or 1 in the groups of "
                "Prodigy, because it estimates one learning rate for all variables. "
                f"Received: learning_rate_multiplier={factor}"
            )
        super()._take_rates(own_rates)

    def coefficients(self, step):
        if not self.bias_correction:
            return 1.0
        root = ops.sqrt(step * 0.0 + bias_correction(self.beta_2, step))
        return root / bias_correction(self.beta_1, step)

    def totals(self, gradients, now, slots, shared):
        d, d_max, r = shared
        ratio = d / self.d0
        rate = d * now.learning_rate * now.coefficients
        gain = ratio * rate
        gain_of_sums = ratio * d if self.safeguard_warmup else gain
        beta_3 = math.sqrt(self.beta_2) if self.beta_3 is None else self.beta_3
        inner = size = ops.zeros_like(d)
        for g, (displacement, sums, *_) in zip(gradients, slots, strict=True):
            s = beta_3 * sums + ops.cast(gain_of_sums, g.dtype) * g
            size = size + ops.cast(ops.sum(ops.absolute(s)), d.dtype)
            inner = inner - ops.cast(ops.sum(g * displacement), d.dtype)
        r = beta_3 * r + gain * inner
        is_zero = size == 0
        found = self.d_coef * r / ops.where(is_zero, 1.0, size)
        found = ops.where(is_zero, d, found)
        # Comparisons in this order keep NaN.
        d_max = new = ops.where(found <= d_max, d_max, found)
        if self.growth_rate is not None:
            # Not `ratio == 1`, which compilers compute with the reciprocal of `d0`.
            is_first_rise = (d == ops.cast(self.d0, d.dtype)) & (found > d)
            limit = self.growth_rate * ops.where(is_first_rise, found, d)
            new = ops.where(limit < d_max, limit, d_max)
            new = ops.where(is_zero, d, new)
        coefficients = ratio, gain_of_sums, new / self.d0, beta_3
        now = now._replace(learning_rate=rate, coefficients=coefficients)
        return now, (new, d_max, r)

    def _after_decay(self, variable, now, index, direction=None):
        return variable  # the decay is part of the displacement

    def move(self, gradient, variable, now, slots, index):
        ratio, gain, new_ratio, beta_3 = now.coefficients
        displacement, sums, momentum, variance = slots
        s = beta_3 * sums + gain * gradient
        # Both moments are those of the formula divided by d_0 or its square, which
        # would be too small for `float32`.
        scaled = ratio * gradient
        m = self.beta_1 * momentum + (1 - self.beta_1) * scaled
        v = self.beta_2 * variance + (1 - self.beta_2) * ops.square(scaled)
        change = -now.learning_rate * m / (ops.sqrt(v) + new_ratio * self.epsilon)
        if self._decays[index]:
            rate = 1.0 if self.independent_decay else now.learning_rate
            change = change - rate * now.weight_decay * variable
        return variable + change, (displacement + change, s, m, v)

    def get_config(self):
        return super().get_config() | {
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
            "beta_3": self.beta_3,
            "epsilon": self.epsilon,
            "d0": self.d0,
            "d_coef": self.d_coef,
            "growth_rate": self.growth_rate,
            "safeguard_warmup": self.safeguard_warmup,
            "bias_correction": self.bias_correction,
        }
