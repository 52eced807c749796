"""Cases of the self-supervised losses without negatives."""

import numpy as np

from tests.losses.cases._case import LossCase
from tests.references import self_supervised as references
from tfx_extras import losses


def views(seed=0, shape=(8, 2, 5)):
    """Some deviations are above 1 and some below; the views agree more or less."""
    z = np.random.default_rng(seed).integers(-16, 17, shape) / 8
    z *= [0.25, 0.5, 1, 2, 0.125]
    z[:4, 1] = z[:4, 0] + z[:4, 1] / 16
    return np.zeros(len(z), "int32"), z


def far_away():
    """Features far from 0, whose squares would lose the digits of their variances."""
    _, z = views(1)
    return np.zeros(len(z), "int32"), z + np.array([1000, -500, 0, 250, -125])


VIEWS = (((3,), (3,)), ((3,), (3, 4)), ((3,), (3, 3, 4)), ((3,), (3, 2, 4, 4)))
VICREG = (losses.vicreg_loss, losses.VICRegLoss, references.vicreg_loss)
BARLOW = (
    losses.barlow_twins_loss,
    losses.BarlowTwinsLoss,
    references.barlow_twins_loss,
)
CASES = [
    LossCase(
        *VICREG,
        views,
        changes={"invariance": 1.0, "variance": 1, "covariance": 9.0, "epsilon": 0.1},
        invalid=(
            {"invariance": -1.0},
            {"variance": -1.0},
            {"covariance": -0.5},
            {"epsilon": 0.0},
        ),
        unequal=VIEWS,
        coupled=True,
    ),
    LossCase(*VICREG, far_away, {"invariance": 1.0, "variance": 10.0}, coupled=True),
    LossCase(
        *BARLOW,
        views,
        changes={"off_diagonal": 0.1, "epsilon": 0.25},
        invalid=({"off_diagonal": -1.0}, {"epsilon": 0.0}),
        unequal=VIEWS,
        coupled=True,
    ),
    LossCase(*BARLOW, far_away, {"off_diagonal": 1.0}, coupled=True),
]
