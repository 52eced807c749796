"""Straight lines through points."""

from collections.abc import Sequence
from itertools import pairwise

from tfx_extras._checks import Number
from tfx_extras._checks import require_each
from tfx_extras._checks import require_steps
from tfx_extras._register import register
from tfx_extras._typed import typechecked
from tfx_extras.schedules._base import Schedule
from tfx_extras.schedules._base import line
from tfx_extras.schedules._base import through

__all__ = ["PiecewiseLinear", "piecewise_linear"]


@register
def piecewise_linear(step, boundaries, learning_rates):
    r"""Straight lines through points, constant before the first and after the last.

    $$
    \eta(t) = \eta_i\, (1 - x) + \eta_{i+1}\, x
    \qquad x = \frac{t - B_i}{B_{i+1} - B_i} \quad B_i \le t < B_{i+1}
    $$

    Args:
        step: $t$, the number of updates made so far: 0 for update 0. A tensor of
            any shape, or what becomes one.
        boundaries: $B_0, \dots, B_{n-1}$, in updates: increasing whole numbers in
            [0, inf), one or more.
        learning_rates: $\eta_0, \dots, \eta_{n-1}$, those at the boundaries, in
            [0, inf).

    Returns:
        The learning rate of that update, of the shape of `step`, in `float32`, or
        `float64` if that is `keras.config.floatx()`.

    Example:
        >>> rates = tfx_extras.schedules.piecewise_linear(
        ...     np.arange(7), [1, 3, 5], [0.0, 1.0, 0.2])
        >>> print(keras.ops.convert_to_numpy(rates).round(3))
        [0.  0.  0.5 1.  0.6 0.2 0.2]
    """
    return through(step, boundaries, learning_rates, line)


@register
class PiecewiseLinear(Schedule):
    r"""Class form of `piecewise_linear`, for the `learning_rate` of an optimizer.

    Its formula is there.

    Args:
        boundaries: $B_0, \dots, B_{n-1}$, in updates: increasing whole numbers in
            [0, inf), one or more.
        learning_rates: $\eta_0, \dots, \eta_{n-1}$, those at the boundaries, in
            [0, inf).

    Raises:
        ValueError: If a number is outside its interval, or their counts do not fit.

    Example:
        >>> schedule = tfx_extras.schedules.PiecewiseLinear([0, 100, 900], [0, 0.1, 0])
        >>> optimizer = keras.optimizers.SGD(schedule)
        >>> print(f"{float(schedule(50)):.2f} {float(schedule(500)):.2f}")
        0.05 0.05
    """

    function = staticmethod(piecewise_linear)

    @typechecked
    def __init__(self, boundaries: Sequence[Number], learning_rates: Sequence[Number]):
        self.boundaries = require_each(
            "boundaries", boundaries, "[0, inf)", require_steps
        )
        self.learning_rates = require_each("learning_rates", learning_rates, "[0, inf)")
        if not self.boundaries or any(a >= b for a, b in pairwise(self.boundaries)):
            raise ValueError(
                "Argument `boundaries` must have one or more numbers that increase. "
                f"Received: boundaries={boundaries}"
            )
        if len(self.learning_rates) != len(self.boundaries):
            raise ValueError(
                "Argument `learning_rates` must hold one for each of the "
                f"{len(self.boundaries)} boundaries. "
                f"Received: learning_rates={learning_rates}"
            )
