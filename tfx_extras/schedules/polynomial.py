"""Polynomial decay, with k-decay."""

from keras import ops

from tfx_extras._checks import Number
from tfx_extras._checks import require
from tfx_extras._checks import require_steps
from tfx_extras._register import register
from tfx_extras._typed import typechecked
from tfx_extras.schedules._base import Schedule
from tfx_extras.schedules._base import between
from tfx_extras.schedules._base import remaining

__all__ = ["Polynomial", "polynomial"]


@register
def polynomial(
    step,
    initial_learning_rate,
    decay_steps,
    end_learning_rate=0.0,
    power=1.0,
    k_decay=1.0,
):
    """Polynomial schedule: decay with a power of the steps that are left, and k-decay.

    Function form of `Polynomial`, which has the formula.

    Args:
        step: $t$, the number of steps made so far (0 for the first step): a number, an
            array or a tensor of any shape.
        initial_learning_rate: $I$, in [0, inf): the learning rate at step 0.
        decay_steps: $D$, in (0, inf): the number of decay steps, a whole number.
        end_learning_rate: $E$, in [0, inf): the learning rate after the decay.
        power: $p$, in (0, inf): 1 is a line.
        k_decay: $k$, in (0, inf): with more than 1, the learning rate stays high for
            longer.

    Returns:
        The learning rate at `step`, of the shape of `step`, in `float32`, or in
        `float64` if that is `keras.config.floatx()`.

    Example:
        >>> rates = tfx_extras.schedules.polynomial(
        ...     np.array([0, 1, 2, 3, 4, 5]), 1.0, decay_steps=4, power=2.0)
        >>> print(keras.ops.convert_to_numpy(rates).round(4))
        [1.     0.5625 0.25   0.0625 0.     0.    ]
    """
    left = remaining(step, decay_steps)
    if k_decay != 1:  # `1 - (1 - left)**k` loses digits near the end
        left = -ops.expm1(float(k_decay) * ops.log1p(-left))
    return between(end_learning_rate, initial_learning_rate, left ** float(power))


@register
class Polynomial(Schedule):
    r"""Polynomial schedule: decay with a power of the steps that are left, and k-decay.

    Use it where a recipe asks for polynomial or linear decay, as in BERT and in
    segmentation. Put `Warmup` around it for a warm-up.
    `keras.optimizers.schedules.PolynomialDecay` is the same without k-decay, and
    inexact in late steps of long training. Its `cycle` has no counterpart here.

    $$
    \eta(t) = E + (I - E)\, (1 - z^k)^p \qquad z = \min(t / D, 1)
    $$

    $t$ is the step. The learning rate decays from $I$ to $E$ in $D$ steps, and stays
    there. A power $p$ above 1 decays fast at first. A $k$ above 1 (k-decay) decays
    slowly at first.

    `step` and all lengths count batches, not epochs: without gradient accumulation,
    one batch is one optimizer step.
    `tfx_extras.schedules.epochs` converts epochs to steps. A call returns the learning
    rate at `step`, of the shape of `step`, in `float32`, or in `float64` if that is
    `keras.config.floatx()`.

    Args:
        initial_learning_rate: $I$, in [0, inf): the learning rate at step 0.
        decay_steps: $D$, in (0, inf): the number of decay steps, a whole number.
        end_learning_rate: $E$, in [0, inf): the learning rate after the decay.
        power: $p$, in (0, inf): 1 is a line.
        k_decay: $k$, in (0, inf): with more than 1, the learning rate stays high for
            longer.

    Call arguments:
        step: $t$, the number of steps made so far (0 for the first step): a number, an
            array or a tensor of any shape.

    Raises:
        ValueError: If an argument is outside its interval.
        TypeError: If an argument has the wrong type or an unknown name.

    Example:
        >>> schedule = tfx_extras.schedules.Warmup(
        ...     tfx_extras.schedules.Polynomial(0.1, 900, power=2.0), 100)
        >>> optimizer = keras.optimizers.Adam(schedule)
        >>> print(f"{float(schedule(550)):.3f}")
        0.025

    Reference: Zhang and Li, 2020 (k-decay). https://arxiv.org/abs/2004.05909
    """

    function = staticmethod(polynomial)

    @typechecked
    def __init__(
        self,
        initial_learning_rate: Number,
        decay_steps: Number,
        end_learning_rate: Number = 0.0,
        power: Number = 1.0,
        k_decay: Number = 1.0,
    ):
        self.initial_learning_rate = require(
            "initial_learning_rate", initial_learning_rate, "[0, inf)"
        )
        self.decay_steps = require_steps("decay_steps", decay_steps, "(0, inf)")
        self.end_learning_rate = require(
            "end_learning_rate", end_learning_rate, "[0, inf)"
        )
        self.power = require("power", power, "(0, inf)")
        self.k_decay = require("k_decay", k_decay, "(0, inf)")
