"""Lazy Adam."""

from typing import Unpack

from keras import ops

from tfx_extras._backend import backend
from tfx_extras._checks import Number
from tfx_extras._checks import require
from tfx_extras._precision import wide
from tfx_extras._register import register
from tfx_extras._typed import typechecked
from tfx_extras.optimizers._base import Optimizer
from tfx_extras.optimizers._options import LearningRate
from tfx_extras.optimizers._options import OptimizerOptions
from tfx_extras.optimizers._rectification import bias_correction
from tfx_extras.optimizers._rounding import exact
from tfx_extras.optimizers._rounding import store
from tfx_extras.optimizers._update import Update

__all__ = ["LazyAdam"]


@register
class LazyAdam(Optimizer):
    r"""Lazy Adam: Adam that updates only the embedding rows used in the batch.

    Use it on TensorFlow for large embedding tables of which a batch uses few rows, as
    in recommender systems. The time of a step then depends on the batch and not on the
    table. Rows that are not used keep their weights and moments, so results differ from
    Adam's. `keras.optimizers.Adam` updates all rows in each step. For dense gradients,
    such as all those of JAX and PyTorch, both optimizers are the same.

    $$
    \begin{aligned}
    m_t &= \beta_1 m_{t-1} + (1 - \beta_1)\, g_t \\
    v_t &= \beta_2 v_{t-1} + (1 - \beta_2)\, g_t^2 \\
    w_t &= w_{t-1} - \eta\, \frac{\sqrt{1 - \beta_2^t}}{1 - \beta_1^t}\,
        \frac{m_t}{\sqrt{v_t} + \epsilon}
    \end{aligned}
    $$

    $g_t$ is the gradient, $w_t$ are the weights, and $\eta$ is the learning rate. $m_t$
    is the first moment (momentum), and $v_t$ the second moment. With `amsgrad`, the
    maximum of $v$ so far replaces $v_t$ in the last line.

    On TensorFlow, the gradient of an embedding names the rows that it has. $m$, $v$ and
    $w$ of all other rows stay as they are, and momentum does not move them on. A step
    takes time and memory for the named rows, however large the table. The gradients of
    a row that occurs several times in a batch are summed. Replicas of `tf.distribute`
    exchange the rows that each of them has, and update all of these.

    The options `adaptive_clip`, `centralize_gradient` and `cautious` see the named rows
    as if they were the whole table. `cautious_decay` cannot be set.

    With `gradient_accumulation_steps`, the rows with a summed gradient other than zero
    are updated. Gradient accumulation, weight decay and `use_ema` take time for the
    whole table.

    Memory: 8 bytes of state per weight, 12 with `amsgrad`, and 2 more per 16-bit weight
    (bfloat16, float16).

    Args:
        learning_rate: $\eta$, in [0, inf): a number, a schedule, or a function without
            arguments that returns it.
        beta_1: $\beta_1$, decay rate of the first moment (momentum), in [0, 1).
        beta_2: $\beta_2$, decay rate of the second moment, in [0, 1).
        epsilon: $\epsilon$, in (0, inf).
        amsgrad: Whether to use AMSGrad, which replaces the second moment by its maximum
            so far.
        **kwargs: Options of every optimizer, such as `weight_decay`,
            `weight_decay_exclude`, `clipnorm`, `use_ema` and
            `gradient_accumulation_steps`: see `OptimizerOptions`.

    Raises:
        ValueError: If an argument is outside its interval.
        TypeError: If an argument has the wrong type or an unknown name.

    Example:
        >>> w = keras.Variable([1.0, -2.0])
        >>> tfx_extras.optimizers.LazyAdam(0.1).apply([2 * w], [w])
        >>> print(w.numpy().round(4))
        [ 0.9 -1.9]

    Reference: Kingma and Ba, 2014. https://arxiv.org/abs/1412.6980
    """

    @typechecked
    def __init__(
        self,
        learning_rate: LearningRate = 0.001,
        beta_1: Number = 0.9,
        beta_2: Number = 0.999,
        epsilon: Number = 1e-7,
        amsgrad: bool = False,
        **kwargs: Unpack[OptimizerOptions],
    ):
        super().__init__(learning_rate, **kwargs)
        if self.cautious_decay:
            raise ValueError(
                "Argument `cautious_decay` must be False for `LazyAdam`, because rows "
                "decay also where they have no gradient. Received: cautious_decay=True"
            )
        self.beta_1 = require("beta_1", beta_1, "[0, 1)")
        self.beta_2 = require("beta_2", beta_2, "[0, 1)")
        self.epsilon = require("epsilon", epsilon, "(0, inf)")
        self.amsgrad = amsgrad
        self.slots = ("momentum", "variance") + ("max_variance",) * amsgrad
        self._rows = {}

    def apply(self, grads, trainable_variables=None):
        self._rows.clear()
        super().apply(grads, trainable_variables)
        self._rows.clear()  # while tracing, they are tensors of a graph

    def _prepared(self, gradient, variable):
        rows = backend.named_rows(
            gradient,
            variable.shape,
            wide(variable.dtype),
            is_shared=self.gradient_accumulation_steps is not None,
        )
        if rows is None:
            return super()._prepared(gradient, variable)
        self._rows[self._var_key(variable)] = rows
        # Keras scales and clips it like the whole gradient.
        return rows.gradient

    def _goes_alone(self, variable):
        is_overridden = type(self).update_step is not LazyAdam.update_step
        return is_overridden or self._var_key(variable) in self._rows

    def update_step(self, gradient, variable, learning_rate):
        rows = self._rows.get(self._var_key(variable))
        if rows is None:
            super().update_step(gradient, variable, learning_rate)
            return
        index, dtype = self._get_variable_index(variable), wide(variable.dtype)
        residual = self._residuals[index]
        now = self._now(learning_rate, dtype)
        now = self._now_of(now, index, learning_rate, dtype)
        if self._decays[index]:
            store(
                self._after_decay(exact(variable, residual), now, index),
                variable,
                residual,
            )
        kept = variable, residual, *self._slots[index]
        gradient, parts = rows.parts(gradient, kept)
        now = now._replace(weight_decay=0.0)  # all rows have decayed already
        self._update_kept(Update(now, index, gradient, parts))

    def coefficients(self, step):
        root = bias_correction(self.beta_2, step) ** 0.5
        return root / bias_correction(self.beta_1, step)

    def update(self, gradient, variable, coefficients, slots):
        momentum, variance, *max_variance = slots
        m = self.beta_1 * momentum + (1 - self.beta_1) * gradient
        v = self.beta_2 * variance + (1 - self.beta_2) * ops.square(gradient)
        maxima = tuple(ops.where(v > past, v, past) for past in max_variance)
        largest = maxima[0] if self.amsgrad else v
        return m * (coefficients / (ops.sqrt(largest) + self.epsilon)), (m, v, *maxima)

    def get_config(self):
        return super().get_config() | {
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
            "epsilon": self.epsilon,
            "amsgrad": self.amsgrad,
        }
