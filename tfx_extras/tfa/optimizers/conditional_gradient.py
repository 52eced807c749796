"""Conditional gradient."""

from typing import Any

from tfx_extras import optimizers
from tfx_extras._checks import Number
from tfx_extras._checks import require_one_of
from tfx_extras.tfa._register import register
from tfx_extras.tfa._typed import typechecked
from tfx_extras.tfa.optimizers._base import Optimizer
from tfx_extras.tfa.optimizers._hyper import Hyper
from tfx_extras.tfa.optimizers._hyper import OrFunction

NORMS = {"fro": "frobenius", "nuclear": "nuclear"}


@register
class ConditionalGradient(Optimizer, optimizers.ConditionalGradient):
    r"""`tfx_extras.optimizers.ConditionalGradient`, with learning rate $1 - \eta$.

    $$ w_t = \eta\, w_{t-1} - (1 - \eta) \lambda\, d_t $$

    The learning rate of the native class is $1 - \eta$. With a sparse gradient, only
    the rows that occur in it change.

    Differs from TensorFlow Addons: a schedule of the learning rate works, and
    `ord="nuclear"` takes tensors of any rank.

    Args:
        learning_rate: $\eta$, in [0, 1]: a number, a schedule, or a function without
            arguments that returns it.
        lambda_: $\lambda$, in (0, inf): the radius of the ball to which the weights are
            constrained.
        epsilon: Added to the norm, in (0, inf).
        ord: `"fro"`, the Frobenius norm, or `"nuclear"`.
        name: Name of the optimizer.
        **kwargs: `lr`, `decay` and the options of every optimizer: see
            `tfx_extras.optimizers.OptimizerOptions`.

    Raises:
        ValueError: If an argument is outside its interval.

    Example:
        >>> w = keras.Variable([3.0, -4.0])
        >>> optimizer = tfx_extras.tfa.optimizers.ConditionalGradient(0.9, 10.0)
        >>> optimizer.apply([2 * w], [w])
        >>> print(w.numpy().round(4))
        [ 2.1 -2.8]

    Reference: Ravi et al., 2018. https://arxiv.org/abs/1803.06453
    """

    keeps_weights = True
    kept_slots = ()
    lambda_: Any = Hyper("(0, inf)", is_live=True)

    @typechecked
    def __init__(
        self,
        learning_rate: Any,
        lambda_: OrFunction = 0.01,
        epsilon: Number = 1e-7,
        ord: str = "fro",
        name: str | None = "ConditionalGradient",
        **kwargs: Any,
    ):
        super().__init__(
            learning_rate=learning_rate,
            norm=NORMS[require_one_of("ord", ord, list(NORMS))],
            epsilon=epsilon,
            name=name,
            **kwargs,
        )
        self.lambda_ = lambda_
        self.ord = ord

    def update(self, gradient, variable, coefficients, slots):
        self.radius = self.current("lambda_", variable.dtype)
        try:
            return super().update(gradient, variable, coefficients, slots)
        finally:
            self.radius = None  # it may be a tensor of a traced graph

    def adjusted(self, learning_rate, step):
        return 1 - super().adjusted(learning_rate, step)

    def get_config(self):
        config = super().get_config()
        del config["radius"], config["norm"]
        own = self.saved_hypers({"lambda_": self.lambda_}) | {"ord": self.ord}
        return config | own
