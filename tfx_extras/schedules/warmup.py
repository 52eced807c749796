"""Warm-up before any schedule."""

from keras import ops
from keras.optimizers.schedules import LearningRateSchedule

from tfx_extras._checks import Number
from tfx_extras._checks import require
from tfx_extras._checks import require_one_of
from tfx_extras._checks import require_steps
from tfx_extras._register import register
from tfx_extras._typed import typechecked
from tfx_extras.schedules._base import Schedule
from tfx_extras.schedules._base import elapsed
from tfx_extras.schedules._base import evaluate
from tfx_extras.schedules._base import require_schedule
from tfx_extras.schedules._base import since

__all__ = ["Warmup", "warmup"]

# The interval of `start_factor`, without 0 if the mode could not rise from it.
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
    r"""Warm-up: raises the learning rate gradually, then follows any schedule.

    Function form of `Warmup`, which has the formula.

    Args:
        step: $t$, the number of steps made so far (0 for the first step): a number, an
            array or a tensor of any shape.
        schedule: $\eta'$: a schedule of this package, of Keras or your own, or a number
            in [0, inf).
        warmup_steps: $W$, in [0, inf): the number of warm-up steps, a whole number; 0
            means no warm-up.
        mode: `"linear"`, `"polynomial"`, `"exponential"`, `"gaussian"` or `"constant"`:
            the shape of the warm-up.
        start_factor: $s$, in [0, 1], or in (0, 1] for `"exponential"`, `"gaussian"` and
            `"constant"`, which cannot rise from 0: the factor at the start.
        power: $p$, in (0, inf): the exponent of `"polynomial"`; `None` means 2. No
            other mode accepts it.
        first_step_nonzero: Whether step 0 is already one step into the warm-up, so that
            its learning rate is not $s\, \eta'(0)$. The mode `"constant"` does not
            accept it.

    Returns:
        The learning rate at `step`, of the shape of `step`, in `float32`, or in
        `float64` if that is `keras.config.floatx()`.

    Raises:
        ValueError: If `mode` is unknown or does not accept an option that is given, or
            an argument is outside its interval.

    Example:
        >>> rates = tfx_extras.schedules.warmup(np.arange(6), 0.1, warmup_steps=4)
        >>> print(keras.ops.convert_to_numpy(rates).round(3))
        [0.    0.025 0.05  0.075 0.1   0.1  ]
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
    require_one_of("mode", mode, MODES)
    require("start_factor", start_factor, MODES[mode])
    if power is not None and mode != "polynomial":
        raise ValueError(
            "Argument `power` is accepted only for mode=polynomial. "
            f"Received: power={power}, mode={mode}"
        )
    if first_step_nonzero and mode == "constant":
        raise ValueError(
            "Argument `first_step_nonzero` is not accepted for mode=constant. "
            f"Received: first_step_nonzero={first_step_nonzero}, mode={mode}"
        )


@register
class Warmup(Schedule):
    r"""Warm-up: raises the learning rate gradually, then follows any schedule.

    Use it to add a learning-rate warm-up to a constant learning rate or to any schedule
    of this package, of Keras or your own. `WarmupCosine`, `WarmupStableDecay`,
    `OneCycle` and `InverseSquareRoot` already have one. In Keras only
    `keras.optimizers.schedules.CosineDecay` has a warm-up, which is linear.

    $$
    \eta(t) = \begin{cases}
    \eta'(0)\, f(t / W) & t < W \\
    \eta'(t - W) & W \le t
    \end{cases}
    $$

    $t$ is the step. The inner schedule $\eta'$ starts when the warm-up ends, so it is
    called with step 0 at step $W$. In $W$ steps, the factor $f$ rises to 1 from the
    start factor $s$, by `mode`:

    | `mode` | $f(x)$ |
    |---|---|
    | `"linear"` | $s\, (1 - x) + x$ |
    | `"polynomial"` | $s\, (1 - x^p) + x^p$ |
    | `"exponential"` | $s^{1 - x}$ |
    | `"gaussian"` | $s^{(1 - x)^2}$ |
    | `"constant"` | $s$ |

    With $s = e^{-5}$, `"gaussian"` is the ramp-up of Laine and Aila.

    The learning rate of step 0 is $s\, \eta'(0)$, which is 0 by default. With
    `first_step_nonzero`, $(t + 1) / W$ replaces $t / W$. Then the learning rate of step
    0 is $f(1 / W)\, \eta'(0)$, and $\eta'(0)$ is reached one step earlier.

    `step` and all lengths count batches, not epochs: without gradient accumulation,
    one batch is one optimizer step.
    `tfx_extras.schedules.epochs` converts epochs to steps. A call returns the learning
    rate at `step`, of the shape of `step`, in `float32`, or in `float64` if that is
    `keras.config.floatx()`.

    Args:
        schedule: $\eta'$: a schedule of this package, of Keras or your own, or a number
            in [0, inf).
        warmup_steps: $W$, in [0, inf): the number of warm-up steps, a whole number; 0
            means no warm-up.
        mode: `"linear"`, `"polynomial"`, `"exponential"`, `"gaussian"` or `"constant"`:
            the shape of the warm-up.
        start_factor: $s$, in [0, 1], or in (0, 1] for `"exponential"`, `"gaussian"` and
            `"constant"`, which cannot rise from 0: the factor at the start.
        power: $p$, in (0, inf): the exponent of `"polynomial"`; `None` means 2. No
            other mode accepts it.
        first_step_nonzero: Whether step 0 is already one step into the warm-up, so that
            its learning rate is not $s\, \eta'(0)$. The mode `"constant"` does not
            accept it.

    Call arguments:
        step: $t$, the number of steps made so far (0 for the first step): a number, an
            array or a tensor of any shape.

    Raises:
        ValueError: If `mode` is unknown or does not accept an option that is given, or
            an argument is outside its interval.
        TypeError: If an argument has the wrong type or an unknown name.

    Example:
        >>> decay = keras.optimizers.schedules.CosineDecay(0.1, decay_steps=900)
        >>> schedule = tfx_extras.schedules.Warmup(decay, warmup_steps=100)
        >>> optimizer = keras.optimizers.Adam(schedule)
        >>> print(f"{float(schedule(50)):.3f} {float(schedule(550)):.3f}")
        0.050 0.050

    References:
        Goyal et al., 2017. https://arxiv.org/abs/1706.02677
        Laine and Aila, 2016. https://arxiv.org/abs/1610.02242
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
