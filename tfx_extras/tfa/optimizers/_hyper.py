"""Hyperparameters as in Keras 2: numbers or functions, which can be set."""

import warnings
from collections.abc import Callable
from functools import cache
from typing import Any

import keras
from keras import ops

from tfx_extras._backend import backend
from tfx_extras._checks import Number
from tfx_extras._checks import require
from tfx_extras._configuration import loaded
from tfx_extras.tfa._typed import as_argument
from tfx_extras.tfa._typed import number_now

OrFunction = Number | Callable[..., Any]


class Hyper:
    """An attribute that is a number, a schedule or a function without arguments.

    Reading it calls the function. Once the optimizer is built, a live number is kept in
    a variable of the optimizer, so that a compiled step sees new values. It is saved in
    the configuration, not in the state.

    Args:
        interval: The interval in which its numbers must lie.
        is_live: Whether formulas read it by `Hypers.current`.
        is_fixed_at_0: Whether steps leave the hyperparameter out if it is 0 when the
            optimizer is built.
    """

    def __init__(
        self, interval: str, is_live: bool = False, is_fixed_at_0: bool = False
    ):
        self.interval = interval
        self.is_live = is_live
        self.is_fixed_at_0 = is_fixed_at_0
        self.name = ""

    def __set_name__(self, owner, name):
        self.name = name

    def __get__(self, optimizer, owner=None) -> Any:
        if optimizer is None:
            return self
        numbers = optimizer._noted.numbers
        if self.name in numbers:  # the number that was set, not rounded to `float32`
            return numbers[self.name]
        if self.name not in vars(optimizer):
            raise AttributeError(self.name)
        value = vars(optimizer)[self.name]
        if not is_function(value):
            return value
        with backend.outside_of_compilation():
            return self.checked(number_now(value))

    def __set__(self, optimizer, value: Any) -> None:
        value = as_argument(value)
        if isinstance(value, int | Number):
            value = self.checked(value)
        variable = optimizer._noted.hypers.get(self.name)
        if variable is not None and isinstance(value, int | Number):
            variable.assign(value)
            optimizer._noted.numbers[self.name] = value
        elif self.is_live and getattr(optimizer, "built", False):
            raise ValueError(
                f"Attribute `{self.name}` can only be set to a number once the "
                "optimizer is built, and only if it was a number"
                + (" other than 0" if self.is_fixed_at_0 else "")
                + f" before. Received: {self.name}={value!r}"
            )
        else:
            vars(optimizer)[self.name] = value

    def checked(self, value: Any) -> Any:
        return require(self.name, value, self.interval)


class Hypers:
    """Mixin for optimizers with attributes that are `Hyper`."""

    def __init__(self, *args: Any, **kwargs: Any):
        kwargs = {name: as_argument(value) for name, value in kwargs.items()}
        own = kwargs.keys() & hypers_of(type(self)).keys()
        functions = {name: kwargs[name] for name in own if is_function(kwargs[name])}
        for name, function in functions.items():  # `super` checks the value as a number
            kwargs[name] = number_now(function)
        super().__init__(*args, **kwargs)
        for name, function in functions.items():
            setattr(self, name, function)

    def add_hypers(self: Any) -> None:
        """Creates variables for the live numbers."""
        for name, hyper in hypers_of(type(self)).items():
            value = vars(self).get(name)
            is_number = isinstance(value, int | Number)
            if hyper.is_live and is_number and (value or not hyper.is_fixed_at_0):
                self._noted.hypers[name] = self.add_variable(
                    (),
                    keras.initializers.Constant(value),
                    "float32",
                    "only_first_replica",
                    name=name,
                )

    @property
    def has_functions(self) -> bool:
        """Whether a step depends on a function of the user."""
        return any(is_function(vars(self).get(name)) for name in hypers_of(type(self)))

    def current(self: Any, name: str, dtype: str) -> Any:
        """Returns the value of a live hyperparameter in this step, as a tensor."""
        value = self._noted.hypers.get(name)
        if value is None:
            value = vars(self)[name]
        if is_function(value):
            value = value()
        elif callable(value):  # a schedule
            value = value(self.iterations)
        return ops.cast(value, dtype)

    def saved_hypers(self, config: dict[str, Any]) -> dict[str, Any]:
        """Returns a configuration in which functions are saved, if they can be.

        Args:
            config: A configuration that has only numbers.
        """
        saved = dict(config)
        for name in config.keys() & hypers_of(type(self)).keys():
            saved[name] = saved_hyper(name, vars(self)[name], getattr(self, name))
        return saved


@cache
def hypers_of(cls: type) -> dict[str, Hyper]:
    """The attributes of a class that are `Hyper`, by name."""
    found = {}
    for base in reversed(cls.__mro__):
        found |= {k: v for k, v in vars(base).items() if isinstance(v, Hyper)}
    return found


def is_function(value: Any) -> bool:
    """Whether `value` is a function without arguments, not a schedule."""
    is_schedule = isinstance(value, keras.optimizers.schedules.LearningRateSchedule)
    return callable(value) and not is_schedule


def saved_hyper(name: str, value: Any, number: Any) -> Any:
    """Returns a hyperparameter in the form that a configuration holds.

    Args:
        name: Its name.
        value: The number, function or schedule that the user gave.
        number: Its value now.
    """
    if not callable(value):
        return number
    if is_function(value) and not _is_registered(value):
        warnings.warn(
            f"`{name}` is a function, {value!r}, that is not registered by "
            "`keras.saving.register_keras_serializable()`. Its current value is saved "
            f"instead: {number}.",
            stacklevel=3,
        )
        return number
    return keras.saving.serialize_keras_object(value)


def _is_registered(function) -> bool:
    name = getattr(function, "__name__", None)
    return name is not None and keras.saving.get_registered_name(function) != name


def with_functions(cls: type, config: dict[str, Any]) -> dict[str, Any]:
    """Returns a configuration in which registered functions are loaded."""
    found = {name: loaded(config[name]) for name in config.keys() & hypers_of(cls)}
    return config | found
