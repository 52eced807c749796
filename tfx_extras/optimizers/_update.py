"""What an update of a variable depends on."""

from collections.abc import Sequence
from typing import Any
from typing import NamedTuple


class Now(NamedTuple):
    """What an update depends on that is the same for all variables of a dtype."""

    learning_rate: Any
    weight_decay: Any
    coefficients: Any


AS_IT_IS = object()


class OwnRate(NamedTuple):
    """How fast a variable learns and decays, beside the others of its optimizer."""

    factor: float = 1.0  # of the learning rate
    weight_decay: Any = AS_IT_IS  # a number, a schedule or `None`


class Update(NamedTuple):
    """What is to be done with one variable."""

    now: Now
    place: int  # of the variable among those of `build`
    gradient: Any
    kept: Sequence[Any]  # the variable, its residual or `None`, and its slots
