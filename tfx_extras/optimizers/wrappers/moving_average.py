"""Exponential moving average (EMA) of the weights."""

from typing import Any

from keras import ops

from tfx_extras._checks import COUNTABLE
from tfx_extras._checks import Number
from tfx_extras._checks import require
from tfx_extras._checks import require_one_of
from tfx_extras._checks import require_steps
from tfx_extras._register import register
from tfx_extras._typed import typechecked
from tfx_extras.optimizers.wrappers._average import AverageWrapper
from tfx_extras.optimizers.wrappers._base import OfOptimizer

__all__ = ["MovingAverage"]

_DECAY = 0.99
# The arguments that each warm-up uses.
USED = {
    False: ("decay",),
    True: ("decay",),
    "inverse": ("decay", "warmup_gamma", "warmup_power"),
    "power": ("warmup_gamma",),
}
INTERVALS = {"decay": "[0, 1)", "warmup_gamma": "(0, inf)", "warmup_power": "(0, 10]"}
DEFAULTS = {"decay": _DECAY, "warmup_gamma": None, "warmup_power": None}


@register
class MovingAverage(AverageWrapper):
    r"""Moving average: keeps an exponential moving average (EMA) of the weights.

    Use it around any optimizer, because averaged weights often test better than the
    last ones. It does not change training, and the average is used only where you swap
    it in. In Keras, `use_ema=True` of an optimizer such as `keras.optimizers.Adam` also
    keeps an EMA, but one that starts at $w_1$, has neither `warmup` nor `start_step`,
    and replaces the weights when training ends.

    $$
    a_t = d_t\, a_{t-1} + (1 - d_t)\, w_t, \qquad a_0 = w_0
    \qquad
    d_t = \begin{cases}
    0 & t \le s \\
    d & t > s
    \end{cases}
    $$

    $w_t$ are the weights after step $t$ of the inner optimizer, $w_0$ are those before
    the first step, and $a_t$ is their average. With `warmup`, $d_t$ grows with the
    number of averaged steps $n = t - s$, so that the first weights, which are far from
    good, are soon forgotten:

    | `warmup` | $d_t$ for $t > s$ | as in |
    |---|---|---|
    | `False` | $d$ | |
    | `True` | $\min(d, n / (n + 9))$ | TensorFlow |
    | `"inverse"` | $\min(d, 1 - (1 + n / \gamma)^{-p})$ | timm, diffusers |
    | `"power"` | $(1 - 1/n)^{\gamma + 1}$ | EDM2 |

    `"power"` averages over a share of all steps so far, however many they are: 10 % for
    a $\gamma$ of 6.94, and 5 % for 16.97, as the relative standard deviation of the
    window. It does not use $d$. `"inverse"` equals timm and diffusers if `start_step`
    is 1 more than their `update_after_step`.

    The average is for evaluation and for the finished model: see `swap`,
    `assign_average` and `tfx_extras.callbacks.SwapAverage`. For batch normalization,
    see `update_batch_norm`. Accumulated gradients count as one step.

    Memory: 4 bytes per weight beside the state of the inner optimizer, also for 16-bit
    weights (bfloat16, float16). Time: one more pass over the weights and their average.

    Args:
        inner_optimizer: The optimizer to wrap, or its name: one of this package, of
            Keras, or your own. A name that both have means that of Keras; the prefix
            `tfx_extras>` names ours. For loss scaling, put
            `keras.optimizers.LossScaleOptimizer` around this one, not inside of it.
        decay: $d$, in [0, 1).
        start_step: $s$, the number of steps during which the average equals the
            weights: a whole number in [0, 2^31).
        warmup: How the decay grows during the first steps: `True`, `"inverse"` or
            `"power"`, as above. With `False`, it does not.
        warmup_gamma: $\gamma$ of `"inverse"` and `"power"`, in (0, inf). `None` means 1
            and 6.94.
        warmup_power: $p$ of `"inverse"`, in (0, 10]. `None` means 2/3.
        name: Name of the optimizer.

    Raises:
        ValueError: If an argument is outside its interval, or is not used by `warmup`.
        TypeError: If an argument has the wrong type or an unknown name.

    Example:
        >>> w = keras.Variable([1.0, -2.0])
        >>> optimizer = tfx_extras.optimizers.MovingAverage(
        ...     keras.optimizers.SGD(0.1), decay=0.5)
        >>> optimizer.apply([2 * w], [w])
        >>> optimizer.swap()  # the average of 1.0 and 0.8
        >>> print(w.numpy().round(4))
        [ 0.9 -1.8]

    References:
        Polyak and Juditsky, 1992. https://doi.org/10.1137/0330046
        Karras et al., 2023. https://arxiv.org/abs/2312.02696
    """

    @typechecked
    def __init__(
        self,
        inner_optimizer: OfOptimizer,
        decay: Number = _DECAY,
        start_step: Number = 0,
        warmup: bool | str = False,
        warmup_gamma: Number | None = None,
        warmup_power: Number | None = None,
        name: str | None = None,
    ):
        super().__init__(inner_optimizer, name)
        self.start_step = require_steps("start_step", start_step, f"[0, {COUNTABLE})")
        require_one_of("warmup", warmup, USED)
        self.warmup = warmup
        self.decay = decay
        self.warmup_gamma, self.warmup_power = warmup_gamma, warmup_power
        values = (decay, warmup_gamma, warmup_power)
        for value, (name, default) in zip(values, DEFAULTS.items(), strict=True):
            if value is None or value == default:
                continue
            if name not in USED[warmup]:
                raise ValueError(
                    f"Argument `{name}` is not used with warmup={warmup}. "
                    f"Received: {name}={value}"
                )
            setattr(self, name, require(name, value, INTERVALS[name]))

    @property
    def has_average(self):
        return bool(self._iterations.numpy() > 0)

    def before(self, variable, slots, is_first):
        # Not in `build`, because weights may be loaded after it.
        return None, (ops.where(is_first, variable, slots[0]),)

    def after(self, variable, slots, updates, is_update):
        (average,) = slots
        n = ops.cast(updates - self.start_step, variable.dtype)
        gain = self._gain(ops.where(n > 0, n, 1.0))
        moved = average + gain * (variable - average)
        moved = ops.where(n > 0, moved, variable)
        return None, (ops.where(is_update, moved, average),)

    def _gain(self, n) -> Any:
        """Returns $1 - d_t$, in a form that does not cancel."""
        gain, gamma = 1 - self.decay, self.warmup_gamma
        if self.warmup == "power":
            past = ops.where(n > 1, n, 2.0)
            slow = -ops.expm1(((gamma or 6.94) + 1) * ops.log1p(-1 / past))
            return ops.where(n > 1, slow, 1.0)
        if self.warmup == "inverse":
            early = (1 + n / (gamma or 1.0)) ** -(self.warmup_power or 2 / 3)
        elif self.warmup:
            early = 9 / (n + 9)  # 1 - n / (n + 9)
        else:
            return gain
        gain = ops.cast(gain, early.dtype)
        return ops.where(early > gain, early, gain)

    def get_config(self):
        return super().get_config() | {
            "decay": self.decay,
            "start_step": self.start_step,
            "warmup": self.warmup,
            "warmup_gamma": self.warmup_gamma,
            "warmup_power": self.warmup_power,
        }
