"""Cases of the losses of `tfx_extras/losses/regression/crps.py`."""

import numpy as np

from tests.losses.cases._case import LossCase
from tests.losses.cases.regression.likelihoods import PARAMETERS
from tests.losses.cases.regression.likelihoods import far_forecasts
from tests.losses.cases.regression.likelihoods import forecasts
from tests.losses.cases.regression.likelihoods import sequences
from tests.references import likelihoods as references
from tfx_extras import losses

MEMBERS = (
    ((2,), (2,)),
    ((), (2,)),
    ((3, 4), (3, 2)),
    ((2,), (3, 2)),
    ((3, 2), (3, 2)),
    ((1,), (3, 2)),
    ((3, 1, 1), (3, 2)),
    ((3,), (3, 2, 2)),
)


def definite_ensembles():
    """Ensembles around, above and below their targets."""
    random = np.random.default_rng(2)
    y, x = random.normal(size=10), random.normal(size=(10, 5)) * 2
    x[1] += 8
    x[2] -= 1e3
    return y, x


def ensembles():
    """Members that are equal to each other, or to the target, too."""
    y, x = definite_ensembles()
    x[3, 1:4] = x[3, 0]
    x[4, :2] = y[4]
    x[5] = y[5]
    x[6, 4] = 1e6
    return y, x


def narrow_forecasts():
    """Scales far below the errors; those far above leave no digits of the gradient."""
    y, p = far_forecasts()
    return y, np.stack([p[:, 0], np.minimum(p[:, 1], 5)], -1)


def pairs():
    y, x = definite_ensembles()
    return y.reshape(-1, 2), x[:, :2].reshape(-1, 2, 2)


GAUSSIAN = (losses.gaussian_crps, losses.GaussianCRPSLoss, references.gaussian_crps)
ENSEMBLE = (losses.ensemble_crps, losses.EnsembleCRPSLoss, references.ensemble_crps)
CASES = [
    LossCase(*GAUSSIAN, forecasts, unequal=PARAMETERS, last_is_known=True),
    LossCase(*GAUSSIAN, narrow_forecasts, last_is_known=True),
    LossCase(*GAUSSIAN, sequences, last_is_known=True),
    LossCase(
        *ENSEMBLE,
        ensembles,
        smooth=definite_ensembles,
        changes={"fair": False},
        unequal=MEMBERS,
    ),
    LossCase(*ENSEMBLE, ensembles, {"fair": False}, smooth=definite_ensembles),
    LossCase(*ENSEMBLE, pairs),
]
