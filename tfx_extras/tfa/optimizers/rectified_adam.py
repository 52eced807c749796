"""Rectified Adam."""

from typing import Any

from tfx_extras import optimizers
from tfx_extras._checks import Number
from tfx_extras._checks import require_steps
from tfx_extras.tfa._register import register
from tfx_extras.tfa._typed import typechecked
from tfx_extras.tfa.optimizers._base import Optimizer
from tfx_extras.tfa.optimizers._hyper import Hyper
from tfx_extras.tfa.optimizers._hyper import OrFunction
from tfx_extras.tfa.optimizers._warmup import warmed_up


@register
class RectifiedAdam(Optimizer, optimizers.RAdam):
    r"""`tfx_extras.optimizers.RAdam` (rectified Adam), with a built-in warm-up.

    $$ \eta_t = \eta\, t / W \text{ for } t \le W, \text{ then linear from } \eta
        \text{ to } \eta_T \text{ for } t = T $$

    $T$ is `total_steps`, $W$ is $T$ times `warmup_proportion`, and $\eta_T$ is
    `min_lr`. For other warm-ups, see `tfx_extras.schedules`.

    With a sparse gradient, only the rows that occur in it change in the weights. Both
    moments of all rows decay.

    Args:
        learning_rate: $\eta$, in [0, inf): a number, a schedule, or a function without
            arguments that returns it.
        beta_1: Decay rate of the first moment, in [0, 1).
        beta_2: Decay rate of the second moment, in [0, 1).
        epsilon: Added to the root of the second moment, in (0, inf).
        weight_decay: In [0, inf), or a schedule. It is multiplied by the learning rate.
        amsgrad: Whether to use AMSGrad, in which the denominator never decreases.
        sma_threshold: The minimum $\rho_t$ for which steps are rectified, in [4, inf).
        total_steps: $T$, the number of steps, a whole number; 0 means no warm-up.
        warmup_proportion: $W / T$, in [0, 1].
        min_lr: $\eta_T$, in [0, inf).
        name: Name of the optimizer.
        **kwargs: `lr`, `decay` and the options of every optimizer: see
            `tfx_extras.optimizers.OptimizerOptions`.

    Raises:
        ValueError: If an argument is outside its interval.

    Example:
        >>> w = keras.Variable([1.0, -2.0])
        >>> optimizer = tfx_extras.tfa.optimizers.RectifiedAdam(
        ...     0.2, total_steps=10, warmup_proportion=0.2)
        >>> optimizer.apply([2 * w], [w])
        >>> print(w.numpy().round(4))
        [ 0.8 -1.6]

    Reference: Liu et al., 2019. https://arxiv.org/abs/1908.03265
    """

    keeps_weights = True
    kept_slots = ()
    beta_1: Any = Hyper("[0, 1)")
    beta_2: Any = Hyper("[0, 1)")
    sma_threshold: Any = Hyper("[4, inf)")
    warmup_proportion: Any = Hyper("[0, 1]")
    min_lr: Any = Hyper("[0, inf)")

    @typechecked
    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: OrFunction = 0.9,
        beta_2: OrFunction = 0.999,
        epsilon: Number = 1e-7,
        weight_decay: Any = 0.0,
        amsgrad: bool = False,
        sma_threshold: OrFunction = 5.0,
        total_steps: Number = 0,
        warmup_proportion: OrFunction = 0.1,
        min_lr: OrFunction = 0.0,
        name: str | None = "RectifiedAdam",
        **kwargs: Any,
    ):
        super().__init__(
            learning_rate=learning_rate,
            beta_1=beta_1,
            beta_2=beta_2,
            epsilon=epsilon,
            weight_decay=weight_decay,
            amsgrad=amsgrad,
            sma_threshold=sma_threshold,
            name=name,
            **kwargs,
        )
        self.total_steps = require_steps("total_steps", total_steps)
        self.warmup_proportion = warmup_proportion
        self.min_lr = min_lr

    def adjusted(self, learning_rate, step):
        return warmed_up(
            super().adjusted(learning_rate, step),
            step,
            self.total_steps,
            self.warmup_proportion,
            self.min_lr,
        )

    def get_config(self):
        own = {"warmup_proportion": self.warmup_proportion, "min_lr": self.min_lr}
        own = self.saved_hypers(own) | {"total_steps": self.total_steps}
        return super().get_config() | own
