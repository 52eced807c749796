"""The 1cycle policy."""

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
    """One-cycle policy (1cycle): warm-up to a high peak, then decay to almost 0.

    Function form of `OneCycle`, which has the formula.

    Args:
        step: $t$, the number of steps made so far (0 for the first step): a number, an
            array or a tensor of any shape.
        peak_learning_rate: $P$, in [0, inf): the peak.
        total_steps: $T$, in [2, inf): the number of steps of the whole training, a
            whole number.
        warmup_fraction: $p$, in [0, 1), or in [0, 0.5] for three phases: the fraction
            of the steps in which the learning rate rises.
        div_factor: $d$, in (0, inf): the ratio of the peak to the initial learning
            rate.
        final_div_factor: $d_{end}$, in (0, inf): the ratio of the initial to the final
            learning rate.
        anneal: `"cosine"` or `"linear"`: the shape of each phase.
        three_phase: Whether the learning rate first falls back to its initial value, in
            as many steps as the warm-up, and then to its final value.

    Returns:
        The learning rate at `step`, of the shape of `step`, in `float32`, or in
        `float64` if that is `keras.config.floatx()`.

    Raises:
        ValueError: If `anneal` is unknown.

    Example:
        >>> rates = tfx_extras.schedules.one_cycle(
        ...     np.arange(7), 1.0, total_steps=6, warmup_fraction=0.5)
        >>> print(keras.ops.convert_to_numpy(rates).round(3))
        [0.04 0.52 1.   0.75 0.25 0.   0.  ]
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
    r"""One-cycle policy (1cycle): warm-up to a high peak, then decay to almost 0.

    Use it for short training with a high learning rate (super-convergence). The number
    of steps must be known in advance, because the learning rate stays at its minimum
    after them. Keras has no equivalent.

    $$
    \eta(t) = a\, (1 - s(x)) + b\, s(x)
    \qquad
    x = \frac{t - t_a}{t_b - t_a} \quad t_a \le t \le t_b
    $$

    $t$ is the step. The learning rate goes from $a$ at step $t_a$ to $b$ at step $t_b$,
    from each point of this table to the next, and is constant after the last one:

    | at step | 0 | $W$ | $2 W$ | $T - 1$ |
    |---|---|---|---|---|
    | two phases | $P / d$ | $P$ | | $P / (d\, d_{end})$ |
    | `three_phase` | $P / d$ | $P$ | $P / d$ | $P / (d\, d_{end})$ |

    $W = \max(0, p\, T - 1)$ is the length of the warm-up. The shape $s(x)$ is half a
    cosine, $\sin^2(\pi x / 2)$, or with `anneal="linear"` a line, $x$. The paper uses
    three phases and lines.

    The learning rates are those of PyTorch's `OneCycleLR`. The momentum does not
    change, unlike in PyTorch. PyTorch raises an error after $T$ steps, and if $p\, T$
    is less than 1.

    `step` and all lengths count batches, not epochs: without gradient accumulation,
    one batch is one optimizer step.
    `tfx_extras.schedules.epochs` converts epochs to steps. A call returns the learning
    rate at `step`, of the shape of `step`, in `float32`, or in `float64` if that is
    `keras.config.floatx()`.

    Args:
        peak_learning_rate: $P$, in [0, inf): the peak.
        total_steps: $T$, in [2, inf): the number of steps of the whole training, a
            whole number.
        warmup_fraction: $p$, in [0, 1), or in [0, 0.5] for three phases: the fraction
            of the steps in which the learning rate rises.
        div_factor: $d$, in (0, inf): the ratio of the peak to the initial learning
            rate.
        final_div_factor: $d_{end}$, in (0, inf): the ratio of the initial to the final
            learning rate.
        anneal: `"cosine"` or `"linear"`: the shape of each phase.
        three_phase: Whether the learning rate first falls back to its initial value, in
            as many steps as the warm-up, and then to its final value.

    Call arguments:
        step: $t$, the number of steps made so far (0 for the first step): a number, an
            array or a tensor of any shape.

    Raises:
        ValueError: If an argument is outside its interval, or `anneal` is unknown.
        TypeError: If an argument has the wrong type or an unknown name.

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
