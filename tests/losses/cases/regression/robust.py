"""Cases of the regression losses of `tfx_extras/losses/regression/robust.py`."""

import numpy as np

from tests.losses.cases._case import ELEMENTS
from tests.losses.cases._case import LossCase
from tests.references import losses as references
from tfx_extras import losses


def errors():
    e = np.array([0, 1e-20, 1e-6, 0.25, 0.5, 1, 1.5, 2, 7, 1e4, 1e15])
    e = np.concatenate([e, -e])
    y = np.where((np.abs(e) > 0.1) & (np.abs(e) < 10), np.sign(e), 0)[:, None]
    return y * [1, -0.5], y * [1, -0.5] + e[:, None] * [1, 0.5]


def definite_errors():
    """The samples whose errors have a definite sign, or are exactly 0."""
    y_true, y_pred = errors()
    definite = np.abs(y_true - y_pred).max(-1)
    definite = (definite == 0) | (definite > 0.1)
    return y_true[definite], y_pred[definite]


def large_errors():
    return np.zeros((2, 1)), np.array([[1e30], [-1e30]])


def moderate_errors():
    """Errors whose powers float32 holds to the last digits."""
    y_true, y_pred = errors()
    return y_true, np.clip(y_pred, -1e3, 1e3)


HUBER = (losses.huber, losses.Huber, references.huber)
SMOOTH_L1 = (losses.smooth_l1, losses.SmoothL1, references.smooth_l1)
PSEUDO_HUBER = (losses.pseudo_huber, losses.PseudoHuber, references.pseudo_huber)
CHARBONNIER = (
    losses.charbonnier_loss,
    losses.CharbonnierLoss,
    references.charbonnier_loss,
)
GENERAL = (
    losses.general_robust_loss,
    losses.GeneralRobustLoss,
    references.general_robust_loss,
)
CASES = [
    LossCase(
        *HUBER,
        errors,
        changes={"delta": 2.0},
        invalid=({"delta": 0.0}, {"delta": float("inf")}),
        unequal=ELEMENTS,
    ),
    LossCase(*HUBER, large_errors, {"delta": 0.1}),
    LossCase(
        *SMOOTH_L1,
        errors,
        changes={"beta": 2.0},
        invalid=({"beta": -1.0},),
        unequal=ELEMENTS,
    ),
    LossCase(
        *SMOOTH_L1, errors, {"beta": 0.0}, smooth=definite_errors, unequal=ELEMENTS
    ),
    LossCase(*SMOOTH_L1, errors, {"beta": 1.5}),
    LossCase(
        *PSEUDO_HUBER,
        errors,
        changes={"delta": 2.0},
        invalid=({"delta": 0.0},),
        unequal=ELEMENTS,
    ),
    LossCase(*PSEUDO_HUBER, large_errors, {"delta": 1e-3}),
    LossCase(*PSEUDO_HUBER, errors, {"delta": 0.25}),
    LossCase(
        *CHARBONNIER,
        errors,
        changes={"epsilon": 2.0},
        invalid=({"epsilon": 0.0},),
        unequal=ELEMENTS,
    ),
    LossCase(*CHARBONNIER, large_errors, {"epsilon": 0.5}),
    LossCase(
        *GENERAL,
        errors,
        changes={"alpha": -2.0, "scale": 2.0},
        invalid=({"alpha": 2.5}, {"scale": 0.0}),
        unequal=ELEMENTS,
    ),
    *(
        LossCase(*GENERAL, moderate_errors, {"alpha": alpha, "scale": 0.5})
        for alpha in (2.0, 1.5, 0.0, -2.0, float("-inf"))
    ),
]
