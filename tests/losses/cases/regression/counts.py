"""Cases of the losses of `tfx_extras/losses/regression/counts.py`."""

import numpy as np

from tests.losses.cases._case import ELEMENTS
from tests.losses.cases._case import LossCase
from tests.losses.cases.regression.likelihoods import PARAMETERS
from tests.losses.cases.regression.likelihoods import THREE
from tests.losses.cases.regression.likelihoods import with_raw
from tests.references import likelihoods as references
from tfx_extras import losses

COUNTS = [0.0, 1, 0, 3, 7, 2, 30, 0, 1, 12]
RATES = [0.0, 0.5, -4, 1.25, 1, 1, 3.5, 2, -2, 2.5]
DISPERSIONS = [0.0, -1, 2, -3, 0.5, 1, -0.5, 3, -2, -6]


def counts():
    """Counts of two values per sample, with their log rates."""
    y, x = np.array(COUNTS), np.array(RATES)
    return np.stack([y, y[::-1]], -1), np.stack([x, x[::-1] - 0.5], -1)


def far_counts():
    """Counts whose rates are far from them, and numbers that are not whole."""
    y, x = np.meshgrid([0, 1, 100, 2.5, 0.125], [-20.0, 10, 25, -5, 35])
    return y.reshape(-1, 1), x.reshape(-1, 1)


def amounts():
    """Positive amounts."""
    y, x = counts()
    return y + 0.25, x


def dispersed():
    """Counts with a log mean and a log dispersion each."""
    return np.array(COUNTS), np.stack([RATES, DISPERSIONS], -1)


def far_dispersed():
    """From no dispersion to the largest, and rates far from the counts."""
    y = np.repeat([0.0, 1.0, 20.0], 6)
    a = np.tile([-29.0, -12.0, -4.0, 4.0, 10.0, 14.0], 3)
    return y[:, None], np.stack([np.resize([-20.0, 0, 3, 8, 30], len(y)), a], -1)


def inflated():
    return with_raw(dispersed, [0.0, -3.0, 2.0, 1.0, -1.0, 5.0])


def far_inflated():
    return with_raw(far_dispersed, [-30.0, 0.0, 30.0, 12.0, -80.0, 90.0, 3.0])


POISSON = (losses.poisson_nll, losses.PoissonNLLLoss, references.poisson_nll)
NEGATIVE_BINOMIAL = (
    losses.negative_binomial_nll,
    losses.NegativeBinomialNLLLoss,
    references.negative_binomial_nll,
)
TWEEDIE = (losses.tweedie_loss, losses.TweedieLoss, references.tweedie_loss)
CASES = [
    LossCase(*POISSON, counts, unequal=ELEMENTS),
    LossCase(*POISSON, far_counts),
    LossCase(*NEGATIVE_BINOMIAL, dispersed, unequal=PARAMETERS, last_is_known=True),
    LossCase(*NEGATIVE_BINOMIAL, far_dispersed, last_is_known=True),
    LossCase(
        *NEGATIVE_BINOMIAL,
        inflated,
        {"zero_inflated": True},
        changes={"zero_inflated": False},
        unequal=THREE,
        last_is_known=True,
    ),
    LossCase(
        *NEGATIVE_BINOMIAL, far_inflated, {"zero_inflated": True}, last_is_known=True
    ),
    LossCase(
        *TWEEDIE,
        counts,
        changes={"power": 1.25},
        invalid=({"power": 0.5}, {"power": 2.5}),
        unequal=ELEMENTS,
    ),
    LossCase(*TWEEDIE, counts, {"power": 1.0}),
    LossCase(*TWEEDIE, amounts, {"power": 2.0}),
    LossCase(*TWEEDIE, far_counts, {"power": 1.8}),
]
