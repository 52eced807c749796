"""AdamW."""

from typing import Unpack

from keras import ops
from keras.optimizers.schedules import LearningRateSchedule

from tfx_extras._checks import Number
from tfx_extras._checks import require
from tfx_extras._register import register
from tfx_extras._typed import typechecked
from tfx_extras.optimizers._base import Optimizer
from tfx_extras.optimizers._options import LearningRate
from tfx_extras.optimizers._options import OptionsBesideDecay
from tfx_extras.optimizers._rectification import bias_correction

__all__ = ["AdamW"]


@register
class AdamW(Optimizer):
    r"""AdamW: Adam with decoupled weight decay, and with Nesterov momentum (NAdamW).

    Use it as the first choice for transformers and for most other models.
    `keras.optimizers.AdamW` computes the same direction, with another $\epsilon$. It
    has neither schedules of the weight decay nor compensated steps of 16-bit weights,
    and `keras.optimizers.Nadam` has another schedule of the momentum.

    $$
    \begin{aligned}
    m_t &= \beta_1 m_{t-1} + (1 - \beta_1)\, g_t \\
    v_t &= \beta_2 v_{t-1} + (1 - \beta_2)\, g_t^2 \\
    w_t &= w_{t-1} - \eta \lambda w_{t-1} - \eta\,
        \frac{n_t}{\sqrt{v_t / (1 - \beta_2^t)} + \epsilon} \qquad
    n_t = \frac{m_t}{1 - \beta_1^t}
    \end{aligned}
    $$

    $g_t$ is the gradient, $w_t$ are the weights, $\eta$ is the learning rate, and
    $\lambda$ the weight decay. $m_t$ is the first moment (momentum), and $v_t$ the
    second moment. With `nesterov`,

    $$ n_t = \beta_1 \frac{m_t}{1 - \beta_1^{t+1}}
        + (1 - \beta_1) \frac{g_t}{1 - \beta_1^t} $$

    With `amsgrad`, the maximum of $v$ so far replaces $v_t$ in the third line.

    Memory: 8 bytes of state per weight, 4 less if `beta_1` is 0, 4 more with `amsgrad`,
    and 2 more per 16-bit weight (bfloat16, float16).

    Differs from `keras.optimizers.AdamW` in $\epsilon$, which is added after the bias
    correction of $v_t$, as in the paper, and in the defaults of `epsilon` and
    `weight_decay`, which are those of PyTorch.

    Args:
        learning_rate: $\eta$, in [0, inf): a number, a schedule, or a function without
            arguments that returns it.
        beta_1: $\beta_1$, decay rate of the first moment (momentum), in [0, 1). If it
            is 0, no momentum is kept.
        beta_2: $\beta_2$, decay rate of the second moment, in [0, 1).
        epsilon: $\epsilon$, in (0, inf).
        nesterov: Whether to use Nesterov momentum (NAdamW).
        amsgrad: Whether to use AMSGrad, which replaces the second moment by its maximum
            so far.
        weight_decay: $\lambda$, in [0, inf), or a schedule of it, which is called with
            the number of steps so far. `None` means no weight decay.
        **kwargs: Options of every optimizer, such as `weight_decay_exclude`,
            `clipnorm`, `use_ema` and `gradient_accumulation_steps`: see
            `OptimizerOptions`.

    Raises:
        ValueError: If an argument is outside its interval.
        TypeError: If an argument has the wrong type or an unknown name.

    Example:
        >>> w = keras.Variable([1.0, -2.0])
        >>> tfx_extras.optimizers.AdamW(0.1).apply([2 * w], [w])
        >>> print(w.numpy().round(4))
        [ 0.899 -1.898]

    Reference: Loshchilov and Hutter, 2017. https://arxiv.org/abs/1711.05101
    """

    @typechecked
    def __init__(
        self,
        learning_rate: LearningRate = 0.001,
        beta_1: Number = 0.9,
        beta_2: Number = 0.999,
        epsilon: Number = 1e-8,
        nesterov: bool = False,
        amsgrad: bool = False,
        weight_decay: Number | LearningRateSchedule | None = 0.01,
        **kwargs: Unpack[OptionsBesideDecay],
    ):
        super().__init__(learning_rate, weight_decay=weight_decay, **kwargs)
        self.beta_1 = require("beta_1", beta_1, "[0, 1)")
        self.beta_2 = require("beta_2", beta_2, "[0, 1)")
        self.epsilon = require("epsilon", epsilon, "(0, inf)")
        if nesterov and not self.beta_1:
            raise ValueError(
                "Argument `nesterov` has no effect without momentum. "
                f"Received: nesterov=True, beta_1={beta_1}"
            )
        self.nesterov = nesterov
        self.amsgrad = amsgrad
        has = {"momentum": self.beta_1 > 0, "variance": True, "max_variance": amsgrad}
        self.slots = tuple(name for name, is_kept in has.items() if is_kept)

    def coefficients(self, step):
        """Returns the factors of the first moment, the gradient and the second."""
        c_1 = 1 / bias_correction(self.beta_1, step)
        c_2 = 1 / bias_correction(self.beta_2, step)
        if not self.nesterov:
            return c_1, None, c_2
        next_c_1 = self.beta_1 / bias_correction(self.beta_1, step + 1)
        return next_c_1, (1 - self.beta_1) * c_1, c_2

    def update(self, gradient, variable, coefficients, slots):
        c_m, c_g, c_v = coefficients
        past = dict(zip(self.slots, slots, strict=True))
        m = self.beta_1 * past.get("momentum", 0.0) + (1 - self.beta_1) * gradient
        v = self.beta_2 * past["variance"] + (1 - self.beta_2) * ops.square(gradient)
        new = {"momentum": m, "variance": v}
        if self.amsgrad:
            largest = past["max_variance"]
            new["max_variance"] = v = ops.where(v > largest, v, largest)
        n = c_m * m + c_g * gradient if self.nesterov else c_m * m
        direction = n / (ops.sqrt(c_v * v) + self.epsilon)
        return direction, tuple(new[name] for name in self.slots)

    def get_config(self):
        return super().get_config() | {
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
            "epsilon": self.epsilon,
            "nesterov": self.nesterov,
            "amsgrad": self.amsgrad,
        }
