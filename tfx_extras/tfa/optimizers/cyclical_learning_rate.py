"""Cyclical learning rates."""

from typing import Any

import keras
from keras.optimizers.schedules import LearningRateSchedule

from tfx_extras._checks import require
from tfx_extras._checks import require_one_of
from tfx_extras._configuration import loaded
from tfx_extras._configuration import parameters
from tfx_extras._configuration import saved
from tfx_extras._repr import shown
from tfx_extras._typed import typechecked
from tfx_extras.schedules.cyclical import SCALE_MODES
from tfx_extras.schedules.cyclical import SCALES
from tfx_extras.schedules.cyclical import cyclical
from tfx_extras.tfa._register import register


@register
class CyclicalLearningRate(LearningRateSchedule):
    r"""`tfx_extras.schedules.cyclical`, with a scale function.

    $$
    \eta(t) = L + (H - L)\, \max(0, 1 - x)\, f
    \qquad
    c = \left\lfloor 1 + \frac{t}{2 S} \right\rfloor, \quad
    x = \left| \frac{t}{S} - 2 c + 1 \right|
    $$

    The factor $f$ is the value of `scale_fn` at the cycle $c$ or at the step $t$.

    Differs from TensorFlow Addons: learning rates may be integers, `scale_fn` gets
    floats even if steps are integers, an unknown mode is an error, and the name and the
    function are saved.

    Args:
        initial_learning_rate: $L$, in [0, inf): a number, or a tensor that holds one.
        maximal_learning_rate: $H$, in [0, inf): a number, or a tensor that holds one.
        step_size: $S$, half the length of a cycle, in steps, in (0, inf).
        scale_fn: A function of a tensor of floats. To load it with a saved model,
            register it by `keras.saving.register_keras_serializable` or pass it in
            `custom_objects`. A lambda needs `safe_mode=False`.
        scale_mode: `"cycle"` or `"iterations"`.
        name: Has no effect.

    Raises:
        ValueError: If an argument is outside its interval, or the mode is unknown.

    Example:
        >>> schedule = tfx_extras.tfa.optimizers.CyclicalLearningRate(
        ...     1e-4, 1e-2, 2000, lambda cycle: 1 / cycle)
        >>> print(f"{float(schedule(2000)):.5f} {float(schedule(6000)):.5f}")
        0.01000 0.00505

    Reference: Smith, 2015. https://arxiv.org/abs/1506.01186
    """

    gamma: float | None = None
    __repr__ = shown

    @typechecked
    def __init__(
        self,
        initial_learning_rate,
        maximal_learning_rate,
        step_size,
        scale_fn,
        scale_mode="cycle",
        name="CyclicalLearningRate",
    ):
        self.initial_learning_rate = _number(
            "initial_learning_rate", initial_learning_rate, "[0, inf)"
        )
        self.maximal_learning_rate = _number(
            "maximal_learning_rate", maximal_learning_rate, "[0, inf)"
        )
        self.step_size = _number("step_size", step_size, "(0, inf)")
        if not callable(scale_fn) and scale_fn not in SCALES:  # of subclasses
            raise ValueError(
                "Argument `scale_fn` must be a function. "
                f"Received: scale_fn={scale_fn!r}"
            )
        self.scale_fn = scale_fn
        self.scale_mode = require_one_of("scale_mode", scale_mode, SCALE_MODES)
        self.name = name

    def __call__(self, step):
        return cyclical(
            step,
            self.initial_learning_rate,
            self.maximal_learning_rate,
            self.step_size,
            self.scale_fn,
            self.scale_mode,
            self.gamma,
        )

    def get_config(self):
        arguments = parameters(type(self).__init__, 1)
        return {name: saved(getattr(self, name)) for name in arguments}

    @classmethod
    def from_config(cls, config):
        config = {name: loaded(value) for name, value in config.items()}
        # `.h5` files hold only the registered name of a function.
        if isinstance(config.get("scale_fn"), str):
            name = config["scale_fn"]
            config["scale_fn"] = keras.saving.get_registered_object(name) or name
        return cls(**config)


@register
class TriangularCyclicalLearningRate(CyclicalLearningRate):
    """Triangular `CyclicalLearningRate`, with $f = 1$.

    Args:
        initial_learning_rate: $L$, in [0, inf): a number, or a tensor that holds one.
        maximal_learning_rate: $H$, in [0, inf): a number, or a tensor that holds one.
        step_size: $S$, half the length of a cycle, in steps, in (0, inf).
        scale_mode: `"cycle"` or `"iterations"`, with the same result.
        name: Has no effect.

    Raises:
        ValueError: If an argument is outside its interval, or the mode is unknown.

    Example:
        >>> schedule = tfx_extras.tfa.optimizers.TriangularCyclicalLearningRate(
        ...     1e-4, 1e-2, 2000)
        >>> print(f"{float(schedule(2000)):.4f} {float(schedule(4000)):.4f}")
        0.0100 0.0001

    Reference: Smith, 2015. https://arxiv.org/abs/1506.01186
    """

    @typechecked
    def __init__(
        self,
        initial_learning_rate,
        maximal_learning_rate,
        step_size,
        scale_mode="cycle",
        name="TriangularCyclicalLearningRate",
    ):
        super().__init__(
            initial_learning_rate,
            maximal_learning_rate,
            step_size,
            "triangular",
            scale_mode,
            name,
        )


@register
class Triangular2CyclicalLearningRate(CyclicalLearningRate):
    """Triangular2 `CyclicalLearningRate`, with $f(a) = 2^{1 - a}$.

    Args:
        initial_learning_rate: $L$, in [0, inf): a number, or a tensor that holds one.
        maximal_learning_rate: $H$, in [0, inf): a number, or a tensor that holds one.
        step_size: $S$, half the length of a cycle, in steps, in (0, inf).
        scale_mode: Whether $a$ is the cycle $c$ (`"cycle"`) or the step $t$
            (`"iterations"`).
        name: Has no effect.

    Raises:
        ValueError: If an argument is outside its interval, or the mode is unknown.

    Example:
        >>> schedule = tfx_extras.tfa.optimizers.Triangular2CyclicalLearningRate(
        ...     1e-4, 1e-2, 2000)
        >>> print(f"{float(schedule(2000)):.5f} {float(schedule(6000)):.5f}")
        0.01000 0.00505

    Reference: Smith, 2015. https://arxiv.org/abs/1506.01186
    """

    @typechecked
    def __init__(
        self,
        initial_learning_rate,
        maximal_learning_rate,
        step_size,
        scale_mode="cycle",
        name="Triangular2CyclicalLearningRate",
    ):
        super().__init__(
            initial_learning_rate,
            maximal_learning_rate,
            step_size,
            "triangular2",
            scale_mode,
            name,
        )


@register
class ExponentialCyclicalLearningRate(CyclicalLearningRate):
    r"""Exponential `CyclicalLearningRate`, with $f(a) = \gamma^a$.

    Args:
        initial_learning_rate: $L$, in [0, inf): a number, or a tensor that holds one.
        maximal_learning_rate: $H$, in [0, inf): a number, or a tensor that holds one.
        step_size: $S$, half the length of a cycle, in steps, in (0, inf).
        scale_mode: Whether $a$ is the cycle $c$ (`"cycle"`) or the step $t$
            (`"iterations"`).
        gamma: $\gamma$, in (0, 1].
        name: Has no effect.

    Raises:
        ValueError: If an argument is outside its interval, or the mode is unknown.

    Example:
        >>> schedule = tfx_extras.tfa.optimizers.ExponentialCyclicalLearningRate(
        ...     1e-4, 1e-2, 2000, gamma=0.9999)
        >>> print(f"{float(schedule(2000)):.5f} {float(schedule(6000)):.5f}")
        0.00821 0.00553

    Reference: Smith, 2015. https://arxiv.org/abs/1506.01186
    """

    @typechecked
    def __init__(
        self,
        initial_learning_rate,
        maximal_learning_rate,
        step_size,
        scale_mode="iterations",
        gamma=1.0,
        name="ExponentialCyclicalLearningRate",
    ):
        super().__init__(
            initial_learning_rate,
            maximal_learning_rate,
            step_size,
            "exponential",
            scale_mode,
            name,
        )
        self.gamma = _number("gamma", gamma, "(0, 1]")


def _number(name: str, value: Any, interval: str) -> float:
    """Returns a number, or that of a tensor, as a `float` if it lies in `interval`."""
    if callable(value) or isinstance(value, str):
        raise ValueError(
            f"Argument `{name}` must be a number. Received: {name}={value!r}"
        )
    return require(name, float(value), interval)
