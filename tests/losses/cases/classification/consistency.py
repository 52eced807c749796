"""Cases of the consistency losses."""

import numpy as np

from tests.losses.cases._case import LossCase
from tests.references import consistency as references
from tfx_extras import losses


def logits(*shape):
    """Views that differ, by little and by much, and that are sure of other classes."""
    z = np.round(np.random.default_rng(0).normal(size=(8, *shape)) * 32) / 16
    z[1] *= 8
    z[2] = np.abs(z[2]) * 64
    z[3] = z[3, :1] + z[3] / 4
    z[4] = 0
    z[4, 0, ..., 0], z[4, 1, ..., 1] = 200, 200
    return z


def three_views():
    """Labels do not matter."""
    return np.zeros(8, "int32"), logits(3, 4)


def two_views():
    return np.zeros(8, "int32"), logits(2, 4)


def views_of_pixels():
    return np.zeros(8, "int32"), logits(2, 2, 3, 4)


VIEWS = (((3,), (3,)), ((3,), (3, 4)), ((), ()))
TWO = (((3,), (3,)), ((3,), (3, 4)), ((3,), (3, 3, 4)), ((3,), (3, 1, 4)), ((), ()))
JENSEN_SHANNON = (
    losses.jensen_shannon_loss,
    losses.JensenShannonLoss,
    references.jensen_shannon_loss,
)
R_DROP = (losses.r_drop_loss, losses.RDropLoss, references.r_drop_loss)
CASES = [
    LossCase(*JENSEN_SHANNON, three_views, unequal=VIEWS),
    LossCase(*JENSEN_SHANNON, views_of_pixels),
    LossCase(*R_DROP, two_views, unequal=TWO),
    LossCase(*R_DROP, views_of_pixels),
]
