"""Counts updates."""

import math

from tfx_extras._checks import Number
from tfx_extras._checks import require
from tfx_extras._checks import require_steps

__all__ = ["epochs"]


def epochs(n: Number, steps_per_epoch: Number) -> int:
    """Returns the number of updates of some epochs, for the arguments of schedules.

    Args:
        n: The number of epochs, in [0, inf); parts of one count.
        steps_per_epoch: The number of batches of one, a whole number in [1, inf).
            Schedules see each batch as an update, also where Keras accumulates
            gradients.

    Returns:
        The nearest whole number, and of two the larger one.

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
