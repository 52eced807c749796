"""Cyclical learning rates."""

import math
from collections.abc import Callable
from typing import Any

from keras import ops

from tfx_extras._checks import Number
from tfx_extras._checks import require
from tfx_extras._checks import require_one_of
from tfx_extras._register import register
from tfx_extras._register import require_registered
from tfx_extras._typed import typechecked
from tfx_extras.schedules._base import Schedule
from tfx_extras.schedules._base import cycles
from tfx_extras.schedules._base import elapsed

__all__ = ["Cyclical", "cyclical"]

SCALES = ("triangular", "triangular2", "exponential")
SCALE_MODES = ("cycle", "iterations")


@register
def cyclical(
    step,
    initial_learning_rate,
    maximal_learning_rate,
    step_size,
    scale: str | Callable[[Any], Any] = "triangular",
    scale_mode=None,
    gamma=None,
):
    r"""Cyclical learning rate (CLR): rises and falls linearly between two bounds.

    Function form of `Cyclical`, which has the formula. A function given as `scale` need
    not be registered.

    Args:
        step: $t$, the number of steps made so far (0 for the first step): a number, an
            array or a tensor of any shape.
        initial_learning_rate: $L$, in [0, inf): the minimum, which is the learning rate
            of step 0.
        maximal_learning_rate: $H$, in [0, inf): the maximum, which a cycle reaches if
            $f$ is 1.
        step_size: $S$, in [1e-6, inf): half the length of a cycle, in steps. It may be
            a fraction.
        scale: `"triangular"`, `"triangular2"`, `"exponential"`, or a function that
            takes a tensor of floats, $a$, and returns $f(a)$.
        scale_mode: `"cycle"` or `"iterations"`: what $a$ is. `None` means
            `"iterations"` for `"exponential"` and `"cycle"` for every other scale.
        gamma: $\gamma$, in (0, 1]: the base of `"exponential"`, which requires it. No
            other scale accepts it.

    Returns:
        The learning rate at `step`, of the shape of `step`, in `float32`, or in
        `float64` if that is `keras.config.floatx()`.

    Raises:
        ValueError: If `scale` or `scale_mode` is unknown, or `gamma` is missing, not
            used by the scale, or outside its interval.

    Example:
        >>> rates = tfx_extras.schedules.cyclical(
        ...     np.arange(9), 0.0, 0.8, step_size=2, scale="triangular2")
        >>> print(keras.ops.convert_to_numpy(rates).round(3))
        [0.  0.4 0.8 0.4 0.  0.2 0.4 0.2 0. ]
    """
    _require_scale(scale, scale_mode, gamma)
    past, t = cycles(step, 2 * step_size)
    if scale_mode is None:
        scale_mode = "iterations" if scale == "exponential" else "cycle"
    # Negative steps count as 0, since a power could become infinite for them.
    a = ops.relu(past) + 1 if scale_mode == "cycle" else ops.relu(elapsed(step))
    height = ops.clip(1 - ops.abs(t / float(step_size) - 1), 0, 1)
    if scale == "triangular2":
        height = height * 2.0 ** (1 - a)
    elif gamma is not None:
        # In gamma**a, the rounding error of gamma in float32 would grow with a.
        height = height * ops.exp(a * math.log(gamma))
    elif callable(scale):
        height = height * ops.convert_to_tensor(scale(a), height.dtype)
    return initial_learning_rate * (1 - height) + maximal_learning_rate * height


def _require_scale(scale, scale_mode, gamma) -> None:
    if not callable(scale):
        require_one_of("scale", scale, SCALES, ", or a function")
    if scale_mode is not None:
        require_one_of("scale_mode", scale_mode, SCALE_MODES)
    if (gamma is not None) != (scale == "exponential"):
        raise ValueError(
            "Argument `gamma` is required for scale=exponential and not accepted for "
            f"any other scale. Received: gamma={gamma}, scale={scale}"
        )
    if gamma is not None:
        require("gamma", gamma, "(0, 1]")


@register
class Cyclical(Schedule):
    r"""Cyclical learning rate (CLR): rises and falls linearly between two bounds.

    Use it to train with a range of learning rates instead of tuning a single one, or to
    collect weights for `SWA`. The cycles never end, so the last learning rate depends
    on where in a cycle training stops. Keras has no equivalent.

    $$
    \eta(t) = L + (H - L)\, \max(0, 1 - x)\, f
    \qquad
    c = \left\lfloor 1 + \frac{t}{2 S} \right\rfloor, \quad
    x = \left| \frac{t}{S} - 2 c + 1 \right|
    $$

    $t$ is the step and $c$ the cycle, counted from 1. In each cycle the learning rate
    rises for $S$ steps from the minimum $L$ towards the maximum $H$ and falls for $S$
    steps back to $L$. The factor $f = f(a)$ scales the height of a cycle, by `scale`:

    | `scale` | $f(a)$ |
    |---|---|
    | `"triangular"` | 1 |
    | `"triangular2"` | $2^{1 - a}$ |
    | `"exponential"` | $\gamma^a$ |
    | a function | the function's value at $a$ |

    With `scale_mode="cycle"`, $a$ is the cycle $c$. With `"iterations"`, it is the step
    $t$. A function given as `scale` must be registered by
    `keras.saving.register_keras_serializable`, so that the schedule can be saved.

    The position in a cycle is exact for every integer step if up to 1000 cycles
    together last a whole number of steps, for example 10 cycles of length $2 S = 2.3$.
    For other lengths it has the precision of `float32`.

    `step` and all lengths count batches, not epochs: without gradient accumulation,
    one batch is one optimizer step.
    `tfx_extras.schedules.epochs` converts epochs to steps. A call returns the learning
    rate at `step`, of the shape of `step`, in `float32`, or in `float64` if that is
    `keras.config.floatx()`.

    Args:
        initial_learning_rate: $L$, in [0, inf): the minimum, which is the learning rate
            of step 0.
        maximal_learning_rate: $H$, in [0, inf): the maximum, which a cycle reaches if
            $f$ is 1.
        step_size: $S$, in [1e-6, inf): half the length of a cycle, in steps. It may be
            a fraction.
        scale: `"triangular"`, `"triangular2"`, `"exponential"`, or a function that
            takes a tensor of floats, $a$, and returns $f(a)$.
        scale_mode: `"cycle"` or `"iterations"`: what $a$ is. `None` means
            `"iterations"` for `"exponential"` and `"cycle"` for every other scale.
        gamma: $\gamma$, in (0, 1]: the base of `"exponential"`, which requires it. No
            other scale accepts it.

    Call arguments:
        step: $t$, the number of steps made so far (0 for the first step): a number, an
            array or a tensor of any shape.

    Raises:
        ValueError: If `scale` or `scale_mode` is unknown, `scale` is a function that is
            not registered, `gamma` is missing or not used by the scale, or an argument
            is outside its interval.
        TypeError: If an argument has the wrong type or an unknown name.

    Example:
        >>> schedule = tfx_extras.schedules.Cyclical(1e-4, 1e-2, step_size=2000)
        >>> optimizer = keras.optimizers.SGD(schedule)
        >>> print(f"{float(schedule(2000)):.4f} {float(schedule(4000)):.4f}")
        0.0100 0.0001

    Reference: Smith, 2015. https://arxiv.org/abs/1506.01186
    """

    function = staticmethod(cyclical)

    @typechecked
    def __init__(
        self,
        initial_learning_rate: Number,
        maximal_learning_rate: Number,
        step_size: Number,
        scale: str | Callable[[Any], Any] = "triangular",
        scale_mode: str | None = None,
        gamma: Number | None = None,
    ):
        _require_scale(scale, scale_mode, gamma)
        self.initial_learning_rate = require(
            "initial_learning_rate", initial_learning_rate, "[0, inf)"
        )
        self.maximal_learning_rate = require(
            "maximal_learning_rate", maximal_learning_rate, "[0, inf)"
        )
        self.step_size = require("step_size", step_size, "[1e-6, inf)")
        self.scale = require_registered("scale", scale) if callable(scale) else scale
        self.scale_mode = scale_mode
        self.gamma = None if gamma is None else require("gamma", gamma, "(0, 1]")
