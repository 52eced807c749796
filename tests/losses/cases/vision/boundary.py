"""Cases of the boundary loss of masks."""

import numpy as np

from tests.losses.cases._case import LossCase
from tests.references import boundary as references
from tfx_extras import losses

CLASSES = 3


def shares():
    """Distances, and probabilities of classes that may overlap, also at the bounds."""
    rng = np.random.default_rng(0)
    phi = rng.integers(-8, 25, (8, 2, 3, CLASSES)) / 4
    phi[0], phi[1] = np.abs(phi[0]), -np.abs(phi[1])
    q = rng.integers(1, 128, phi.shape) / 128
    q[2], q[3] = phi[2] <= 0, phi[3] > 0
    q[4] = 2.0**-30
    return phi, q


def regular_shares():
    """None of the probabilities is at a bound."""
    phi, q = shares()
    q[2:4] = q[:2]
    return phi, q


def logits():
    """Logits, some of which are certain."""
    phi, q = shares()
    z = np.random.default_rng(1).integers(-64, 65, q.shape) / 16
    z[3], z[4], z[5] = -20 * phi[3], 30 * phi[4], 1e4 * z[5]
    return phi, z


def single():
    """One class, whose axis the distances lack."""
    phi, z = logits()
    return phi[..., 0], z[..., :1]


BOUNDARY = (losses.boundary_loss, losses.BoundaryLoss, references.boundary_loss)
SHAPES = (
    ((3,), (3, 2)),
    ((3, 1), (3, 2)),
    ((1, 2), (3, 2)),
    ((2, 3), (3, 2)),
    ((3, 4, 2), (3, 2)),
    ((3, 4), (3, 4, 2)),
    ((3, 4, 1), (3, 4, 2)),
    ((3, 2), (3, 1, 2)),
    ((3,), (3,)),
    ((), (3, 2)),
    ((), ()),
)
SOFTMAX = {"activation": "softmax"}
CASES = [
    LossCase(
        *BOUNDARY,
        shares,
        smooth=regular_shares,
        changes={"activation": "sigmoid"},
        invalid=({"activation": "tanh"}, {"axis": 0}),
        unequal=SHAPES,
        images=True,
        activation="sigmoid",
    ),
    LossCase(*BOUNDARY, logits, {"activation": "sigmoid"}, images=True),
    LossCase(*BOUNDARY, single, {"activation": "sigmoid"}, images=True),
    LossCase(*BOUNDARY, logits, SOFTMAX, changes={"axis": 1}, images=True),
    LossCase(*BOUNDARY, logits, SOFTMAX | {"axis": 1}, images=True),
]
