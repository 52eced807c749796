"""Cases of the loss for ordinal classes."""

import numpy as np

from tests.losses.cases._case import LossCase
from tests.references import weighted_kappa as references
from tfx_extras import losses


def ratings():
    """Predictions near the labels and far from them, some of them certain."""
    rng = np.random.default_rng(0)
    y = np.array([0, 4, 1, 3, 2, 2, 0, 1, 4, 3, 3, 0])
    p = rng.dirichlet(np.ones(5) / 2, 12)
    near = np.abs(np.arange(5) - y[:, None]) < 2
    p[2:] = (p * near + 0.1 * near)[2:]
    p /= p.sum(-1, keepdims=True)
    p[3] = np.eye(5)[3]
    return y, p


def shares():
    y, p = ratings()
    return 0.75 * np.eye(5)[y] + 0.25 * np.eye(5)[::-1][y], p


def logits():
    y, p = ratings()
    z = np.log(np.maximum(p, 1e-2))
    z[4] *= 100
    return y[:, None], z


SHAPES = (
    ((3,), (5,)),
    ((5,), (3, 5)),
    ((1, 5), (3, 5)),
    ((3, 4), (3, 5)),
    ((3, 5, 1), (3, 5)),
    ((3, 2), (3, 2, 5)),
    ((), ()),
)
KAPPA = (
    losses.weighted_kappa_loss,
    losses.WeightedKappaLoss,
    references.weighted_kappa_loss,
)
OPTIONS = {"coupled": True, "weighs_within": True, "last_is_known": True}
CASES = [
    LossCase(
        *KAPPA,
        ratings,
        changes={"num_classes": 6, "weightage": "linear", "epsilon": 0.5},
        invalid=({"num_classes": 1}, {"weightage": "cubic"}, {"epsilon": 0.0}),
        unequal=SHAPES,
        activation="softmax",
        **OPTIONS,
    ),
    LossCase(
        *KAPPA,
        shares,
        {"weightage": "linear", "num_classes": 5, "epsilon": 0.125},
        unequal=SHAPES,
        **OPTIONS,
    ),
    LossCase(
        *KAPPA, logits, {"from_logits": True}, changes={"from_logits": False}, **OPTIONS
    ),
]
