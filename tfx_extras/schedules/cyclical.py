"""Up and down between two learning rates, again and again."""

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
    r"""Up a line to the highest learning rate and down again, in cycles.

    $$
    \eta(t) = L + (H - L)\, \max(0, 1 - x)\, f
    \qquad
    c = \left\lfloor 1 + \frac{t}{2 S} \right\rfloor, \quad
    x = \left| \frac{t}{S} - 2 c + 1 \right|
    $$

    Cycle $c$, the first of which is 1, takes $S$ updates up and $S$ down. The factor
    $f$ makes it lower, by `scale`:

    | `scale` | $f(a)$ |
    |---|---|
    | `"triangular"` | 1 |
    | `"triangular2"` | $2^{1 - a}$ |
    | `"exponential"` | $\gamma^a$ |
    | a function | its value of $a$ |

    With the `scale_mode` `"cycle"`, $a$ is the cycle $c$; with `"iterations"` it is
    the update $t$.

    Args:
        step: $t$, the number of updates made so far: 0 for update 0. A tensor of
            any shape, or what becomes one.
        initial_learning_rate: $L$, in [0, inf), that of update 0.
        maximal_learning_rate: $H$, in [0, inf).
        step_size: $S$, half a cycle, in updates, in [1e-6, inf). If up to a thousand
            cycles together are whole, as ten of $2 S = 2.3$, the place in the cycle
            is exact for every integer step; else it is that of `float32`.
        scale: One of the names above, or a function of a tensor of floats, $a$.
        scale_mode: `"cycle"` or `"iterations"`; `None` is `"iterations"` for
            `"exponential"`, and `"cycle"` for all others.
        gamma: $\gamma$, in (0, 1]; for `"exponential"`, and for it only.

    Returns:
        The learning rate of that update, of the shape of `step`, in `float32`, or
        `float64` if that is `keras.config.floatx()`.

    Raises:
        ValueError: If the scale or its mode is unknown, or `gamma` is missing or of
            no use.

    Example:
        >>> rates = tfx_extras.schedules.cyclical(
        ...     np.arange(9), 0.0, 0.8, step_size=2, scale="triangular2")
        >>> print(keras.ops.convert_to_numpy(rates).round(3))
        [0.  0.4 0.8 0.4 0.  0.2 0.4 0.2 0. ]

    Reference: Smith, 2015. https://arxiv.org/abs/1506.01186
    """
    _require_scale(scale, scale_mode, gamma)
    past, t = cycles(step, 2 * step_size)
    if scale_mode is None:
        scale_mode = "iterations" if scale == "exponential" else "cycle"
    # Not below those of update 0, where a power could become infinite.
    a = ops.relu(past) + 1 if scale_mode == "cycle" else ops.relu(elapsed(step))
    height = ops.clip(1 - ops.abs(t / float(step_size) - 1), 0, 1)
    if scale == "triangular2":
        height = height * 2.0 ** (1 - a)
    elif gamma is not None:
        # Not gamma**a, where the rounding of gamma to float32 would grow with a.
        height = height * ops.exp(a * math.log(gamma))
    elif callable(scale):
        height = height * ops.convert_to_tensor(scale(a), height.dtype)
    return initial_learning_rate * (1 - height) + maximal_learning_rate * height


def _require_scale(scale, scale_mode, gamma) -> None:
    if not callable(scale) and scale not in SCALES:
        raise ValueError(
            f"Argument `scale` must be one of {', '.join(SCALES)}, or a function. "
            f"Received: scale={scale}"
        )
    if scale_mode is not None:
        require_one_of("scale_mode", scale_mode, SCALE_MODES)
    if (gamma is not None) != (scale == "exponential"):
        raise ValueError(
            "Argument `gamma` is for scale=exponential, which needs it, and for it "
            f"only. Received: gamma={gamma}, scale={scale}"
        )
    if gamma is not None:
        require("gamma", gamma, "(0, 1]")


@register
class Cyclical(Schedule):
    r"""Class form of `cyclical`, for the `learning_rate` of an optimizer.

    Its formula is there. It starts at the lower learning rate.

    Args:
        initial_learning_rate: $L$, in [0, inf), that of update 0.
        maximal_learning_rate: $H$, in [0, inf).
        step_size: $S$, half a cycle, in updates, in [1e-6, inf).
        scale: `"triangular"`, `"triangular2"`, `"exponential"`, or a function
            registered by `keras.saving.register_keras_serializable`.
        scale_mode: `"cycle"` or `"iterations"`; `None` is `"iterations"` for
            `"exponential"`, and `"cycle"` for all others.
        gamma: $\gamma$, in (0, 1]; for `"exponential"`, and for it only.

    Raises:
        ValueError: If the scale or its mode is unknown or not registered, `gamma` is
            missing or of no use, or an argument is outside its interval.

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
