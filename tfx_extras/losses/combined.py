"""Weighted sums of losses, also written with `+` and `*`."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from tfx_extras._backend import backend
from tfx_extras._checks import Number
from tfx_extras._checks import require_each
from tfx_extras._configuration import loaded
from tfx_extras._configuration import saved
from tfx_extras._register import register
from tfx_extras._repr import shown
from tfx_extras._typed import typechecked

__all__ = ["CombinedLoss"]


class Combinable:
    """A loss that can be added and weighted: `a + 0.5 * b - c / 4`."""

    def __add__(self, other: Any) -> "CombinedLoss":
        return _sum(self, other)

    def __radd__(self, other: Any) -> Any:
        is_zero = isinstance(other, int) and other == 0  # the start value of `sum`
        return self if is_zero else _sum(other, self)

    def __sub__(self, other: Any) -> "CombinedLoss":
        return _sum(self, other, -1)

    def __rsub__(self, other: Any) -> "CombinedLoss":
        return _sum(other, self, -1)

    def __neg__(self) -> "CombinedLoss":
        return self * -1

    def __mul__(self, weight: Any) -> "CombinedLoss":
        if isinstance(weight, bool) or not isinstance(weight, int | float | np.number):
            return NotImplemented
        losses, weights = _parts(self)
        return CombinedLoss(losses, [weight * each for each in weights])

    __rmul__ = __mul__

    def __truediv__(self, divisor: Any) -> "CombinedLoss":
        if isinstance(divisor, bool) or not isinstance(
            divisor, int | float | np.number
        ):
            return NotImplemented
        losses, weights = _parts(self)
        return CombinedLoss(losses, [each / divisor for each in weights])


@register
class CombinedLoss(keras.losses.Loss, Combinable):
    r"""Combined loss: the weighted sum of several losses, as in `a + 0.5 * b`.

    Use it to train one output of a model with more than one loss. Give the terms of
    different outputs to `compile` instead, as one loss per output. Keras has no
    equivalent: given several losses for one output, `keras.Model.compile` in Keras
    3.15.1 trains with the first alone.

    $$ L = \sum_i w_i L_i $$

    $L_i$ are the losses and $w_i$ their weights. Each loss gets the same labels,
    predictions and sample weights, and applies its own reduction.

    Returns the sum of what the losses return: one number, or one loss per sample if
    their `reduction` is `None`.

    Losses of this package can be added to each other and to any Keras loss, and can be
    multiplied by a number: `focal + 0.5 * huber` combines two losses. A Keras loss
    cannot be multiplied: give its weight to the constructor. Time and memory are those
    of the parts.

    Args:
        losses: The losses $L_i$, at least one, all with the same `reduction`.
        weights: The weights $w_i$, in (-inf, inf), one per loss. `None` gives all the
            weight 1.
        name: Name of the combined loss.

    Call arguments:
        y_true: Labels, which each loss gets.
        y_pred: Predictions, which each loss gets.

    Raises:
        ValueError: If there are no losses, the numbers of losses and weights differ, or
            the losses differ in their reduction.
        TypeError: If an argument has the wrong type or an unknown name.

    Example:
        >>> huber = tfx_extras.losses.Huber()
        >>> loss = huber + 0.5 * tfx_extras.losses.SmoothL1()
        >>> print([part.name for part in loss.losses], loss.weights)
        ['huber', 'smooth_l1'] [1.0, 0.5]
        >>> print(float(loss([[0.0]], [[3.0]])))
        3.75
        >>> dice = tfx_extras.losses.CombinedLoss(
        ...     [huber, keras.losses.Dice()], weights=[1.0, 0.5])
    """

    __repr__ = shown

    @typechecked
    def __init__(
        self,
        losses: Sequence[keras.losses.Loss],
        weights: Sequence[Number] | np.ndarray | None = None,
        name: str = "combined_loss",
    ):
        reductions = {getattr(loss, "reduction", "unknown") for loss in losses}
        are_losses = all(isinstance(loss, keras.losses.Loss) for loss in losses)
        if len(reductions) != 1 or not are_losses:
            raise ValueError(
                "Argument `losses` must be one or more losses with the same "
                f"`reduction`. Received: losses={losses}, with reductions {reductions}"
            )
        super().__init__(name, reductions.pop())
        self.losses = list(losses)
        weights = [1.0] * len(losses) if weights is None else weights
        self.weights = require_each("weights", weights, "(-inf, inf)")
        if len(self.weights) != len(self.losses):
            raise ValueError(
                f"Argument `weights` must have one weight per loss, {len(losses)} in "
                f"total. Received: weights={weights}"
            )

    def __call__(self, y_true, y_pred, sample_weight=None):
        values = []
        for loss, weight in zip(self.losses, self.weights, strict=True):
            # On PyTorch, Keras losses multiply the given weights by a mask in place.
            given = sample_weight
            if given is not None:
                given = backend.to_be_changed([ops.convert_to_tensor(given)])[0]
            values.append(weight * loss(y_true, y_pred, given))
        dtypes = [keras.backend.standardize_dtype(value.dtype) for value in values]
        dtype = keras.backend.result_type(*dtypes)
        first, *others = (ops.cast(value, dtype) for value in values)
        return sum(others, start=first)

    def get_config(self):
        return {
            "losses": saved(self.losses),
            "weights": self.weights,
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config):
        return cls(**config | {"losses": loaded(config.get("losses"))})


def _parts(loss: Any) -> tuple[list, list]:
    if isinstance(loss, CombinedLoss):
        return loss.losses, loss.weights
    return [loss], [1.0]


def _sum(left: Any, right: Any, sign: int = 1) -> CombinedLoss:
    if not all(isinstance(loss, keras.losses.Loss) for loss in (left, right)):
        return NotImplemented
    (losses, weights), (others, other_weights) = _parts(left), _parts(right)
    other_weights = [sign * weight for weight in other_weights]
    return CombinedLoss([*losses, *others], [*weights, *other_weights])
