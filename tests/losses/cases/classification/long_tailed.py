"""Cases of the losses for long-tailed data."""

import numpy as np

from tests.losses.cases._case import LossCase
from tests.losses.cases.classification.crossentropy import ROWS
from tests.losses.cases.classification.crossentropy import SPARSE
from tests.losses.cases.classification.crossentropy import sparse
from tests.losses.cases.classification.crossentropy import sparse_images
from tests.losses.cases.embedding.metric_learning import CLASSES
from tests.losses.cases.embedding.metric_learning import cosines
from tests.losses.cases.embedding.metric_learning import inner_cosines
from tests.references import classification as references
from tfx_extras import losses

COUNTS = [500, 20, 3, 120]
# The fourth roots of their ratios are exact.
COSINE_COUNTS = [160, 10, 2560]


def logits():
    """The rows without two large logits that are near each other.

    In float32, the adjustment is rounded to a multiple of 1e-3 next to a logit of 1e4.
    """
    return sparse(ROWS[[0, 1, 2, 3, 4, 6, 7]])


def void():
    """Some labels are -1, the ignored class."""
    labels, z = logits()
    return np.where(np.arange(len(labels)) % 3 == 1, -1, labels), z


ADJUSTED = (
    losses.logit_adjusted_crossentropy,
    losses.LogitAdjustedCrossentropy,
    references.logit_adjusted_crossentropy,
)
LDAM = (losses.ldam_loss, losses.LDAMLoss, references.ldam_loss)
CASES = [
    LossCase(
        *ADJUSTED,
        logits,
        {"class_counts": COUNTS},
        changes={"class_counts": [1, 1, 1, 1], "tau": 0.5, "label_smoothing": 0.25},
        invalid=(
            {"tau": -1.0},
            {"label_smoothing": 1.5},
            {"ignore_class": 2**31},
            {"axis": 0},
        ),
        unequal=SPARSE,
        last_is_known=True,
    ),
    LossCase(
        *ADJUSTED,
        logits,
        {"class_counts": COUNTS, "tau": 2.0, "label_smoothing": 0.25},
    ),
    LossCase(*ADJUSTED, void, {"class_counts": COUNTS, "ignore_class": -1}),
    LossCase(
        *ADJUSTED,
        sparse_images,
        {"class_counts": [50, 7, 1], "axis": 1},
        changes={"axis": 2},
    ),
    LossCase(
        *ADJUSTED,
        sparse_images,
        {"class_counts": [50, 7, 1], "axis": -2, "ignore_class": 1},
        changes={"ignore_class": None},
    ),
    LossCase(
        *LDAM,
        cosines,
        {"class_counts": COSINE_COUNTS},
        smooth=inner_cosines,
        activation="tanh",
        changes={"class_counts": [1, 1, 1], "max_margin": 0.25, "scale": 16.0},
        invalid=({"max_margin": -0.5}, {"max_margin": 2.5}, {"scale": 0.0}),
        unequal=CLASSES,
        last_is_known=True,
    ),
]
