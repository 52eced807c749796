"""Linear warm-up, then constant for long, then down."""

from keras import ops

from tfx_extras._checks import Number
from tfx_extras._checks import require
from tfx_extras._checks import require_one_of
from tfx_extras._checks import require_steps
from tfx_extras._register import register
from tfx_extras._typed import typechecked
from tfx_extras.schedules._base import Schedule
from tfx_extras.schedules._base import elapsed
from tfx_extras.schedules._base import half_cosine
from tfx_extras.schedules._base import line
from tfx_extras.schedules._base import risen
from tfx_extras.schedules._base import through

__all__ = ["WarmupStableDecay", "warmup_stable_decay"]

SHAPES = {"1-sqrt": ops.sqrt, "cosine": half_cosine, "linear": line}


@register
def warmup_stable_decay(
    step,
    peak_learning_rate,
    warmup_steps,
    stable_steps,
    decay_steps,
    decay="linear",
    initial_learning_rate=0.0,
    end_learning_rate=0.0,
    first_step_nonzero=False,
):
    r"""Up a line to the peak, which is held, then down, then constant.

    $$
    \eta(t) = \begin{cases}
    I\, (1 - t / W) + P\, t / W & t < W \\
    P & W \le t < W + S \\
    P\, (1 - s(x)) + E\, s(x) & W + S \le t < W + S + D \\
    E & W + S + D \le t
    \end{cases}
    \qquad x = \frac{t - W - S}{D}
    $$

    The share of the way down $s(x)$ is, by `decay`:

    | `decay` | $s(x)$ |
    |---|---|
    | `"linear"` | $x$ |
    | `"cosine"` | $\sin^2(\pi x / 2)$ |
    | `"1-sqrt"` | $\sqrt x$ |

    Weights from the time of the peak may be trained on for longer, or be followed by
    a decay, without a new start: the length of all need not be known before.

    Update 0 is made at $I$, by default 0. With `first_step_nonzero`, $(t + 1) / W$
    takes the place of $t / W$, and the peak is reached one update earlier.

    Args:
        step: $t$, the number of updates made so far: 0 for update 0. A tensor of
            any shape, or what becomes one.
        peak_learning_rate: $P$, in [0, inf).
        warmup_steps: $W$, in updates, a whole number in [0, inf); 0 starts at the
            peak.
        stable_steps: $S$, in updates, a whole number in [0, inf).
        decay_steps: $D$, in updates, a whole number in (0, inf).
        decay: One of the names above.
        initial_learning_rate: $I$, in [0, inf).
        end_learning_rate: $E$, in [0, inf).
        first_step_nonzero: Whether update 0 is already on the way to the peak.

    Returns:
        The learning rate of that update, of the shape of `step`, in `float32`, or
        `float64` if that is `keras.config.floatx()`.

    Raises:
        ValueError: If `decay` is unknown.

    Example:
        >>> rates = tfx_extras.schedules.warmup_stable_decay(
        ...     np.arange(9), 1.0, 2, 2, 4, decay="1-sqrt")
        >>> print(keras.ops.convert_to_numpy(rates).round(3))
        [0.    0.5   1.    1.    1.    0.5   0.293 0.134 0.   ]

    References:
        Hu et al., 2024. https://arxiv.org/abs/2404.06395
        Hägele et al., 2024. https://arxiv.org/abs/2405.18392
    """
    shape = SHAPES[require_one_of("decay", decay, tuple(SHAPES))]
    stop = warmup_steps + stable_steps
    steps = [stop, stop + decay_steps]
    up = risen(
        step,
        initial_learning_rate,
        peak_learning_rate,
        warmup_steps,
        first_step_nonzero,
    )
    down = through(step, steps, [peak_learning_rate, end_learning_rate], shape)
    return ops.where(elapsed(step, warmup_steps) < 0, up, down)


@register
class WarmupStableDecay(Schedule):
    r"""Class form of `warmup_stable_decay`, for the `learning_rate` of an optimizer.

    Its formula is there. Update 0 is made at $I$, by default 0, unless
    `first_step_nonzero`.

    Args:
        peak_learning_rate: $P$, in [0, inf).
        warmup_steps: $W$, in updates, a whole number in [0, inf).
        stable_steps: $S$, in updates, a whole number in [0, inf).
        decay_steps: $D$, in updates, a whole number in (0, inf).
        decay: `"linear"`, `"cosine"` or `"1-sqrt"`.
        initial_learning_rate: $I$, in [0, inf).
        end_learning_rate: $E$, in [0, inf).
        first_step_nonzero: Whether update 0 is already on the way to the peak.

    Raises:
        ValueError: If an argument is outside its interval, or `decay` is unknown.

    Example:
        >>> schedule = tfx_extras.schedules.WarmupStableDecay(0.1, 100, 700, 200)
        >>> optimizer = keras.optimizers.Adam(schedule)
        >>> print(f"{float(schedule(500)):.2f} {float(schedule(900)):.2f}")
        0.10 0.05

    References:
        Hu et al., 2024. https://arxiv.org/abs/2404.06395
        Hägele et al., 2024. https://arxiv.org/abs/2405.18392
    """

    function = staticmethod(warmup_stable_decay)

    @typechecked
    def __init__(
        self,
        peak_learning_rate: Number,
        warmup_steps: Number,
        stable_steps: Number,
        decay_steps: Number,
        decay: str = "linear",
        initial_learning_rate: Number = 0.0,
        end_learning_rate: Number = 0.0,
        first_step_nonzero: bool = False,
    ):
        self.peak_learning_rate = require(
            "peak_learning_rate", peak_learning_rate, "[0, inf)"
        )
        self.warmup_steps = require_steps("warmup_steps", warmup_steps)
        self.stable_steps = require_steps("stable_steps", stable_steps)
        self.decay_steps = require_steps("decay_steps", decay_steps, "(0, inf)")
        self.decay = require_one_of("decay", decay, tuple(SHAPES))
        self.initial_learning_rate = require(
            "initial_learning_rate", initial_learning_rate, "[0, inf)"
        )
        self.end_learning_rate = require(
            "end_learning_rate", end_learning_rate, "[0, inf)"
        )
        self.first_step_nonzero = first_step_nonzero
