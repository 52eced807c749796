"""Predictions of several parameters, and what likelihoods and scores must be."""

import itertools
import math

import keras
import numpy as np
import pytest
from keras import ops
from scipy import stats

from tests.contracts.test_losses import Marked
from tests.losses.cases.regression import counts
from tests.losses.cases.regression import crps
from tests.losses.cases.regression import likelihoods
from tests.tools import BACKEND
from tests.tools import array
from tests.tools import compiled
from tests.tools import fused
from tests.tools import looked_at
from tests.tools import values_and_gradient
from tests.tools import wide
from tfx_extras import losses

# What follows from the formulas. The contracts test values and gradients everywhere.
pytestmark = pytest.mark.only("torch")
CASES = [*likelihoods.CASES, *counts.CASES, *crps.CASES]
OF_SEVERAL = [
    (losses.gaussian_nll, losses.GaussianNLLLoss(), 2),
    (losses.student_t_nll, losses.StudentTNLLLoss(), 3),
    (losses.evidential_loss, losses.EvidentialLoss(), 4),
    (losses.negative_binomial_nll, losses.NegativeBinomialNLLLoss(), 2),
    (losses.gaussian_crps, losses.GaussianCRPSLoss(), 2),
]
each_of_several = pytest.mark.parametrize(
    ("function", "loss", "count"), OF_SEVERAL, ids=[f.__name__ for f, *_ in OF_SEVERAL]
)


def given(count, shape=(4,)):
    random = np.random.default_rng(0)
    y = random.integers(0, 5, shape).astype("float32")
    return y, random.normal(size=(*shape, count)).astype("float32")


@each_of_several
def test_a_tuple_of_parameters_is_their_last_axis(function, loss, count):
    y, p = given(count)
    expected = array(function(y, p))
    columns = p.T[..., None]
    for parts in (tuple(p.T), [*map(ops.convert_to_tensor, p.T)], tuple(columns)):
        for labels in (y, y[:, None], y.tolist(), y.astype("int32")):
            np.testing.assert_array_equal(array(function(labels, parts)), expected)
            actual = loss(labels, parts)
            np.testing.assert_allclose(array(actual), expected.mean(), rtol=1e-6)
    one = array(function(y[:1], tuple(p[:1].T)))
    np.testing.assert_array_equal(one, expected[:1])


@each_of_several
def test_parameters_that_do_not_fit_are_named(function, loss, count):
    y, p = given(count)
    with pytest.raises(ValueError, match=f"must have the {count} parameters.*tensors"):
        function(y, (*p.T, p.T[0]))
    with pytest.raises(ValueError, match=r"shape of `y_true`.*y_true.shape=\(3,\), .*"):
        function(y[:3], tuple(p.T))
    with pytest.raises(ValueError, match=r"scale|dispersion|variance|raw nu"):
        function(y, (p.T[0], *p.T[1:, :1]))
    with pytest.raises(ValueError, match=rf"the {count} parameters .* last axis"):
        function(y, p[:, :1])


@pytest.mark.only("tensorflow")
@pytest.mark.parametrize("jit_compile", [False, True])
def test_a_tuple_is_never_broadcast_where_shapes_are_unknown(jit_compile):
    import tensorflow as tf

    y, p = given(2)
    function = tf.function(
        lambda y, *parts: losses.gaussian_nll(y, parts),
        input_signature=[tf.TensorSpec([None, None])] + [tf.TensorSpec([None, 1])] * 2,
        jit_compile=jit_compile,
    )
    found = function(y[:, None], p[:, :1], p[:, 1:])
    expected = losses.gaussian_nll(y, p)
    np.testing.assert_allclose(array(found), array(expected), rtol=1e-6)
    for rows, columns in (([1], [0]), ([0, 1], [0]), (range(4), [0, 1])):
        with pytest.raises((ValueError, tf.errors.InvalidArgumentError)):
            function(np.stack([y, y], 1)[rows][:, columns], p[:, :1], p[:, 1:])


def test_the_widest_dtype_of_the_parameters_counts():
    with wide():
        parts = np.float32([1, 2]), np.float64([0.1, 0.2])
        loss = losses.gaussian_nll(np.zeros(2), parts)
        assert keras.backend.standardize_dtype(loss.dtype) == "float64"
        expected = losses.gaussian_nll(np.zeros(2), np.stack(parts, -1))
        np.testing.assert_array_equal(array(loss), array(expected))


@each_of_several
@pytest.mark.parametrize("is_tuple", [False, True])
def test_steps_of_sequences_have_masks_and_weights(function, loss, count, is_tuple):
    y, p = given(count, (3, 5))
    values = array(function(y, p))
    assert values.shape == (3, 5)
    mask = np.arange(15).reshape(3, 5) % 4 != 1
    weights = np.arange(15).reshape(3, 5).astype("float32") / 8
    marked = Marked(mask)(p)
    if is_tuple:
        marked = tuple(Marked(mask)(p[..., i]) for i in range(count))
    for w in (None, weights):
        total = values * mask * (1 if w is None else w)
        actual = array(loss(y, marked, w))
        np.testing.assert_allclose(actual, total.sum() / mask.sum(), rtol=2e-6)


@pytest.mark.only("tensorflow", "jax", "torch")
@pytest.mark.parametrize("scale", [1e4, 1e6])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_no_prediction_overflows(case, scale):
    y_true, y_pred = case.inputs()
    if case.cls is losses.EnsembleCRPSLoss:
        return
    random = np.random.default_rng(1)
    y_pred = (scale * random.choice([-1, 0, 1], y_pred.shape)).astype("float32")
    compute = fused(lambda x: case.compute(y_true, x))
    for found in values_and_gradient(compute, y_pred):
        assert np.isfinite(found).all()


@pytest.mark.parametrize(
    ("function", "place"),
    [(losses.gaussian_nll, 1), (losses.student_t_nll, 1), (losses.gaussian_crps, 0)],
)
def test_a_scale_that_is_far_too_small_is_led_back(function, place):
    y = np.ones(3, "float32")
    p = np.float32([[0, -1e2, 0], [0, -1e3, 0], [0, -1e4, 0]])[:, : 2 + (place == 1)]
    p = p if function is losses.student_t_nll else p[:, :2]
    _, slope = values_and_gradient(lambda x: function(y, x), p)
    assert (slope[:, place] < -0.5).all()


def test_what_exceeds_every_bound_is_led_back_too():
    y = np.float32([1, 2])
    far = np.full((2, 1), 1e4, "float32")
    slope = values_and_gradient(lambda x: losses.poisson_nll(y[:, None], x), far)[1]
    assert (slope > 1).all()
    p = np.float32([[0, 1e4], [0, 1e4]])
    slope = values_and_gradient(lambda x: losses.negative_binomial_nll(y, x), p)[1]
    np.testing.assert_allclose(slope[:, 1], 1, rtol=1e-4)
    p = np.float32([[0, -1e4], [0, -1e4]])
    slope = values_and_gradient(lambda x: losses.gaussian_nll(y, x, beta=1.0), p)[1]
    assert (slope[:, 1] < -0.1).all()


def sums(function, parameters, **arguments):
    """The sum of the probabilities of all counts, for each row of parameters."""
    y = np.arange(3000.0)
    with wide():
        rows = [np.tile(np.float64(row), (len(y), 1)) for row in parameters]
        return [np.exp(-array(function(y, p, **arguments))).sum() for p in rows]


def test_probabilities_of_counts_sum_to_1():
    rates = [[-2.0], [0.5], [4.0]]
    found = sums(lambda y, p: losses.poisson_nll(y[:, None], p), rates)
    np.testing.assert_allclose(found, 1, rtol=1e-10)
    some = [[0.0, 0.0], [2.0, -3.0], [4.0, -12.0], [-1.0, 0.5], [3.0, -29.0]]
    found = sums(losses.negative_binomial_nll, some)
    np.testing.assert_allclose(found, 1, rtol=1e-10)
    some = [[*row, z] for row, z in zip(some, [0.0, -4, 3, 20, -60], strict=True)]
    found = sums(losses.negative_binomial_nll, some, zero_inflated=True)
    np.testing.assert_allclose(found, 1, rtol=1e-10)


def test_densities_integrate_to_1():
    y, step = np.linspace(-40, 40, 40_001, retstep=True)
    mixed = [0.5, -1.0, -3.0, 2.0, -1.0, 1.0]
    with wide():
        for function, row, arguments in (
            (losses.gaussian_nll, [1.0, 2.0], {"full": True}),
            (losses.student_t_nll, [1.0, -1.0, 12.0], {}),
            (losses.student_t_nll, [1.0, -2.0], {"degrees": 9.0}),
            (losses.evidential_loss, [1.0, 0.5, 9.0, 1.0], {"coefficient": 0.0}),
            (losses.mixture_nll, mixed, {}),
        ):
            p = np.tile(np.float64(row), (len(y), 1))
            density = np.exp(-array(function(y, p, **arguments)))
            np.testing.assert_allclose(density.sum() * step, 1, rtol=1e-8)


def test_many_degrees_of_freedom_are_a_normal_distribution():
    y, p = likelihoods.forecasts()
    y, p = y.astype("float32"), p.astype("float32")
    normal = np.stack([p[:, 0], 2 * p[:, 1]], -1)
    expected = array(losses.gaussian_nll(y, normal, full=True))
    raw = np.full((len(y), 1), 1e7, "float32")
    for loss in (
        losses.student_t_nll(y, p, degrees=1e7),
        losses.student_t_nll(y, np.concatenate([p, raw], -1)),
        losses.student_t_nll(y, p, degrees=1e30),
    ):
        np.testing.assert_allclose(array(loss), expected, rtol=2e-4)
    assert abs(array(loss)[0] - np.log(2 * np.pi) / 2) < 1e-6


def log_softplus(x):
    return x if x < -40 else math.log(np.logaddexp(0, x))


def evidential(y, row):
    """The likelihood from logarithms, where the parameters themselves underflow."""
    gamma, nu, alpha, beta = map(float, row)
    a = 1 + np.logaddexp(0, alpha)
    log_nu = log_softplus(nu)
    log_ratio = math.log(2) + log_softplus(beta) + np.logaddexp(0, -log_nu)
    error = abs(y - gamma)
    t = 2 * math.log(error) - log_ratio if error else -math.inf
    # log Gamma(a + 1/2) - log Gamma(a) by its series, where lgamma would cancel.
    gammas = math.lgamma(a + 0.5) - math.lgamma(a)
    if a > 1e3:
        gammas = math.log(a) / 2 - 1 / (8 * a) + 1 / (192 * a**3)
    spread = (math.log(math.pi) + log_ratio) / 2
    return spread - gammas + (a + 0.5) * np.logaddexp(0, t)


RAW = [-1e4, -300.0, -30.0, -1.0, 0.0, 5.0, 100.0, 1e4]


@pytest.mark.only("tensorflow", "jax", "torch")
@pytest.mark.parametrize("error", [0.0, 1e-3, 1.0, -300.0, 1e4])
def test_evidence_is_exact_where_its_parameters_underflow_or_are_large(error):
    rows = np.float32([[-error, *row] for row in itertools.product(RAW, repeat=3)])
    y = np.zeros(len(rows), "float32")
    compute = fused(lambda x: losses.evidential_loss(y, x, coefficient=0.0))
    value, slope = values_and_gradient(compute, rows)
    expected = np.array([evidential(0.0, row) for row in rows])
    np.testing.assert_allclose(value, expected, rtol=2e-5, atol=2e-5)
    assert np.isfinite(slope).all()
    steps = np.maximum(np.abs(rows[:, 1:].astype("float64")), 1.0) * 1e-5
    for column in range(3):
        ends = [rows.astype("float64") for _ in range(2)]
        for end, sign in zip(ends, (1, -1), strict=True):
            end[:, 1 + column] += sign * steps[:, column]
        far, near = (np.array([evidential(0.0, row) for row in e]) for e in ends)
        numeric = (far - near) / (2 * steps[:, column])
        # A part of the error of the difference is the rounding of the values.
        least = 1e-3 + 1e-15 * np.abs(expected) / steps[:, column]
        close = np.abs(slope[:, 1 + column] - numeric) <= least + 1e-3 * np.abs(numeric)
        assert close.all(), rows[~close][:5]


@pytest.mark.only("tensorflow", "jax", "torch")
def test_evidence_is_a_student_t_distribution():
    y, p = likelihoods.evidence()
    nu, alpha, beta = np.logaddexp(0, p[:, 1:]).T
    alpha = alpha + 1
    scale = np.sqrt(beta * (1 + nu) / (nu * alpha))
    expected = -stats.t.logpdf(y, 2 * alpha, p[:, 0], scale)
    error = np.abs(y - p[:, 0])
    with wide():
        y, p = (ops.convert_to_tensor(a, "float64") for a in (y, p))
        for weight in (0.0, 0.5):
            actual = array(losses.evidential_loss(y, p, coefficient=weight))
            penalty = weight * error * (2 * nu + alpha)
            np.testing.assert_allclose(actual, expected + penalty, rtol=1e-12)
        mean, noise, epistemic = map(array, losses.evidential_moments(p))
    np.testing.assert_array_equal(mean, array(p)[:, 0])
    np.testing.assert_allclose(noise, beta / (alpha - 1), rtol=1e-12)
    np.testing.assert_allclose(epistemic, beta / (alpha - 1) / nu, rtol=1e-12)
    variance = stats.t.var(2 * alpha, scale=scale)
    np.testing.assert_allclose(noise + epistemic, variance, rtol=1e-10)


def test_evidential_moments_take_a_tuple_and_name_wrong_shapes():
    p = given(4, (3, 5))[1]
    expected = losses.evidential_moments(p)
    assert all(tuple(x.shape) == (3, 5) for x in expected)
    for one, other in zip(
        losses.evidential_moments(tuple(np.moveaxis(p, -1, 0))), expected, strict=True
    ):
        np.testing.assert_array_equal(array(one), array(other))
    small, large = losses.evidential_moments([[0.0, -1e4, -30.0, 0.0], [0.0] * 4])[1:]
    assert np.isfinite(array(small)).all()
    assert np.isinf(array(large)).tolist() == [True, False]
    with pytest.raises(ValueError, match=r"4 outputs .* y_pred.shape=\(3, 5, 3\)"):
        losses.evidential_moments(p[..., :3])
    assert losses.evidential_moments(keras.Input((4,)))[1].shape == (None,)


def test_a_mixture_of_one_is_a_normal_distribution():
    y, p = likelihoods.forecasts()
    normal = np.stack([p[:, 0], 2 * p[:, 1]], -1).astype("float32")
    expected = losses.gaussian_nll(y, normal, full=True)
    one = np.concatenate([p[:, :1] * 7, p], -1).astype("float32")
    actual = array(losses.mixture_nll(y, one))
    np.testing.assert_allclose(actual, array(expected), rtol=1e-5, atol=1e-6)
    steps = losses.mixture_nll(y.reshape(3, 4, 1), one.reshape(3, 4, 3))
    np.testing.assert_array_equal(array(steps), actual.reshape(3, 4))


@pytest.mark.parametrize("n", [1e4, 1e6, 1e9])
def test_large_counts_keep_their_digits(n):
    """As written, the formulas lose all digits in float32 from 1e6."""
    y = np.float32([n] * 3)
    x = np.log(np.float64(n)) + np.float64([-3, 0, 2]) / np.sqrt(n)
    x = x.astype("float32")
    d = x - np.log(np.float64(y))
    at_mean = np.log(2 * np.pi * n) / 2
    expected = n * (np.expm1(d) - d) + at_mean
    # The rounding of the logarithm of the rate to float32 changes the loss by this.
    least = 2e-7 * np.log(n) * np.sqrt(n) * 4 + n * (2e-7 * np.log(n)) ** 2
    poisson = losses.poisson_nll(y[:, None], x[:, None])
    np.testing.assert_allclose(array(poisson), expected, rtol=1e-6, atol=least)
    sure = np.stack([x, np.full_like(x, -1e3)], -1)
    binomial = losses.negative_binomial_nll(y, sure)
    np.testing.assert_allclose(array(binomial), expected, rtol=1e-6, atol=least)


@pytest.mark.only("tensorflow", "jax", "torch")
def test_counts_that_are_not_whole_are_taken_and_negative_ones_are_not():
    x = np.zeros((3, 1), "float32")
    value = array(losses.poisson_nll([[0.5], [1.0], [2.5]], x))
    np.testing.assert_allclose(value, 1 + np.log([0.886227, 1, 3.323351]), rtol=1e-6)
    two = np.zeros((3, 2), "float32")
    wrong = np.float32([0, -1, 2])
    for function, y, p in (
        (losses.poisson_nll, wrong[:, None], x),
        (losses.tweedie_loss, wrong[:, None], x),
        (losses.negative_binomial_nll, wrong, two),
    ):
        with looked_at(), pytest.raises(ValueError, match=r"in \[0, inf.*mum of -1"):
            function(y, p)
        found = (
            array(compiled(function)(*map(ops.convert_to_tensor, (y, p))))
            if BACKEND != "torch"
            else None
        )
        if found is not None:
            np.testing.assert_array_equal(np.isnan(found), [False, True, False])
    with looked_at(), pytest.raises(ValueError, match=r"in \(0, inf.*mum of 0"):
        losses.tweedie_loss([[0.0]], [[0.0]], power=2.0)


def test_negative_counts_are_nan_where_they_are_not_looked_at():
    import torch

    function = torch.compile(losses.poisson_nll, backend="eager", fullgraph=True)
    loss = function(torch.tensor([0.0, -1.0]), torch.zeros(2))
    assert torch.isnan(loss).tolist() == [False, True]


def test_whole_counts_are_not_rounded_to_the_dtype_of_the_loss():
    y, x = np.array([257, 65_537]), np.float32([5.5, 11.0])
    expected = array(losses.poisson_nll(y, x))
    loss = losses.PoissonNLLLoss(reduction=None, dtype="bfloat16")
    for labels in (y, y.tolist(), ops.convert_to_tensor(y.astype("int32"))):
        np.testing.assert_allclose(array(loss(labels, x)), expected, rtol=4e-3)


def test_the_best_rate_is_the_count():
    y = np.float32([[0.5], [3.0], [40.0]])
    x = np.log(y)
    for function in (
        losses.poisson_nll,
        losses.tweedie_loss,
        lambda y, x: losses.tweedie_loss(y, x, power=1.0),
        lambda y, x: losses.tweedie_loss(y, x, power=2.0),
        lambda y, x: losses.negative_binomial_nll(y, ops.concatenate([x, x * 0], -1)),
    ):
        slope = values_and_gradient(lambda x, f=function: f(y, x), x)[1]
        assert (np.abs(slope) < 1e-5 * y).all()


def test_crps_is_the_integral_of_the_squared_difference():
    grid, step = np.linspace(-30, 30, 60_001, retstep=True)
    y, mu, c = 1.3, 0.5, 0.75
    with wide():
        parameters = np.tile(np.float64([mu, c]), (len(grid), 1))
        actual = array(losses.gaussian_crps(np.float64([y]), parameters[:1]))[0]
        # The slope of the score in its target is twice the distribution less 1.
        slope = np.diff(array(losses.gaussian_crps(grid, parameters))) / step
    distribution = (1 + slope) / 2
    middle = (grid[1:] + grid[:-1]) / 2
    expected = ((distribution - (middle >= y)) ** 2).sum() * step
    np.testing.assert_allclose(actual, expected, rtol=1e-6)


def test_a_large_ensemble_has_the_score_of_its_distribution():
    members = np.random.default_rng(0).normal(0.5, 2, (1, 40_000))
    with wide():
        for fair in (True, False):
            actual = array(losses.ensemble_crps(np.float64([1.0]), members, fair))
            expected = losses.gaussian_crps(np.float64([1.0]), [[0.5, np.log(2)]])
            np.testing.assert_allclose(actual, array(expected), rtol=0.02)


def test_the_fair_score_of_true_samples_does_not_depend_on_their_number():
    random = np.random.default_rng(0)
    y = random.normal(size=20_000).astype("float32")
    means = [
        array(losses.ensemble_crps(y, random.normal(size=(len(y), n)))).mean()
        for n in (2, 3, 10)
    ]
    np.testing.assert_allclose(means, 1 / np.sqrt(np.pi), rtol=0.03)


def test_one_member_has_its_absolute_error():
    y, x = np.float32([1, 2]), np.float32([[3], [0.5]])
    actual = losses.ensemble_crps(y, x, fair=False)
    np.testing.assert_array_equal(array(actual), [2, 1.5])
    with pytest.raises(ValueError, match=r"`fair` must be False for .* one member"):
        losses.ensemble_crps(y, x)


def test_members_far_from_zero_keep_their_digits():
    x = np.float32([[0, 1, 3]])
    near, far = (losses.ensemble_crps([1 + s], x + s, False) for s in (0, 2.0**20))
    np.testing.assert_array_equal(array(near), array(far))


def test_times_of_events_are_compared_exactly():
    seconds = np.array([1_700_000_001, 1_700_000_000, 1_700_000_002])
    eta = np.float32([0.5, -1.0, 2.0])
    expected = array(losses.cox_loss(np.float32([[1, 1], [0, 1], [2, 1]]), eta))
    for times in (seconds, seconds.astype("float64")):
        y = np.stack([times, np.ones(3)], -1).astype(times.dtype)
        np.testing.assert_array_equal(array(losses.cox_loss(y, eta)), expected)


def test_a_censored_sample_without_a_time_is_nan():
    y = np.float32([[1, 1], [np.nan, 0], [3, 1]])
    assert np.isnan(array(losses.cox_loss(y, np.zeros(3, "float32")))).any()
