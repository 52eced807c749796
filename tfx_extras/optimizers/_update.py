"""Values that the update of a variable depends on."""

from collections.abc import Sequence
from typing import Any
from typing import NamedTuple


class Now(NamedTuple):
    """Values of a step that are the same for all variables of a dtype."""

    learning_rate: Any
    weight_decay: Any
    coefficients: Any


AS_IT_IS = object()


class OwnRate(NamedTuple):
    """Learning-rate factor and weight decay of one variable."""

    factor: float = 1.0  # multiplies the learning rate
    weight_decay: Any = AS_IT_IS  # a number, a schedule or `None`


class Update(NamedTuple):
    """The update of one variable."""

    now: Now
    place: int  # index of the variable among those of `build`
    gradient: Any
    kept: Sequence[Any]  # the variable, its rounding error or `None`, and its slots
