"""One configuration of one loss, and data that several families share."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import field
from typing import Any

import numpy as np

from tests.references import losses as references


@dataclass(frozen=True)
class LossCase:
    """One configuration of one loss.

    `data` makes labels and predictions that include magnitudes, bounds and extremes.
    `smooth` makes data on which the loss is differentiable; it is needed if `data` has
    other points. `changes` are values that must change the result; together, the cases
    of a class change each of its hyperparameters. `invalid` are values that the class
    rejects. `unequal` are shapes of labels and predictions that the function rejects.

    `coupled`: a sample's loss depends on the other samples. `square`: predictions hold
    a value for each pair of samples. `held`: the loss has targets through which no
    gradient flows; the reference makes them from its argument `held`. `weighs_within`:
    the function takes `sample_weight`, so its mean is always weighted. `images`: the
    loss is one number per image, whose function takes weights of pixels; predictions
    have an axis of classes if `has_classes`. `last_is_known`:
    the function must know the size of the last axis of predictions. `activation`: the
    last activation of a model that gives such predictions.
    """

    function: Callable[..., Any]
    cls: type
    reference: Callable[..., Any]
    data: Callable[[], tuple[np.ndarray, np.ndarray]]
    kwargs: dict[str, Any] = field(default_factory=dict)
    smooth: Callable[[], tuple[np.ndarray, np.ndarray]] | None = None
    changes: dict[str, Any] = field(default_factory=dict)
    invalid: tuple[dict[str, Any], ...] = ()
    unequal: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...] = ()
    coupled: bool = False
    square: bool = False
    held: bool = False
    weighs_within: bool = False
    images: bool = False
    has_classes: bool = True
    last_is_known: bool = False
    activation: str = "linear"

    @property
    def hyperparameters(self):
        """The names of the function's hyperparameters."""
        names = list(inspect.signature(self.function).parameters)[2:]
        return [name for name in names if name != "sample_weight"]

    @property
    def needed(self):
        """The arguments of the case that the class has no default for."""
        parameters = inspect.signature(self.cls).parameters.values()
        return {
            p.name: self.kwargs[p.name]
            for p in parameters
            if p.default is p.empty and p.kind is not p.VAR_KEYWORD
        }

    def make(self, **options):
        return self.cls(**self.kwargs, **options)

    def inputs(self, dtype="float32", smooth=False):
        """Labels and predictions that float32 holds; class labels are integers."""
        y_true, y_pred = (self.smooth if smooth and self.smooth else self.data)()
        if y_true.dtype.kind == "f":
            y_true = y_true.astype("float32").astype(dtype)
        return y_true, y_pred.astype("float32").astype(dtype)

    def first(self, size, y_true, y_pred):
        """The first samples of a batch."""
        return y_true[:size], y_pred[:size, :size] if self.square else y_pred[:size]

    def compute(self, y_true, y_pred, **changes):
        return self.function(y_true, y_pred, **(self.kwargs | changes))

    def expected(self, y_true, y_pred, held=None):
        y_true, y_pred = (np.asarray(a, "float64") for a in (y_true, y_pred))
        constants = {"held": held} if self.held else {}
        return self.reference(y_true, y_pred, **self.kwargs, **constants)

    def valid(self, y_true):
        """Which samples count, in the shape of the loss; `None` means all of them."""
        ignored = self.kwargs.get("ignore_class")
        axis = self.kwargs.get("axis", -1)
        if ignored is None:
            return None
        valid = references.valid(y_true, ignored, axis, y_true.dtype.kind != "f")
        return valid.reshape(len(valid), -1).any(axis=-1) if self.images else valid

    def pixels(self, y_pred):
        """The shape of the weights of pixels."""
        if not self.has_classes:
            return y_pred.shape
        return np.take(y_pred, 0, axis=self.kwargs.get("axis", -1)).shape

    def __str__(self):
        arguments = ",".join(
            f"{k}={getattr(v, '__name__', v)}" for k, v in self.kwargs.items()
        )
        return f"{self.cls.__name__}({arguments})"


def binary(values):
    """Every value, with labels 0, 1/4 and 1."""
    y, x = np.meshgrid([0.0, 0.25, 1.0], values)
    return y.reshape(-1, 1), x.reshape(-1, 1)


ELEMENTS = (
    ((3,), (3, 2)),
    ((3, 2), (3,)),
    ((3, 1), (3, 2)),
    ((1, 2), (3, 2)),
    ((2, 3), (3, 2)),
    ((3, 2), (3, 1, 2)),
    ((), (3,)),
    ((3,), ()),
    ((), ()),
)
