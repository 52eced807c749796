"""Probabilities of classes, as exact as what they are computed from allows.

Both forms say, of values of the last axis, how surprising the class is, how likely
it is, and how likely it is missed.
"""

import math
from typing import Any
from typing import NamedTuple

import keras
from keras import ops

from tfx_extras._backend import backend
from tfx_extras._checks import Number

SLACK = 0.01  # what rounding, also to `bfloat16`, adds to a probability
TINY = 1e-37  # smallest power of ten that is no subnormal number in `float32`


class Logits(NamedTuple):
    """The probability of a class is its share in the sum of exponentials."""

    values: Any  # less the largest
    rest: Any  # `sum_of_others`: that of one of the largest, 1, is left out
    largest: Any

    def surprise(self, values):
        """-log(p)."""
        return ops.log1p(self.rest) - values

    def share(self, values):
        """The probability p itself."""
        return ops.exp(-self.surprise(values))

    def miss(self, values):
        """1 - p, also where p rounds to 1."""
        return -ops.expm1(-self.surprise(values))

    def log_partition(self):
        """Logarithm of the sum of exponentials of the logits."""
        return ops.squeeze(self.largest + ops.log1p(self.rest), -1)


class Probabilities(NamedTuple):
    """The probability of a class is given, up to a factor common to the classes."""

    values: Any

    def surprise(self, values):
        """-log(p)."""
        return -ops.log(at_least(values, keras.config.epsilon()))

    def share(self, values):
        """The probability p itself."""
        return values

    def miss(self, values):
        """1 - p."""
        return 1 - values


def probabilities(y_pred, from_logits: bool) -> Logits | Probabilities:
    """Returns what the last axis of `y_pred` says about the classes."""
    if from_logits:
        return of_logits(y_pred)
    message = "`y_pred` must hold probabilities, none of which is negative."
    y_pred = within(y_pred, 0.0, math.inf, message)
    total = ops.sum(y_pred, axis=-1, keepdims=True)
    return Probabilities(y_pred / at_least(total, keras.config.epsilon()))


def in_unit_interval(p):
    """Returns probabilities, within [0, 1], which need not add up to anything."""
    return within(p, 0.0, 1.0, "`y_pred` must hold probabilities, in [0, 1].")


def within(
    x, low: float, high: float, message: str, cure="Did you mean from_logits=True?"
):
    """Returns `x` with what rounding took out of [low, high] put back on its ends.

    Raises where looking is free if a value is farther outside. NaN stays.
    """
    backend.check_within(x, low - SLACK, high + SLACK, f"{message} {cure}")
    start, end = (ops.convert_to_tensor(bound, x.dtype) for bound in (low, high))
    x = ops.where(x < start, start, x)  # at the start itself, its slope stays
    return x if high == math.inf else ops.where(x > end, end, x)


def of_logits(y_pred) -> Logits:
    """Returns what the logits in the last axis of `y_pred` say about the classes."""
    # A constant to the gradient, which flows through `values`, also into `rest`.
    largest = backend.largest(y_pred, float("-inf"))
    largest = ops.stop_gradient(largest)  # (the initial value is for empty batches)
    values = y_pred - largest
    return Logits(values, sum_of_others(values, y_pred >= largest), largest)


def sum_of_others(values, is_largest):
    """Returns the sum of the exponentials of all `values` but one of the largest.

    It is left out, so that small terms keep their digits, by its place, which is looked
    for once. A compiler that rounds `is_largest` anew for each sum in which it is, as
    XLA does, may find it here true and there false. Should it find none, it is the last
    class from which 1 is taken, and the sum is right.
    """
    last = ops.shape(values)[-1] - 1
    places = ops.arange(last + 1, dtype="int32")
    found = ops.where(is_largest, places, last)
    first = -backend.largest(-found, -last)
    is_first = ops.cast(places == first, values.dtype)
    return ops.sum(ops.exp(values) - is_first, axis=-1, keepdims=True)


def power(miss, gamma: Number):
    """miss**gamma, with a finite gradient also where `miss` is 0 and `gamma` < 1."""
    return at_least(miss, TINY) ** gamma


def at_least(x, bound: float):
    """The larger one; NaN stays. `ops.maximum` makes `float64` narrow, on PyTorch."""
    bound = ops.convert_to_tensor(bound, x.dtype)
    return ops.where(x <= bound, bound, x)


def log_add_exp(a, b):
    """log(exp(a) + exp(b)). `ops.logaddexp` makes `float64` narrow, on PyTorch."""
    is_larger = a > b
    larger, smaller = ops.where(is_larger, a, b), ops.where(is_larger, b, a)
    return larger + ops.log1p(ops.exp(smaller - larger))


def softplus(x):
    """log(1 + exp(x)), also where PyTorch's has ended to look, beyond 20."""
    return log_add_exp(x, ops.zeros_like(x))
