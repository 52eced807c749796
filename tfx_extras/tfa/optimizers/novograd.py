"""NovoGrad."""

from types import MappingProxyType
from typing import Any

from tfx_extras import optimizers
from tfx_extras._checks import Number
from tfx_extras.tfa._register import register
from tfx_extras.tfa._typed import typechecked
from tfx_extras.tfa.optimizers._base import Optimizer
from tfx_extras.tfa.optimizers._hyper import Hyper
from tfx_extras.tfa.optimizers._hyper import OrFunction


@register
class NovoGrad(Optimizer, optimizers.NovoGrad):
    r"""`tfx_extras.optimizers.NovoGrad`, with the learning rate inside the momentum.

    $$ m_t = \beta_1 m_{t-1} + \eta\, \hat g_t, \quad w_t = w_{t-1} - m_t $$

    If the learning rate $\eta$ decays, the momentum therefore still contains earlier,
    larger learning rates. The native class follows the paper by default.

    Args:
        learning_rate: $\eta$, in [0, inf): a number, a schedule, or a function without
            arguments that returns it.
        beta_1: Decay rate of the momentum, in [0, 1).
        beta_2: Decay rate of the second moment (the squared gradient norm), in [0, 1).
        epsilon: Added to the norm, in (0, inf).
        weight_decay: In [0, inf), or a schedule. It is part of the momentum.
        grad_averaging: Whether the momentum is an average instead of a sum.
        amsgrad: Whether to use AMSGrad, in which the denominator never decreases.
        name: Name of the optimizer.
        **kwargs: `lr`, `decay` and the options of every optimizer: see
            `tfx_extras.optimizers.OptimizerOptions`.

    Raises:
        ValueError: If an argument is outside its interval.

    Example:
        >>> w = keras.Variable([3.0, -4.0])
        >>> optimizer = tfx_extras.tfa.optimizers.NovoGrad(0.1)
        >>> optimizer.apply([2 * w], [w])
        >>> print(w.numpy().round(4))
        [ 2.94 -3.92]

    Reference: Ginsburg et al., 2019. https://arxiv.org/abs/1905.11286
    """

    keeps_weights = True
    kept_slots = ("momentum",)
    beta_1: Any = Hyper("[0, 1)")
    beta_2: Any = Hyper("[0, 1)")
    sign_in_keras_2 = MappingProxyType({"momentum": -1})

    @typechecked
    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: OrFunction = 0.9,
        beta_2: OrFunction = 0.999,
        epsilon: Number = 1e-7,
        weight_decay: Any = 0.0,
        grad_averaging: bool = False,
        amsgrad: bool = False,
        name: str | None = "NovoGrad",
        **kwargs: Any,
    ):
        super().__init__(
            learning_rate=learning_rate,
            beta_1=beta_1,
            beta_2=beta_2,
            epsilon=epsilon,
            weight_decay=weight_decay,
            grad_averaging=grad_averaging,
            amsgrad=amsgrad,
            rate_in_momentum=True,
            name=name,
            **kwargs,
        )

    def get_config(self):
        config = super().get_config()
        del config["rate_in_momentum"]
        return config
