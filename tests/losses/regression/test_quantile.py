"""Several quantiles at once, and the precision of extreme quantiles."""

import keras
import numpy as np
import pytest

from tests.tools import array
from tests.tools import gradient
from tests.tools import wide
from tfx_extras import losses

TAU = [0.1, 0.5, 0.9]


@pytest.mark.parametrize("shape", [(4,), (4, 1)])
def test_all_quantiles_are_predicted_of_the_same_value(shape):
    rng = np.random.default_rng(0)
    y, p = rng.normal(size=4).astype("float32"), rng.normal(size=(4, 3))
    p = p.astype("float32")
    expected = losses.pinball_loss(np.stack([y] * 3, axis=-1), p, TAU)
    actual = losses.pinball_loss(y.reshape(shape), p, TAU)
    np.testing.assert_array_equal(array(actual), array(expected))
    each = [losses.pinball_loss(y, p[:, i], TAU[i]) for i in range(3)]
    np.testing.assert_allclose(
        array(actual), np.mean([array(e) for e in each], 0), 1e-6
    )


@pytest.mark.parametrize("tau", [[0.5], [0.1, 0.9], [0.5] * 4, [TAU], []])
def test_a_wrong_number_of_quantiles_is_named_with_the_right_one(tau):
    message = r"`tau` .* 3 values .*tau\.shape=\(.*, y_pred\.shape=\(2, 3\)"
    with pytest.raises(ValueError, match=message):
        losses.pinball_loss(np.zeros((2, 3)), np.zeros((2, 3)), tau)


def test_each_quantile_is_checked():
    with pytest.raises(ValueError, match=r"`tau\[1\]` must be in \[0, 1\].*=1\.5"):
        losses.PinballLoss([0.5, 1.5])


def test_quantiles_may_be_a_variable():
    tau = keras.Variable([0.1, 0.9], trainable=False)
    y_true, y_pred = np.ones((2, 1)), np.float32([[0, 3], [2, 1]])
    expected = losses.pinball_loss(y_true, y_pred, [0.1, 0.9])
    actual = losses.pinball_loss(y_true, y_pred, tau)
    np.testing.assert_allclose(array(actual), array(expected), rtol=1e-6)


@pytest.mark.parametrize("tau", [1 / 3, [1 / 3], np.array([1 / 3])])
def test_tau_is_as_precise_as_predictions(tau):
    with wide():
        y, p = np.array([[1.0], [-1.0]]), np.zeros((2, 1))
        actual = array(losses.pinball_loss(y, p, tau))
    np.testing.assert_array_equal(actual, [1 / 3, 1 - 1 / 3])


def test_a_quantile_near_1_still_tells_too_much():
    """1 - tau is not computed from a rounded tau."""
    actual = losses.pinball_loss(np.float32([0.0]), np.float32([1.0]), 1 - 2.0**-30)
    assert array(actual) == 2.0**-30


@pytest.mark.parametrize("tau", [0.25, [0.25]])
def test_what_is_exact_is_left_alone(tau):
    y = np.float32([[1.0], [2.0]])
    slopes = gradient(lambda x: losses.pinball_loss(y, x, tau), y)
    np.testing.assert_array_equal(slopes, 0)


def test_the_best_constants_are_the_quantiles():
    y = np.random.default_rng(0).exponential(size=1001).astype("float32")
    for tau in TAU:
        constants = np.quantile(y, [tau - 0.02, tau, tau + 0.02]).astype("float32")
        values = [losses.pinball_loss(y, np.full_like(y, c), tau) for c in constants]
        assert np.argmin([array(value).mean() for value in values]) == 1


def test_weights_of_samples_are_not_those_of_values():
    y, predicted = np.zeros((3, 3)), np.zeros((3, 3, 2))
    loss = losses.PinballLoss([0.1, 0.9])
    with pytest.raises(ValueError, match=r"of shape \(3, 3\), or \(3, 1\)"):
        loss(y, predicted, np.ones(3, "float32"))
    loss(y, predicted, np.ones((3, 1), "float32"))
