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
    k_decay=1.0,
):
    """Warm-up cosine schedule: linear warm-up, then cosine decay.

    Function form of `WarmupCosine`, which has the formula.

    Args:
        step: $t$, the number of steps made so far (0 for the first step): a number, an
            array or a tensor of any shape.
        peak_learning_rate: $P$, in [0, inf): the peak, which is the learning rate at
            the end of the warm-up.
        warmup_steps: $W$, in [0, inf): the number of warm-up steps, a whole number; 0
            starts at the peak.
        decay_steps: $D$, in (0, inf): the number of decay steps (of cycle 0, if there
            are restarts), a whole number.
        hold_steps: $H$, in [0, inf): the number of steps at the peak, a whole number.
        initial_learning_rate: $I$, in [0, inf): the learning rate at which the warm-up
            starts.
        end_learning_rate: $E$, in [0, inf): the learning rate at the end of each cycle
            and after the last one.
        restarts: $n$, in [0, 1000]: the number of warm restarts, a whole number.
        t_mul: $t_{mul}$, in [1, inf): the ratio of the length of a cycle to that of the
            previous one.
        m_mul: $m_{mul}$, in (0, 1]: the ratio of the peak of a cycle to that of the
            previous one.
        first_step_nonzero: Whether step 0 is already one step into the warm-up, so that
            its learning rate is not $I$.
        k_decay: $k$, in (0, inf): with more than 1, the learning rate stays high for
            longer in each cycle.

    Returns:
        The learning rate at `step`, of the shape of `step`, in `float32`, or in
        `float64` if that is `keras.config.floatx()`.

    Example:
        >>> rates = tfx_extras.schedules.warmup_cosine(
        ...     np.arange(8), 1.0, warmup_steps=2, decay_steps=4)
        >>> print(keras.ops.convert_to_numpy(rates).round(3))
        [0.    0.5   1.    0.854 0.5   0.146 0.    0.   ]
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
        z = ops.clip(t / length, 0, 1)
        x = half_cosine(z if k_decay == 1 else z ** float(k_decay))
        cycle = between(peak_learning_rate * m_mul**i, end_learning_rate, x)
        rate = ops.where(t >= 0, cycle, rate)
        # Without rounding, 25 + 55 + 121 = 201.00000000000003 would be a step late.
        start = round(start + length, 6)
        length = length * t_mul
        if start >= LAST:  # before the powers for 1000 cycles overflow
            return rate
    end = constant(step, end_learning_rate)
    return ops.where(elapsed(step, start) >= 0, end, rate)


@register
class WarmupCosine(Schedule):
    r"""Warm-up cosine schedule: linear warm-up, then cosine decay.

    Use it as a first choice when the number of training steps is known. With `restarts`
    it is SGDR (cosine annealing with warm restarts). If training may go on or stop
    early, use `WarmupStableDecay`. `keras.optimizers.schedules.CosineDecay` with
    `warmup_target` and `warmup_steps` has neither hold nor restarts.
    `keras.optimizers.schedules.CosineDecayRestarts` has no warm-up and restarts without
    end.

    $$
    \eta(t) = \begin{cases}
    I\, (1 - t / W) + P\, t / W & t < W \\
    P & W \le t < W + H \\
    P_i\, (1 - x_i) + E\, x_i & T_i \le t < T_{i+1} \\
    E & T_{n+1} \le t
    \end{cases}
    $$

    $$
    \begin{aligned}
    x_i &= \sin^2 \frac{\pi z_i^k}{2} = \frac{1 - \cos (\pi z_i^k)}{2}, \quad
    z_i = \frac{t - T_i}{D_i}
    \\
    P_i &= P\, m_{mul}^i, \quad D_i = D\, t_{mul}^i
    \\
    T_0 &= W + H, \quad T_{i+1} = T_i + D_i
    \end{aligned}
    $$

    $t$ is the step. The learning rate rises linearly from $I$ to the peak $P$ in $W$
    steps, stays there for $H$ steps, and decays in cycles. Cycle $i$ starts at step
    $T_i$ and decays from $P_i$ to $E$ in $D_i$ steps. After cycle 0, there are $n$
    restarts, each at the peak $P_i$ of its cycle, without warm-up or hold.

    A $k$ above 1 (k-decay) decays slowly at first and fast at the end. It applies to
    each cycle alike, and changes neither the start nor the end of a cycle.

    By default, $I$ is 0, so step 0 leaves the weights unchanged and updates only the
    optimizer's moments, as in Keras and Optax. With `first_step_nonzero`, $(t + 1) / W$
    replaces $t / W$. Then the learning rate of step 0 is $I + (P - I) / W$, and the
    peak is reached one step earlier.

    $D$ does not include the warm-up, as in Keras and unlike in Optax.

    `step` and all lengths count batches, not epochs: without gradient accumulation,
    one batch is one optimizer step.
    `tfx_extras.schedules.epochs` converts epochs to steps. A call returns the learning
    rate at `step`, of the shape of `step`, in `float32`, or in `float64` if that is
    `keras.config.floatx()`.

    Args:
        peak_learning_rate: $P$, in [0, inf): the peak, which is the learning rate at
            the end of the warm-up.
        warmup_steps: $W$, in [0, inf): the number of warm-up steps, a whole number; 0
            starts at the peak.
        decay_steps: $D$, in (0, inf): the number of decay steps (of cycle 0, if there
            are restarts), a whole number.
        hold_steps: $H$, in [0, inf): the number of steps at the peak, a whole number.
        initial_learning_rate: $I$, in [0, inf): the learning rate at which the warm-up
            starts.
        end_learning_rate: $E$, in [0, inf): the learning rate at the end of each cycle
            and after the last one.
        restarts: $n$, in [0, 1000]: the number of warm restarts, a whole number.
        t_mul: $t_{mul}$, in [1, inf): the ratio of the length of a cycle to that of the
            previous one.
        m_mul: $m_{mul}$, in (0, 1]: the ratio of the peak of a cycle to that of the
            previous one.
        first_step_nonzero: Whether step 0 is already one step into the warm-up, so that
            its learning rate is not $I$.
        k_decay: $k$, in (0, inf): with more than 1, the learning rate stays high for
            longer in each cycle.

    Call arguments:
        step: $t$, the number of steps made so far (0 for the first step): a number, an
            array or a tensor of any shape.

    Raises:
        ValueError: If an argument is outside its interval.
        TypeError: If an argument has the wrong type or an unknown name.

    Example:
        >>> schedule = tfx_extras.schedules.WarmupCosine(0.1, 100, 900)
        >>> optimizer = keras.optimizers.Adam(schedule)
        >>> print(f"{float(schedule(50)):.3f}")
        0.050

    Reference: Loshchilov and Hutter, 2016. https://arxiv.org/abs/1608.03983; for
    k-decay: Zhang and Li, 2020. https://arxiv.org/abs/2004.05909
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
        k_decay: Number = 1.0,
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
        self.k_decay = require("k_decay", k_decay, "(0, inf)")
