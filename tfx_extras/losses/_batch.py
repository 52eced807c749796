"""Pairs of the samples of a batch: sums over rows, and means over the batch.

Rows are the samples of this replica. Columns are the samples of the batch: those of all
replicas if they are gathered.
"""

from typing import Any

from keras import ops

from tfx_extras._backend import backend
from tfx_extras.losses._probabilities import TINY
from tfx_extras.losses._probabilities import at_least

NOTHING = -1e30  # stands for log(0), but stays finite in arithmetic


def collected(x, gather: bool) -> tuple[Any, Any]:
    """Returns the rows of all replicas, and where the rows of this replica begin."""
    return backend.gather(x) if gather else (x, 0)


def own(rows, columns, before):
    """Returns which column is the same sample as the row."""
    index = ops.arange(ops.shape(rows)[0], dtype="int32") + before
    return index[:, None] == ops.arange(ops.shape(columns)[0], dtype="int32")[None, :]


def count(condition, dtype):
    """Returns for each row in how many columns the condition holds."""
    return ops.sum(ops.cast(condition, dtype), axis=-1)


def sum_where(condition, values):
    """Returns the sum of the values of each row where the condition holds."""
    return ops.sum(ops.where(condition, values, ops.zeros_like(values)), axis=-1)


def log_sum_exp(values, condition):
    """Returns log(sum(exp(values))) where the condition holds, else `NOTHING`."""
    nothing = ops.convert_to_tensor(NOTHING, values.dtype)
    values = ops.where(condition, values, nothing)
    largest = backend.largest(values, NOTHING)
    largest = ops.stop_gradient(largest)
    powers = ops.exp(ops.where(condition, values - largest, nothing))
    return ops.log(at_least(ops.sum(powers, axis=-1), TINY)) + largest[..., 0]


def lowest(values, condition):
    """Returns the minimum of each row where the condition holds, else 1e30."""
    return -highest(-values, condition)


def highest(values, condition):
    """Returns the maximum of each row where the condition holds, else `NOTHING`."""
    nothing = ops.convert_to_tensor(NOTHING, values.dtype)
    values = ops.where(condition, values, nothing)
    return backend.largest(values, NOTHING)[..., 0]


def averaged(totals, terms, gather: bool):
    """Scales totals so that their mean is the mean over all terms of the batch.

    Args:
        totals: The sum of the terms of each anchor, of shape `(anchors,)`.
        terms: The number of terms of each anchor, of the same shape.
        gather: Whether the batch holds the samples of all replicas.
    """
    terms, _ = collected(ops.stop_gradient(terms), gather)
    anchors = ops.cast(ops.shape(terms)[0], totals.dtype)
    return totals * (anchors / at_least(ops.sum(terms), 1.0))
