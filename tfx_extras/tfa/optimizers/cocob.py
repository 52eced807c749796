"""COCOB."""

from typing import Any

from tfx_extras import optimizers
from tfx_extras._checks import Number
from tfx_extras.tfa._register import register
from tfx_extras.tfa._typed import typechecked
from tfx_extras.tfa.optimizers._base import Optimizer


@register
class COCOB(Optimizer, optimizers.COCOB):
    r"""`tfx_extras.optimizers.COCOB`, which needs no learning rate.

    Differs from TensorFlow Addons: every step is multiplied by `learning_rate`, 1 by
    default, which callbacks and schedules may set. Sparse gradients are made dense.

    Args:
        alpha: $\alpha$, in [1, inf). Larger values make the first steps smaller.
        use_locking: Has no effect since TensorFlow 2.
        name: Name of the optimizer.
        **kwargs: `lr`, `decay` and the options of every optimizer: see
            `tfx_extras.optimizers.OptimizerOptions`.

    Raises:
        ValueError: If an argument is outside its interval.

    Example:
        >>> w = keras.Variable([3.0, -4.0])
        >>> optimizer = tfx_extras.tfa.optimizers.COCOB()
        >>> optimizer.apply([2 * w], [w])
        >>> print(w.numpy().round(4))
        [ 2.99 -3.99]

    Reference: Orabona and Tommasi, 2017. https://arxiv.org/abs/1705.07795
    """

    keeps_weights = False
    kept_slots = ()

    @typechecked
    def __init__(
        self,
        alpha: Number = 100,
        use_locking: bool = False,
        name: str | None = "COCOB",
        **kwargs: Any,
    ):
        super().__init__(
            alpha=alpha,
            name=name,
            **kwargs,
        )
        self.use_locking = use_locking
