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
    r"""Lookahead: moves slow weights towards the fast weights every k steps.

    Use it around any optimizer to smooth its path: every `sync_period` steps, the slow
    weights move a fraction of the way towards the fast weights of the inner optimizer,
    which continues from there. It costs one more copy of the weights. Keras has no
    equivalent.

    $$
    \begin{aligned}
    \theta_t &= A(\theta_{t-1}, g_t) \\
    \phi_t &= \phi_{t-1} + \alpha (\theta_t - \phi_{t-1}), \quad
    \theta_t \leftarrow \phi_t & \text{if } k \text{ divides } t
    \end{aligned}
    $$

    $A$ is a step of the inner optimizer, $g_t$ is the gradient, and $\theta$ are the
    weights of the model, called fast. $\phi$ are the slow weights. They begin as the
    weights before the first step, and change only where $k$ divides $t$.

    The learning rate, gradient clipping, weight decay and gradient accumulation are
    those of the inner optimizer. Accumulated gradients count as one step. A variable
    that has no gradient in step $t$, such as one of a frozen layer, stays as it is.

    Memory: 4 bytes per weight beside the state of the inner optimizer, also for 16-bit
    weights (bfloat16, float16). Time: one more pass over the weights and the slow
    weights.

    Args:
        inner_optimizer: The optimizer to wrap, or its name: one of this package, of
            Keras, or your own. A name that both have means that of Keras; the prefix
            `tfx_extras>` names ours. For loss scaling, put
            `keras.optimizers.LossScaleOptimizer` around this one, not inside of it.
        sync_period: $k$, in steps, a whole number in [1, 2^31).
        slow_step_size: $\alpha$, in [0, 1].
        name: Name of the optimizer.

    Raises:
        ValueError: If an argument is outside its interval.
        TypeError: If an argument has the wrong type or an unknown name.

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

    def before(self, variable, slots, is_first):
        # Not in `build`, because weights may be loaded after it.
        return None, (ops.where(is_first, variable, slots[0]),)

    def after(self, variable, slots, updates, is_update):
        (slow,) = slots
        syncs = is_update & (updates % self.sync_period == 0)
        phi = slow + self.slow_step_size * (variable - slow)
        if self.slow_step_size == 1:  # without rounding, by which weights would change
            phi = variable
        phi = ops.where(syncs, phi, slow)
        return ops.where(syncs, phi, variable), (phi,)

    def get_config(self):
        return super().get_config() | {
            "sync_period": self.sync_period,
            "slow_step_size": self.slow_step_size,
        }


@register
@typechecked
def Ranger(  # noqa: N802
    learning_rate: LearningRate = 0.001,
    sync_period: Number = 6,
    slow_step_size: Number = 0.5,
    **kwargs: Any,
) -> Lookahead:
    r"""Ranger: `Lookahead` around rectified Adam (`RAdam`).

    Use it as a short form of `Lookahead(RAdam(...))`, which warms up by itself and
    smooths its path. It costs the state of both, which is 12 bytes per weight. Keras
    has no equivalent.

    Args:
        learning_rate: $\eta$ of `RAdam`, in [0, inf): a number, a schedule, or a
            function without arguments that returns it.
        sync_period: $k$ of `Lookahead`, in steps, a whole number in [1, 2^31).
        slow_step_size: $\alpha$ of `Lookahead`, in [0, 1].
        **kwargs: Other arguments of `RAdam`, and options of every optimizer, such as
            `weight_decay`: see `OptimizerOptions`.

    Returns:
        A `Lookahead` optimizer, whose `inner_optimizer` is a `RAdam`.

    Raises:
        ValueError: If an argument is outside its interval.
        TypeError: If an argument has the wrong type or an unknown name.

    Example:
        >>> optimizer = tfx_extras.optimizers.Ranger(1e-3, weight_decay=0.01)
        >>> print(type(optimizer).__name__, type(optimizer.inner_optimizer).__name__)
        Lookahead RAdam

    Reference: Wright, 2019. https://github.com/lessw2020/Ranger-Deep-Learning-Optimizer
    """
    return Lookahead(RAdam(learning_rate, **kwargs), sync_period, slow_step_size)
