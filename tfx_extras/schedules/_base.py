"""What all schedules share, so that each file holds only its formula."""

import math
from collections.abc import Callable
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Any
from typing import ClassVar

import keras
import numpy as np
from keras import ops
from keras.optimizers.schedules import LearningRateSchedule

from tfx_extras._checks import require
from tfx_extras._configuration import loaded
from tfx_extras._configuration import parameters_of_class
from tfx_extras._configuration import saved
from tfx_extras._precision import wide
from tfx_extras._repr import shown

LAST = float(np.finfo("float32").max)  # a larger step is infinite in `float32`


class Schedule(LearningRateSchedule):
    """Base class of the schedules: binds the hyperparameters of a function.

    A subclass sets `function`, whose parameters after `step` are the hyperparameters,
    and stores each of them as an attribute of the same name. The call and the saved
    configuration follow from them.
    """

    function: ClassVar[Callable[..., Any]]
    _names: ClassVar[tuple[str, ...]]  # of the parameters after `step`
    __repr__ = shown

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        if callable(getattr(cls, "function", None)):  # not abstract, nor a property
            cls._names = parameters_of_class(cls, 1)

    @property
    def _hyperparameters(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self._names}

    def __call__(self, step):
        return self.function(step, **self._hyperparameters)

    def get_config(self):
        return {name: saved(value) for name, value in self._hyperparameters.items()}

    @classmethod
    def from_config(cls, config):
        return cls(**{name: loaded(value) for name, value in dict(config).items()})


def require_schedule(name: str, value: Any) -> Any:
    """Returns `value` if it is a schedule or a learning rate, else raises."""
    if isinstance(value, LearningRateSchedule):
        return value
    if isinstance(value, int | float | np.number) and not isinstance(value, bool):
        return require(name, value, "[0, inf)")
    raise ValueError(
        f"Argument `{name}` must be a learning rate schedule or a number. "
        f"Received: {name}={value!r}"
    )


def evaluate(schedule: Any, step: Any) -> Any:
    """Returns the learning rate of a schedule or number, in the shape of `step`."""
    if not isinstance(schedule, LearningRateSchedule):
        return constant(step, float(require_schedule("schedule", schedule)))
    step = _standard(step)
    if isinstance(schedule, Schedule) or len(step.shape) == 0:
        return _in_floats(schedule(step))
    if 0 in step.shape:  # `ops.map` on PyTorch accepts no empty tensors
        return constant(step, 0.0)
    # Keras's schedules branch with `ops.cond`, which takes one step at a time.
    steps = ops.reshape(ops.convert_to_tensor(step), (-1,))
    rates = ops.map(lambda each: _in_floats(schedule(each)), steps)
    return ops.reshape(rates, ops.shape(step))


def elapsed(step: Any, start: float = 0) -> Any:
    """Returns `step - start` as floats, with the exact sign for every integer step.

    Integers are subtracted as integers, because `float32` is exact only up to 2^24.
    """
    step, start = _standard(step), min(start, LAST)
    largest = _largest(step)
    whole = type(largest)(min(math.floor(start), largest))
    return _in_floats(step - whole) - float(start - whole)


def since(step: Any, start: int, stop: float = math.inf) -> Any:
    """Returns `step - start`, clipped to the steps before `stop`; an integer stays one.

    A schedule that is joined to others is therefore called only with its own steps.
    """
    step = _standard(step)
    largest = _largest(step)
    last = type(largest)(min(stop - start - _is_integer(step), largest))
    passed = step - type(largest)(min(start, largest))
    if isinstance(step, np.ndarray):  # the difference may be a number of NumPy
        return np.clip(passed, 0, last)
    return ops.clip(passed, 0, ops.convert_to_tensor(last, step.dtype))


def cycles(step: Any, period: float) -> tuple[Any, Any]:
    """Returns the number of completed periods, and the steps since then, as floats.

    Both are exact for every integer step if up to 1000 periods together last a whole
    number of steps, for example 10 periods of 2.3.
    """
    step, period = _standard(step), min(period, LAST)
    ratio = Fraction(period).limit_denominator(1000)
    past = 0.0
    if (
        _is_integer(step)
        and float(ratio) == period
        and ratio.numerator <= _largest(step)
    ):
        past = _in_floats(step // ratio.numerator) * float(ratio.denominator)
        step = step % ratio.numerator
        if ratio.denominator == 1:
            return past, _in_floats(step)
    step = _in_floats(step)
    return past + step // float(period), step % float(period)


def constant(step: Any, rate: float) -> Any:
    """Returns the same learning rate for every step, in the shape of `step`."""
    return ops.ones_like(elapsed(step)) * rate


def between(a: float, b: float, x: Any) -> Any:
    """Returns the line from exactly `a` at 0 to exactly `b` at 1, constant outside."""
    x = ops.clip(x, 0, 1)
    return a * (1 - x) + b * x


def risen(step: Any, a: float, b: float, steps: int, first_step_nonzero: bool) -> Any:
    """Returns the rate of a warm-up: on a line from `a` to `b`, and then `b`."""
    if not steps:
        return constant(step, b)
    return between(a, b, (elapsed(step) + float(first_step_nonzero)) / float(steps))


def remaining(step: Any, steps: int) -> Any:
    """Returns the part of `steps` that is left: from 1 at step 0 to exactly 0."""
    return ops.clip(-elapsed(step, steps) / float(min(steps, LAST)), 0, 1)


def through(
    step: Any,
    steps: Sequence[float],
    rates: Sequence[float],
    shape: Callable[[Any], Any],
) -> Any:
    """Interpolates between points; the rate is constant before and after them.

    `shape` maps 0 to 1 onto 0 to 1: the way from one point to the next.
    """
    if len(steps) == 0:
        raise ValueError("Argument `boundaries` must not be empty. Received: []")
    require_length("learning_rates", rates, len(steps), "as `boundaries`")
    rate = constant(step, rates[0])
    for (start, a), (stop, b) in pairwise(zip(steps, rates, strict=True)):
        if start < stop:
            t = elapsed(step, start)
            x = shape(ops.clip(t / float(min(stop - start, LAST)), 0, 1))
            rate = ops.where(t >= 0, between(a, b, x), rate)
    # If a compiler multiplies by 1 / length, x may stay below 1.
    end = constant(step, rates[-1])
    return ops.where(elapsed(step, steps[-1]) >= 0, end, rate)


def require_length(name: str, values: Sequence[Any], length: int, as_: str) -> None:
    """Raises unless `values` have a length, which the message explains by `as_`."""
    if len(values) != length:
        raise ValueError(
            f"Argument `{name}` must have length {length}, {as_}. "
            f"Received: {name}={values}"
        )


def line(x: Any) -> Any:
    """Returns the shape of a line: `x` itself."""
    return x


def half_cosine(x: Any) -> Any:
    """Returns the shape of half a cosine, from 0 to 1.

    `(1 - cos(pi x)) / 2` is the same but loses precision by cancellation near 0.
    """
    return ops.square(ops.sin(math.pi / 2 * x))


def _standard(step: Any) -> Any:
    """Returns `step` as a tensor of 32 bits or more, or as a NumPy array.

    Only tensors stay tensors: JAX would make the Python number 2^31 negative, but NumPy
    counts in 64 bits.
    """
    if isinstance(step, keras.Variable) or ops.is_tensor(step):
        step = ops.convert_to_tensor(step)
        kind = "int" if _is_integer(step) else "float"
        is_wide = keras.backend.standardize_dtype(step.dtype) == kind + "64"
        return step if is_wide else ops.cast(step, kind + "32")
    step = np.asarray(step)
    is_counted = step.dtype != object and _is_integer(step) and step.dtype != "uint64"
    return step.astype("int64" if is_counted else "float64")


def _is_integer(step: Any) -> bool:
    return keras.backend.is_int_dtype(step.dtype)


def _largest(step: Any) -> float:
    if not _is_integer(step):
        return math.inf
    return int(np.iinfo(keras.backend.standardize_dtype(step.dtype)).max)


def _in_floats(x: Any) -> Any:
    """Returns `x` in the dtype of learning rates, which never has only 16 bits."""
    return ops.cast(x, wide(keras.config.floatx()))
