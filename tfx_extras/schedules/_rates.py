"""Finds the learning rates of an optimizer, also inside wrappers."""

from collections.abc import Iterator
from typing import Any

import keras
from keras import ops


def leaves(optimizer: Any) -> Iterator[Any]:
    """Yields the optimizers that update variables, and first the one of the wrappers.

    A wrapper may have other optimizers for some variables, as `ParameterGroups` has.
    """
    inner = getattr(optimizer, "inner_optimizer", None)
    several = getattr(optimizer, "optimizers", ())  # of Keras's `MultiOptimizer`
    if inner is None and not several:
        yield optimizer
        return
    if inner is not None:
        yield from leaves(inner)
    for other in (*getattr(optimizer, "rule_optimizers", ()), *several):
        yield from leaves(other)


def require_rates(optimizer: Any) -> None:
    """Raises an error for an optimizer whose learning rate is not for users to find."""
    for leaf in leaves(optimizer):
        if getattr(leaf, "_finds_its_rate", False):
            raise ValueError(
                f"`{type(leaf).__name__}` finds its own step size, so there is no "
                "learning rate to look for. Leave its `learning_rate` at the default, "
                "or let a schedule lower it from there. "
                f"Received: model.optimizer={type(optimizer).__name__}"
            )


def rate_variable(optimizer: Any) -> keras.Variable | None:
    """Returns the variable that holds a learning rate; a schedule has none."""
    rate = optimizer._learning_rate
    return rate if isinstance(rate, keras.Variable) else None


def value_of(rate: keras.Variable) -> float:
    """Returns the learning rate that a variable holds."""
    return float(ops.convert_to_numpy(rate.value))
