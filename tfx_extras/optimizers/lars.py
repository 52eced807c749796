"""LARS."""

from collections.abc import Sequence
from typing import Unpack

from keras import ops

from tfx_extras._checks import Number
from tfx_extras._checks import require
from tfx_extras._checks import require_patterns
from tfx_extras._register import register
from tfx_extras._typed import typechecked
from tfx_extras.optimizers._base import Optimizer
from tfx_extras.optimizers._options import LearningRate
from tfx_extras.optimizers._options import OptimizerOptions

__all__ = ["LARS"]


@register
class LARS(Optimizer):
    r"""LARS: SGD with momentum and a trust ratio for each layer, for large batches.

    Use it to train convolutional networks with batches of many thousands of samples, as
    SimCLR, BYOL and Barlow Twins do. Pass a warm-up, and exclude biases and
    normalization from adaptation and from weight decay, as in the example. For
    transformers use `LAMB`. Keras has no equivalent. `keras.optimizers.SGD` has the
    same momentum without a trust ratio.

    $$
    \begin{aligned}
    r_t &= \frac{c\, \|w_{t-1}\|}
        {\|g_t\| + \lambda \|w_{t-1}\| + \epsilon} \\
    b_t &= \mu b_{t-1} + r_t\, (g_t + \lambda w_{t-1}) \\
    w_t &= w_{t-1} - \eta\, b_t
    \end{aligned}
    $$

    $g_t$ is the gradient, $w_t$ are the weights of one variable, $\eta$ is the learning
    rate, $\lambda$ the weight decay, $\mu$ the momentum, and $c$ the trust coefficient.
    The trust ratio $r_t$ is 1 where either norm is 0, and for the variables of
    `layer_adaptation_exclude`. With `nesterov`, $r_t\, (g_t + \lambda w_{t-1}) +
    \mu b_t$ replaces $b_t$ in the last line. With `independent_decay`, weights decay
    before the step, and decay has no part in the ratio.

    Memory: 4 bytes of state per weight, none if `momentum` is 0, and 2 more per 16-bit
    weight (bfloat16, float16).

    Differs from the paper while the learning rate changes: there, each gradient enters
    the momentum multiplied by the learning rate of its own step.

    Args:
        learning_rate: $\eta$, in [0, inf): a number, a schedule, or a function without
            arguments that returns it. Scale it with the batch: SimCLR takes 0.3 for
            each 256 samples, so 4.8 for a batch of 4096, as in the example.
        momentum: $\mu$, decay rate of the momentum, in [0, 1).
        trust_coefficient: $c$, in (0, inf).
        epsilon: $\epsilon$, in [0, inf).
        nesterov: Whether to use Nesterov momentum.
        layer_adaptation_exclude: Regular expressions. Variables whose `path` matches
            any of them have a trust ratio of 1.
        **kwargs: Options of every optimizer, such as `weight_decay`,
            `weight_decay_exclude`, `clipnorm`, `use_ema` and
            `gradient_accumulation_steps`: see `OptimizerOptions`.

    Raises:
        ValueError: If an argument is outside its interval.
        TypeError: If an argument has the wrong type or an unknown name.

    Example:
        >>> vectors = ["bias", "gamma", "beta"]
        >>> optimizer = tfx_extras.optimizers.LARS(
        ...     tfx_extras.schedules.WarmupCosine(4.8, 1000, 9000),
        ...     weight_decay=1e-6,
        ...     weight_decay_exclude=vectors,
        ...     layer_adaptation_exclude=vectors)
        >>> w = keras.Variable([3.0, -4.0])
        >>> tfx_extras.optimizers.LARS(10.0).apply([2 * w], [w])
        >>> print(w.numpy().round(4))
        [ 2.97 -3.96]

    Reference: You et al., 2017. https://arxiv.org/abs/1708.03888;
    SimCLR: Chen et al., 2020. https://arxiv.org/abs/2002.05709
    """

    decays_inside = True
    has_norms = True
    _path_arguments = (*Optimizer._path_arguments, "layer_adaptation_exclude")

    @typechecked
    def __init__(
        self,
        learning_rate: LearningRate = 1.0,
        momentum: Number = 0.9,
        trust_coefficient: Number = 0.001,
        epsilon: Number = 0.0,
        nesterov: bool = False,
        layer_adaptation_exclude: Sequence[str] = (),
        **kwargs: Unpack[OptimizerOptions],
    ):
        super().__init__(learning_rate, **kwargs)
        self.momentum = require("momentum", momentum, "[0, 1)")
        self.trust_coefficient = require(
            "trust_coefficient", trust_coefficient, "(0, inf)"
        )
        self.epsilon = require("epsilon", epsilon, "[0, inf)")
        if nesterov and not self.momentum:
            raise ValueError(
                "Argument `nesterov` has no effect without `momentum`. "
                f"Received: nesterov=True, momentum={momentum}"
            )
        self.nesterov = nesterov
        self.layer_adaptation_exclude = require_patterns(
            "layer_adaptation_exclude", layer_adaptation_exclude
        )
        self.slots = ("momentum",) if self.momentum else ()

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        self._is_excluded = self._matches("layer_adaptation_exclude")

    def _traits(self, index):
        return *super()._traits(index), self._is_excluded[index]

    def move(self, gradient, variable, now, slots, index):
        direction = self.penalized(gradient, variable, now, index)
        if not self._is_excluded[index]:
            direction = self._trust_ratio(gradient, variable, now, index) * direction
        b = direction + (self.momentum * slots[0] if slots else 0.0)
        change = direction + self.momentum * b if self.nesterov else b
        return variable - now.learning_rate * change, (b,) if slots else ()

    def _trust_ratio(self, gradient, variable, now, index):
        g_norm, w_norm = map(ops.sqrt, self.squared_norms(gradient, variable))
        # The decay multiplies a norm as it multiplies the weights.
        scale = self.penalized(g_norm, w_norm, now, index) + self.epsilon
        ratio = self.trust_coefficient * w_norm / ops.where(scale > 0, scale, 1.0)
        return ops.where((w_norm > 0) & (g_norm > 0), ratio, 1.0)

    def get_config(self):
        return super().get_config() | {
            "momentum": self.momentum,
            "trust_coefficient": self.trust_coefficient,
            "epsilon": self.epsilon,
            "nesterov": self.nesterov,
            "layer_adaptation_exclude": list(self.layer_adaptation_exclude),
        }
