"""Bounds and limits of the losses for noisy labels."""

import numpy as np
import pytest

from tests.tools import array
from tests.tools import gradient
from tests.tools import wide
from tfx_extras import losses

# What follows from the formula. The contracts test values and gradients everywhere.
pytestmark = pytest.mark.only("torch")
RANDOM = np.random.default_rng(1805)
LABELS = RANDOM.integers(0, 5, 8)
Z = RANDOM.normal(size=(8, 5)) * 3
P = np.exp(Z) / np.exp(Z).sum(-1, keepdims=True)
ONE_HOT = np.eye(5)[LABELS]


@pytest.mark.parametrize("q", [1e-3, 0.5, 0.7, 1.0])
def test_generalized_crossentropy_is_bounded(q):
    wrong = np.float32([[1e4, -1e4], [30, -30]])
    loss = losses.generalized_sparse_categorical_crossentropy
    values = array(loss([1, 1], wrong, q, from_logits=True))
    assert (values <= 1 / q * (1 + 1e-6)).all()
    certain = np.float32([[1, 0], [1, 0]])
    values = array(loss([1, 0], certain, q))
    assert 0 < values[0] <= 1 / q
    assert values[1] == 0


@pytest.mark.parametrize("q", [0.0, 0.25, 0.7, 1.0])
def test_its_gradient_is_that_of_crossentropy_times_a_power_of_the_probability(q):
    def loss(z):
        return losses.generalized_sparse_categorical_crossentropy(
            LABELS, z, q, from_logits=True
        )

    with wide():
        slope = gradient(loss, Z)
    own = P[np.arange(8), LABELS][:, None]
    np.testing.assert_allclose(slope, own**q * (P - ONE_HOT), rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("q", [1e-45, 1e-30, 1e-9])
def test_a_tiny_q_gives_crossentropy(q):
    loss = losses.generalized_sparse_categorical_crossentropy
    z = Z.astype("float32")
    tiny, zero = (array(loss(LABELS, z, each, from_logits=True)) for each in (q, 0.0))
    np.testing.assert_allclose(tiny, zero, rtol=1e-6)


def test_q_1_gives_half_the_absolute_error():
    with wide():
        actual = array(losses.generalized_categorical_crossentropy(ONE_HOT, P, 1.0))
    expected = np.abs(P - ONE_HOT).sum(-1) / 2
    np.testing.assert_allclose(actual, expected, rtol=1e-12)


@pytest.mark.parametrize("q", [0.7, 1.0])
@pytest.mark.parametrize("p", [2e-7, 1e-5, 1e-2, 0.5, 0.7, 0.9])
def test_the_gradient_of_a_probability_near_0_keeps_its_digits(q, p):
    y_pred = np.float32([[p, 1 - p]])
    for form, label in (("sparse_", [0]), ("", [[1.0, 0.0]])):
        loss = getattr(losses, f"generalized_{form}categorical_crossentropy")
        slope = gradient(lambda x, f=loss, y=label: f(y, x, q), y_pred)[0]
        # Probabilities are divided by their sum, of which the other one is a part.
        expected = -(y_pred[0, 0] ** (q - 1)) * y_pred[0, 1]
        np.testing.assert_allclose(slope[0], expected, rtol=1e-5)


def test_probabilities_of_0_have_a_finite_gradient():
    """In Keras 3.15.1, it is infinite for the loss below and NaN for its sum."""
    p = np.float32([[0, 1, 0], [0, 0, 1], [0.5, 0.5, 0]])
    for name in ("generalized", "symmetric"):
        for form, labels in (("sparse_", [0, 0, 2]), ("", np.eye(3)[[0, 0, 2]])):
            loss = getattr(losses, f"{name}_{form}categorical_crossentropy")
            assert np.isfinite(array(loss(labels, p))).all()
            assert np.isfinite(gradient(lambda p, f=loss, y=labels: f(y, p), p)).all()


def test_the_gradient_of_symmetric_crossentropy():
    alpha, beta, log_zero = 0.5, 2.0, -3.0

    def loss(z):
        return losses.symmetric_categorical_crossentropy(
            ONE_HOT, z, alpha, beta, log_zero, from_logits=True
        )

    with wide():
        slope = gradient(loss, Z)
    own = P[np.arange(8), LABELS][:, None]
    expected = (alpha - beta * log_zero * own) * (P - ONE_HOT)
    np.testing.assert_allclose(slope, expected, rtol=1e-10, atol=1e-14)


def test_both_forms_of_symmetric_crossentropy_agree():
    for from_logits, predictions in ((True, Z), (False, P * 7), (False, ONE_HOT)):
        options = {"log_zero": -3.0, "from_logits": from_logits}
        with wide():
            dense, sparse = (
                array(loss(labels, predictions, **options))
                for loss, labels in (
                    (losses.symmetric_categorical_crossentropy, ONE_HOT),
                    (losses.symmetric_sparse_categorical_crossentropy, LABELS),
                )
            )
        np.testing.assert_allclose(dense, sparse, rtol=1e-12, atol=1e-15)


def test_soft_labels_are_clipped_at_the_logarithm_of_0():
    y = np.array([[0.9, 0.1, 0.0], [0.98, 0.01, 0.01]])
    with wide():
        actual = losses.symmetric_categorical_crossentropy(
            y, P[:2, :3], alpha=0.0, log_zero=-4.0
        )
    p = P[:2, :3] / P[:2, :3].sum(-1, keepdims=True)
    log_y = np.log([[0.9, 0.1, np.exp(-4)], [0.98, np.exp(-4), np.exp(-4)]])
    np.testing.assert_allclose(array(actual), -(p * log_y).sum(-1), rtol=1e-12)
