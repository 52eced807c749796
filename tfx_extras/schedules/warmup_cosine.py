"""Linear warm-up, then cosine decay, with or without restarts."""

from keras import ops

from tfx_extras._checks import Number
from tfx_extras._checks import require
from tfx_extras._checks import require_steps
from tfx_extras._register import register
from tfx_extras._typed import typechecked
from tfx_extras.schedules._base import LAST
from tfx_extras.schedules._base import Schedule
from tfx_extras.schedules._base import between
from tfx_extras.schedules._base import constant
from tfx_extras.schedules._base import elapsed
from tfx_extras.schedules._base import half_cosine
from tfx_extras.schedules._base import risen

__all__ = ["WarmupCosine", "warmup_cosine"]


@register
def warmup_cosine(
    step,
    peak_learning_rate,
    warmup_steps,
    decay_steps,
    hold_steps=0,
    initial_learning_rate=0.0,
    end_learning_rate=0.0,
    restarts=0,
    t_mul=1.0,
    m_mul=1.0,
    first_step_nonzero=False,
):
    r"""Up a line to the peak, then down half a cosine, then constant.

    $$
    \eta(t) = \begin{cases}
    I\, (1 - t / W) + P\, t / W & t < W \\
    P & W \le t < W + H \\
    P_i\, (1 - x_i) + E\, x_i & T_i \le t < T_{i+1} \\
    E & T_{n+1} \le t
    \end{cases}
    \qquad
    \begin{aligned}
    x_i &= \sin^2 \frac{\pi (t - T_i)}{2 D_i} = \frac{1 - \cos (\pi (t - T_i) / D_i)}{2}
    \\
    P_i &= P\, m_{mul}^i, \quad D_i = D\, t_{mul}^i
    \\
    T_0 &= W + H, \quad T_{i+1} = T_i + D_i
    \end{aligned}
    $$

    Cycle $i$ lasts $D_i$ updates, from $T_i$ on, and falls from $P_i$ to $E$. After
    cycle 0 come $n$ restarts, each at the peak $P_i$ of its cycle, without warm-up
    or hold.

    Update 0 is made at $I$, by default 0: it changes nothing but the averages of
    the optimizer. So do Keras and Optax. With `first_step_nonzero`, $(t + 1) / W$
    takes the place of $t / W$: update 0 is made at $I + (P - I) / W$, and the peak
    is reached one update earlier.

    Differs from Optax, and agrees with Keras, in that $D$ does not include the
    warm-up.

    Args:
        step: $t$, the number of updates made so far: 0 for update 0. A tensor of
            any shape, or what becomes one.
        peak_learning_rate: $P$, in [0, inf).
        warmup_steps: $W$, in updates, a whole number in [0, inf); 0 starts at the
            peak.
        decay_steps: $D$, in updates, a whole number in (0, inf).
        hold_steps: $H$, in updates, a whole number in [0, inf).
        initial_learning_rate: $I$, in [0, inf).
        end_learning_rate: $E$, in [0, inf).
        restarts: $n$, a whole number in [0, 1000].
        t_mul: $t_{mul}$, growth of the length of a cycle, in [1, inf).
        m_mul: $m_{mul}$, decay of the peak of a cycle, in (0, 1].
        first_step_nonzero: Whether update 0 is already on the way to the peak.

    Returns:
        The learning rate of that update, of the shape of `step`, in `float32`, or
        `float64` if that is `keras.config.floatx()`.

    Example:
        >>> rates = tfx_extras.schedules.warmup_cosine(
        ...     np.arange(8), 1.0, warmup_steps=2, decay_steps=4)
        >>> print(keras.ops.convert_to_numpy(rates).round(3))
        [0.    0.5   1.    0.854 0.5   0.146 0.    0.   ]

    Reference: Loshchilov and Hutter, 2016. https://arxiv.org/abs/1608.03983
    """
    rate = risen(
        step,
        initial_learning_rate,
        peak_learning_rate,
        warmup_steps,
        first_step_nonzero,
    )
    start, length = warmup_steps + hold_steps, float(decay_steps)
    for i in range(restarts + 1):
        t = elapsed(step, start)
        x = half_cosine(ops.clip(t / length, 0, 1))
        cycle = between(peak_learning_rate * m_mul**i, end_learning_rate, x)
        rate = ops.where(t >= 0, cycle, rate)
        # Rounded, or 25 + 55 + 121 = 201.00000000000003 would be one update late.
        start = round(start + length, 6)
        length = length * t_mul
        if start >= LAST:  # so that powers of 1000 cycles stay numbers
            return rate
    end = constant(step, end_learning_rate)
    return ops.where(elapsed(step, start) >= 0, end, rate)


@register
class WarmupCosine(Schedule):
    r"""Class form of `warmup_cosine`, for the `learning_rate` of an optimizer.

    Its formula is there. Update 0 is made at $I$, by default 0, unless
    `first_step_nonzero`.

    Args:
        peak_learning_rate: $P$, in [0, inf).
        warmup_steps: $W$, in updates, a whole number in [0, inf).
        decay_steps: $D$, in updates, a whole number in (0, inf).
        hold_steps: $H$, in updates, a whole number in [0, inf).
        initial_learning_rate: $I$, in [0, inf).
        end_learning_rate: $E$, in [0, inf).
        restarts: $n$, a whole number in [0, 1000].
        t_mul: $t_{mul}$, growth of the length of a cycle, in [1, inf).
        m_mul: $m_{mul}$, decay of the peak of a cycle, in (0, 1].
        first_step_nonzero: Whether update 0 is already on the way to the peak.

    Raises:
        ValueError: If an argument is outside its interval.

    Example:
        >>> schedule = tfx_extras.schedules.WarmupCosine(0.1, 100, 900)
        >>> optimizer = keras.optimizers.Adam(schedule)
        >>> print(f"{float(schedule(50)):.3f}")
        0.050

    Reference: Loshchilov and Hutter, 2016. https://arxiv.org/abs/1608.03983
    """

    function = staticmethod(warmup_cosine)

    @typechecked
    def __init__(
        self,
        peak_learning_rate: Number,
        warmup_steps: Number,
        decay_steps: Number,
        hold_steps: Number = 0,
        initial_learning_rate: Number = 0.0,
        end_learning_rate: Number = 0.0,
        restarts: Number = 0,
        t_mul: Number = 1.0,
        m_mul: Number = 1.0,
        first_step_nonzero: bool = False,
    ):
        self.peak_learning_rate = require(
            "peak_learning_rate", peak_learning_rate, "[0, inf)"
        )
        self.warmup_steps = require_steps("warmup_steps", warmup_steps)
        self.decay_steps = require_steps("decay_steps", decay_steps, "(0, inf)")
        self.hold_steps = require_steps("hold_steps", hold_steps)
        self.initial_learning_rate = require(
            "initial_learning_rate", initial_learning_rate, "[0, inf)"
        )
        self.end_learning_rate = require(
            "end_learning_rate", end_learning_rate, "[0, inf)"
        )
        self.restarts = require_steps("restarts", restarts, "[0, 1000]")
        self.t_mul = require("t_mul", t_mul, "[1, inf)")
        self.m_mul = require("m_mul", m_mul, "(0, 1]")
        self.first_step_nonzero = first_step_nonzero
