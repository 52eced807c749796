"""Yogi."""

from typing import Any

from tfx_extras import optimizers
from tfx_extras._checks import Number
from tfx_extras.tfa._register import register
from tfx_extras.tfa._typed import typechecked
from tfx_extras.tfa.optimizers._base import Optimizer
from tfx_extras.tfa.optimizers._hyper import Hyper
from tfx_extras.tfa.optimizers._hyper import OrFunction


@register
class Yogi(Optimizer, optimizers.Yogi):
    r"""`tfx_extras.optimizers.Yogi`, with betas named without an underscore.

    With a sparse gradient, only the rows that occur in it change, in the weights and in
    the second moment. The first moment of all rows decays.

    Args:
        learning_rate: $\eta$, in [0, inf): a number, a schedule, or a function without
            arguments that returns it.
        beta1: Decay rate of the first moment, in [0, 1).
        beta2: Decay rate of the second moment, in [0, 1).
        epsilon: Added to the root of the second moment, in (0, inf).
        l1_regularization_strength: $l_1$, in [0, inf). It makes some weights exactly 0.
        l2_regularization_strength: $l_2$, in [0, inf).
        initial_accumulator_value: The initial value of the second moment, in [0, inf).
        activation: `"sign"` or `"tanh"`.
        name: Name of the optimizer.
        **kwargs: `lr`, `decay` and the options of every optimizer: see
            `tfx_extras.optimizers.OptimizerOptions`.

    Raises:
        ValueError: If an argument is outside its interval.

    Example:
        >>> w = keras.Variable([3.0, -4.0])
        >>> optimizer = tfx_extras.tfa.optimizers.Yogi(0.1)
        >>> optimizer.apply([2 * w], [w])
        >>> print(w.numpy().round(4))
        [ 2.9005 -3.9004]

    Reference: Zaheer et al., 2018.
    https://papers.nips.cc/paper/8186-adaptive-methods-for-nonconvex-optimization
    """

    keeps_weights = True
    kept_slots = ("variance",)
    beta_1: Any = Hyper("[0, 1)")
    beta_2: Any = Hyper("[0, 1)")
    epsilon: Any = Hyper("(0, inf)")
    l1_regularization_strength: Any = Hyper("[0, inf)")
    l2_regularization_strength: Any = Hyper("[0, inf)")

    @typechecked
    def __init__(
        self,
        learning_rate: Any = 0.01,
        beta1: OrFunction = 0.9,
        beta2: OrFunction = 0.999,
        epsilon: OrFunction = 1e-3,
        l1_regularization_strength: OrFunction = 0.0,
        l2_regularization_strength: OrFunction = 0.0,
        initial_accumulator_value: Number = 1e-6,
        activation: str = "sign",
        name: str | None = "Yogi",
        **kwargs: Any,
    ):
        super().__init__(
            learning_rate=learning_rate,
            beta_1=beta1,
            beta_2=beta2,
            epsilon=epsilon,
            l1_regularization_strength=l1_regularization_strength,
            l2_regularization_strength=l2_regularization_strength,
            initial_accumulator_value=initial_accumulator_value,
            activation=activation,
            name=name,
            **kwargs,
        )

    def get_config(self):
        config = super().get_config()
        betas = {"beta1": config.pop("beta_1"), "beta2": config.pop("beta_2")}
        return config | betas
