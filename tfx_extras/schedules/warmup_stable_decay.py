"""Linear warm-up, then constant, then decay."""

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
    """Warmup-stable-decay (WSD): linear warm-up, then constant, then decay.

    Function form of `WarmupStableDecay`, which has the formula.

    Args:
        step: $t$, the number of steps made so far (0 for the first step): a number, an
            array or a tensor of any shape.
        peak_learning_rate: $P$, in [0, inf): the peak, which is the learning rate at
            the end of the warm-up.
        warmup_steps: $W$, in [0, inf): the number of warm-up steps, a whole number; 0
            starts at the peak.
        stable_steps: $S$, in [0, inf): the number of steps at the peak, a whole number.
        decay_steps: $D$, in (0, inf): the number of decay steps, a whole number.
        decay: `"linear"`, `"cosine"` or `"1-sqrt"`: the shape of the decay.
        initial_learning_rate: $I$, in [0, inf): the learning rate at which the warm-up
            starts.
        end_learning_rate: $E$, in [0, inf): the learning rate after the decay.
        first_step_nonzero: Whether step 0 is already one step into the warm-up, so that
            its learning rate is not $I$.

    Returns:
        The learning rate at `step`, of the shape of `step`, in `float32`, or in
        `float64` if that is `keras.config.floatx()`.

    Raises:
        ValueError: If `decay` is unknown.

    Example:
        >>> rates = tfx_extras.schedules.warmup_stable_decay(
        ...     np.arange(9), 1.0, 2, 2, 4, decay="1-sqrt")
        >>> print(keras.ops.convert_to_numpy(rates).round(3))
        [0.    0.5   1.    1.    1.    0.5   0.293 0.134 0.   ]
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
    r"""Warmup-stable-decay (WSD): linear warm-up, then constant, then decay.

    Use it (also called the trapezoidal schedule) when training may be extended. Weights
    saved while the learning rate is constant can be trained further, with or without a
    decay, so the total number of steps need not be known in advance. If it is known,
    use `WarmupCosine`. Keras has no equivalent.

    $$
    \eta(t) = \begin{cases}
    I\, (1 - t / W) + P\, t / W & t < W \\
    P & W \le t < W + S \\
    P\, (1 - s(x)) + E\, s(x) & W + S \le t < W + S + D \\
    E & W + S + D \le t
    \end{cases}
    \qquad x = \frac{t - W - S}{D}
    $$

    $t$ is the step. The learning rate rises linearly from $I$ to the peak $P$ in $W$
    steps, stays there for $S$ steps, and decays to $E$ in $D$ steps. The shape $s(x)$
    of the decay is, by `decay`:

    | `decay` | $s(x)$ |
    |---|---|
    | `"linear"` | $x$ |
    | `"cosine"` | $\sin^2(\pi x / 2)$ |
    | `"1-sqrt"` | $\sqrt x$ |

    By default, $I$ is 0, so step 0 leaves the weights unchanged and updates only the
    optimizer's moments. With `first_step_nonzero`, $(t + 1) / W$ replaces $t / W$, and
    the peak is reached one step earlier.

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
        stable_steps: $S$, in [0, inf): the number of steps at the peak, a whole number.
        decay_steps: $D$, in (0, inf): the number of decay steps, a whole number.
        decay: `"linear"`, `"cosine"` or `"1-sqrt"`: the shape of the decay.
        initial_learning_rate: $I$, in [0, inf): the learning rate at which the warm-up
            starts.
        end_learning_rate: $E$, in [0, inf): the learning rate after the decay.
        first_step_nonzero: Whether step 0 is already one step into the warm-up, so that
            its learning rate is not $I$.

    Call arguments:
        step: $t$, the number of steps made so far (0 for the first step): a number, an
            array or a tensor of any shape.

    Raises:
        ValueError: If an argument is outside its interval, or `decay` is unknown.
        TypeError: If an argument has the wrong type or an unknown name.

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
