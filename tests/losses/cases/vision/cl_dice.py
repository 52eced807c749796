"""Cases of the clDice loss of masks."""

import numpy as np

from tests.losses.cases._case import LossCase
from tests.references import cl_dice as references
from tfx_extras import losses

CLASSES = 2


def lines(*shape):
    """Masks of lines along each axis."""
    rng = np.random.default_rng(0)
    y = np.zeros((8, *shape, CLASSES))
    for image, c in np.ndindex(8, CLASSES):
        for axis, side in enumerate(shape):
            line = np.moveaxis(y[image, ..., c], axis, -1)
            line[tuple(rng.integers(0, n) for n in line.shape[:-1])] = 1
            line[..., : rng.integers(0, side)] *= image != 6
    y[7] = 0
    return y


def regular_shares(*shape):
    """Masks, and probabilities of which no two are equal."""
    y = lines(*(shape or (5, 6)))
    rng = np.random.default_rng(1)
    q = (rng.permutation(y.size).reshape(y.shape) + 0.5) / y.size
    q = np.round(4096 * (0.25 * q + 0.5 * y + 0.125)) / 4096
    return y, q


def shares():
    """The probabilities above, and some that are right or wrong with certainty."""
    y, q = regular_shares()
    q[3], q[4], q[5] = y[3], 1 - y[4], 2.0**-30
    return y, q


def regular_logits():
    """Logits of which no two are equal."""
    y = lines(5, 6)
    z = np.random.default_rng(2).permutation(y.size).reshape(y.shape)
    return y, (z - y.size / 2 + 0.5) / y.size * 4 + (3 + 1 / 240) * y


def logits():
    """The logits above, and some that are certain."""
    y, z = regular_logits()
    z[3], z[4], z[5] = 20 * y[3] - 10, 10 - 20 * y[4], 1e4 * z[5]
    return y, z


def volumes():
    """Images with 3 axes."""
    y, q = regular_shares(3, 4, 3)
    return y, q


def single():
    """One class, whose axis the masks lack."""
    y, z = regular_logits()
    return y[..., 0], z[..., :1]


CL_DICE = (losses.cl_dice_loss, losses.CLDiceLoss, references.cl_dice_loss)
SHAPES = (
    ((3,), (3, 2)),
    ((3, 4), (3, 4)),
    ((3, 4, 4), (3, 4, 4)),
    ((3, 4, 4), (3, 4, 4, 2)),
    ((3, 4, 4, 1), (3, 4, 4, 2)),
    ((1, 4, 4, 2), (3, 4, 4, 2)),
    ((3, 4, 5, 2), (3, 4, 4, 2)),
    ((3, 4, 4, 2), (3, 1, 4, 4, 2)),
    ((2, 2, 2, 2, 2, 2), (2, 2, 2, 2, 2, 2)),
    ((), ()),
)
SIGMOID, SOFTMAX = {"activation": "sigmoid"}, {"activation": "softmax"}
CASES = [
    LossCase(
        *CL_DICE,
        shares,
        {"iterations": 1},
        smooth=regular_shares,
        changes={"iterations": 0, "smooth": 0.25, "activation": "sigmoid"},
        invalid=(
            {"iterations": -1},
            {"smooth": 0.0},
            {"activation": "tanh"},
            {"axis": 0},
        ),
        unequal=SHAPES,
        images=True,
        last_is_known=True,
        activation="sigmoid",
    ),
    LossCase(*CL_DICE, volumes, {"iterations": 2}, images=True),
    LossCase(
        *CL_DICE,
        logits,
        SIGMOID | {"smooth": 0.5},
        smooth=regular_logits,
        images=True,
    ),
    LossCase(*CL_DICE, single, SIGMOID | {"iterations": 0}, images=True),
    LossCase(
        *CL_DICE,
        logits,
        SOFTMAX | {"iterations": 1},
        smooth=regular_logits,
        changes={"axis": 1},
        images=True,
    ),
    LossCase(
        *CL_DICE,
        regular_logits,
        SOFTMAX | {"iterations": 1, "axis": 1},
        images=True,
    ),
]
