"""The losses, with the arguments, the data and the reference each is tested by."""

from tests.losses.cases._case import LossCase
from tests.losses.cases.classification import crossentropy
from tests.losses.cases.classification import semi_supervised
from tests.losses.cases.classification import sparsemax
from tests.losses.cases.classification import weighted_kappa
from tests.losses.cases.embedding import contrastive
from tests.losses.cases.embedding import metric_learning
from tests.losses.cases.regression import quantile
from tests.losses.cases.regression import robust
from tests.losses.cases.vision import iou

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
