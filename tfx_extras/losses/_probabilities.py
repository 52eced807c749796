"""Class probabilities, as accurate as logits or given probabilities allow.

Both forms have the same methods for values on the last axis: the surprise of a class,
its probability, and the probability that it is missed.
"""

import math
from typing import Any
from typing import NamedTuple

import keras
from keras import ops

from tfx_extras._backend import backend
from tfx_extras._checks import Number

SLACK = 0.01  # rounding, even to `bfloat16`, changes a probability by less
TINY = 1e-37  # the smallest power of ten that is a normal number in `float32`


class Logits(NamedTuple):
    """Probabilities as the softmax of logits."""

    values: Any  # logits minus their maximum
    rest: Any  # `sum_of_others`: the sum of exponentials without that of the maximum
    largest: Any

    def surprise(self, values):
        """-log(p)."""
        return ops.log1p(self.rest) - values

    def share(self, values):
        """The probability p."""
        return ops.exp(-self.surprise(values))

    def miss(self, values):
        """1 - p, also where p rounds to 1."""
        return -ops.expm1(-self.surprise(values))

    def log_partition(self):
        """The logarithm of the sum of the exponentials of the logits."""
        return ops.squeeze(self.largest + ops.log1p(self.rest), -1)


class Probabilities(NamedTuple):
    """Given probabilities, divided by their sum."""

    values: Any

    def surprise(self, values):
        """-log(p)."""
        return -ops.log(at_least(values, keras.config.epsilon()))

    def share(self, values):
        """The probability p."""
        return values

    def miss(self, values):
        """1 - p."""
        return 1 - values


def probabilities(y_pred, from_logits: bool) -> Logits | Probabilities:
    """Returns the probabilities of the classes on the last axis of `y_pred`."""
    if from_logits:
        return of_logits(y_pred)
    message = "`y_pred` must hold probabilities, which are not negative."
    y_pred = within(y_pred, 0.0, math.inf, message)
    total = ops.sum(y_pred, axis=-1, keepdims=True)
    return Probabilities(y_pred / at_least(total, keras.config.epsilon()))


def in_unit_interval(p):
    """Returns probabilities in [0, 1], which need not sum to 1."""
    return within(p, 0.0, 1.0, "`y_pred` must hold probabilities in [0, 1].")


def logarithms(q):
    """Returns log(q), log(1 - q), q and 1 - q; q and 1 - q are at least epsilon."""
    q = in_unit_interval(q)
    epsilon = keras.config.epsilon()
    is_certain = 1 - q < epsilon
    uncertain = ops.where(is_certain, ops.zeros_like(q), q)
    q, not_q = at_least(q, epsilon), at_least(1 - q, epsilon)
    # Not `log(1 - q)`: rounding 1 - q loses a small q.
    log_not_q = ops.where(is_certain, ops.log(not_q), ops.log1p(-uncertain))
    return ops.log(q), log_not_q, q, not_q


def within(
    x, low: float, high: float, message: str, cure="Did you mean from_logits=True?"
):
    """Returns `x` clipped to [low, high], to undo what rounding changed. NaN stays.

    Raises if a value is farther outside, where checking costs nothing.
    """
    try:
        if backend.check_within(x, low, high, SLACK, f"{message} {cure}"):
            return x
    except ValueError as error:
        raise ValueError(f"{error}{_range(x, 'y_pred')}") from None
    return backend.clipped(x, low, high)


def require_shares(y) -> None:
    """Raises if labels are found outside [0, 1], where checking costs nothing."""
    message = (
        "`y_true` must hold labels in [0, 1]. Did you pass masks of 0 and 255? Then "
        "divide them by 255. Labels of -1 and 1 become 0 and 1 by `(y + 1) / 2`. "
        "Give padding the label 0: its mask, or its weight of 0, leaves it out."
    )
    try:
        backend.check_within(y, 0.0, 1.0, SLACK, message)
    except ValueError as error:
        raise ValueError(f"{error}{_range(y, 'y_true')}") from None


def _range(x, name: str) -> str:
    """The minimum and maximum of values, for the error, if they can be read."""
    try:
        x = ops.convert_to_numpy(x)
    except RuntimeError:  # PyTorch cannot read values within a transform
        return ""
    return f" Received: {name} with values from {x.min():.4g} to {x.max():.4g}"


def of_logits(y_pred) -> Logits:
    """Returns the probabilities of the classes, whose logits `y_pred` has last."""
    largest = backend.largest(y_pred, float("-inf"))  # -inf for empty batches
    # The maximum is a constant: the gradient flows through `values`, also into `rest`.
    largest = ops.stop_gradient(largest)
    values = y_pred - largest
    return Logits(values, sum_of_others(values, y_pred >= largest), largest)


def sum_of_others(values, is_largest):
    """Returns the sum of the exponentials of all `values` except one maximum.

    One maximum is left out, so that small terms keep their digits.
    """
    others = backend.less_first(ops.exp(values), is_largest)
    return ops.sum(others, axis=-1, keepdims=True)


def power(miss, gamma: Number):
    """miss**gamma, whose gradient is finite also where `miss` is 0 and `gamma` < 1."""
    return at_least(miss, TINY) ** gamma


def at_least(x: Any, bound: Any) -> Any:
    """The maximum of `x` and `bound`. NaN stays.

    `ops.maximum` narrows `float64` on PyTorch.
    """
    if isinstance(bound, float | int):
        return backend.at_least(x, bound)
    bound = ops.convert_to_tensor(bound, x.dtype)
    return ops.where(x <= bound, bound, x)


def log_add_exp(a, b):
    """log(exp(a) + exp(b)). `ops.logaddexp` narrows `float64` on PyTorch."""
    is_larger = a > b
    larger, smaller = ops.where(is_larger, a, b), ops.where(is_larger, b, a)
    return larger + ops.log1p(ops.exp(smaller - larger))


def softplus(x):
    """log(1 + exp(x)), also beyond 20, where PyTorch's function returns x."""
    return log_add_exp(x, ops.zeros_like(x))
