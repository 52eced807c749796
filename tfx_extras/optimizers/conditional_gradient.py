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
    r"""Frank and Wolfe's: weights stay in a ball of a norm, without projection.

    $$
    w_t = (1 - \gamma)\, w_{t-1} - \gamma \lambda d_t
    $$

    Here $w_t$ are the weights of a variable, $\gamma$ is the learning rate, and
    $-\lambda d_t$ the point of the ball of radius $\lambda$ that lies farthest down
    the gradient $g_t$. For the Frobenius norm,
    $d_t = g_t / (\|g_t\|_F + \epsilon)$. For the nuclear norm, the sum of singular
    values, $d_t = u_1 v_1^\top$, of the first left and right singular vectors of
    $g_t$: the matrix of all axes but the last, and the last. Where the gradient is
    0, $d_t$ is 0, and weights shrink. Once they are in the ball, they stay there;
    until then they approach it.

    Memory: no slots, and 2 bytes for half precision weights. The nuclear norm costs
    13 products of two square matrices of the shorter side of $g_t$; two singular
    values that differ by less than one part in 1,000 may be taken for one.

    Differs from TensorFlow Addons, whose learning rate is $1 - \gamma$.

    Args:
        learning_rate: $\gamma$, in [0, 1]: a number, a schedule, or a callable
            without arguments.
        radius: $\lambda$, in (0, inf). It bounds the norm of each variable, so there
            is none that suits every model.
        norm: `"frobenius"` or `"nuclear"`.
        epsilon: $\epsilon$ of the Frobenius norm, in (0, inf).
        **kwargs: Options of every optimizer: see `OptimizerOptions`.

    Raises:
        ValueError: If an argument is outside its interval.

    Example:
        >>> w = keras.Variable([3.0, -4.0])
        >>> optimizer = tfx_extras.optimizers.ConditionalGradient(0.1, radius=10.0)
        >>> optimizer.apply([2 * w], [w])
        >>> print(w.numpy().round(4))
        [ 2.1 -2.8]

    Reference: Ravi et al., 2018. https://arxiv.org/abs/1803.06453
    """

    is_elementwise = False
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

    def update(self, gradient, variable, coefficients, slots):
        if self.norm == "nuclear":
            d = _first_singular_vectors(gradient)
        else:
            d = gradient / (_norm(gradient) + self.epsilon)
        return variable + self.radius * d, slots

    def get_config(self):
        return super().get_config() | {
            "radius": self.radius,
            "norm": self.norm,
            "epsilon": self.epsilon,
        }


def _norm(x) -> Any:
    return ops.sqrt(ops.sum(ops.square(x)))


def _unit(x) -> Any:
    """Returns `x` with a norm of 1, or 0 if it is 0, whatever its magnitude."""
    largest = ops.max(ops.absolute(x))
    x = x / ops.where(largest > 0, largest, 1.0)
    norm = _norm(x)
    return x / ops.where(norm > 0, norm, 1.0)


def _first_singular_vectors(gradient) -> Any:
    r"""Returns $u_1 v_1^\top$ of a tensor seen as a matrix, of its shape.

    By squaring: the singular values of $(g^\top g)^{2^k}$ are those of $g$ to the
    power of $2^{k+1}$, next to which all but the first vanish. That takes no
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
        # By its trace: that of the square of a symmetric matrix.
        power = backend.products(power, power) / (ops.sum(ops.square(power)) + _TINY)
    # Each column is a multiple of the vector; the longest has the most digits.
    lengths = ops.sum(ops.square(power), axis=0)
    v = ops.take(power, ops.argmax(lengths), axis=1)
    # Once more with g itself, whose digits the powers have lost.
    u = backend.products(ops.reshape(v, (1, -1)), g)
    v = _unit(backend.products(u, across))
    u = _unit(backend.products(v, g))
    d = ops.transpose(u) * v
    return ops.reshape(ops.transpose(d) if is_wide else d, shape)
