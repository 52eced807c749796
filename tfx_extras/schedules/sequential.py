"""Schedules one after the other."""

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
from tfx_extras.schedules._base import require_schedule
from tfx_extras.schedules._base import since

__all__ = ["Sequential", "sequential"]


@register
def sequential(step, schedules, boundaries):
    r"""Schedules one after the other, each with its own count of updates.

    $$
    \eta(t) = \eta_i(t - B_i) \quad B_i \le t < B_{i+1}
    \qquad B_0 = 0, \quad B_n = \infty
    $$

    Schedule $\eta_i$ of $n$ starts at update $B_i$, where it sees step 0, and never
    sees a step outside its own range.

    Args:
        step: $t$, the number of updates made so far: 0 for update 0. A tensor of
            any shape, or what becomes one.
        schedules: $\eta_0, \dots, \eta_{n-1}$: each a schedule of this package, of
            Keras or your own, or a number in [0, inf).
        boundaries: $B_1, \dots, B_{n-1}$, in updates: increasing whole numbers in
            (0, inf), one fewer than schedules.

    Returns:
        The learning rate of that update, of the shape of `step`, in `float32`, or
        `float64` if that is `keras.config.floatx()`.

    Example:
        >>> decay = keras.optimizers.schedules.CosineDecay(0.1, decay_steps=2)
        >>> rates = tfx_extras.schedules.sequential(np.arange(5), [0.2, decay], [2])
        >>> print(keras.ops.convert_to_numpy(rates).round(3))
        [0.2  0.2  0.1  0.05 0.  ]
    """
    starts = [0, *boundaries]
    stops = [*boundaries, float("inf")]
    rate = None
    for schedule, start, stop in zip(schedules, starts, stops, strict=True):
        own = evaluate(schedule, since(step, start, stop))
        rate = own if rate is None else ops.where(elapsed(step, start) >= 0, own, rate)
    return rate


@register
class Sequential(Schedule):
    r"""Class form of `sequential`, for the `learning_rate` of an optimizer.

    Its formula is there.

    Args:
        schedules: $\eta_0, \dots, \eta_{n-1}$: each a schedule of this package, of
            Keras or your own, or a number in [0, inf).
        boundaries: $B_1, \dots, B_{n-1}$, in updates: increasing whole numbers in
            (0, inf), one fewer than schedules.

    Raises:
        ValueError: If a schedule or boundary is none, or their numbers do not fit.

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
                "Argument `boundaries` must increase. "
                f"Received: boundaries={boundaries}"
            )
        if len(self.boundaries) != len(self.schedules) - 1:
            raise ValueError(
                "Argument `boundaries` must hold one fewer than the "
                f"{len(self.schedules)} schedules. Received: boundaries={boundaries}"
            )
