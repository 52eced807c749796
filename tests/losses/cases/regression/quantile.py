"""Cases of the pinball loss."""

import numpy as np

from tests.losses.cases._case import ELEMENTS
from tests.losses.cases._case import LossCase
from tests.losses.cases.regression.robust import errors
from tests.references import quantile as references
from tfx_extras import losses

TAU = [0.0, 0.1, 0.5, 0.875, 1.0]


def definite(data):
    """The samples whose errors are well away from 0."""
    y_true, y_pred = data()
    differences = y_pred - y_true.reshape(len(y_pred), -1)
    large = (np.abs(differences) > 0.1).all(-1)
    return y_true[large], y_pred[large]


def definite_errors():
    return definite(errors)


def several():
    """Several predictions for each value."""
    y, e = errors()
    return y[:, 0], y[:, :1] + e[:, :1] * np.array([1, -0.5, 0, 2, 1e-3])


def definite_several():
    y, e = definite_errors()
    return y[:, 0], y[:, :1] + e[:, :1] * np.array([1, -0.5, 0.25, 2, 3])


QUANTILES = (
    ((5,), (5,)),
    ((), (5,)),
    ((3, 4), (3, 5)),
    ((5,), (3, 5)),
    ((3, 5), (5, 5)),
    ((1, 5), (3, 5)),
    ((3, 1, 1), (3, 5)),
    ((3,), (3, 4)),
    ((3, 4), (3, 4)),
    ((3, 1), (3, 1)),
    ((3,), (3, 2, 5)),
)
PINBALL = (losses.pinball_loss, losses.PinballLoss, references.pinball_loss)
CASES = [
    LossCase(
        *PINBALL,
        errors,
        smooth=definite_errors,
        changes={"tau": 0.9},
        invalid=({"tau": -0.5}, {"tau": 1.5}, {"tau": float("nan")}),
        unequal=ELEMENTS,
    ),
    LossCase(
        *PINBALL,
        several,
        {"tau": TAU},
        smooth=definite_several,
        changes={"tau": TAU[::-1]},
        unequal=QUANTILES,
        last_is_known=True,
    ),
]
