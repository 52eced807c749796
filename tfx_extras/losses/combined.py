"""Weighted sums of losses."""

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
    """A loss that adds to other losses, and takes a weight: `a + 0.5 * b - c / 4`."""

    def __add__(self, other: Any) -> "CombinedLoss":
        return _sum(self, other)

    def __radd__(self, other: Any) -> Any:
        is_zero = isinstance(other, int) and other == 0  # with which `sum` begins
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
    r"""The weighted sum of losses, which `+` and `*` make too.

    $$ L = \sum_i w_i L_i $$

    Each part has the same labels, predictions and sample weights, and reduces its
    values by itself. Losses of this package add to each other and to any loss of
    Keras, and take a number as a weight: `focal + 0.5 * huber` has two parts. A
    weight for a loss of Keras needs the constructor.

    Time and memory: those of its parts.

    Args:
        losses: The parts $L_i$, one or more losses with the same `reduction`.
        weights: Their weights $w_i$, in (-inf, inf). `None` weighs all by 1.
        name: Name of the loss.

    Raises:
        ValueError: If there are no losses, not as many weights, or the parts differ
            in their reduction.

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
                "Argument `losses` must be one or more losses with one reduction. "
                f"Received: losses={losses}, of reductions {reductions}"
            )
        super().__init__(name, reductions.pop())
        self.losses = list(losses)
        weights = [1.0] * len(losses) if weights is None else weights
        self.weights = require_each("weights", weights, "(-inf, inf)")
        if len(self.weights) != len(self.losses):
            raise ValueError(
                "Argument `weights` must have one weight for each of the "
                f"{len(losses)} losses. Received: weights={weights}"
            )

    def __call__(self, y_true, y_pred, sample_weight=None):
        values = []
        for loss, weight in zip(self.losses, self.weights, strict=True):
            # On PyTorch, Keras's write a mask into the weights that they are given.
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
