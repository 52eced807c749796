"""Once up to a high learning rate, and down to almost none."""

from tfx_extras._checks import Number
from tfx_extras._checks import require
from tfx_extras._checks import require_one_of
from tfx_extras._checks import require_steps
from tfx_extras._register import register
from tfx_extras._typed import typechecked
from tfx_extras.schedules._base import Schedule
from tfx_extras.schedules._base import half_cosine
from tfx_extras.schedules._base import line
from tfx_extras.schedules._base import through

__all__ = ["OneCycle", "one_cycle"]

SHAPES = {"cosine": half_cosine, "linear": line}


@register
def one_cycle(
    step,
    peak_learning_rate,
    total_steps,
    warmup_fraction=0.3,
    div_factor=25.0,
    final_div_factor=1e4,
    anneal="cosine",
    three_phase=False,
):
    r"""Up to the peak, and in the rest of the training down to almost nothing.

    $$
    \eta(t) = a\, (1 - s(x)) + b\, s(x)
    \qquad
    x = \frac{t - t_a}{t_b - t_a} \quad t_a \le t \le t_b
    $$

    from each of these points to the next:

    | at | 0 | $W$ | $2 W$ | $T - 1$ |
    |---|---|---|---|---|
    | two phases | $P / d$ | $P$ | | $P / (d\, d_{end})$ |
    | `three_phase` | $P / d$ | $P$ | $P / d$ | $P / (d\, d_{end})$ |

    with $W = \max(0, p\, T - 1)$, and constant after the last. The share of the way
    $s(x)$ is $\sin^2(\pi x / 2)$, half a cosine, or with `anneal="linear"` $x$. The
    paper has three phases and lines.

    It is that of PyTorch, without its changes of the momentum. PyTorch ends with an
    error after $T$ updates, and where $p\, T$ is less than 1.

    Args:
        step: $t$, the number of updates made so far: 0 for update 0. A tensor of
            any shape, or what becomes one.
        peak_learning_rate: $P$, in [0, inf).
        total_steps: $T$, in updates, a whole number in [2, inf).
        warmup_fraction: $p$, the part of all updates on the way up, in [0, 1), or
            in [0, 0.5] for three phases.
        div_factor: $d$, in (0, inf).
        final_div_factor: $d_{end}$, in (0, inf).
        anneal: `"cosine"` or `"linear"`.
        three_phase: Whether it goes down as long as it went up, and then on to the
            last learning rate.

    Returns:
        The learning rate of that update, of the shape of `step`, in `float32`, or
        `float64` if that is `keras.config.floatx()`.

    Example:
        >>> rates = tfx_extras.schedules.one_cycle(
        ...     np.arange(7), 1.0, total_steps=6, warmup_fraction=0.5)
        >>> print(keras.ops.convert_to_numpy(rates).round(3))
        [0.04 0.52 1.   0.75 0.25 0.   0.  ]

    Reference: Smith and Topin, 2017. https://arxiv.org/abs/1708.07120
    """
    shape = SHAPES[require_one_of("anneal", anneal, tuple(SHAPES))]
    initial = peak_learning_rate / div_factor
    end = initial / final_div_factor
    rise = max(0, warmup_fraction * total_steps - 1)
    steps, rates = [0, rise, total_steps - 1], [initial, peak_learning_rate, end]
    if three_phase:
        steps, rates = [*steps[:2], 2 * rise, steps[2]], [*rates[:2], initial, end]
    return through(step, steps, rates, shape)


@register
class OneCycle(Schedule):
    r"""Class form of `one_cycle`, for the `learning_rate` of an optimizer.

    Its formula is there.

    Args:
        peak_learning_rate: $P$, in [0, inf).
        total_steps: $T$, in updates, a whole number in [2, inf).
        warmup_fraction: $p$, the part of all updates on the way up, in [0, 1), or
            in [0, 0.5] for three phases.
        div_factor: $d$, in (0, inf).
        final_div_factor: $d_{end}$, in (0, inf).
        anneal: `"cosine"` or `"linear"`.
        three_phase: Whether it goes down as long as it went up, and then on to the
            last learning rate.

    Raises:
        ValueError: If an argument is outside its interval, or `anneal` is unknown.

    Example:
        >>> schedule = tfx_extras.schedules.OneCycle(0.1, total_steps=1000)
        >>> optimizer = keras.optimizers.Adam(schedule)
        >>> print(f"{float(schedule(0)):.3f} {float(schedule(299)):.3f}")
        0.004 0.100

    Reference: Smith and Topin, 2017. https://arxiv.org/abs/1708.07120
    """

    function = staticmethod(one_cycle)

    @typechecked
    def __init__(
        self,
        peak_learning_rate: Number,
        total_steps: Number,
        warmup_fraction: Number = 0.3,
        div_factor: Number = 25.0,
        final_div_factor: Number = 1e4,
        anneal: str = "cosine",
        three_phase: bool = False,
    ):
        self.peak_learning_rate = require(
            "peak_learning_rate", peak_learning_rate, "[0, inf)"
        )
        self.total_steps = require_steps("total_steps", total_steps, "[2, inf)")
        self.warmup_fraction = require(
            "warmup_fraction", warmup_fraction, "[0, 0.5]" if three_phase else "[0, 1)"
        )
        self.div_factor = require("div_factor", div_factor, "(0, inf)")
        self.final_div_factor = require(
            "final_div_factor", final_div_factor, "(0, inf)"
        )
        initial = self.peak_learning_rate / self.div_factor
        require("peak_learning_rate / div_factor", initial, "[0, inf)")
        require(
            "peak_learning_rate / div_factor / final_div_factor",
            initial / self.final_div_factor,
            "[0, inf)",
        )
        self.anneal = require_one_of("anneal", anneal, tuple(SHAPES))
        self.three_phase = three_phase
