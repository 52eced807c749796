"""Stochastic weight averaging."""

from keras import ops

from tfx_extras._checks import COUNTABLE
from tfx_extras._checks import Number
from tfx_extras._checks import require_steps
from tfx_extras._register import register
from tfx_extras._typed import typechecked
from tfx_extras.optimizers.wrappers._average import AverageWrapper
from tfx_extras.optimizers.wrappers._base import OfOptimizer

__all__ = ["SWA"]


@register
class SWA(AverageWrapper):
    r"""Stochastic weight averaging (SWA): averages snapshots of the weights.

    Use it around any optimizer to average the weights of the last part of training,
    with a constant or cyclical learning rate, which lets the weights wander. It does
    not change training, but a model with batch normalization needs `update_batch_norm`
    afterwards. Keras has no equivalent. `use_ema=True` of an optimizer such as
    `keras.optimizers.SGD` keeps an exponential moving average (EMA) instead.

    $$
    a_n = a_{n-1} + \frac{w_{s + (n - 1) c} - a_{n-1}}{n}, \qquad n = 1, 2, \ldots
    $$

    $w_t$ are the weights after step $t$ of the inner optimizer, and $a_n$ is the
    average of the first $n$ snapshots. They are taken after the steps $s$, $s + c$,
    $s + 2c$ and so on. `tfx_extras.schedules.epochs` converts epochs to steps.

    The average is for evaluation and for the finished model: see `swap`,
    `assign_average` and `tfx_extras.callbacks.SwapAverage`. Accumulated gradients count
    as one step.

    Memory: 4 bytes per weight beside the state of the inner optimizer, also for 16-bit
    weights (bfloat16, float16). Time: one more pass over the weights and their average.

    Args:
        inner_optimizer: The optimizer to wrap, or its name: one of this package, of
            Keras, or your own. A name that both have means that of Keras; the prefix
            `tfx_extras>` names ours. For loss scaling, put
            `keras.optimizers.LossScaleOptimizer` around this one, not inside of it.
        start: $s$, the number of steps after which the first snapshot is taken: a whole
            number in [1, 2^31).
        period: $c$, the number of steps between two snapshots: a whole number in
            [1, 2^31).
        name: Name of the optimizer.

    Raises:
        ValueError: If an argument is outside its interval.
        TypeError: If an argument has the wrong type or an unknown name.

    Example:
        >>> w = keras.Variable([1.0, -2.0])
        >>> optimizer = tfx_extras.optimizers.SWA(
        ...     keras.optimizers.SGD(0.1), start=1, period=1)
        >>> for _ in range(2):
        ...     optimizer.apply([2 * w], [w])
        >>> optimizer.assign_average()  # that of 0.8 and 0.64
        >>> print(w.numpy().round(4))
        [ 0.72 -1.44]

    Reference: Izmailov et al., 2018. https://arxiv.org/abs/1803.05407
    """

    @typechecked
    def __init__(
        self,
        inner_optimizer: OfOptimizer,
        start: Number,
        period: Number,
        name: str | None = None,
    ):
        super().__init__(inner_optimizer, name)
        self.start = require_steps("start", start, f"[1, {COUNTABLE})")
        self.period = require_steps("period", period, f"[1, {COUNTABLE})")

    @property
    def has_average(self):
        return bool(self._iterations.numpy() >= self.start)

    def after(self, variable, slots, updates, is_update):
        (average,) = slots
        past = updates - self.start
        takes = is_update & (past >= 0) & (past % self.period == 0)
        n = ops.cast(past // self.period, variable.dtype) + 1
        moved = average + (variable - average) / ops.where(takes, n, 1.0)
        return None, (ops.where(takes, moved, average),)

    def get_config(self):
        return super().get_config() | {"start": self.start, "period": self.period}
