"""Skips and counts gradients that are not finite, up to a maximum in a row."""

from collections.abc import Callable
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from tfx_extras._backend import backend


def add_counter(optimizer: Any, name: str) -> keras.Variable:
    """Adds an integer variable to an optimizer, the same on all replicas."""
    return optimizer.add_variable(
        (), dtype="int32", aggregation="only_first_replica", name=name
    )


def apply_if_finite(
    counting: Any,
    apply: Callable[..., None],
    grads: Sequence[Any],
    changed: Sequence[Any],
) -> None:
    """Calls `apply(grads)` if all gradients are finite, and else counts a skip.

    Args:
        counting: The optimizer that counts, and raises after too many skips.
        apply: The function that makes a step.
        grads: Gradients of this replica, or sums over all replicas. Some may be `None`.
        changed: All variables that `apply` may change.
    """
    known = [g for g in grads if g is not None]
    if not known:  # Keras raises
        apply(grads)
        return
    finite = [ops.cast(ops.all(ops.isfinite(g)), "float32") for g in known]
    missed = backend.summed([len(known) - sum(finite)])[0]
    is_finite = ops.equal(missed, 0)
    in_a_row = ops.convert_to_tensor(counting.skipped_in_a_row)
    most = counting.max_consecutive_skips
    is_too_much = ops.logical_and(ops.logical_not(is_finite), in_a_row >= most)
    is_too_much = backend.fail_if(
        is_too_much,
        f"More than max_consecutive_skips={most} gradients in a row contain inf or NaN "
        f"and were skipped by the optimizer `{counting.name}`. Lower the learning "
        "rate, or look for the sample or layer that causes them.",
    )
    is_applied = ops.logical_or(is_finite, is_too_much)
    backend.when(is_applied, apply, grads, changed)
    is_skipped = ops.logical_not(is_applied)
    counting.skipped.assign_add(ops.cast(is_skipped, "int32"))
    # The counter keeps growing after an error, so that each later step raises too: JAX
    # on a GPU loses the error of a compiled step if its results are not used. Where the
    # error is raised, none of this may happen, so a graph must wait for `is_too_much`.
    is_missed = ops.cast(ops.logical_or(is_skipped, is_too_much), "int32")
    counting.skipped_in_a_row.assign((in_a_row + 1) * is_missed)
