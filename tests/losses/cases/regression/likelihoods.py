"""Cases of the losses of forecasts: likelihoods, counts, and scores."""

import numpy as np

from tests.losses.cases._case import LossCase
from tests.references import likelihoods as references
from tfx_extras import losses

# Errors and logarithms of scales, of which some forecasts are sure and some are wrong.
ERRORS = [0.0, 0.5, -1.0, 2.0, 1e-3, -3.0, 0.25, 7.0, -20.0, 1.0, 0.0, 4.0]
LOGS = [0.0, -1.5, 0.75, 0.5, -3.0, 1.5, -2.0, 2.5, 3.5, 0.0, 1.0, -0.25]
FAR = [1e4, -1e4, 1.0, 0.125, -30.0, 100.0, 1e3, -1e-3, 2.0]
WIDE = [30.0, 2.0, -30.0, -20.0, 10.0, -5.0, 0.0, 35.0, -35.0]


def forecasts():
    """A mean and a log scale for each target."""
    y = np.linspace(-2, 2, len(ERRORS))
    return y, np.stack([y + ERRORS, LOGS], -1)


def far_forecasts():
    """Scales from the smallest to the largest, with errors far outside or inside."""
    return np.zeros((len(FAR), 1)), np.stack([FAR, WIDE], -1)


def sequences():
    """Forecasts of several steps."""
    y, p = forecasts()
    return y.reshape(-1, 4), p.reshape(-1, 4, 2)


def with_raw(data, values):
    """Forecasts with one more parameter."""
    y, p = data()
    return y, np.concatenate([p, np.resize(values, (len(p), 1))], -1)


def student():
    return with_raw(forecasts, [0.0, -3.0, 2.0, 5.0, 40.0])


def far_student():
    return with_raw(far_forecasts, [0.0, -20.0, 3.0, 80.0])


def evidence():
    y, p = with_raw(forecasts, [0.0, -3.0, 2.0, 5.0, 9.0])
    return with_raw(lambda: (y, p), [1.0, -2.0, 4.0, 0.0, -6.0, 8.0, -1.0])


def far_evidence():
    """Parameters from almost 0 to large ones, with errors far outside or inside."""
    y, p = with_raw(far_forecasts, [0.0, -20.0, 3.0, 30.0])
    return with_raw(lambda: (y, p), [-15.0, 0.0, 25.0, 2.0, -30.0])


def mixtures():
    """Three components for targets of two values."""
    random = np.random.default_rng(0)
    y, p = random.normal(size=(10, 2)), random.normal(size=(10, 15))
    p[1, :3] = [100, -100, 0]  # one component only
    p[2, 3:9] = np.tile(y[2], 3) + 1e-3
    p[2, 9:] = -4.5  # narrower than the least scale
    p[3, 3:9] += 30  # no component is near
    p[4, 3:9] = np.tile(y[4], 3)  # all components are at the target
    return y, p


def single_mixtures():
    """Two components for targets of one value."""
    random = np.random.default_rng(1)
    return random.normal(size=9), random.normal(size=(9, 6))


PARAMETERS = (
    ((2,), (2,)),
    ((), (2,)),
    ((3, 4), (3, 2)),
    ((2,), (3, 2)),
    ((3, 2), (3, 2)),
    ((1,), (3, 2)),
    ((3, 1, 1), (3, 2)),
    ((3,), (3, 5)),
    ((3,), (3, 1)),
    ((3,), (3, 2, 2)),
    ((4,), ()),
)
THREE = tuple((y, (*p[:-1], 3) if p[-1:] == (2,) else p) for y, p in PARAMETERS)
FOUR = tuple((y, (*p[:-1], 4) if p[-1:] == (2,) else p) for y, p in PARAMETERS)
MIXED = (
    ((6,), (6,)),
    ((), (6,)),
    ((3, 2), (3, 6)),
    ((4, 2), (3, 5)),
    ((3,), (3, 4)),
    ((1, 1), (3, 6)),
    ((3,), (3, 2, 6)),
)
GAUSSIAN = (losses.gaussian_nll, losses.GaussianNLLLoss, references.gaussian_nll)
STUDENT = (losses.student_t_nll, losses.StudentTNLLLoss, references.student_t_nll)
EVIDENCE = (losses.evidential_loss, losses.EvidentialLoss, references.evidential_loss)
MIXTURE = (losses.mixture_nll, losses.MixtureNLLLoss, references.mixture_nll)
CASES = [
    LossCase(
        *GAUSSIAN,
        forecasts,
        changes={"full": True},
        invalid=({"beta": -0.5}, {"beta": 1.5}),
        unequal=PARAMETERS,
        last_is_known=True,
    ),
    LossCase(
        *GAUSSIAN,
        sequences,
        {"beta": 0.5, "full": True},
        changes={"beta": 1.0},
        unequal=PARAMETERS,
        held=True,
        last_is_known=True,
    ),
    LossCase(*GAUSSIAN, far_forecasts, last_is_known=True),
    LossCase(*STUDENT, student, unequal=THREE, last_is_known=True),
    LossCase(*STUDENT, far_student, last_is_known=True),
    LossCase(
        *STUDENT,
        forecasts,
        {"degrees": 1.5},
        changes={"degrees": 4.0},
        invalid=({"degrees": 0.0}, {"degrees": float("inf")}),
        unequal=PARAMETERS,
        last_is_known=True,
    ),
    LossCase(
        *EVIDENCE,
        evidence,
        changes={"coefficient": 0.5},
        invalid=({"coefficient": -0.1}, {"coefficient": float("inf")}),
        unequal=FOUR,
        last_is_known=True,
    ),
    LossCase(*EVIDENCE, far_evidence, {"coefficient": 0.0}, last_is_known=True),
    LossCase(
        *MIXTURE,
        single_mixtures,
        changes={"minimum_log_scale": 0.5},
        invalid=({"minimum_log_scale": -21.0},),
        unequal=MIXED,
        last_is_known=True,
    ),
    LossCase(*MIXTURE, mixtures, {"minimum_log_scale": -4.0}, last_is_known=True),
]
