"""Linear interpolation between points."""

from collections.abc import Sequence
from itertools import pairwise

from tfx_extras._checks import Number
from tfx_extras._checks import require_each
from tfx_extras._checks import require_steps
from tfx_extras._register import register
from tfx_extras._typed import typechecked
from tfx_extras.schedules._base import Schedule
from tfx_extras.schedules._base import line
from tfx_extras.schedules._base import require_length
from tfx_extras.schedules._base import through

__all__ = ["PiecewiseLinear", "piecewise_linear"]


@register
def piecewise_linear(step, boundaries, learning_rates):
    r"""Piecewise linear schedule: linear interpolation between given points.

    Function form of `PiecewiseLinear`, which has the formula.

    Args:
        step: $t$, the number of steps made so far (0 for the first step): a number, an
            array or a tensor of any shape.
        boundaries: $B_0, \dots, B_{n-1}$, in [0, inf): one or more steps, increasing
            whole numbers.
        learning_rates: $\eta_0, \dots, \eta_{n-1}$, in [0, inf): the learning rate at
            each boundary.

    Returns:
        The learning rate at `step`, of the shape of `step`, in `float32`, or in
        `float64` if that is `keras.config.floatx()`.

    Raises:
        ValueError: If the two lists differ in length.

    Example:
        >>> rates = tfx_extras.schedules.piecewise_linear(
        ...     np.arange(7), [1, 3, 5], [0.0, 1.0, 0.2])
        >>> print(keras.ops.convert_to_numpy(rates).round(3))
        [0.  0.  0.5 1.  0.6 0.2 0.2]
    """
    return through(step, boundaries, learning_rates, line)


@register
class PiecewiseLinear(Schedule):
    r"""Piecewise linear schedule: linear interpolation between given points.

    Use it for a schedule that you know as a list of points, such as a linear warm-up
    followed by a linear decay. Use `WarmupCosine` for a smooth decay.
    `keras.optimizers.schedules.PiecewiseConstantDecay` does not interpolate, and
    `keras.optimizers.schedules.PolynomialDecay` with `power=1` is a single line.

    $$
    \eta(t) = \eta_i\, (1 - x) + \eta_{i+1}\, x
    \qquad x = \frac{t - B_i}{B_{i+1} - B_i} \quad B_i \le t < B_{i+1}
    $$

    $t$ is the step. $\eta_i$ is the learning rate at boundary $B_i$. Before the first
    boundary and after the last one, the learning rate is constant.

    `step` and all lengths count batches, not epochs: without gradient accumulation,
    one batch is one optimizer step.
    `tfx_extras.schedules.epochs` converts epochs to steps. A call returns the learning
    rate at `step`, of the shape of `step`, in `float32`, or in `float64` if that is
    `keras.config.floatx()`.

    Args:
        boundaries: $B_0, \dots, B_{n-1}$, in [0, inf): one or more steps, increasing
            whole numbers.
        learning_rates: $\eta_0, \dots, \eta_{n-1}$, in [0, inf): the learning rate at
            each boundary.

    Call arguments:
        step: $t$, the number of steps made so far (0 for the first step): a number, an
            array or a tensor of any shape.

    Raises:
        ValueError: If a number is outside its interval, `boundaries` is empty or does
            not increase, or the two lists differ in length.
        TypeError: If an argument has the wrong type or an unknown name.

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
                "Argument `boundaries` must have one or more increasing numbers. "
                f"Received: boundaries={boundaries}"
            )
        count = len(self.boundaries)
        require_length("learning_rates", learning_rates, count, "as `boundaries`")
