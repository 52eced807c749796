"""Reads the configuration and the state of optimizers from files of Keras 2."""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

# The slots of this package and of Keras 3, with their names in Keras 2.
SAVED_AS = {
    "momentum": ("m", "momentum"),
    "variance": ("v",),
    "velocity": ("v", "rms"),
    "max_variance": ("vhat",),
    "velocity_hat": ("vhat",),
    "average_gradient": ("mg",),
    "accumulator": ("accumulator",),
    "largest": ("lr",),
    "gradient_sum": ("gradients_sum",),
    "magnitude_sum": ("grad_norm_sum",),
    "reward": ("reward",),
    "bet": ("tilde_w",),
    "slow": ("slow",),
    "average": ("average",),
}


def with_named_schedules(config: dict[str, Any]) -> dict[str, Any]:
    """Returns a configuration whose schedules have names, as Keras 3 requires."""
    return {key: _with_name(value) for key, value in config.items()}


def _with_name(value):
    config = value.get("config") if isinstance(value, dict) else None
    if not isinstance(config, dict) or config.get("name", "") is not None:
        return value
    return value | {"config": config | {"name": value["class_name"]}}


def is_of_keras_2(weights: Sequence[Any]) -> bool:
    """Whether `weights` are from a file with the names of Keras 2."""
    names = [str(getattr(weight, "name", "")) for weight in weights]
    return bool(names) and all(name.endswith(":0") for name in names)


def slots_of(weights: Sequence[Any]) -> dict[str, list[np.ndarray]]:
    """Returns the data of each slot, by the last part of their names."""
    slots = {}
    for weight in weights:
        name = weight.name.rsplit("/", 1)[-1].removesuffix(":0")
        slots.setdefault(name, []).append(np.asarray(weight))
    return slots


def restore(optimizer: Any, saved: dict[str, list[np.ndarray]]) -> None:
    """Restores a built optimizer and its inner optimizers from the state in a file.

    If the file lacks something, a warning says so, and the state is reset.

    Args:
        optimizer: An optimizer.
        saved: The data of each slot.
    """
    pairs = [pair for inner in _chain(optimizer) for pair in _pairs(inner, saved)]
    lacking = [v.name for v, value in pairs if np.shape(value) != tuple(v.shape)]
    if lacking:
        warnings.warn(
            f"The state of optimizer '{optimizer.name}' is not restored but reset, "
            f"because the file has no values that fit {lacking}.",
            stacklevel=3,
        )
        return
    for variable, value in pairs:
        variable.assign(value)


def _chain(optimizer):
    while optimizer is not None:
        yield optimizer
        optimizer = getattr(optimizer, "inner_optimizer", None)


def _pairs(optimizer, saved):
    """Each variable of an optimizer, with the value that it should have."""
    yield optimizer._iterations, saved["iter"][0]
    slots = {}
    for variable in optimizer._variables:
        names = [name for name in SAVED_AS if variable.name.endswith(f"_{name}")]
        if names:
            slots.setdefault(max(names, key=len), []).append(variable)
    for name, variables in slots.items():
        values = next((saved[s] for s in SAVED_AS[name] if s in saved), [])
        if name == "momentum" and not values and getattr(optimizer, "beta_1", 1) == 0:
            continue  # Keras 2 did not keep it.
        sign = getattr(optimizer, "sign_in_keras_2", {}).get(name, 1)
        values = [sign * value for value in values]
        # A missing value gets a shape that fits no variable.
        values += [np.ones((0, 0, 0))] * (len(variables) - len(values))
        yield from zip(variables, values, strict=True)
