"""The losses, with the arguments, the data and the reference each is tested by."""

from tests.losses.cases import contrastive
from tests.losses.cases import crossentropy
from tests.losses.cases import metric_learning
from tests.losses.cases import robust
from tests.losses.cases import semi_supervised
from tests.losses.cases._case import LossCase

__all__ = ["LOSSES", "LossCase"]

LOSSES = [
    *crossentropy.CASES,
    *contrastive.CASES,
    *metric_learning.CASES,
    *robust.CASES,
    *semi_supervised.CASES,
]
