"""Checks and shared values of several optimizers that train one model."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from tfx_extras._backend import backend
from tfx_extras._precision import wide
from tfx_extras.optimizers._clipping import global_factor
from tfx_extras.optimizers.wrappers._base import chain
from tfx_extras.optimizers.wrappers._base import free_name
from tfx_extras.optimizers.wrappers._base import innermost


def require_usable(optimizers: Sequence[Any]) -> None:
    """Raises if an optimizer cannot train a part, or an option cannot hold for all."""
    inner, *others = optimizers
    for optimizer in optimizers:
        *within, last = chain(optimizer)
        if any(hasattr(each, "rule_optimizers") for each in within):
            raise ValueError(
                "ParameterGroups cannot contain ParameterGroups: put all rules in one. "
                f"Received: {optimizer}"
            )
        if isinstance(last, keras.optimizers.LossScaleOptimizer):
            raise ValueError(
                "Put LossScaleOptimizer around ParameterGroups, not into its "
                f"rules. Received: {optimizer}"
            )
        if hasattr(last, "optimizers"):
            raise ValueError(
                "ParameterGroups cannot contain an optimizer that has several others. "
                "Name the optimizers of a MultiOptimizer in rules instead. "
                f"Received: {optimizer}"
            )
    largest = innermost(inner).global_clipnorm
    steps = [innermost(each).gradient_accumulation_steps for each in optimizers]
    if others and largest and any(steps):
        raise ValueError(
            "ParameterGroups cannot clip the norm of all gradients while some of "
            "several optimizers accumulate gradients. Use `clipnorm`, or do not "
            f"accumulate. Received: global_clipnorm={largest} of the inner optimizer, "
            f"and gradient_accumulation_steps={steps} of all optimizers"
        )
    for optimizer in others:
        scale = optimizer.loss_scale_factor
        if scale not in (None, inner.loss_scale_factor):
            raise ValueError(
                "The loss is scaled once for all optimizers: set `loss_scale_factor` "
                "of the inner optimizer only. "
                f"Received: loss_scale_factor={scale} of the "
                f"rule's `{optimizer.name}`, and {inner.loss_scale_factor} of "
                f"`{inner.name}`"
            )


def name_apart(optimizers: Sequence[Any], taken: set[str]) -> None:
    """Gives optimizers unique names, before they are built."""
    for optimizer in optimizers:
        for each in chain(optimizer):
            before, each.name = f"{each.name}/", free_name(each.name, taken)
            taken.add(each.name)
            for variable in each._variables:  # iterations and learning rate
                path = variable.path.replace(before, f"{each.name}/", 1)
                variable._path = path


def clipped_together(inner: Any, grads: Sequence[Any], variables: Sequence[Any]):
    """Clips by the norm of all gradients, of which each optimizer sees only a part."""
    largest = innermost(inner).global_clipnorm
    if not largest:
        return grads
    largest = largest * (inner.loss_scale_factor or 1.0)
    # The norm is that of gradients summed over replicas, as optimizers sum them too.
    dense = [
        backend.dense(g, v.shape, wide(v.dtype))
        for g, v in zip(grads, variables, strict=True)
    ]
    factor = global_factor(backend.summed(dense), largest)
    return [backend.scaled(g, factor) for g in grads]


def settable_rate(optimizer: Any) -> float | None:
    """Returns the learning rate of an optimizer, or `None` if it cannot be set."""
    rate = innermost(optimizer)._learning_rate
    is_number = isinstance(rate, keras.Variable)
    rate = ops.convert_to_tensor(rate) if is_number else None
    return None if rate is None else float(ops.convert_to_numpy(rate))


def following_rates(
    optimizers: Sequence[Any], after: float, ratios: tuple[float, ...] | None
) -> tuple[list[float], tuple[float, ...]]:
    """Returns the rates of all after the first is set, and their ratios to it.

    Args:
        optimizers: All optimizers.
        after: The new rate of the first optimizer.
        ratios: The previous ratios, for when the rate of the first is 0 now.
    """
    before, *others = map(settable_rate, optimizers)
    if others and (None in others or not (before or ratios)):
        raise ValueError(
            "Setting `learning_rate` scales the rates of all optimizers by one factor: "
            "all must be numbers, and that of the inner optimizer not 0 before. Set "
            "`learning_rate` of each of `rule_optimizers` instead. Received: "
            f"learning_rate={after}, after {before}, and {others} of the others"
        )
    if before:
        ratios = tuple(rate / before for rate in others if rate is not None)
    return [after, *(after * ratio for ratio in ratios or ())], ratios or ()
