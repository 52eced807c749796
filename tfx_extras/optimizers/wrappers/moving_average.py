"""Exponential moving average (EMA) of the weights."""

from keras import ops

from tfx_extras._checks import COUNTABLE
from tfx_extras._checks import Number
from tfx_extras._checks import require
from tfx_extras._checks import require_steps
from tfx_extras._register import register
from tfx_extras._typed import typechecked
from tfx_extras.optimizers.wrappers._average import AverageWrapper
from tfx_extras.optimizers.wrappers._base import OfOptimizer

__all__ = ["MovingAverage"]


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
    the first step, and $a_t$ is their average. With `warmup`,
    $\min(d, (t - s) / (t - s + 9))$ replaces $d$, so that the first weights, which are
    far from good, are soon forgotten.

    The average is for evaluation and for the finished model: see `swap`,
    `assign_average` and `tfx_extras.callbacks.SwapAverage`. For batch normalization,
    see `update_batch_norm`. Accumulated gradients count as one step.

    Memory: 4 bytes per weight beside the state of the inner optimizer, also for 16-bit
    weights (bfloat16, float16). Time: one more pass over the weights and their average.

    Args:
        inner_optimizer: The optimizer to wrap, or its name: one of this package, of
            Keras, or your own. For loss scaling, put
            `keras.optimizers.LossScaleOptimizer` around this one, not inside of it.
        decay: $d$, in [0, 1).
        start_step: $s$, the number of steps during which the average equals the
            weights: a whole number in [0, 2^31).
        warmup: Whether the decay grows to $d$ during the first steps.
        name: Name of the optimizer.

    Raises:
        ValueError: If an argument is outside its interval.
        TypeError: If an argument has the wrong type or an unknown name.

    Example:
        >>> w = keras.Variable([1.0, -2.0])
        >>> optimizer = tfx_extras.optimizers.MovingAverage(
        ...     keras.optimizers.SGD(0.1), decay=0.5)
        >>> optimizer.apply([2 * w], [w])
        >>> optimizer.swap()  # the average of 1.0 and 0.8
        >>> print(w.numpy().round(4))
        [ 0.9 -1.8]

    Reference: Polyak and Juditsky, 1992. https://doi.org/10.1137/0330046
    """

    @typechecked
    def __init__(
        self,
        inner_optimizer: OfOptimizer,
        decay: Number = 0.99,
        start_step: Number = 0,
        warmup: bool = False,
        name: str | None = None,
    ):
        super().__init__(inner_optimizer, name)
        self.decay = require("decay", decay, "[0, 1)")
        self.start_step = require_steps("start_step", start_step, f"[0, {COUNTABLE})")
        self.warmup = warmup

    @property
    def has_average(self):
        return bool(self._iterations.numpy() > 0)

    def before(self, variable, slots, is_first):
        # Not in `build`, because weights may be loaded after it.
        return None, (ops.where(is_first, variable, slots[0]),)

    def after(self, variable, slots, updates, is_update):
        (average,) = slots
        n = ops.cast(updates - self.start_step, variable.dtype)
        gain = 1 - self.decay
        if self.warmup:
            early = 9 / (ops.where(n > 0, n, 1.0) + 9)  # 1 - n / (n + 9)
            gain = ops.where(early > gain, early, gain)
        moved = average + gain * (variable - average)
        moved = ops.where(n > 0, moved, variable)
        return None, (ops.where(is_update, moved, average),)

    def get_config(self):
        return super().get_config() | {
            "decay": self.decay,
            "start_step": self.start_step,
            "warmup": self.warmup,
        }
