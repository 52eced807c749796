"""Argument checks. The interval that is tested is the interval that is shown."""

from collections.abc import Iterable
from collections.abc import Sequence
from typing import Any

import numpy as np

Number = float | np.number  # what users pass for a number; `float` admits `int`


def require(name: str, value: Number, interval: str) -> Any:
    """Returns `value` as a Python number if it lies in `interval`, else raises.

    An interval is written as in mathematics: `"[0, 1)"`, `"(0, inf)"`.
    """
    low, high = (float(bound) for bound in interval[1:-1].split(","))
    above = value >= low if interval[0] == "[" else value > low
    below = value <= high if interval[-1] == "]" else value < high
    if not (above and below):
        raise ValueError(
            f"Argument `{name}` must be in {interval}. Received: {name}={value}"
        )
    return value.item() if isinstance(value, np.generic) else value


def require_steps(name: str, value: Number, interval: str = "[0, inf)") -> int:
    """Returns a number of steps as an `int`: `100.0` passes, `0.5` raises."""
    require(name, value, interval)
    if value != int(value):
        raise ValueError(
            f"Argument `{name}` must be a whole number of steps. "
            f"Received: {name}={value}"
        )
    return int(value)


def require_each(name: str, values: Iterable[Number], interval: str) -> list:
    """Returns `values` as a list of Python numbers, each in `interval`."""
    return [require(f"{name}[{i}]", value, interval) for i, value in enumerate(values)]


def require_one_of(name: str, value: str, options: Sequence[str]) -> str:
    """Returns `value` if it is one of `options`, else raises."""
    if value not in options:
        raise ValueError(
            f"Argument `{name}` must be one of {', '.join(options)}. "
            f"Received: {name}={value}"
        )
    return value


def require_patterns(name: str, patterns: Sequence[str]) -> list[str]:
    """Returns regular expressions as a list; a single one, not in a list, raises."""
    if isinstance(patterns, str):
        raise ValueError(
            f"Argument `{name}` must be a list of regular expressions. "
            f"Received: {name}={patterns!r}"
        )
    return list(patterns)
