"""COCOB."""

from typing import Any

from tfx_extras import optimizers
from tfx_extras._checks import Number
from tfx_extras.tfa._register import register
from tfx_extras.tfa._typed import typechecked
from tfx_extras.tfa.optimizers._base import Optimizer


@register
class COCOB(Optimizer, optimizers.COCOB):
    r"""`tfx_extras.optimizers.COCOB`.

    Differs from TensorFlow Addons: `learning_rate`, 1 by default, is a factor of the
    steps that callbacks and schedules may set, and a sparse gradient is taken as the
    dense one.

    Args:
        alpha: $\alpha$, in [1, inf). The larger it is, the smaller are first steps.
        use_locking: Without meaning since TensorFlow 2.
        name: Name of the optimizer.
        **kwargs: `lr`, `decay`, and options of every optimizer.

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
