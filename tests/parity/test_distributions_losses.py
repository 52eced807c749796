"""Likelihoods and scores have the values and gradients of other libraries."""

import numpy as np
import pytest

from tests import tools
from tests.parity import inputs
from tfx_extras import losses

GOLDEN = inputs.Golden("distributions")
GIVEN = inputs.distributions()
Y, P, COUNTS = GIVEN["values"], GIVEN["parameters"], GIVEN["counts"]
# The formulas are the same on all backends, and references test each backend.
pytestmark = pytest.mark.only("torch")
# The loss, its labels and its predictions, for the name of the golden.
PAIRS = {
    "gaussian_nll_loss:full False": (losses.gaussian_nll, Y, P[:, :2], {}),
    "gaussian_nll_loss:full True": (losses.gaussian_nll, Y, P[:, :2], {"full": True}),
    "StudentT": (losses.student_t_nll, Y, P, {}),
    "MixtureSameFamily": (losses.mixture_nll, GIVEN["pairs"], GIVEN["mixtures"], {}),
    "Poisson": (losses.poisson_nll, COUNTS, P[:, 0], {}),
    "NegativeBinomial": (losses.negative_binomial_nll, COUNTS, P[:, :2], {}),
    "scipy.t:3.5": (losses.student_t_nll, Y, P[:, :2], {"degrees": 3.5}),
    "scipy.poisson": (losses.poisson_nll, COUNTS, P[:, 0], {}),
    "ZeroInflatedNegativeBinomialP": (
        losses.negative_binomial_nll,
        COUNTS,
        P,
        {"zero_inflated": True},
    ),
    "crps_normal": (losses.gaussian_crps, Y, P[:, :2], {}),
    "crps_ensemble:fair": (losses.ensemble_crps, Y, GIVEN["members"], {}),
    "crps_ensemble:nrg": (losses.ensemble_crps, Y, GIVEN["members"], {"fair": False}),
}
each_dtype = pytest.mark.parametrize(
    ("dtype", "tolerance"), [("float64", 2e-11), ("float32", 1e-5)]
)


@each_dtype
@pytest.mark.parametrize("name", PAIRS)
def test_a_loss_is_that_of_another_library(name, dtype, tolerance):
    function, y, p, arguments = PAIRS[name]
    value, slope = tools.values_and_gradient(
        lambda x: function(y.astype(dtype), x, **arguments), p.astype(dtype)
    )
    expected = GOLDEN.arrays[f"{name}/value"]
    np.testing.assert_allclose(value, expected, rtol=tolerance, atol=tolerance)
    if f"{name}/gradient" in GOLDEN.arrays:
        gradient = GOLDEN.arrays[f"{name}/gradient"]
        gradient = gradient[:, : p.shape[1]] if p.ndim > 1 else gradient[:, 0]
        np.testing.assert_allclose(slope, gradient, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("name", GOLDEN.named("mean_tweedie_deviance"))
def test_tweedie_is_half_the_deviance_above_its_minimum(name):
    power = float(name.split(":")[1])
    y = COUNTS + (power == 2)
    loss = tools.array(losses.tweedie_loss(y, P[:, 0], power=power))
    best = np.log(np.where(y == 0, 1, y))
    least = tools.array(losses.tweedie_loss(y, best, power=power))
    deviance = 2 * (loss - np.where(y == 0, 0, least))
    expected = GOLDEN.arrays[f"{name}/value"]
    np.testing.assert_allclose(deviance, expected, rtol=1e-11, atol=1e-11)


@each_dtype
@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_cox_is_that_of_statsmodels(ties, dtype, tolerance):
    times, risks = (GIVEN[key].astype(dtype) for key in ("times", "risks"))
    actual = tools.array(losses.cox_loss(times, risks, ties)).mean()
    expected = GOLDEN.arrays[f"PHReg:{ties}/value"]
    np.testing.assert_allclose(actual, expected, rtol=tolerance)
