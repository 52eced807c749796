"""Lookahead, and its preset Ranger."""

from typing import Any

from keras import ops

from tfx_extras._checks import COUNTABLE
from tfx_extras._checks import Number
from tfx_extras._checks import require
from tfx_extras._checks import require_steps
from tfx_extras._register import register
from tfx_extras._typed import typechecked
from tfx_extras.optimizers._options import LearningRate
from tfx_extras.optimizers.radam import RAdam
from tfx_extras.optimizers.wrappers._base import OfOptimizer
from tfx_extras.optimizers.wrappers._base import OptimizerWrapper

__all__ = ["Lookahead", "Ranger"]


@register
class Lookahead(OptimizerWrapper):
    r"""Slow weights, which now and then go part of the way of another optimizer.

    $$
    \begin{aligned}
    \theta_t &= A(\theta_{t-1}, g_t) \\
    \phi_t &= \phi_{t-1} + \alpha (\theta_t - \phi_{t-1}), \quad
    \theta_t \leftarrow \phi_t & \text{if } k \text{ divides } t
    \end{aligned}
    $$

    Here $A$ is an update of the inner optimizer, $\theta$ are the weights of the
    model, $g_t$ their gradient, and $\phi$ the slow weights: at first those before
    the first update, and in between as they were.

    Learning rate, clipping, decay and accumulation are those of the inner
    optimizer. Accumulated gradients count as one update. A variable that has no
    gradient in update $t$, such as one of a frozen layer, stays as it is.

    Memory: 1 slot more than the inner optimizer: 4 bytes per weight, also for half
    precision weights. Time: one pass over weights and slot more.

    Args:
        inner_optimizer: $A$, an optimizer of this package, of Keras or your own, or
            a name of one. To scale a loss, put `LossScaleOptimizer`
            around this one.
        sync_period: $k$, in updates, a whole number in [1, 2^31).
        slow_step_size: $\alpha$, in [0, 1].
        name: Name of the optimizer.

    Raises:
        ValueError: If an argument is outside its interval.

    Example:
        >>> w = keras.Variable([1.0, -2.0])
        >>> optimizer = tfx_extras.optimizers.Lookahead(
        ...     keras.optimizers.SGD(0.1), sync_period=2)
        >>> for _ in range(2):
        ...     optimizer.apply([2 * w], [w])
        >>> print(w.numpy().round(4))
        [ 0.82 -1.64]

    Reference: Zhang et al., 2019. https://arxiv.org/abs/1907.08610
    """

    slots = ("slow",)
    _follows_all = False

    @typechecked
    def __init__(
        self,
        inner_optimizer: OfOptimizer,
        sync_period: Number = 6,
        slow_step_size: Number = 0.5,
        name: str | None = None,
    ):
        super().__init__(inner_optimizer, name)
        self.sync_period = require_steps(
            "sync_period", sync_period, f"[1, {COUNTABLE})"
        )
        self.slow_step_size = require("slow_step_size", slow_step_size, "[0, 1]")

    def _before(self, variable, slots, is_first):
        # Not when built: weights may be loaded after that.
        return None, (ops.where(is_first, variable, slots[0]),)

    def _after(self, variable, slots, updates, is_update):
        (slow,) = slots
        syncs = is_update & (updates % self.sync_period == 0)
        phi = ops.where(syncs, slow + self.slow_step_size * (variable - slow), slow)
        return ops.where(syncs, phi, variable), (phi,)

    def get_config(self):
        return super().get_config() | {
            "sync_period": self.sync_period,
            "slow_step_size": self.slow_step_size,
        }


@register
def Ranger(  # noqa: N802
    learning_rate: LearningRate = 0.001,
    sync_period: Number = 6,
    slow_step_size: Number = 0.5,
    **kwargs: Any,
) -> Lookahead:
    """Returns `Lookahead` around `RAdam`.

    Args:
        learning_rate: As for `RAdam`.
        sync_period: As for `Lookahead`.
        slow_step_size: As for `Lookahead`.
        **kwargs: Other arguments of `RAdam`.

    Example:
        >>> optimizer = tfx_extras.optimizers.Ranger(1e-3, weight_decay=0.01)
        >>> print(type(optimizer).__name__, type(optimizer.inner_optimizer).__name__)
        Lookahead RAdam

    Reference: Wright, 2019. https://github.com/lessw2020/Ranger-Deep-Learning-Optimizer
    """
    return Lookahead(RAdam(learning_rate, **kwargs), sync_period, slow_step_size)
