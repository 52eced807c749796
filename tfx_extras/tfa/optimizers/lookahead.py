"""Lookahead."""

from typing import Any

from tfx_extras import optimizers
from tfx_extras._checks import Number
from tfx_extras.tfa._register import register
from tfx_extras.tfa._typed import typechecked
from tfx_extras.tfa.optimizers._hyper import Hyper
from tfx_extras.tfa.optimizers._hyper import OrFunction
from tfx_extras.tfa.optimizers._wrapper import Wrapper


@register
class Lookahead(Wrapper, optimizers.Lookahead):
    r"""`tfx_extras.optimizers.Lookahead`, around another optimizer.

    Differs from TensorFlow Addons: the inner optimizer clips gradients as configured,
    and sparse gradients work with every optimizer.

    Args:
        optimizer: An optimizer, or the name of one in `keras.optimizers` or
            `tfx_extras.optimizers`.
        sync_period: $k$, in steps, a whole number in [1, inf).
        slow_step_size: $\alpha$, in [0, 1].
        name: Name of the optimizer.
        **kwargs: `clipnorm`, `clipvalue` or `global_clipnorm`, which are set on
            `optimizer`.

    Raises:
        ValueError: If an argument is outside its interval.

    Example:
        >>> w = keras.Variable([1.0, -2.0])
        >>> optimizer = tfx_extras.tfa.optimizers.Lookahead(
        ...     keras.optimizers.SGD(0.1), sync_period=2)
        >>> for _ in range(2):
        ...     optimizer.apply([2 * w], [w])
        >>> print(w.numpy().round(4))
        [ 0.82 -1.64]

    Reference: Zhang et al., 2019. https://arxiv.org/abs/1907.08610
    """

    slow_step_size: Any = Hyper("[0, 1]")

    @typechecked
    def __init__(
        self,
        optimizer: Any,
        sync_period: Number = 6,
        slow_step_size: OrFunction = 0.5,
        name: str | None = "Lookahead",
        **kwargs: Any,
    ):
        super().__init__(
            optimizer,
            sync_period=sync_period,
            slow_step_size=slow_step_size,
            name=name,
            **kwargs,
        )
