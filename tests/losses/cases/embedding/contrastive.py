"""Cases of the contrastive loss."""

import numpy as np

from tests.losses.cases._case import LossCase
from tests.losses.cases._case import binary
from tests.references import losses as references
from tfx_extras import losses


def distances():
    return binary([0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 1e4, 1e15])


def flat_distances():
    y, d = distances()
    return y[:, 0], d[:, 0]


def embeddings():
    """Pairs that coincide, are near, and are far apart."""
    rng = np.random.default_rng(0)
    a = rng.integers(-8, 8, (12, 3)) / 4
    offset = rng.integers(-8, 8, (12, 3)) / 8
    offset[:3] = 0
    offset[3:6] *= 1e4
    return np.tile([0.0, 0.5, 1.0], 4), np.stack([a, a + offset], axis=1)


DISTANCES = (
    ((3,), (3, 2)),
    ((3, 2), (3, 2)),
    ((1,), (3,)),
    ((3, 1), (1, 3)),
    ((3,), (1, 3)),
    ((), (3,)),
    ((3,), (3, 1, 1)),
)
PAIRS = (
    ((3,), (3, 4)),
    ((3,), (3, 3, 4)),
    ((2,), (3, 2, 4)),
    ((1,), (3, 2, 4)),
    ((3, 2), (3, 2, 4)),
)
CONTRASTIVE = (
    losses.contrastive_loss,
    losses.ContrastiveLoss,
    references.contrastive_loss,
)
CASES = [
    LossCase(
        *CONTRASTIVE,
        distances,
        changes={"margin": 2.0, "positive_margin": 0.25, "half": True},
        invalid=({"margin": -1.0}, {"positive_margin": float("inf")}),
        unequal=DISTANCES,
    ),
    LossCase(
        *CONTRASTIVE,
        flat_distances,
        {"margin": 2.0, "positive_margin": 0.5, "half": True},
    ),
    LossCase(
        *CONTRASTIVE,
        embeddings,
        {"from_embeddings": True},
        changes={"from_embeddings": False},
        unequal=PAIRS,
    ),
]
