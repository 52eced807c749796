"""The numbers that an update depends on, beside its tensors."""

from collections.abc import Hashable

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
