"""Optimizers by name: Keras's, and those of this package, which Keras does not know."""

from typing import Any

import keras

from tfx_extras import optimizers
from tfx_extras._suggest import OBJECTS
from tfx_extras._suggest import did_you_mean


def named(optimizer: Any, argument: str = "inner_optimizer") -> Any:
    """Returns the optimizer that a name, a configuration or itself stands for.

    A name that Keras knows means Keras's, any other one that of this package.

    Args:
        optimizer: What was given.
        argument: The argument that it was given for, for errors.

    Raises:
        ValueError: If neither has that name; it suggests the nearest ones.
    """
    try:
        return keras.optimizers.get(optimizer)
    except ValueError:
        if not isinstance(optimizer, str):
            raise
    try:
        found = optimizers.get(optimizer)
    except ValueError:
        known = [*_of_keras(), *optimizers.list()]
        hint = did_you_mean(optimizer, known, OBJECTS)
        raise ValueError(
            f"Argument `{argument}` must be an optimizer, or the name of one of "
            f"`keras.optimizers` or `tfx_extras.optimizers`.{hint} "
            f"Received: {argument}={optimizer!r}"
        ) from None
    is_preset = not isinstance(found, keras.optimizers.Optimizer)  # a function
    return found() if is_preset else found


def _of_keras() -> list[str]:
    """The names of Keras's optimizers that act alone."""
    classes = {n: c for n, c in vars(keras.optimizers).items() if isinstance(c, type)}
    base = keras.optimizers.Optimizer
    around = {"Optimizer", "LossScaleOptimizer", "MultiOptimizer"}
    return [n for n, c in classes.items() if issubclass(c, base) and n not in around]
