"""Argument checks. The error message shows the same interval that is checked."""

import math
import re
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from tfx_extras._suggest import VALUES
from tfx_extras._suggest import did_you_mean

Number = float | np.number  # a number that users pass; `float` includes `int`
COUNTABLE = 2**31  # the counters of JAX and PyTorch are smaller than this

# Python numbers, because NumPy rounds the numbers that it compares with its own.
_LARGEST = float(np.finfo("float32").max)
_SMALLEST = float(np.finfo("float32").smallest_normal)


def require(name: str, value: Number, interval: str) -> Any:
    """Returns `value` as a Python number if it is in `interval`. Raises otherwise.

    Intervals are written as in mathematics: `"[0, 1)"`, `"(0, inf)"`.
    """
    low, high = (float(bound) for bound in interval[1:-1].split(","))
    if not isinstance(value, int | Number):
        raise TypeError(
            f"Argument `{name}` must be a number. Received: {name}={value!r}"
        )
    number = _in_float32(value)
    above = number >= low if interval[0] == "[" else number > low
    below = number <= high if interval[-1] == "]" else number < high
    if not (above and below):
        is_rounded = number == number and number != value
        raise ValueError(
            f"Argument `{name}` must be in {interval}. Received: {name}={value}"
            + (f", which is {number} in `float32`" if is_rounded else "")
            + _cure(name, number)
        )
    if isinstance(value, int) and abs(value) >= 2**63:
        return number  # PyTorch does not accept larger integers
    return value.item() if isinstance(value, np.generic) else value


def _cure(name: str, number: float) -> str:
    """Suggests a fraction in place of a percentage."""
    is_share = name.split("[")[0] in ("label_smoothing", "tau", "threshold")
    if is_share and 1 < number <= 100 and number == int(number):
        return f". It is a fraction: for {number:g} %, give {number / 100:g}"
    return ""


def _in_float32(value: Any) -> float:
    """Returns the number, or infinity or 0 if `float32` cannot represent it."""
    try:
        number = float(value)
    except OverflowError:  # an `int` of a thousand digits
        return math.inf if value > 0 else -math.inf
    if abs(number) > _LARGEST:
        return math.copysign(math.inf, number)
    return 0.0 if abs(number) < _SMALLEST else number


def require_steps(name: str, value: Number, interval: str = "[0, inf)") -> int:
    """Returns a number of steps as an `int`: `100.0` passes, `0.5` raises."""
    require(name, value, interval)
    if value != int(value):
        is_fraction = 0 < value < 1
        cure = ". For a fraction of the training, multiply it by the number of steps"
        raise ValueError(
            f"Argument `{name}` must be a whole number of steps. "
            f"Received: {name}={value}" + (cure if is_fraction else "")
        )
    return int(value)


def require_each(
    name: str,
    values: Iterable[Number],
    interval: str,
    require: Callable[[str, Number, str], Any] = require,
) -> list:
    """Returns the list of `require(...)` of each value."""
    if isinstance(values, str | bytes | Mapping):
        raise TypeError(
            f"Argument `{name}` must be a list of numbers. Received: {name}={values!r}"
        )
    return [require(f"{name}[{i}]", value, interval) for i, value in enumerate(values)]


def require_one_of(
    name: str, value: Any, options: Iterable[Any], also: str = ""
) -> Any:
    """Returns `value` if it is one of `options`. Raises otherwise.

    `also` ends the list of the options in the message.
    """
    if value not in options:
        words = [str(option) for option in options]
        raise ValueError(
            f"Argument `{name}` must be one of {', '.join(words)}{also}."
            f"{did_you_mean(str(value), set(words) - {'None'}, VALUES)} "
            f"Received: {name}={value}"
        )
    return value


def require_patterns(name: str, patterns: Sequence[str]) -> list[str]:
    """Returns regular expressions as a list. Raises for a single string."""
    if isinstance(patterns, str) or not all(isinstance(p, str) for p in patterns):
        hint = f" Did you mean [{patterns!r}]?" if isinstance(patterns, str) else ""
        raise TypeError(
            f"Argument `{name}` must be a list of regular expressions."
            f"{hint} Received: {name}={patterns!r}"
        )
    for pattern in patterns:
        try:
            re.compile(pattern)
        except re.error as error:
            raise ValueError(
                f"Argument `{name}` must be a list of regular expressions: {error}. "
                f"Received: {name}={patterns!r}"
            ) from error
    return list(patterns)


def require_dtype(name: str, dtype: Any) -> None:
    """Raises if Keras does not know `dtype` as a dtype or dtype policy."""
    try:
        if isinstance(keras.dtype_policies.get(dtype), keras.DTypePolicy):
            return
    except Exception as error:  # its class depends on the value
        reason = error
    else:
        reason = None
    raise ValueError(
        f"Argument `{name}` must be a dtype, such as 'float32'. "
        f"Received: {name}={dtype!r}"
    ) from reason
