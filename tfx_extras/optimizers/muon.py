"""Muon."""

import math
from collections.abc import Sequence
from typing import Any
from typing import Unpack

from keras import ops

from tfx_extras._checks import Number
from tfx_extras._checks import require
from tfx_extras._checks import require_each
from tfx_extras._checks import require_one_of
from tfx_extras._checks import require_patterns
from tfx_extras._checks import require_steps
from tfx_extras._register import register
from tfx_extras._typed import typechecked
from tfx_extras.optimizers._base import Optimizer
from tfx_extras.optimizers._layouts import from_matrices
from tfx_extras.optimizers._layouts import sizes_of
from tfx_extras.optimizers._layouts import to_matrices
from tfx_extras.optimizers._options import LearningRate
from tfx_extras.optimizers._options import OptimizerOptions
from tfx_extras.optimizers._rectification import bias_correction

__all__ = ["Muon"]

# Coefficients of the iterations: a X + b X X' X + c X X' X X' X.
_JORDAN = ((3.4445, -4.7750, 2.0315),)
_QUINTIC = (
    (4.0848, -6.8946, 2.9270),
    (3.9505, -6.3029, 2.6377),
    (3.7418, -5.5913, 2.3037),
    (2.8769, -3.1427, 1.2046),
    (2.8366, -3.0525, 1.2012),
)
_COEFFICIENTS = {"jordan": _JORDAN, "quintic": _QUINTIC}
EPSILON = 1e-7  # for gradients of zero
_SCALES = ("rms", "spectral", "rms_to_rms", "none")
_DTYPES = (None, "float32", "bfloat16", "float16")


@register
class Muon(Optimizer):
    r"""Muon: orthogonal momentum for kernels, and AdamW for all other weights.

    Use it to train transformers, convolutional and recurrent networks from scratch,
    with a weight decay such as 0.1, and with `layouts=kernel_layouts(model)`, so that
    output layers get AdamW. `keras.optimizers.Muon` takes every variable of rank 2 for
    a matrix, such as biases of attention, and no other: the kernels of attention and
    of convolutions get Adam there.

    $$
    \begin{aligned}
    m_t &= \mu\, m_{t-1} + (1 - \mu)\, g_t \\
    u_t &= \mu\, m_t + (1 - \mu)\, g_t \\
    X &\leftarrow u_t / (\lVert u_t \rVert + 10^{-7}) \\
    X &\leftarrow a X + b\, (X X^\top) X + c\, (X X^\top)^2 X
        \qquad \text{several times} \\
    w_t &= w_{t-1} - \eta \lambda w_{t-1} - \eta\, s\, X
    \end{aligned}
    $$

    $g_t$ is the gradient of a kernel as a matrix, $w_t$ are its weights, $m_t$ is the
    momentum, $\eta$ the learning rate, and $\lambda$ the weight decay. The iterations
    (Newton-Schulz) bring all singular values of $X$ close to 1. Without `nesterov`,
    $u_t = m_t$. The scale $s$ is, for $n$ inputs and $k$ outputs:

    | `scale` | $s$ |
    |---|---|
    | "rms" | $0.2 \sqrt{\max(n, k)}$ (Liu et al.) |
    | "spectral" | $\sqrt{\max(1, k / n)}$ (Jordan) |
    | "rms_to_rms" | $\sqrt{k / n}$ |
    | "none" | 1 |

    With "rms", the root mean square of $s X$ is about 0.2, which is usual for AdamW
    too.

    With `variance_beta` $\beta$, each output unit has a second moment of its own
    (NorMuon), and the matrix a fixed length, so `scale` must be the default:

    $$
    \begin{aligned}
    v_t &= \beta v_{t-1} + (1 - \beta)\, \text{mean}_\text{inputs}(X^2) \\
    X &\leftarrow X / (\sqrt{v_t} + 10^{-10}) \\
    w_t &= w_{t-1} - \eta \lambda w_{t-1} - \eta\, 0.2 \sqrt{n k}\,
        \frac{X}{\lVert X \rVert}
    \end{aligned}
    $$

    Which axes of a kernel are inputs and outputs is its layout: see the option
    `layouts` and `kernel_layouts`. All other variables, such as biases and embeddings,
    and kernels with one input or one output, are updated by `AdamW` with
    `adam_beta_1`, `adam_beta_2` and `adam_epsilon`. To treat the heads of attention as
    separate matrices, give rules: `{"(query|key|value)/kernel$": "ibo"}`.

    Weight decay applies to all variables, also to those that AdamW updates: exclude
    biases and normalization by `weight_decay_exclude`. The decay is proportional to the
    learning rate, so `adam_learning_rate_factor` multiplies it too.

    Memory: 4 bytes of state per weight of a kernel, 4 more per unit with
    `variance_beta`, 8 bytes per other weight, and 2 more per 16-bit weight
    (bfloat16, float16). Time: a kernel of $n \times k$ with $n \le k$ takes about
    $20 n^2 k + 10 n^3$ operations per step, whatever the batch.

    Differs from `keras.optimizers.Muon` in the kernels that it takes for matrices, in
    AdamW for the others, whose $\epsilon$ is added after the bias correction, and in
    the default `weight_decay`, which is none.

    Args:
        learning_rate: $\eta$, in [0, inf): a number, a schedule, or a function without
            arguments that returns it. With "rms", begin with the learning rate of
            AdamW, and try 3 and 10 times as much. With "spectral", about 0.02 is usual,
            and `adam_learning_rate_factor=0.015` then gives AdamW 3e-4.
        momentum: $\mu$, decay rate of the momentum, in [0, 1).
        nesterov: Whether to use Nesterov momentum.
        ns_steps: Number of iterations, a whole number in [1, inf).
        ns_coefficients: $(a, b, c)$ of the iterations: "jordan", "quintic", which comes
            closer to 1, or a list of triples, whose last one is repeated.
        scale: "rms", "spectral", "rms_to_rms" or "none".
        variance_beta: $\beta$, decay rate of the second moments of units (NorMuon), in
            [0, 1). 0.95 is usual. `None` means no second moments.
        iteration_dtype: Dtype of the iterations: "float32", "bfloat16", "float16" or
            `None`. "bfloat16" is common on GPUs, and has an error of about 3 %.
            "float16" has one of about 0.4 %. Its range is enough, because the matrix is
            divided by its norm first. Most singular values end between 0.7 and 1.2
            anyway. `None` means that of the computation, `float32`.
        adam_exclude: Variables that Muon leaves to AdamW, although they are kernels:
            regular expressions that are searched in the `path` of each variable.
        adam_beta_1: Decay rate of AdamW's first moment, in [0, 1).
        adam_beta_2: Decay rate of AdamW's second moment, in [0, 1).
        adam_epsilon: AdamW's $\epsilon$, in (0, inf).
        adam_learning_rate_factor: Factor of the learning rate for AdamW, in [0, inf).
        **kwargs: Options of every optimizer, such as `layouts`, `weight_decay`,
            `weight_decay_exclude`, `clipnorm`, `use_ema` and
            `gradient_accumulation_steps`: see `OptimizerOptions`.

    Raises:
        ValueError: If an argument is outside its interval, or if a layout does not fit
            a variable.
        TypeError: If an argument has the wrong type or an unknown name.

    Example:
        >>> model = keras.Sequential([
        ...     keras.Input((8,)), keras.layers.Dense(16), keras.layers.Dense(2)])
        >>> optimizer = tfx_extras.optimizers.Muon(
        ...     1e-3, weight_decay=0.1, weight_decay_exclude=["bias"],
        ...     layouts=tfx_extras.optimizers.kernel_layouts(model))
        >>> model.compile(optimizer, loss="mse")

    Reference: Jordan et al., 2024. https://kellerjordan.github.io/posts/muon;
    Liu et al., 2025. https://arxiv.org/abs/2502.16982; NorMuon: Li et al., 2025.
    https://arxiv.org/abs/2510.05491
    """

    is_elementwise = False
    slots = ("momentum", "variance")
    _has_layouts = True
    _path_arguments = (*Optimizer._path_arguments, "adam_exclude")

    @typechecked
    def __init__(
        self,
        learning_rate: LearningRate = 0.001,
        momentum: Number = 0.95,
        nesterov: bool = True,
        ns_steps: Number = 5,
        ns_coefficients: str | Sequence[Sequence[Number]] = "jordan",
        scale: str = "rms",
        variance_beta: Number | None = None,
        iteration_dtype: str | None = None,
        adam_exclude: Sequence[str] = (),
        adam_beta_1: Number = 0.9,
        adam_beta_2: Number = 0.95,
        adam_epsilon: Number = 1e-8,
        adam_learning_rate_factor: Number = 1.0,
        **kwargs: Unpack[OptimizerOptions],
    ):
        super().__init__(learning_rate, **kwargs)
        self.momentum = require("momentum", momentum, "[0, 1)")
        self.nesterov = nesterov
        self.ns_steps = require_steps("ns_steps", ns_steps, "[1, inf)")
        self.ns_coefficients, self._triples = _require_triples(ns_coefficients)
        self.scale = require_one_of("scale", scale, _SCALES)
        if variance_beta is not None:
            variance_beta = require("variance_beta", variance_beta, "[0, 1)")
            if scale != "rms":
                raise ValueError(
                    "Argument `scale` has no effect with `variance_beta`, which gives "
                    "each matrix a fixed length. "
                    f"Received: scale={scale}, variance_beta={variance_beta}"
                )
        self.variance_beta = variance_beta
        self.iteration_dtype = require_one_of(
            "iteration_dtype", iteration_dtype, _DTYPES
        )
        self.adam_exclude = require_patterns("adam_exclude", adam_exclude)
        self.adam_beta_1 = require("adam_beta_1", adam_beta_1, "[0, 1)")
        self.adam_beta_2 = require("adam_beta_2", adam_beta_2, "[0, 1)")
        self.adam_epsilon = require("adam_epsilon", adam_epsilon, "(0, inf)")
        self.adam_learning_rate_factor = require(
            "adam_learning_rate_factor", adam_learning_rate_factor, "[0, inf)"
        )

    def _found_layouts(self):
        layouts, variables = super()._found_layouts(), self._trainable_variables
        excluded = self._matches("adam_exclude")
        # A matrix with one row or column would make a normalized gradient of it.
        self._are_matrices = [
            layout is not None and not e and min(sizes_of(layout, v.shape)[1:]) > 1
            for layout, v, e in zip(layouts, variables, excluded, strict=True)
        ]
        return layouts

    def _traits(self, index):
        return *super()._traits(index), self._are_matrices[index]

    def slot_shape(self, name, variable):
        index = self._get_variable_index(variable)
        if name == "momentum" or not self._are_matrices[index]:
            return tuple(variable.shape)
        if self.variance_beta is None:
            return ()
        matrices, _, units = sizes_of(self._layouts[index], variable.shape)
        return matrices, 1, units

    def coefficients(self, step):
        """Returns the factors of AdamW's moments, which correct their bias."""
        betas = self.adam_beta_1, self.adam_beta_2
        return tuple(1 / bias_correction(beta, step) for beta in betas)

    def _after_decay(self, variable, now, index, direction=None):
        now = self._at_own_rate(now, index)
        return super()._after_decay(variable, now, index, direction)

    def _own_factor(self, index):
        return 1.0 if self._are_matrices[index] else self.adam_learning_rate_factor

    def _at_own_rate(self, now, index):
        """Returns the values of this step with the learning rate of the variable."""
        if self._are_matrices[index]:
            return now
        return now._replace(learning_rate=now.learning_rate * self._own_factor(index))

    def move(self, gradient, variable, now, slots, index):
        if not self._are_matrices[index]:
            return super().move(
                gradient, variable, self._at_own_rate(now, index), slots, index
            )
        momentum, variance = slots
        m = self.momentum * momentum + (1 - self.momentum) * gradient
        u = self.momentum * m + (1 - self.momentum) * gradient if self.nesterov else m
        layout = self._layouts[index]
        x = self._orthogonalized(to_matrices(u, layout))
        _, inputs, outputs = sizes_of(layout, variable.shape)
        if self.variance_beta is None:
            x = _scale(self.scale, inputs, outputs) * x
        else:
            # Not `ops.mean`, which narrows `float64`.
            square = ops.sum(ops.square(x), axis=1, keepdims=True) / inputs
            past = self.variance_beta * variance
            variance = past + (1 - self.variance_beta) * square
            x = x / (ops.sqrt(variance) + 1e-10)
            norm = _norms(x)
            length = 0.2 * math.sqrt(inputs * outputs)
            x = length * x / ops.where(norm > 0, norm, 1.0)
        step = from_matrices(x, layout, variable.shape)
        return variable - now.learning_rate * step, (m, variance)

    def update(self, gradient, variable, coefficients, slots):
        c_1, c_2 = coefficients
        momentum, variance = slots
        m = self.adam_beta_1 * momentum + (1 - self.adam_beta_1) * gradient
        square = ops.square(gradient)
        v = self.adam_beta_2 * variance + (1 - self.adam_beta_2) * square
        return c_1 * m / (ops.sqrt(c_2 * v) + self.adam_epsilon), (m, v)

    def _orthogonalized(self, matrices):
        """Returns matrices with the same singular vectors, and values close to 1."""
        count, inputs, outputs = matrices.shape
        x = matrices / (_norms(matrices) + EPSILON)
        # XLA multiplies a batch of one matrix slowly.
        x = x[0] if count == 1 else x
        axes = (1, 0) if count == 1 else (0, 2, 1)
        if inputs > outputs:
            x = ops.transpose(x, axes)
        x = ops.cast(x, self.iteration_dtype or x.dtype)
        for i in range(self.ns_steps):
            a, b, c = self._triples[min(i, len(self._triples) - 1)]
            s = x @ ops.transpose(x, axes)
            x = a * x + (b * s + c * (s @ s)) @ x
        x = ops.cast(x, matrices.dtype)
        x = ops.transpose(x, axes) if inputs > outputs else x
        return ops.reshape(x, (count, inputs, outputs))

    def get_config(self):
        return super().get_config() | {
            "momentum": self.momentum,
            "nesterov": self.nesterov,
            "ns_steps": self.ns_steps,
            "ns_coefficients": self.ns_coefficients,
            "scale": self.scale,
            "variance_beta": self.variance_beta,
            "iteration_dtype": self.iteration_dtype,
            "adam_exclude": list(self.adam_exclude),
            "adam_beta_1": self.adam_beta_1,
            "adam_beta_2": self.adam_beta_2,
            "adam_epsilon": self.adam_epsilon,
            "adam_learning_rate_factor": self.adam_learning_rate_factor,
        }


def _norms(matrices):
    squares = ops.sum(ops.square(matrices), axis=(1, 2), keepdims=True)
    return ops.sqrt(squares)


def _scale(name, inputs, outputs) -> float:
    return {
        "rms": 0.2 * math.sqrt(max(inputs, outputs)),
        "spectral": math.sqrt(max(1.0, outputs / inputs)),
        "rms_to_rms": math.sqrt(outputs / inputs),
        "none": 1.0,
    }[name]


def _require_triples(coefficients) -> tuple[Any, Any]:
    """Returns the argument `ns_coefficients`, checked, and its triples."""
    if isinstance(coefficients, str):
        require_one_of("ns_coefficients", coefficients, _COEFFICIENTS, ", or a list")
        return coefficients, _COEFFICIENTS[coefficients]
    triples = [
        require_each(f"ns_coefficients[{i}]", triple, "(-inf, inf)")
        for i, triple in enumerate(coefficients)
    ]
    if not triples or any(len(triple) != 3 for triple in triples):
        raise ValueError(
            "Argument `ns_coefficients` must be a list of triples of numbers. "
            f"Received: ns_coefficients={coefficients}"
        )
    return triples, triples
