"""Finds optimizers by name: those of Keras, and those of this package."""

from typing import Any

import keras

from tfx_extras import optimizers
from tfx_extras._suggest import OBJECTS
from tfx_extras._suggest import did_you_mean


def named(optimizer: Any, argument: str = "inner_optimizer") -> Any:
    """Returns an optimizer for a name, a configuration or an optimizer.

    If Keras has an optimizer of that name, it is used, and else that of this package.
    With the prefix `tfx_extras>`, a name means one of this package.

    Args:
        optimizer: What was given.
        argument: Name of the argument, for error messages.

    Raises:
        ValueError: If no optimizer has that name. The message suggests similar names.
    """
    try:
        return keras.optimizers.get(optimizer)
    except ValueError:
        if not isinstance(optimizer, str):
            raise
    try:
        return optimizers.get(optimizer)
    except ValueError:
        known = dict.fromkeys([*_of_keras(), *optimizers.list()])  # each name once
        hint = did_you_mean(optimizer, known, OBJECTS)
        raise ValueError(
            f"Argument `{argument}` must be an optimizer, or the name of one of "
            f"`keras.optimizers` or `tfx_extras.optimizers`.{hint} "
            f"Received: {argument}={optimizer!r}"
        ) from None


def _of_keras() -> list[str]:
    """Returns the names of Keras's optimizers, without bases and wrappers."""
    classes = {n: c for n, c in vars(keras.optimizers).items() if isinstance(c, type)}
    base = keras.optimizers.Optimizer
    around = {"Optimizer", "LossScaleOptimizer", "MultiOptimizer"}
    return [n for n, c in classes.items() if issubclass(c, base) and n not in around]
