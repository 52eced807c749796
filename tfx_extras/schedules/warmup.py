"""Warm-up before any schedule."""

from keras import ops
from keras.optimizers.schedules import LearningRateSchedule

from tfx_extras._checks import Number
from tfx_extras._checks import require
from tfx_extras._checks import require_steps
from tfx_extras._register import register
from tfx_extras._typed import typechecked
from tfx_extras.schedules._base import Schedule
from tfx_extras.schedules._base import elapsed
from tfx_extras.schedules._base import evaluate
from tfx_extras.schedules._base import require_schedule
from tfx_extras.schedules._base import since

__all__ = ["Warmup", "warmup"]

# The interval of `start_factor`: where 0 would stay 0, it is left out.
MODES = {
    "constant": "(0, 1]",
    "exponential": "(0, 1]",
    "gaussian": "(0, 1]",
    "linear": "[0, 1]",
    "polynomial": "[0, 1]",
}


@register
def warmup(
    step,
    schedule,
    warmup_steps,
    mode="linear",
    start_factor=0.0,
    power=None,
    first_step_nonzero=False,
):
    r"""Raises the learning rate to the first one of a schedule, then follows that.

    $$
    \eta(t) = \begin{cases}
    \eta'(0)\, f(t / W) & t < W \\
    \eta'(t - W) & W \le t
    \end{cases}
    $$

    The inner schedule $\eta'$ starts when the warm-up ends: its step 0 is update
    $W$. The factor $f$ rises to 1 from the start factor $s$, by `mode`:

    | `mode` | $f(x)$ |
    |---|---|
    | `"linear"` | $s\, (1 - x) + x$ |
    | `"polynomial"` | $s\, (1 - x^p) + x^p$ |
    | `"exponential"` | $s^{1 - x}$ |
    | `"gaussian"` | $s^{(1 - x)^2}$ |
    | `"constant"` | $s$ |

    With $s = e^{-5}$, `"gaussian"` is the ramp-up of Laine and Aila.

    Update 0 is made at $s\, \eta'(0)$: at 0, by default. With `first_step_nonzero`,
    $(t + 1) / W$ takes the place of $t / W$: update 0 is made at
    $f(1 / W)\, \eta'(0)$, and $\eta'(0)$ is reached one update earlier.

    Args:
        step: $t$, the number of updates made so far: 0 for update 0. A tensor of
            any shape, or what becomes one.
        schedule: $\eta'$, a schedule of this package, of Keras or your own, or a
            number in [0, inf).
        warmup_steps: $W$, in updates, a whole number in [0, inf).
        mode: One of the names above.
        start_factor: $s$, in [0, 1], or in (0, 1] for `"exponential"`,
            `"gaussian"` and `"constant"`, which would stay at 0.
        power: $p$, in (0, inf), for `"polynomial"` only; `None` is 2.
        first_step_nonzero: Whether update 0 is already on the way up; not for
            `"constant"`.

    Returns:
        The learning rate of that update, of the shape of `step`, in `float32`, or
        `float64` if that is `keras.config.floatx()`.

    Raises:
        ValueError: If the mode is unknown, has no use for an option that is given,
            or an argument is outside its interval.

    Example:
        >>> rates = tfx_extras.schedules.warmup(np.arange(6), 0.1, warmup_steps=4)
        >>> print(keras.ops.convert_to_numpy(rates).round(3))
        [0.    0.025 0.05  0.075 0.1   0.1  ]

    References:
        Goyal et al., 2017. https://arxiv.org/abs/1706.02677
        Laine and Aila, 2016. https://arxiv.org/abs/1610.02242
    """
    _require_mode(mode, start_factor, power, first_step_nonzero)
    rate = evaluate(schedule, since(step, warmup_steps))
    if not warmup_steps:
        return rate
    s, p = start_factor, 2.0 if power is None else power
    x = (elapsed(step) + float(first_step_nonzero)) / float(warmup_steps)
    x = ops.clip(x, 0, 1)
    if mode == "linear":
        f = s * (1 - x) + x
    elif mode == "polynomial":
        f = s * (1 - x**p) + x**p
    elif mode == "exponential":
        f = s ** (1 - x)
    elif mode == "gaussian":
        f = s ** ops.square(1 - x)
    else:
        f = s * ops.ones_like(x)
    return ops.where(elapsed(step, warmup_steps) < 0, rate * f, rate)


def _require_mode(mode, start_factor, power, first_step_nonzero) -> None:
    if mode not in MODES:
        raise ValueError(
            f"Argument `mode` must be one of {', '.join(MODES)}. Received: mode={mode}"
        )
    require("start_factor", start_factor, MODES[mode])
    if power is not None and mode != "polynomial":
        raise ValueError(
            "Argument `power` is for mode=polynomial only. "
            f"Received: power={power}, mode={mode}"
        )
    if first_step_nonzero and mode == "constant":
        raise ValueError(
            "Argument `first_step_nonzero` has no use for mode=constant. "
            f"Received: first_step_nonzero={first_step_nonzero}, mode={mode}"
        )


@register
class Warmup(Schedule):
    r"""Class form of `warmup`, for the `learning_rate` of an optimizer.

    Its formula is there. The inner schedule starts when the warm-up ends. Update 0
    is made at $s$ times its first learning rate, by default 0, unless
    `first_step_nonzero`.

    Args:
        schedule: $\eta'$, a schedule of this package, of Keras or your own, or a
            number in [0, inf).
        warmup_steps: $W$, in updates, a whole number in [0, inf).
        mode: `"linear"`, `"polynomial"`, `"exponential"`, `"gaussian"` or
            `"constant"`.
        start_factor: $s$, in [0, 1], or in (0, 1] for `"exponential"`,
            `"gaussian"` and `"constant"`, which would stay at 0.
        power: $p$, in (0, inf), for `"polynomial"` only; `None` is 2.
        first_step_nonzero: Whether update 0 is already on the way up; not for
            `"constant"`.

    Raises:
        ValueError: If the mode is unknown, has no use for an option that is given,
            or an argument is outside its interval.

    Example:
        >>> decay = keras.optimizers.schedules.CosineDecay(0.1, decay_steps=900)
        >>> schedule = tfx_extras.schedules.Warmup(decay, warmup_steps=100)
        >>> optimizer = keras.optimizers.Adam(schedule)
        >>> print(f"{float(schedule(50)):.3f} {float(schedule(550)):.3f}")
        0.050 0.050

    Reference: Goyal et al., 2017. https://arxiv.org/abs/1706.02677
    """

    function = staticmethod(warmup)

    @typechecked
    def __init__(
        self,
        schedule: LearningRateSchedule | Number,
        warmup_steps: Number,
        mode: str = "linear",
        start_factor: Number = 0.0,
        power: Number | None = None,
        first_step_nonzero: bool = False,
    ):
        _require_mode(mode, start_factor, power, first_step_nonzero)
        self.schedule = require_schedule("schedule", schedule)
        self.warmup_steps = require_steps("warmup_steps", warmup_steps)
        self.mode = mode
        self.start_factor = require("start_factor", start_factor, MODES[mode])
        self.power = None if power is None else require("power", power, "(0, inf)")
        self.first_step_nonzero = first_step_nonzero
