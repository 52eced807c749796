"""What several optimizers that train one model have to agree on."""

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
    """Raises if one cannot train a part, or an option of the first not hold for all."""
    inner, *others = optimizers
    for optimizer in optimizers:
        *within, last = chain(optimizer)
        if any(hasattr(each, "rule_optimizers") for each in within):
            raise ValueError(
                "ParameterGroups within ParameterGroups: put all rules in one. "
                f"Received: {optimizer}"
            )
        if isinstance(last, keras.optimizers.LossScaleOptimizer):
            raise ValueError(
                "Put LossScaleOptimizer around ParameterGroups, not into its "
                f"rules. Received: {optimizer}"
            )
        if hasattr(last, "optimizers"):
            raise ValueError(
                "ParameterGroups needs optimizers that update variables themselves: "
                f"name those of a MultiOptimizer in rules. Received: {optimizer}"
            )
    largest = innermost(inner).global_clipnorm
    steps = [innermost(each).gradient_accumulation_steps for each in optimizers]
    if others and largest and any(steps):
        raise ValueError(
            "ParameterGroups cannot clip the norm of all gradients while some of "
            "several optimizers accumulate theirs. Received an inner optimizer with "
            f"global_clipnorm={largest}, and gradient_accumulation_steps={steps} of "
            "all optimizers."
        )
    for optimizer in others:
        scale = optimizer.loss_scale_factor
        if scale not in (None, inner.loss_scale_factor):
            raise ValueError(
                "The loss is scaled once for all optimizers: set `loss_scale_factor` "
                f"of the inner optimizer. Received: loss_scale_factor={scale} of the "
                f"rule's `{optimizer.name}`, and {inner.loss_scale_factor} of "
                f"`{inner.name}`"
            )


def name_apart(optimizers: Sequence[Any], taken: set[str]) -> None:
    """Renames optimizers, before they are built, so that no two names are equal."""
    for optimizer in optimizers:
        for each in chain(optimizer):
            before, each.name = f"{each.name}/", free_name(each.name, taken)
            taken.add(each.name)
            for variable in each._variables:  # iterations and learning rate
                path = variable.path.replace(before, f"{each.name}/", 1)
                variable._path = path


def clipped_together(inner: Any, grads: Sequence[Any], variables: Sequence[Any]):
    """Clips by the norm of all what each optimizer knows only a part of."""
    largest = innermost(inner).global_clipnorm
    if not largest:
        return grads
    largest = largest * (inner.loss_scale_factor or 1.0)
    # Of the sums of all replicas, which the optimizers will make too.
    dense = [
        backend.dense(g, v.shape, wide(v.dtype))
        for g, v in zip(grads, variables, strict=True)
    ]
    factor = global_factor(backend.summed(dense), largest)
    return [backend.scaled(g, factor) for g in grads]


def settable_rate(optimizer: Any) -> float | None:
    """The learning rate of an optimizer, if it is a number that can be set."""
    rate = innermost(optimizer)._learning_rate
    is_number = isinstance(rate, keras.Variable)
    rate = ops.convert_to_tensor(rate) if is_number else None
    return None if rate is None else float(ops.convert_to_numpy(rate))


def following_rates(
    optimizers: Sequence[Any], after: float, ratios: tuple[float, ...] | None
) -> tuple[list[float], tuple[float, ...]]:
    """Returns the rates of all when that of the first is set, and their ratios to it.

    Args:
        optimizers: All optimizers.
        after: The rate that the first will have.
        ratios: Those of the last time, for where that rate is 0 now.
    """
    before, *others = map(settable_rate, optimizers)
    if others and (None in others or not (before or ratios)):
        raise ValueError(
            "The learning rates of other optimizers follow that of the inner one: all "
            "must be numbers, and that one not 0 before. Set `learning_rate` of each "
            f"of `rule_optimizers`. Received: learning_rate={after}, where it was "
            f"{before}, and {others} of the others"
        )
    if before:
        ratios = tuple(rate / before for rate in others if rate is not None)
    return [after, *(after * ratio for ratio in ratios or ())], ratios or ()
