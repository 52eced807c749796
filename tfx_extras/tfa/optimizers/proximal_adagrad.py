"""Proximal Adagrad."""

from typing import Any

from tfx_extras import optimizers
from tfx_extras._checks import Number
from tfx_extras.tfa._register import register
from tfx_extras.tfa._typed import typechecked
from tfx_extras.tfa.optimizers._base import Optimizer


@register
class ProximalAdagrad(Optimizer, optimizers.ProximalAdagrad):
    r"""`tfx_extras.optimizers.ProximalAdagrad`, Adagrad with L1 and L2 regularization.

    With a sparse gradient, only the rows that occur in it change, in the weights and in
    the accumulator.

    Args:
        learning_rate: $\eta$, in [0, inf): a number, a schedule, or a function without
            arguments that returns it.
        initial_accumulator_value: The initial value of the accumulator, in (0, inf).
        l1_regularization_strength: $l_1$, in [0, inf). It makes some weights exactly 0.
        l2_regularization_strength: $l_2$, in [0, inf).
        name: Name of the optimizer.
        **kwargs: `lr`, `decay` and the options of every optimizer: see
            `tfx_extras.optimizers.OptimizerOptions`.

    Raises:
        ValueError: If an argument is outside its interval.

    Example:
        >>> w = keras.Variable([3.0, -4.0])
        >>> optimizer = tfx_extras.tfa.optimizers.ProximalAdagrad(0.1)
        >>> optimizer.apply([2 * w], [w])
        >>> print(w.numpy().round(4))
        [ 2.9001 -3.9001]

    Reference: Duchi and Singer, 2009.
    https://papers.nips.cc/paper/3793-efficient-learning-using-forward-backward-splitting
    """

    keeps_weights = True
    kept_slots = ("accumulator",)

    @typechecked
    def __init__(
        self,
        learning_rate: Any = 0.001,
        initial_accumulator_value: Number = 0.1,
        l1_regularization_strength: Number = 0.0,
        l2_regularization_strength: Number = 0.0,
        name: str | None = "ProximalAdagrad",
        **kwargs: Any,
    ):
        super().__init__(
            learning_rate=learning_rate,
            initial_accumulator_value=initial_accumulator_value,
            l1_regularization_strength=l1_regularization_strength,
            l2_regularization_strength=l2_regularization_strength,
            name=name,
            **kwargs,
        )
