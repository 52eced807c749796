"""Stochastic weight averaging."""

from typing import Any

from tfx_extras import optimizers
from tfx_extras._checks import Number
from tfx_extras._checks import require_steps
from tfx_extras.tfa._register import register
from tfx_extras.tfa._typed import typechecked
from tfx_extras.tfa.optimizers.average_wrapper import AveragedOptimizerWrapper


@register
class SWA(AveragedOptimizerWrapper, optimizers.SWA):
    """`tfx_extras.optimizers.SWA` (stochastic weight averaging), counting steps from 0.

    Differs from TensorFlow Addons: calling `assign_average_vars` before the first
    snapshot is an error instead of setting the weights to 0, and `float64` works.

    Args:
        optimizer: An optimizer, or the name of one in `keras.optimizers` or
            `tfx_extras.optimizers`.
        start_averaging: The step, counted from 0, after which the first snapshot is
            taken, a whole number in [0, inf). 0 takes the weights after the first step.
        average_period: The number of steps between two snapshots, a whole number in [1,
            inf).
        name: Name of the optimizer.
        **kwargs: `clipnorm`, `clipvalue` or `global_clipnorm`, which are set on
            `optimizer`.

    Raises:
        ValueError: If an argument is outside its interval.

    Example:
        >>> w = keras.Variable([1.0, -2.0])
        >>> optimizer = tfx_extras.tfa.optimizers.SWA(
        ...     keras.optimizers.SGD(0.1), average_period=1)
        >>> for _ in range(2):
        ...     optimizer.apply([2 * w], [w])
        >>> optimizer.assign_average_vars([w])  # the mean of 0.8 and 0.64
        >>> print(w.numpy().round(4))
        [ 0.72 -1.44]

    Reference: Izmailov et al., 2018. https://arxiv.org/abs/1803.05407
    """

    @typechecked
    def __init__(
        self,
        optimizer: Any,
        start_averaging: Number = 0,
        average_period: Number = 10,
        name: str | None = "SWA",
        **kwargs: Any,
    ):
        start = require_steps("start_averaging", start_averaging)
        super().__init__(
            optimizer,
            name,
            start=start + 1,
            period=require_steps("average_period", average_period, "[1, inf)"),
            **kwargs,
        )

    def get_config(self):
        config = super().get_config()
        return config | {
            "start_averaging": config.pop("start") - 1,
            "average_period": config.pop("period"),
        }
