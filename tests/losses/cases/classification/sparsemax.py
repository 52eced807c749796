"""Cases of the sparsemax loss."""

import numpy as np

from tests.losses.cases._case import LossCase
from tests.references import sparsemax as references
from tfx_extras import losses


def logits():
    """Few and many classes in the support, ties, and logits far from the threshold."""
    rng = np.random.default_rng(0)
    z = rng.integers(-64, 64, (24, 4)) / 64 + [0, 1 / 512, 3 / 512, 7 / 512]
    z[:4] *= 16
    z[4:8] /= 16
    z[8:12] += 1000
    z[12] = 0
    z[13:16] *= 1e8
    y = np.eye(4)[np.arange(24) % 4]
    y[::2] = rng.multinomial(64, np.ones(4) / 4, 12) / 64
    return y, z


def inner_classes():
    y, z = logits()
    return (np.swapaxes(a.reshape(6, 4, 4), 1, 2) for a in (y, z))


SHAPES = (
    ((3,), (3, 4)),
    ((3, 1), (3, 4)),
    ((1, 4), (3, 4)),
    ((3, 3), (3, 4)),
    ((3, 4), (3, 1, 4)),
    ((4,), (4,)),
    ((), ()),
)
SPARSEMAX = (losses.sparsemax_loss, losses.SparsemaxLoss, references.sparsemax_loss)
CASES = [
    LossCase(*SPARSEMAX, logits, unequal=SHAPES),
    LossCase(
        *SPARSEMAX,
        inner_classes,
        {"axis": 1},
        changes={"axis": 2},
        invalid=({"axis": 0},),
    ),
]
