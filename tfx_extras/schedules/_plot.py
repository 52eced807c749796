"""Plots a schedule."""

from typing import Any

import numpy as np
from keras import ops

from tfx_extras._checks import require_steps
from tfx_extras.schedules._base import evaluate

__all__ = ["plot"]

POINTS = 2000  # as many as a screen can show


def plot(schedule, steps, axes=None, **line_options) -> Any:
    """Plots the learning rate of a schedule over the steps.

    Args:
        schedule: A schedule of this package, of Keras or your own, or a number in
            [0, inf).
        steps: The number of steps, a whole number in [1, inf), or an array of the
            steps to plot. If there are more than 2000, it plots 2000 of them, evenly
            spaced, including the first and the last.
        axes: Matplotlib axes to plot on; by default, those of a new figure.
        **line_options: Options of `matplotlib.axes.Axes.plot`, such as `label="Adam"`.

    Returns:
        The Matplotlib axes.

    Raises:
        ImportError: If Matplotlib is not installed.

    Example:
        >>> from matplotlib.figure import Figure
        >>> schedule = tfx_extras.schedules.WarmupCosine(0.1, 100, 900)
        >>> axes = Figure().add_subplot()
        >>> axes = tfx_extras.schedules.plot(schedule, 1000, axes)
        >>> print(axes.get_xlabel(), "/", axes.get_ylabel())
        step / learning rate
    """
    if ops.is_tensor(steps):  # it may be on a GPU
        steps = ops.convert_to_numpy(steps)
    if np.ndim(steps) == 0:
        steps = range(require_steps("steps", steps, "[1, inf)"))
    chosen = np.linspace(0, len(steps) - 1, min(POINTS, len(steps)))
    drawn = np.array([steps[round(i)] for i in chosen])
    rates = ops.convert_to_numpy(evaluate(schedule, drawn))
    axes = new_axes() if axes is None else axes
    axes.plot(drawn, rates, **line_options)
    axes.set_xlabel("step")
    axes.set_ylabel("learning rate")
    return axes


def new_axes() -> Any:
    """Returns the axes of a new figure."""
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise ImportError(
            '`plot` needs Matplotlib. Install it by: pip install "tfx-extras[plot]"'
        ) from error
    return pyplot.subplots()[1]
