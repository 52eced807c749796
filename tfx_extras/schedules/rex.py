"""REX: reflected exponential decay."""

from tfx_extras._checks import Number
from tfx_extras._checks import require
from tfx_extras._checks import require_steps
from tfx_extras._register import register
from tfx_extras._typed import typechecked
from tfx_extras.schedules._base import Schedule
from tfx_extras.schedules._base import between
from tfx_extras.schedules._base import remaining

__all__ = ["REX", "rex"]


@register
def rex(step, initial_learning_rate, decay_steps, end_learning_rate=0.0):
    """REX schedule: decay that is slow at first, for a fixed budget of steps.

    Function form of `REX`, which has the formula.

    Args:
        step: $t$, the number of steps made so far (0 for the first step): a number, an
            array or a tensor of any shape.
        initial_learning_rate: $I$, in [0, inf): the learning rate at step 0.
        decay_steps: $D$, in (0, inf): the number of decay steps, a whole number.
        end_learning_rate: $E$, in [0, inf): the learning rate after the decay.

    Returns:
        The learning rate at `step`, of the shape of `step`, in `float32`, or in
        `float64` if that is `keras.config.floatx()`.

    Example:
        >>> rates = tfx_extras.schedules.rex(
        ...     np.array([0, 1, 2, 3, 4, 5]), 1.0, decay_steps=4)
        >>> print(keras.ops.convert_to_numpy(rates).round(4))
        [1.     0.8571 0.6667 0.4    0.     0.    ]
    """
    left = remaining(step, decay_steps)
    return between(end_learning_rate, initial_learning_rate, 2 * left / (1 + left))


@register
class REX(Schedule):
    r"""REX schedule: decay that is slow at first, for a fixed budget of steps.

    Use it when training is short for the task, where it did better than cosine and
    linear decay in the paper. Put `Warmup` around it for a warm-up. If you may stop
    early, use `WarmupStableDecay`. Keras has no equivalent.
    `keras.optimizers.schedules.CosineDecay` is lower in its second half.

    $$
    \eta(t) = E + (I - E)\, \frac{1 - z}{1 - z / 2} \qquad z = \min(t / D, 1)
    $$

    $t$ is the step. The learning rate decays from $I$ to $E$ in $D$ steps, and stays
    there. The curve is that of exponential decay, reflected: it falls fastest at the
    end.

    `step` and all lengths count batches, not epochs: without gradient accumulation,
    one batch is one optimizer step.
    `tfx_extras.schedules.epochs` converts epochs to steps. A call returns the learning
    rate at `step`, of the shape of `step`, in `float32`, or in `float64` if that is
    `keras.config.floatx()`.

    Args:
        initial_learning_rate: $I$, in [0, inf): the learning rate at step 0.
        decay_steps: $D$, in (0, inf): the number of decay steps, a whole number.
        end_learning_rate: $E$, in [0, inf): the learning rate after the decay.

    Call arguments:
        step: $t$, the number of steps made so far (0 for the first step): a number, an
            array or a tensor of any shape.

    Raises:
        ValueError: If an argument is outside its interval.
        TypeError: If an argument has the wrong type or an unknown name.

    Example:
        >>> schedule = tfx_extras.schedules.REX(0.1, 900)
        >>> optimizer = keras.optimizers.SGD(schedule, momentum=0.9)
        >>> print(f"{float(schedule(450)):.3f}")
        0.067

    Reference: Chen et al., 2021. https://arxiv.org/abs/2107.04197
    """

    function = staticmethod(rex)

    @typechecked
    def __init__(
        self,
        initial_learning_rate: Number,
        decay_steps: Number,
        end_learning_rate: Number = 0.0,
    ):
        self.initial_learning_rate = require(
            "initial_learning_rate", initial_learning_rate, "[0, inf)"
        )
        self.decay_steps = require_steps("decay_steps", decay_steps, "(0, inf)")
        self.end_learning_rate = require(
            "end_learning_rate", end_learning_rate, "[0, inf)"
        )
