"""Cases of the preference losses."""

import numpy as np

from tests.losses.cases._case import LossCase
from tests.references import preference as references
from tfx_extras import losses


def sums():
    """Log-probabilities of responses under the reference and the trained model."""
    rng = np.random.default_rng(0)
    y_pred = -np.round(rng.uniform(0, 90, (12, 2)) * 8) / 8
    y_true = np.clip(y_pred + np.round(rng.normal(size=(12, 2)) * 64) / 8, None, 0)
    y_true[0] = y_pred[0]
    y_pred[1], y_pred[2] = [-0.125, -900], [-900, 0]
    y_pred[3] = 0
    return y_true, y_pred


def means():
    """The same per token, also of probabilities near 0 and near 1."""
    y_true, y_pred = sums()
    y_true, y_pred = y_true / 16, y_pred / 16
    y_pred[3:6] = [[-1e-6, -2], [-3, -1e-3], [-1e-5, -2e-5]]
    y_pred[2, 1] = -0.25
    return y_true, y_pred


def alone():
    """The means of the trained model; labels do not matter."""
    _, y_pred = means()
    return np.zeros(len(y_pred), "int32"), y_pred


def likely():
    """Probabilities near 1, but not so near that a finite difference leaves [0, 1]."""
    y_true, y_pred = alone()
    return y_true, np.minimum(y_pred, -0.02)


def rewards():
    """Margins, and rewards near each other and far apart."""
    rng = np.random.default_rng(1)
    y_pred = np.round(rng.normal(size=(12, 2)) * 64) / 16
    y_pred[:3] = [[90, -90], [-200, 200], [3, 3]]
    return np.round(rng.uniform(0, 3, (12, 1)) * 8) / 8, y_pred


def margins():
    y_true, y_pred = rewards()
    return y_true[:, 0], y_pred


BOTH = (
    ((3,), (3, 2)),
    ((3, 2), (3,)),
    ((2, 2), (3, 2)),
    ((1, 2), (3, 2)),
    ((3, 1), (3, 2)),
    ((3, 2), (3, 3)),
    ((3, 2), (3, 2, 2)),
    ((), (3, 2)),
)
PAIR = (((3,), (3,)), ((3,), (3, 1)), ((3,), (3, 3)), ((3,), (3, 2, 2)), ((), ()))
REWARDS = (((2,), (3, 2)), ((1,), (3, 2)), ((3, 2), (3, 2)), ((3,), (3, 3)))
DPO = (losses.dpo_loss, losses.DPOLoss, references.dpo_loss)
IPO = (losses.ipo_loss, losses.IPOLoss, references.ipo_loss)
ORPO = (losses.orpo_loss, losses.ORPOLoss, references.orpo_loss)
SIMPO = (losses.simpo_loss, losses.SimPOLoss, references.simpo_loss)
REWARD = (losses.reward_loss, losses.RewardLoss, references.reward_loss)
CASES = [
    LossCase(
        *DPO,
        sums,
        changes={"beta": 0.5, "label_smoothing": 0.25},
        invalid=({"beta": 0.0}, {"label_smoothing": 0.75}, {"label_smoothing": -0.1}),
        unequal=BOTH,
        activation="log_sigmoid",
    ),
    LossCase(
        *DPO, sums, {"beta": 0.5, "label_smoothing": 0.1}, activation="log_sigmoid"
    ),
    LossCase(
        *IPO,
        means,
        changes={"beta": 0.5},
        invalid=({"beta": 0.0},),
        unequal=BOTH,
        activation="log_sigmoid",
    ),
    LossCase(*IPO, means, {"beta": 0.25}, activation="log_sigmoid"),
    LossCase(
        *ORPO,
        alone,
        smooth=likely,
        changes={"beta": 1.0},
        invalid=({"beta": -1.0},),
        unequal=PAIR,
        activation="log_sigmoid",
    ),
    LossCase(*ORPO, alone, {"beta": 2.0}, smooth=likely, activation="log_sigmoid"),
    LossCase(
        *SIMPO,
        alone,
        changes={"beta": 0.5, "margin": 0.25},
        invalid=({"beta": 0.0}, {"margin": -1.0}),
        unequal=PAIR,
        activation="log_sigmoid",
    ),
    LossCase(*SIMPO, alone, {"beta": 2.5, "margin": 0.5}, activation="log_sigmoid"),
    LossCase(*REWARD, rewards, unequal=REWARDS),
    LossCase(*REWARD, margins),
]
