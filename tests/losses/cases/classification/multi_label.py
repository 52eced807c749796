"""Cases of the multi-label losses."""

import numpy as np

from tests.losses.cases._case import ELEMENTS
from tests.losses.cases._case import LossCase
from tests.losses.cases.classification.crossentropy import ROWS
from tests.losses.cases.classification.crossentropy import binary_logits
from tests.losses.cases.classification.crossentropy import binary_rows
from tests.references import classification as references
from tfx_extras import losses

MEMBERSHIPS = np.array(
    [[1, 0, 0, 0], [0, 1, 1, 0], [1, 1, 1, 1], [0, 0, 0, 0], [0.25, 0.75, 0, 1]]
)


def memberships():
    """Every row with several sets of classes as its label."""
    rows = np.repeat(ROWS, len(MEMBERSHIPS), axis=0)
    return np.tile(MEMBERSHIPS, (len(ROWS), 1)), rows


ASYMMETRIC = (
    losses.asymmetric_loss,
    losses.AsymmetricLoss,
    references.asymmetric_loss,
)
ZLPR = (losses.zlpr_loss, losses.ZLPRLoss, references.zlpr_loss)
CASES = [
    LossCase(
        *ASYMMETRIC,
        binary_logits,
        changes={"gamma_positive": 0.0, "gamma_negative": 1.0, "margin": 0.25},
        invalid=(
            {"gamma_positive": -1.0},
            {"gamma_negative": float("nan")},
            {"margin": 1.0},
            {"margin": -0.1},
        ),
        unequal=ELEMENTS,
    ),
    LossCase(*ASYMMETRIC, binary_logits, {"margin": 0.0}),
    LossCase(
        *ASYMMETRIC,
        binary_logits,
        {"gamma_positive": 0.5, "gamma_negative": 0.5, "margin": 0.125},
    ),
    LossCase(*ASYMMETRIC, binary_rows, {"gamma_positive": 0.0, "gamma_negative": 0.0}),
    LossCase(*ZLPR, memberships, unequal=ELEMENTS),
]
