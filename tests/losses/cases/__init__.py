"""The losses, with the arguments, the data and the reference each is tested by."""

from tests.losses.cases import contrastive
from tests.losses.cases import crossentropy
from tests.losses.cases import iou
from tests.losses.cases import metric_learning
from tests.losses.cases import quantile
from tests.losses.cases import robust
from tests.losses.cases import semi_supervised
from tests.losses.cases import sparsemax
from tests.losses.cases import weighted_kappa
from tests.losses.cases._case import LossCase

__all__ = ["LOSSES", "LossCase"]

LOSSES = [
    *contrastive.CASES,
    *crossentropy.CASES,
    *iou.CASES,
    *metric_learning.CASES,
    *quantile.CASES,
    *robust.CASES,
    *semi_supervised.CASES,
    *sparsemax.CASES,
    *weighted_kappa.CASES,
]
