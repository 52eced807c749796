"""Schedules one after another."""

from collections.abc import Sequence
from itertools import pairwise

from keras import ops
from keras.optimizers.schedules import LearningRateSchedule

from tfx_extras._checks import Number
from tfx_extras._checks import require_each
from tfx_extras._checks import require_steps
from tfx_extras._register import register
from tfx_extras._typed import typechecked
from tfx_extras.schedules._base import Schedule
from tfx_extras.schedules._base import elapsed
from tfx_extras.schedules._base import evaluate
from tfx_extras.schedules._base import require_length
from tfx_extras.schedules._base import require_schedule
from tfx_extras.schedules._base import since

__all__ = ["Sequential", "sequential"]


@register
def sequential(step, schedules, boundaries):
    r"""Sequential schedule: several schedules, one after another.

    Function form of `Sequential`, which has the formula.

    Args:
        step: $t$, the number of steps made so far (0 for the first step): a number, an
            array or a tensor of any shape.
        schedules: $\eta_0, \dots, \eta_{n-1}$: each a schedule of this package, of
            Keras or your own, or a number in [0, inf).
        boundaries: $B_1, \dots, B_{n-1}$, in (0, inf): the steps at which the second
            and later schedules start, increasing whole numbers.

    Returns:
        The learning rate at `step`, of the shape of `step`, in `float32`, or in
        `float64` if that is `keras.config.floatx()`.

    Raises:
        ValueError: If `boundaries` does not have exactly one entry fewer than
            `schedules`.

    Example:
        >>> decay = keras.optimizers.schedules.CosineDecay(0.1, decay_steps=2)
        >>> rates = tfx_extras.schedules.sequential(np.arange(5), [0.2, decay], [2])
        >>> print(keras.ops.convert_to_numpy(rates).round(3))
        [0.2  0.2  0.1  0.05 0.  ]
    """
    require_boundaries(boundaries, schedules)
    starts = [0, *boundaries]
    stops = [*boundaries, float("inf")]
    rate = None
    for schedule, start, stop in zip(schedules, starts, stops, strict=True):
        own = evaluate(schedule, since(step, start, stop))
        rate = own if rate is None else ops.where(elapsed(step, start) >= 0, own, rate)
    return rate


def require_boundaries(boundaries, schedules):
    """Raises unless there is one boundary between each two schedules."""
    if len(schedules) == 0:
        raise ValueError("Argument `schedules` must not be empty. Received: []")
    length = len(schedules) - 1
    require_length("boundaries", boundaries, length, "one less than `schedules`")


@register
class Sequential(Schedule):
    r"""Sequential schedule: several schedules, one after another.

    Use it to join schedules and constant learning rates. The schedules may be of this
    package, of Keras or your own. For a warm-up before a single schedule, `Warmup` is
    simpler. `keras.optimizers.schedules.PiecewiseConstantDecay` joins constants only,
    and changes to the next one a step later, after step $B_i$.

    $$
    \eta(t) = \eta_i(t - B_i) \quad B_i \le t < B_{i+1}
    \qquad B_0 = 0, \quad B_n = \infty
    $$

    $t$ is the step. Schedule $\eta_i$ of $n$ starts at step $B_i$, where it is called
    with step 0. It is never called with a step outside its own range.

    `step` and all lengths count batches, not epochs: without gradient accumulation,
    one batch is one optimizer step.
    `tfx_extras.schedules.epochs` converts epochs to steps. A call returns the learning
    rate at `step`, of the shape of `step`, in `float32`, or in `float64` if that is
    `keras.config.floatx()`.

    Args:
        schedules: $\eta_0, \dots, \eta_{n-1}$: each a schedule of this package, of
            Keras or your own, or a number in [0, inf).
        boundaries: $B_1, \dots, B_{n-1}$, in (0, inf): the steps at which the second
            and later schedules start, increasing whole numbers.

    Call arguments:
        step: $t$, the number of steps made so far (0 for the first step): a number, an
            array or a tensor of any shape.

    Raises:
        ValueError: If a number is outside its interval, `boundaries` does not increase,
            or it does not have exactly one entry fewer than `schedules`.
        TypeError: If an argument has the wrong type or an unknown name.

    Example:
        >>> schedule = tfx_extras.schedules.Sequential([0.1, 0.01], [500])
        >>> optimizer = keras.optimizers.Adam(schedule)
        >>> print(f"{float(schedule(499)):.2f} {float(schedule(500)):.2f}")
        0.10 0.01
    """

    function = staticmethod(sequential)

    @typechecked
    def __init__(
        self,
        schedules: Sequence[LearningRateSchedule | Number],
        boundaries: Sequence[Number],
    ):
        self.schedules = [
            require_schedule(f"schedules[{i}]", schedule)
            for i, schedule in enumerate(schedules)
        ]
        self.boundaries = require_each(
            "boundaries", boundaries, "(0, inf)", require_steps
        )
        if any(a >= b for a, b in pairwise(self.boundaries)):
            raise ValueError(
                "Argument `boundaries` must be in increasing order. "
                f"Received: boundaries={boundaries}"
            )
        require_boundaries(boundaries, schedules)
