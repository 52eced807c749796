"""Linear warm-up, then down as the inverse square root of the updates."""

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
    r"""Up a line to the peak, then down as one over the root of the updates.

    $$
    \eta(t) = \begin{cases}
    I\, (1 - t / W) + P\, t / W & t < W \\
    P\, \sqrt{W / t} & W \le t
    \end{cases}
    $$

    It has no end: the length of the training need not be known before.

    Update 0 is made at $I$, by default 0. With `first_step_nonzero`, $t + 1$ takes
    the place of $t$ everywhere. With that and $P = 1 / \sqrt{d\, W}$ it is the
    schedule of the Transformer with $d$ features, also called Noam's:
    $d^{-1/2} \min((t + 1)^{-1/2}, (t + 1)\, W^{-3/2})$.

    Args:
        step: $t$, the number of updates made so far: 0 for update 0. A tensor of
            any shape, or what becomes one.
        peak_learning_rate: $P$, in [0, inf).
        warmup_steps: $W$, in updates, a whole number in (0, inf).
        initial_learning_rate: $I$, in [0, inf).
        first_step_nonzero: Whether update 0 is already on the way to the peak.

    Returns:
        The learning rate of that update, of the shape of `step`, in `float32`, or
        `float64` if that is `keras.config.floatx()`.

    Example:
        >>> rates = tfx_extras.schedules.inverse_square_root(
        ...     np.array([0, 1, 2, 8, 32]), 1.0, warmup_steps=2)
        >>> print(keras.ops.convert_to_numpy(rates).round(3))
        [0.   0.5  1.   0.5  0.25]

    Reference: Vaswani et al., 2017. https://arxiv.org/abs/1706.03762
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
    r"""Class form of `inverse_square_root`, for the `learning_rate` of an optimizer.

    Its formula is there. Update 0 is made at $I$, by default 0, unless
    `first_step_nonzero`.

    Args:
        peak_learning_rate: $P$, in [0, inf).
        warmup_steps: $W$, in updates, a whole number in (0, inf).
        initial_learning_rate: $I$, in [0, inf).
        first_step_nonzero: Whether update 0 is already on the way to the peak.

    Raises:
        ValueError: If an argument is outside its interval.

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
