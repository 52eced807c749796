"""Lazy Adam."""

from typing import Any

from tfx_extras import optimizers
from tfx_extras._checks import Number
from tfx_extras.tfa._register import register
from tfx_extras.tfa._typed import typechecked
from tfx_extras.tfa.optimizers._base import Optimizer
from tfx_extras.tfa.optimizers._hyper import Hyper
from tfx_extras.tfa.optimizers._hyper import OrFunction


@register
class LazyAdam(Optimizer, optimizers.LazyAdam):
    r"""Lazy Adam: Adam that updates only the rows that occur in a sparse gradient.

    With a sparse gradient, only the rows that occur in it change, in the weights and in
    the moments. The native successor is `tfx_extras.optimizers.LazyAdam`. Differs from
    TensorFlow Addons: `amsgrad` also applies to sparse gradients.

    Args:
        learning_rate: $\eta$, in [0, inf): a number, a schedule, or a function without
            arguments that returns it.
        beta_1: Decay rate of the first moment, in [0, 1).
        beta_2: Decay rate of the second moment, in [0, 1).
        epsilon: Added to the root of the second moment, in (0, inf).
        amsgrad: Whether to use AMSGrad, in which the denominator never decreases.
        name: Name of the optimizer.
        **kwargs: `lr`, `decay` and the options of every optimizer: see
            `tfx_extras.optimizers.OptimizerOptions`.

    Raises:
        ValueError: If an argument is outside its interval.

    Example:
        >>> w = keras.Variable([3.0, -4.0])
        >>> optimizer = tfx_extras.tfa.optimizers.LazyAdam(0.1)
        >>> optimizer.apply([2 * w], [w])
        >>> print(w.numpy().round(4))
        [ 2.9 -3.9]

    Reference: Kingma and Ba, 2014. https://arxiv.org/abs/1412.6980
    """

    keeps_weights = False  # The native class does it.
    kept_slots = ()
    beta_1: Any = Hyper("[0, 1)")
    beta_2: Any = Hyper("[0, 1)")

    @typechecked
    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: OrFunction = 0.9,
        beta_2: OrFunction = 0.999,
        epsilon: Number = 1e-7,
        amsgrad: bool = False,
        name: str | None = "LazyAdam",
        **kwargs: Any,
    ):
        super().__init__(
            learning_rate=learning_rate,
            beta_1=beta_1,
            beta_2=beta_2,
            epsilon=epsilon,
            amsgrad=amsgrad,
            name=name,
            **kwargs,
        )
