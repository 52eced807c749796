"""Conditional gradient."""

from typing import Any
from typing import Unpack

from keras import ops

from tfx_extras._backend import backend
from tfx_extras._checks import Number
from tfx_extras._checks import require
from tfx_extras._checks import require_one_of
from tfx_extras._register import register
from tfx_extras._typed import typechecked
from tfx_extras.optimizers._base import Optimizer
from tfx_extras.optimizers._options import LearningRate
from tfx_extras.optimizers._options import OptimizerOptions

__all__ = ["ConditionalGradient"]

_TINY = 1e-30  # keeps 0 / 0 at 0


@register
class ConditionalGradient(Optimizer):
    r"""Conditional gradient (Frank-Wolfe): keeps weights in a norm ball.

    Use it for constrained optimization, where the norm of each variable must not exceed
    `radius`. It needs no projection, and with the nuclear norm each step adds a matrix
    of rank 1. It is not a general-purpose optimizer, because no `radius` suits every
    model. Keras has no equivalent. `keras.constraints.MaxNorm` rescales weights after
    each step of another optimizer.

    $$
    w_t = (1 - \gamma)\, w_{t-1} - \gamma \lambda d_t
    $$

    $w_t$ are the weights of a variable, $\gamma$ is the learning rate, and
    $-\lambda d_t$ is the point of the ball of radius $\lambda$ that lies farthest down
    the gradient $g_t$. For the Frobenius norm, $d_t = g_t / (\|g_t\|_F + \epsilon)$.
    The nuclear norm is the sum of the singular values. For it, $d_t = u_1 v_1^\top$ is
    made of the first left and right singular vectors of $g_t$, seen as a matrix whose
    columns are the last axis. Where the gradient is 0, $d_t$ is 0 and weights shrink.
    Weights that are in the ball stay there; others approach it.

    Memory: no state, but 2 bytes per 16-bit weight (bfloat16, float16). Time: the
    nuclear norm costs 13 products of two square matrices, whose side is the shorter
    side of $g_t$. Two singular values that differ by less than one part in 1,000 may be
    taken for one.

    Differs from TensorFlow Addons, whose learning rate is $1 - \gamma$.

    Args:
        learning_rate: $\gamma$, in [0, 1]: a number, a schedule, or a function without
            arguments that returns it.
        radius: $\lambda$, in (0, inf): the maximum norm of each variable.
        norm: `"frobenius"` or `"nuclear"`.
        epsilon: $\epsilon$ of the Frobenius norm, in (0, inf).
        **kwargs: Options of every optimizer, such as `weight_decay`,
            `weight_decay_exclude`, `clipnorm`, `use_ema` and
            `gradient_accumulation_steps`: see `OptimizerOptions`.

    Raises:
        ValueError: If an argument is outside its interval.
        TypeError: If an argument has the wrong type or an unknown name.

    Example:
        >>> w = keras.Variable([3.0, -4.0])
        >>> optimizer = tfx_extras.optimizers.ConditionalGradient(0.1, radius=10.0)
        >>> optimizer.apply([2 * w], [w])
        >>> print(w.numpy().round(4))
        [ 2.1 -2.8]

    Reference: Ravi et al., 2018. https://arxiv.org/abs/1803.06453
    """

    _rate_interval = "[0, 1]"

    @typechecked
    def __init__(
        self,
        learning_rate: LearningRate = 0.01,
        radius: Number = 1.0,
        norm: str = "frobenius",
        epsilon: Number = 1e-7,
        **kwargs: Unpack[OptimizerOptions],
    ):
        super().__init__(learning_rate, **kwargs)
        self.radius = require("radius", radius, "(0, inf)")
        self.norm = require_one_of("norm", norm, ("frobenius", "nuclear"))
        self.epsilon = require("epsilon", epsilon, "(0, inf)")

    @property
    def has_norms(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.norm == "frobenius"

    @property
    def is_elementwise(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.norm == "frobenius"

    def update(self, gradient, variable, coefficients, slots):
        if self.norm == "nuclear":
            d = _first_singular_vectors(gradient)
        else:
            (square,) = self.squared_norms(gradient)
            d = gradient / (ops.sqrt(square) + self.epsilon)
        return variable + self.radius * d, slots

    def get_config(self):
        return super().get_config() | {
            "radius": self.radius,
            "norm": self.norm,
            "epsilon": self.epsilon,
        }


def _unit(x) -> Any:
    """Returns `x` divided by its norm, at any magnitude, or 0 if it is 0."""
    largest = ops.max(ops.absolute(x))
    x = x / ops.where(largest > 0, largest, 1.0)
    norm = ops.sqrt(ops.sum(ops.square(x)))
    return x / ops.where(norm > 0, norm, 1.0)


def _first_singular_vectors(gradient) -> Any:
    r"""Returns $u_1 v_1^\top$ of a tensor seen as a matrix, in the shape of the tensor.

    Uses repeated squaring. The singular values of $(g^\top g)^{2^k}$ are those of $g$
    to the power of $2^{k+1}$, where all but the first vanish. That needs no
    decomposition, which compilers do slowly or not at all.
    """
    shape = tuple(gradient.shape)
    if 0 in shape:
        return gradient
    g = _unit(ops.reshape(gradient, (-1, shape[-1] if shape else 1)))
    is_wide = g.shape[0] < g.shape[1]
    if is_wide:
        g = ops.transpose(g)
    across = ops.transpose(g)
    power = backend.products(across, across)
    for _ in range(13):
        # Divides by the trace of the square of a symmetric matrix.
        power = backend.products(power, power) / (ops.sum(ops.square(power)) + _TINY)
    # Each column is a multiple of the vector. The longest one is the most accurate.
    lengths = ops.sum(ops.square(power), axis=0)
    v = ops.take(power, ops.argmax(lengths), axis=1)
    # Once more with g itself, because the powers have lost digits.
    u = backend.products(ops.reshape(v, (1, -1)), g)
    v = _unit(backend.products(u, across))
    u = _unit(backend.products(v, g))
    d = ops.transpose(u) * v
    return ops.reshape(ops.transpose(d) if is_wide else d, shape)
