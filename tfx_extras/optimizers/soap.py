"""SOAP."""

import math
from typing import Unpack

from keras import ops

from tfx_extras._backend import backend
from tfx_extras._checks import COUNTABLE
from tfx_extras._checks import Number
from tfx_extras._checks import require
from tfx_extras._checks import require_steps
from tfx_extras._register import register
from tfx_extras._typed import typechecked
from tfx_extras.optimizers._base import Optimizer
from tfx_extras.optimizers._options import LearningRate
from tfx_extras.optimizers._options import OptimizerOptions
from tfx_extras.optimizers._rectification import bias_correction

__all__ = ["SOAP"]

# A `float32` counts to 2^24. So counts above twice this number start again below it.
_LONG = 2**22
_LITTLE = 1e-20  # beside the largest element of a covariance, which is 1


@register
class SOAP(Optimizer):
    r"""SOAP: Adam in the eigenbasis of Shampoo's preconditioner.

    Use it to train transformers and convolutional networks in fewer steps than `AdamW`
    needs, if memory allows it: a kernel of 1024 x 4096 takes 42 bytes of state per
    weight, where `AdamW` takes 8. Do not use it for variables with two or more large
    axes, or lower `max_size`. Keras has no equivalent. `keras.optimizers.Muon` also
    treats kernels as matrices, and keeps less state.

    $$
    \begin{aligned}
    r_t &= g_t \text{ multiplied along each axis } k \text{ by } Q_k^\top \\
    m_t &= \beta_1 m_{t-1} + (1 - \beta_1)\, r_t \qquad
    v_t = \beta_2 v_{t-1} + (1 - \beta_2)\, r_t^2 \\
    u_t &= \frac{\sqrt{1 - \beta_2^t}}{1 - \beta_1^t}\,
        \frac{m_t}{\sqrt{v_t} + \epsilon}
        \text{ multiplied along each axis } k \text{ by } Q_k \\
    w_t &= w_{t-1} - \eta \lambda w_{t-1} - \eta\, u_t \\
    C_k &\leftarrow \beta_C\, C_k + (1 - \beta_C)\, G_k G_k^\top
    \end{aligned}
    $$

    $g_t$ is the gradient, $w_t$ are the weights of one variable, $\eta$ is the learning
    rate, and $\lambda$ the weight decay. $G_k$ is the gradient as a matrix, whose rows
    belong to the places along axis $k$. $C_k$ is the covariance of the gradients along
    this axis, and the columns of $Q_k$ are its eigenvectors. Every `frequency` steps,
    the columns are ordered by their eigenvalues, $C_k Q_k = Q'_k R$ is decomposed (QR),
    and $Q'_k$ replaces $Q_k$. Then $v$ is ordered alike, and $m$ is expressed in the
    new basis.

    Each variable begins with its first gradient that has a number other than 0. This
    gradient sets $C_k$ and $Q_k$, and moves nothing except by weight decay. The next
    gradient has $t = 1$. Variables of rank 0 and 1, and axes of length 1 or of more
    than `max_size`, have no basis. Without any basis, this is Adam, whose first
    gradient is left out.

    If the first gradient of a kernel has a lower rank than one of its axes is long, as
    for all kernels that are not square, a part of $Q_k$ is arbitrary. Then training
    differs between backends, devices and versions of their linear algebra, as it does
    after another shuffle of the data.

    Memory: 8 bytes of state per weight, $8 n^2$ bytes for each axis of length $n$ that
    has a basis, and 2 more per 16-bit weight (bfloat16, float16). A variable with bases
    is updated by itself, but on PyTorch small ones of the same shape are updated
    together. The decompositions are in `float32`, or in `float64` for
    `float64` variables. Time: a kernel of $n \times k$ with two bases takes about
    $6 n k (n + k)$ operations per step, whatever the batch. Every `frequency` steps,
    each basis takes a matrix product and a QR decomposition more.

    Differs from the authors' code in the weight decay. It precedes the step here, and
    is none by default. Their default is 0.01.

    Args:
        learning_rate: $\eta$, in [0, inf): a number, a schedule, or a function without
            arguments that returns it.
        beta_1: $\beta_1$, decay rate of the momentum, in [0, 1).
        beta_2: $\beta_2$, decay rate of the second moment, in [0, 1).
        basis_beta: $\beta_C$, decay rate of the covariances, in [0, 1). `None` means
            `beta_2`.
        epsilon: $\epsilon$, in (0, inf).
        frequency: Number of steps after which bases are updated, in [1, 2^22].
        max_size: Maximum length of an axis that has a basis, in [1, 2^31). With a
            smaller number, a kernel with one long axis has a basis for the other axis
            only.
        **kwargs: Options of every optimizer, such as `weight_decay`,
            `weight_decay_exclude`, `clipnorm`, `use_ema` and
            `gradient_accumulation_steps`: see `OptimizerOptions`.

    Raises:
        ValueError: If an argument is outside its interval.
        TypeError: If an argument has the wrong type or an unknown name.

    Example:
        >>> w = keras.Variable([[1.0, -2.0], [3.0, 1.0]])
        >>> optimizer = tfx_extras.optimizers.SOAP(0.1, epsilon=0.001)
        >>> for _ in range(2):  # the first step sets the bases
        ...     optimizer.apply([2 * w], [w])
        >>> print(w.numpy().round(2))
        [[ 0.96 -1.91]
         [ 2.91  0.96]]

    Reference: Vyas et al., 2024. https://arxiv.org/abs/2409.11321
    """

    slots = ("momentum", "variance", "count", "covariances", "bases")
    scalar_slots = ("count",)
    is_elementwise = False

    @typechecked
    def __init__(
        self,
        learning_rate: LearningRate = 0.003,
        beta_1: Number = 0.95,
        beta_2: Number = 0.95,
        basis_beta: Number | None = None,
        epsilon: Number = 1e-8,
        frequency: Number = 10,
        max_size: Number = 10000,
        **kwargs: Unpack[OptimizerOptions],
    ):
        super().__init__(learning_rate, **kwargs)
        self.beta_1 = require("beta_1", beta_1, "[0, 1)")
        self.beta_2 = require("beta_2", beta_2, "[0, 1)")
        if basis_beta is not None:
            basis_beta = require("basis_beta", basis_beta, "[0, 1)")
        self.basis_beta = basis_beta
        self.epsilon = require("epsilon", epsilon, "(0, inf)")
        self.frequency = require_steps("frequency", frequency, f"[1, {_LONG}]")
        self.max_size = require_steps("max_size", max_size, f"[1, {COUNTABLE})")

    def slot_shape(self, name, variable):
        if name not in ("covariances", "bases"):
            return super().slot_shape(name, variable)
        size = sum(n * n for n in self._lengths(variable.shape) if n)
        return (size,) if size else ()

    def _lengths(self, shape) -> list[int]:
        """Returns the length of each axis that has a basis, and 0 for other axes."""
        if len(shape) < 2 or math.prod(shape) == 0:
            return [0] * len(shape)
        return [n if 1 < n <= self.max_size else 0 for n in shape]

    def _goes_alone(self, variable):
        # Its covariances differ in size from its moments, and linear algebra is faster
        # outside of XLA.
        has_bases = not backend.stacks_matrices and any(self._lengths(variable.shape))
        return super()._goes_alone(variable) or has_bases

    def move(self, gradient, variable, now, slots, index):
        momentum, variance, count, covariances, bases = slots
        lengths = self._lengths(gradient.shape)
        has_begun = count > 0
        if any(lengths):  # bases of zeros rotate the first gradient to 0
            rotated = _rotated(gradient, _matrices(bases, lengths))
        else:
            rotated = ops.where(has_begun, gradient, 0.0 * gradient)
        m = self.beta_1 * momentum + (1 - self.beta_1) * rotated
        v = self.beta_2 * variance + (1 - self.beta_2) * ops.square(rotated)
        t = ops.where(has_begun, count, 1.0)
        root = ops.sqrt(bias_correction(self.beta_2, t) + ops.zeros_like(t))
        u = m / (ops.sqrt(v) + self.epsilon) * root / bias_correction(self.beta_1, t)
        counted = ops.where(count < 2 * _LONG, count, count - self._whole_cycles())
        begins = has_begun | ops.any(gradient != 0)
        after = ops.where(begins, counted + 1, ops.zeros_like(count))
        if not any(lengths):
            return variable - now.learning_rate * u, (m, v, after, covariances, bases)
        u = _rotated_back(u, _matrices(bases, lengths))
        beta = self.beta_2 if self.basis_beta is None else self.basis_beta
        square = _joined(_squares(gradient, lengths))
        covariances = beta * covariances + (1 - beta) * square
        m, v, bases = self._with_new_bases(count, after, m, v, covariances, bases)
        return variable - now.learning_rate * u, (m, v, after, covariances, bases)

    def _whole_cycles(self) -> int:
        return _LONG // self.frequency * self.frequency

    def _with_new_bases(self, count, after, m, v, covariances, bases) -> tuple:
        """Returns moments and bases, new ones where a step changes them."""
        lengths = self._lengths(m.shape)
        matrices = _matrices(covariances, lengths)
        is_first = (count == 0) & (after > 0)
        is_due = (count > 0) & (count % self.frequency == 0)

        def found():
            return (
                m,
                v,
                _joined([c if c is None else _eigenvectors(c) for c in matrices]),
            )

        def refined():
            old, new, ordered = _matrices(bases, lengths), [], v
            for axis, (c, q) in enumerate(zip(matrices, old, strict=True)):
                if c is not None and q is not None:
                    power = backend.products(c, ops.transpose(q))
                    order = ops.argsort(-ops.sum(q * power, axis=0))
                    ordered = ops.take(ordered, order, axis=axis)
                    q = _orthogonal(ops.take(power, order, axis=1))
                new.append(q)
            return _rotated(_rotated_back(m, old), new), ordered, _joined(new)

        return backend.branch(
            is_first | is_due,
            lambda: backend.branch(is_first, found, refined),
            lambda: (m, v, bases),
        )

    def get_config(self):
        return super().get_config() | {
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
            "basis_beta": self.basis_beta,
            "epsilon": self.epsilon,
            "frequency": self.frequency,
            "max_size": self.max_size,
        }


def _matrices(joined, lengths) -> list:
    """Divides a vector into square matrices, `None` for axes without one."""
    matrices, start = [], 0
    for n in lengths:
        part = joined[start : start + n * n]
        matrices.append(ops.reshape(part, (n, n)) if n else None)
        start += n * n
    return matrices


def _joined(matrices):
    parts = [ops.reshape(x, (-1,)) for x in matrices if x is not None]
    return parts[0] if len(parts) == 1 else ops.concatenate(parts)


def _squares(x, lengths) -> list:
    """Returns the products of the rows along each axis."""
    squares = []
    for axis, n in enumerate(lengths):
        rows = ops.reshape(backend.moveaxis(x, axis, 0), (n, -1)) if n else None
        squares.append(rows if rows is None else backend.products(rows, rows))
    return squares


def _rotated(x, bases):
    """Multiplies a tensor along each axis by the transposed basis of this axis."""
    return _rotated_back(x, [q if q is None else ops.transpose(q) for q in bases])


def _rotated_back(x, bases):
    """Multiplies a tensor along each axis by the basis of this axis."""
    shape = tuple(x.shape)
    for n, q in zip(shape, bases, strict=True):
        x = ops.transpose(ops.reshape(x, (n, -1)))  # this axis comes last
        x = x if q is None else backend.products(x, q)
    return ops.reshape(x, shape)


def _eigenvectors(x):
    """Returns the eigenvectors of a symmetric matrix, the largest eigenvalue first."""
    x, is_finite = _scaled(x)
    x = ops.where(is_finite, x, 0.0)  # TensorFlow raises an error for NaN
    # PyTorch raises one for some matrices with rows of zeros, which embeddings have.
    x = x + _LITTLE * ops.eye(x.shape[0], dtype=x.dtype)
    vectors = ops.linalg.eigh(x)[1]
    return ops.where(is_finite, ops.flip(vectors, axis=1), float("nan"))


def _orthogonal(x):
    """Returns the orthogonal factor of a QR decomposition."""
    x, is_finite = _scaled(x)
    q = ops.linalg.qr(ops.where(is_finite, x, 0.0))[0]
    return ops.where(is_finite, q, float("nan"))


def _scaled(x):
    """Returns a matrix of moderate numbers, and whether it is finite."""
    largest = ops.amax(ops.absolute(x))
    x = x / ops.where(largest > 0, largest, 1.0)
    return x, ops.all(ops.isfinite(x))
