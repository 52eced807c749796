"""Cases of the Cox loss."""

import numpy as np

from tests.losses.cases._case import LossCase
from tests.references import likelihoods as references
from tfx_extras import losses

TIMES = [3.0, 9, 5, 3, 3, 9, 7, 5, 1, 9]
EVENTS = [1.0, 1, 1, 1, 1, 1, 0, 0, 1, 1]
RISKS = [0.5, -1, 2, 0.25, -0.5, 1, 0, -2, 3, 0.125]


def tied():
    """Events at equal times, beside censored samples."""
    return np.stack([TIMES, EVENTS], -1), np.array(RISKS)[:, None]


def distinct():
    """Log risks far apart, without two events at one time."""
    times = np.arange(8) * 1e-3 + 1
    y = np.stack([times, np.arange(8) % 3 != 2], -1)[[3, 0, 6, 1, 7, 5, 2, 4]]
    return y, np.array([0.0, 20, -20, 5, 90, -90, 1, 1])


SURVIVAL = (
    ((3,), (3,)),
    ((3, 2), ()),
    ((), (3,)),
    ((3, 1), (3, 1)),
    ((3, 3), (3, 1)),
    ((4, 2), (3, 1)),
    ((1, 2), (3, 1)),
    ((3, 2), (3, 2)),
    ((3, 2), (3, 1, 1)),
)
COX = (losses.cox_loss, losses.CoxLoss, references.cox_loss)
CASES = [
    LossCase(
        *COX,
        tied,
        changes={"ties": "breslow"},
        invalid=({"ties": "exact"},),
        unequal=SURVIVAL,
        coupled=True,
    ),
    LossCase(*COX, tied, {"ties": "breslow"}, coupled=True),
    LossCase(*COX, distinct, coupled=True),
]
