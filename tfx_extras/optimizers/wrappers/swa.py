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
    r"""Keeps the plain average of snapshots of the weights.

    $$
    a_n = a_{n-1} + \frac{w_{s + (n - 1) c} - a_{n-1}}{n}, \qquad n = 1, 2, \ldots
    $$

    Here $w_t$ are the weights after update $t$ of the inner optimizer, which this
    does not change. So the snapshots are those after the updates $s$, $s + c$,
    $s + 2c$ and so on. In between, a constant or a cyclical learning rate lets the
    weights wander; `tfx_extras.schedules.epochs` counts updates.

    The average is for evaluation and for the finished model: see `swap`,
    `assign_average` and `tfx_extras.callbacks.SwapAverage`. A model with batch
    normalization needs `update_batch_norm` then. Accumulated gradients count as one
    update.

    Memory: 1 slot more than the inner optimizer: 4 bytes per weight, also for half
    precision weights. Time: one pass over weights and slot more.

    Args:
        inner_optimizer: An optimizer of this package, of Keras or your own, or a
            name of one. To scale a loss, put `LossScaleOptimizer` around
            this one.
        start: $s$, the number of updates after which the first snapshot is taken: a
            whole number in [1, 2^31).
        period: $c$, the number of updates between two: a whole number in [1, 2^31).
        name: Name of the optimizer.

    Raises:
        ValueError: If an argument is outside its interval.

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

    def _after(self, variable, slots, updates, is_update):
        (average,) = slots
        past = updates - self.start
        takes = is_update & (past >= 0) & (past % self.period == 0)
        n = ops.cast(past // self.period, variable.dtype) + 1
        moved = average + (variable - average) / ops.where(takes, n, 1.0)
        return None, (ops.where(takes, moved, average),)

    def get_config(self):
        return super().get_config() | {"start": self.start, "period": self.period}
