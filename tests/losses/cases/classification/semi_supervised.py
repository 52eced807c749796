"""Cases of the semi-supervised losses."""

import numpy as np

from tests.losses.cases._case import LossCase
from tests.references import semi_supervised as references
from tfx_extras import losses

LABELS = np.array([0, -1, 2, -1, -1, 1, -1, -1, 2, -1])
VIEWS = np.array(
    [
        [[1, -1, 0.5], [0, 0, 0]],
        [[4, 0, -1], [0.5, 1, 0]],  # confident
        [[1e4, 0, -1e4], [3, -20, 5]],
        [[1e4, -1e4, 0], [-1e4, 1e4, 0]],
        [[0.5, 0, 1], [1, 2, -1]],  # not confident
        [[20, 0, 3], [1e4, -1e4, 5]],
        [[-3, 0, 2.5], [2, -1, 0.25]],  # confident only for UDA
        [[0, 0, 0], [0, 0, 0]],
        [[0, 1e-3, 0], [-2, 0.5, 1]],
        [[-100, 8, 3], [100, 8, 50]],
    ]
)
CHANCES = np.array(
    [
        [0.25, 0.5, 0.25],
        [1, 0, 0],
        [0, 0, 1],
        [7, 0.5, 0.5],
        [0.1, 0.5, 0.4],
        [1, 0, 0],
        [1e-9, 0.125, 0.875],
    ]
)


def views():
    return LABELS, VIEWS


def all_classes():
    return np.abs(LABELS), VIEWS[:, 1]


def chances():
    return LABELS[: len(CHANCES), None], CHANCES


def definite_chances():
    """The data without the sample whose label is clipped."""
    y_true, y_pred = chances()
    definite = np.arange(len(y_true)) != 5
    return y_true[definite], y_pred[definite]


TWO_VIEWS = (
    ((3,), (3, 4)),
    ((3,), (3, 3, 4)),
    ((3,), (3, 1, 4)),
    ((1,), (3, 2, 4)),
    ((3, 2), (3, 2, 4)),
    ((3, 1), (3, 2, 1, 4)),
    ((), (3, 2, 4)),
    ((3,), ()),
)
ONE_VIEW = (
    ((3,), (3, 2, 4)),
    ((2,), (3, 4)),
    ((3, 2), (3, 4)),
    ((1, 3), (3, 4)),
    ((3,), (3,)),
)
SEMI_SUPERVISED = (
    losses.semi_supervised_crossentropy,
    losses.SemiSupervisedCrossentropy,
    references.semi_supervised_crossentropy,
)
CASES = [
    LossCase(
        *SEMI_SUPERVISED,
        views,
        {"from_logits": True},
        changes={
            "consistency": "uda",
            "unlabeled_weight": 2.0,
            "threshold": 0.5,
            "label_smoothing": 0.25,
            "from_logits": False,
        },
        invalid=(
            {"consistency": "cosine"},
            {"unlabeled_weight": -1.0},
            {"unlabeled_weight": float("inf")},
            {"threshold": 1.5},
            {"temperature": 0.5},
            {"label_smoothing": 1.5},
            {"ignore_label": 2**31},
        ),
        unequal=TWO_VIEWS,
        coupled=True,
        held=True,
    ),
    LossCase(
        *SEMI_SUPERVISED,
        views,
        {"consistency": "uda", "label_smoothing": 0.25, "from_logits": True},
        changes={"temperature": 1.0},
        coupled=True,
        held=True,
    ),
    LossCase(
        *SEMI_SUPERVISED,
        views,
        {"consistency": "mse", "unlabeled_weight": 30.0, "from_logits": True},
        coupled=True,
        held=True,
    ),
    LossCase(
        *SEMI_SUPERVISED,
        chances,
        {"consistency": "pseudo_label", "threshold": 0.75},
        smooth=definite_chances,
        unequal=ONE_VIEW,
        coupled=True,
        held=True,
    ),
    LossCase(
        *SEMI_SUPERVISED,
        all_classes,
        {"consistency": "entropy", "ignore_label": 2, "from_logits": True},
        changes={"ignore_label": 0},
        coupled=True,
    ),
]
