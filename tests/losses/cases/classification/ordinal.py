"""Cases of the losses for ordinal classes of `ordinal.py`."""

import numpy as np

from tests.losses.cases._case import LossCase
from tests.references import ordinal as references
from tfx_extras import losses

CLASSES = np.array([0, 4, 2, 1, 3, 2, 0, 4, 1, 3])


def logits(columns=4, rows=10):
    """Logits near 0, and large ones, with both signs."""
    rng = np.random.default_rng(0)
    z = np.round(rng.normal(size=(rows, columns)) * 64) / 32
    z[1] *= 8
    z[2], z[3] = np.abs(z[2]) * -16, np.abs(z[3]) * 16
    z[4, :2] = 1e4, -1e4
    return z


def thresholds():
    return CLASSES, logits()


def pixels():
    z = logits(4, 16).reshape(8, 2, 4)
    y = np.concatenate([CLASSES, CLASSES[:6]])
    return y.reshape(8, 2, 1), z


def shares_of(z):
    p = np.exp(z - z.max(-1, keepdims=True))
    return p / p.sum(-1, keepdims=True)


def probabilities():
    """Predictions near the labels and far from them, some of them sure."""
    z = np.round(np.random.default_rng(1).normal(size=(len(CLASSES), 5)) * 32) / 16
    p = shares_of(z)
    p[0] = [0.96875, 0.0078125, 0.0078125, 0.0078125, 0.0078125]
    p[1] = p[0]
    return CLASSES, p


def sure_probabilities():
    y, p = probabilities()
    p[0] = [1 - 2.0**-10, 2.0**-12, 2.0**-12, 2.0**-12, 2.0**-12]
    p[3:5] = np.eye(5)[y[3:5]]
    p[5:7] = np.eye(5)[4 - y[5:7]]
    return y, p


def distributions():
    _, p = probabilities()
    labels = np.round(shares_of(np.cos(np.arange(50.0)).reshape(10, 5)) * 64) / 64
    labels[:, 0] += 1 - labels.sum(-1)
    return labels, p


def class_logits():
    z = np.round(np.random.default_rng(2).normal(size=(10, 5)) * 32) / 16
    z[1] *= 4
    z[2] = [20, 0, 0, 0, -20]
    return CLASSES[:, None], z


SPARSE = (
    ((3,), (5,)),
    ((5,), (3, 4)),
    ((1,), (3, 4)),
    ((3, 4), (3, 4)),
    ((3, 2), (3, 4)),
    ((), (3, 4)),
    ((), ()),
)
EITHER = (
    ((3,), (5,)),
    ((5,), (3, 4)),
    ((1,), (3, 4)),
    ((1, 4), (3, 4)),
    ((3, 5), (3, 4)),
    ((3, 4, 1), (3, 4)),
    ((), (3, 4)),
    ((), ()),
)
CORAL = (losses.coral_loss, losses.CoralLoss, references.coral_loss)
CORN = (losses.corn_loss, losses.CornLoss, references.corn_loss)
EARTH_MOVER = (
    losses.earth_mover_loss,
    losses.EarthMoverLoss,
    references.earth_mover_loss,
)
CASES = [
    LossCase(
        *CORAL,
        thresholds,
        changes={"threshold_weight": [1.0, 0.5, 2.0, 0.0]},
        unequal=SPARSE,
        last_is_known=True,
    ),
    LossCase(*CORAL, pixels, {"threshold_weight": [1.0, 0.25, 0.0, 2.0]}),
    LossCase(*CORN, thresholds, coupled=True, unequal=SPARSE, last_is_known=True),
    LossCase(
        *EARTH_MOVER,
        sure_probabilities,
        smooth=probabilities,
        changes={"r": 1.0, "root": False},
        invalid=({"r": 0.5},),
        unequal=EITHER,
        last_is_known=True,
        activation="softmax",
    ),
    LossCase(
        *EARTH_MOVER, distributions, {"r": 1.5}, unequal=EITHER, last_is_known=True
    ),
    LossCase(*EARTH_MOVER, distributions, {"r": 1.0}),
    LossCase(*EARTH_MOVER, probabilities, {"root": False, "r": 3.0}),
    LossCase(
        *EARTH_MOVER,
        class_logits,
        {"from_logits": True},
        changes={"from_logits": False},
    ),
]
