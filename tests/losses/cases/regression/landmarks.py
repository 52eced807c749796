"""Cases of the wing losses of `landmarks.py`."""

import numpy as np

from tests.losses.cases._case import ELEMENTS
from tests.losses.cases._case import LossCase
from tests.losses.cases.regression.robust import definite_errors
from tests.losses.cases.regression.robust import errors
from tests.references import landmarks as references
from tfx_extras import losses


def inner_errors():
    """Errors away from 0 and from the bounds 1 and 10."""
    y_true, y_pred = definite_errors()
    error = np.abs(y_true - y_pred)
    inside = ((error != 1) & (error != 0)).all(-1)
    return y_true[inside], y_pred[inside]


def heatmaps():
    """Every target with every error, among them none and those at the bounds."""
    y = np.array([0.0, 1.0, 0.25, 0.875])
    e = np.array([0, 1e-6, 0.125, 0.25, 0.5, 1, 2, 1e4])
    e = np.concatenate([e, -e])
    y = np.stack([np.tile(y, 16), np.tile(y[::-1], 16)], -1)
    return y, y + np.repeat(e, 4)[:, None] * [1, -0.75]


def inner_heatmaps():
    y_true, y_pred = heatmaps()
    error = np.abs(y_true - y_pred)
    inside = (~np.isin(error, [0, 0.25, 0.5, 1])).all(-1) & (error > 1e-3).all(-1)
    return y_true[inside], y_pred[inside]


WING = (losses.wing_loss, losses.WingLoss, references.wing_loss)
ADAPTIVE = (
    losses.adaptive_wing_loss,
    losses.AdaptiveWingLoss,
    references.adaptive_wing_loss,
)
CASES = [
    LossCase(
        *WING,
        errors,
        smooth=inner_errors,
        changes={"width": 1.0, "curvature": 0.5},
        invalid=({"width": 0.0}, {"curvature": 0.0}),
        unequal=ELEMENTS,
    ),
    LossCase(*WING, errors, {"width": 1.0, "curvature": 4.0}, smooth=inner_errors),
    LossCase(
        *ADAPTIVE,
        heatmaps,
        smooth=inner_heatmaps,
        changes={"omega": 7.0, "theta": 1.0, "epsilon": 0.5, "alpha": 3.0},
        invalid=({"omega": 0.0}, {"theta": 0.0}, {"epsilon": 0.0}, {"alpha": 1.5}),
        unequal=ELEMENTS,
    ),
    LossCase(
        *ADAPTIVE,
        heatmaps,
        {"omega": 2.0, "theta": 0.25, "epsilon": 0.125, "alpha": 2.5},
        smooth=inner_heatmaps,
    ),
]
