"""The numbers that an update depends on, beside its tensors."""

from collections.abc import Callable
from collections.abc import Hashable
from types import FunctionType
from types import MethodType
from typing import Any

import keras
import numpy as np
from keras.optimizers import Optimizer
from keras.optimizers.schedules import LearningRateSchedule

_SIMPLE = bool | int | float | str | np.generic | None


class FunctionError(Exception):
    """The inner update depends on a function of the user."""


def settings_of(thing) -> Hashable:
    """Returns the numbers that an update depends on, of optimizers and schedules."""
    found = []
    for name, value in sorted(vars(thing).items()):
        if isinstance(value, list | tuple) and value:
            if isinstance(value[0], Optimizer):
                found += [(name, _settings_within(x)) for x in value]
            elif all(isinstance(x, _SIMPLE) for x in value):
                found.append((name, tuple(value)))
        elif isinstance(value, _SIMPLE):
            found.append((name, value))
        elif isinstance(value, Optimizer | LearningRateSchedule):
            found.append((name, _settings_within(value)))
    return tuple(found)


def settings_of_function(function: Callable[..., Any]) -> Hashable:
    """Returns what a function depends on, beside its arguments.

    Raises:
        FunctionError: If this is not only numbers.
    """
    if isinstance(function, MethodType):
        return function.__func__, _settings_within(function.__self__)
    cells = [cell.cell_contents for cell in function.__closure__ or ()]
    return function.__code__, tuple(map(_settings_in, cells))


def _settings_in(x) -> Hashable:
    if isinstance(x, _SIMPLE):
        return x
    if isinstance(x, tuple):
        return tuple(map(_settings_in, x))
    if isinstance(x, FunctionType | MethodType):
        return settings_of_function(x)
    raise FunctionError


def _settings_within(thing) -> Hashable:
    if isinstance(thing, Optimizer) and (
        is_function(thing) or getattr(thing, "has_functions", False)
    ):
        raise FunctionError
    return id(thing), settings_of(thing)


def is_function(optimizer) -> bool:
    """Whether the learning rate is a function without arguments."""
    rate = optimizer._learning_rate
    is_other = isinstance(rate, keras.Variable | LearningRateSchedule)
    return callable(rate) and not is_other
