"""Converts epochs to steps."""

import math

from tfx_extras._checks import Number
from tfx_extras._checks import require
from tfx_extras._checks import require_steps

__all__ = ["epochs"]


def epochs(n: Number, steps_per_epoch: Number) -> int:
    """Converts epochs to steps, for the arguments of schedules.

    A step is one batch, even when the optimizer accumulates gradients over several
    batches, because Keras calls schedules with the number of batches trained on so far.

    Args:
        n: The number of epochs, in [0, inf). Fractions such as 0.5 are allowed.
        steps_per_epoch: The number of batches per epoch, a whole number in [1, inf).

    Returns:
        The number of steps, an `int`, rounded to the nearest whole number. Halves are
        rounded up.

    Raises:
        ValueError: If an argument is outside its interval.

    Example:
        >>> steps_per_epoch = 375
        >>> schedule = tfx_extras.schedules.WarmupCosine(
        ...     0.1,
        ...     warmup_steps=tfx_extras.schedules.epochs(0.5, steps_per_epoch),
        ...     decay_steps=tfx_extras.schedules.epochs(9.5, steps_per_epoch))
        >>> print(schedule.warmup_steps, schedule.decay_steps)
        188 3563
    """
    count = require("n", n, "[0, inf)") * require_steps(
        "steps_per_epoch", steps_per_epoch, "[1, inf)"
    )
    return math.floor(count + 0.5)
