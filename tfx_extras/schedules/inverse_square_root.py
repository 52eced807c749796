"""Linear warm-up, then inverse square root decay."""

from keras import ops

from tfx_extras._checks import Number
from tfx_extras._checks import require
from tfx_extras._checks import require_steps
from tfx_extras._register import register
from tfx_extras._typed import typechecked
from tfx_extras.schedules._base import Schedule
from tfx_extras.schedules._base import elapsed
from tfx_extras.schedules._base import risen

__all__ = ["InverseSquareRoot", "inverse_square_root"]


@register
def inverse_square_root(
    step,
    peak_learning_rate,
    warmup_steps,
    initial_learning_rate=0.0,
    first_step_nonzero=False,
):
    """Inverse square root schedule: linear warm-up, then decay with 1 / sqrt(step).

    Function form of `InverseSquareRoot`, which has the formula.

    Args:
        step: $t$, the number of steps made so far (0 for the first step): a number, an
            array or a tensor of any shape.
        peak_learning_rate: $P$, in [0, inf): the peak, which is the learning rate at
            the end of the warm-up.
        warmup_steps: $W$, in (0, inf): the number of warm-up steps, a whole number.
        initial_learning_rate: $I$, in [0, inf): the learning rate at which the warm-up
            starts.
        first_step_nonzero: Whether step 0 is already one step into the warm-up, so that
            its learning rate is not $I$.

    Returns:
        The learning rate at `step`, of the shape of `step`, in `float32`, or in
        `float64` if that is `keras.config.floatx()`.

    Example:
        >>> rates = tfx_extras.schedules.inverse_square_root(
        ...     np.array([0, 1, 2, 8, 32]), 1.0, warmup_steps=2)
        >>> print(keras.ops.convert_to_numpy(rates).round(3))
        [0.   0.5  1.   0.5  0.25]
    """
    up = risen(
        step,
        initial_learning_rate,
        peak_learning_rate,
        warmup_steps,
        first_step_nonzero,
    )
    since_peak = elapsed(step, warmup_steps - first_step_nonzero)
    t_by_w = 1 + ops.where(since_peak > 0, since_peak, 0.0) / float(warmup_steps)
    return ops.where(since_peak < 0, up, peak_learning_rate / ops.sqrt(t_by_w))


@register
class InverseSquareRoot(Schedule):
    r"""Inverse square root schedule: linear warm-up, then decay with 1 / sqrt(step).

    Use it for Transformers (as the Noam schedule), or when the length of training is
    not known in advance. If it is known, use `WarmupCosine`, since this schedule never
    reaches 0. Keras has no equivalent. `keras.optimizers.schedules.InverseTimeDecay`
    decays with 1 / step and has no warm-up.

    $$
    \eta(t) = \begin{cases}
    I\, (1 - t / W) + P\, t / W & t < W \\
    P\, \sqrt{W / t} & W \le t
    \end{cases}
    $$

    $t$ is the step. The learning rate rises linearly from $I$ to the peak $P$ in $W$
    steps and then decays. By default, $I$ is 0, so step 0 leaves the weights unchanged
    and updates only the optimizer's moments.

    With `first_step_nonzero`, $t + 1$ replaces $t$ everywhere. With
    $P = 1 / \sqrt{d\, W}$ this is the schedule of the Transformer with $d$ features,
    $d^{-1/2} \min((t + 1)^{-1/2}, (t + 1)\, W^{-3/2})$.

    `step` and all lengths count batches, not epochs: without gradient accumulation,
    one batch is one optimizer step.
    `tfx_extras.schedules.epochs` converts epochs to steps. A call returns the learning
    rate at `step`, of the shape of `step`, in `float32`, or in `float64` if that is
    `keras.config.floatx()`.

    Args:
        peak_learning_rate: $P$, in [0, inf): the peak, which is the learning rate at
            the end of the warm-up.
        warmup_steps: $W$, in (0, inf): the number of warm-up steps, a whole number.
        initial_learning_rate: $I$, in [0, inf): the learning rate at which the warm-up
            starts.
        first_step_nonzero: Whether step 0 is already one step into the warm-up, so that
            its learning rate is not $I$.

    Call arguments:
        step: $t$, the number of steps made so far (0 for the first step): a number, an
            array or a tensor of any shape.

    Raises:
        ValueError: If an argument is outside its interval.
        TypeError: If an argument has the wrong type or an unknown name.

    Example:
        >>> d, warmup_steps = 512, 4000
        >>> noam = tfx_extras.schedules.InverseSquareRoot(
        ...     (d * warmup_steps) ** -0.5, warmup_steps, first_step_nonzero=True)
        >>> optimizer = keras.optimizers.Adam(noam)
        >>> print(f"{float(noam(0)):.2e} {float(noam(3999)):.2e}")
        1.75e-07 6.99e-04

    Reference: Vaswani et al., 2017. https://arxiv.org/abs/1706.03762
    """

    function = staticmethod(inverse_square_root)

    @typechecked
    def __init__(
        self,
        peak_learning_rate: Number,
        warmup_steps: Number,
        initial_learning_rate: Number = 0.0,
        first_step_nonzero: bool = False,
    ):
        self.peak_learning_rate = require(
            "peak_learning_rate", peak_learning_rate, "[0, inf)"
        )
        self.warmup_steps = require_steps("warmup_steps", warmup_steps, "(0, inf)")
        self.initial_learning_rate = require(
            "initial_learning_rate", initial_learning_rate, "[0, inf)"
        )
        self.first_step_nonzero = first_step_nonzero
