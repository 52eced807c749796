"""Class-balanced weights, and the counts that losses for long-tailed data take."""

import numpy as np
import pytest

from tests.tools import array
from tests.tools import gradient
from tests.tools import wide
from tfx_extras import losses

# What follows from the formula. The contracts test values and gradients everywhere.
pytestmark = pytest.mark.only("torch")
COUNTS = [1000, 100, 10]
RANDOM = np.random.default_rng(2007)
Z = RANDOM.normal(size=(6, 3)) * 3
LABELS = np.array([0, 1, 2, 2, 1, 0])


@pytest.mark.parametrize("beta", [0.9, 0.999, 0.9999])
def test_weights_are_the_inverse_of_effective_numbers(beta):
    weights = losses.effective_number_weights(COUNTS, beta)
    inverse = np.array([(1 - beta) / (1 - beta**n) for n in COUNTS])
    np.testing.assert_allclose(weights, inverse / inverse.mean(), rtol=1e-9)
    assert all(type(weight) is float for weight in weights)


def test_the_bounds_of_beta():
    assert losses.effective_number_weights(COUNTS, 0.0) == [1.0, 1.0, 1.0]
    inverse = 1 / np.array(COUNTS)
    expected = inverse / inverse.mean()
    weights = losses.effective_number_weights(np.array(COUNTS), 1)
    np.testing.assert_allclose(weights, expected, rtol=1e-12)
    weights = losses.effective_number_weights(COUNTS, 1 - 1e-13)
    np.testing.assert_allclose(weights, expected, rtol=1e-9)
    with pytest.raises(ValueError, match=r"`beta` must be in \[0, 1\].* beta=1.5"):
        losses.effective_number_weights(COUNTS, 1.5)


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ([3, 0, 2], r"in \(0, inf\) .*once.* class_counts(\[1\]=0|=\[3, 0, 2\])"),
        ([3, 1, -2], r"class_counts(\[2\]=-2|=\[3, 1, -2\])"),
        ([float("nan"), 1, 2], r"class_counts(\[0\]=nan|=\[nan, 1, 2\])"),
        ([3, float("inf"), 2], r"class_counts(\[1\]=inf|=\[3, inf, 2\])"),
        ([], r"one number for each .*class.* class_counts.shape=\(0,\)"),
        (np.ones((3, 1)), r"one number for each .*class.*shape=\(3, 1\)"),
    ],
)
def test_counts_must_be_positive(counts, said):
    for make in (
        losses.LogitAdjustedCrossentropy,
        losses.LDAMLoss,
        losses.effective_number_weights,
        lambda n: losses.logit_adjusted_crossentropy(LABELS, Z, n),
        lambda n: losses.ldam_loss(LABELS, np.tanh(Z), n),
    ):
        with pytest.raises(ValueError, match="`class_counts` must .*" + said) as raised:
            # The functions know the number of classes.
            make(counts)
        assert "Received: class_counts" in str(raised.value)


@pytest.mark.parametrize("counts", [[1, 2], [1, 2, 3, 4]])
def test_there_must_be_a_count_for_each_class(counts):
    for loss in (losses.LogitAdjustedCrossentropy(counts), losses.LDAMLoss(counts)):
        with pytest.raises(
            ValueError, match=r"each of the 3 classes\. Received: class"
        ):
            loss(LABELS, np.tanh(Z))


def test_counts_of_numpy_are_saved_as_a_list():
    loss = losses.LogitAdjustedCrossentropy(np.bincount([0, 0, 1, 2]))
    assert loss.get_config()["class_counts"] == [2, 1, 1]
    assert type(loss.class_counts[0]) is int


def test_adjusted_crossentropy_is_that_of_logits_plus_the_logarithm_of_the_counts():
    def loss(z):
        return losses.logit_adjusted_crossentropy(LABELS, z, COUNTS)

    with wide():
        z = Z + np.log(COUNTS)
        expected = losses.smoothed_sparse_categorical_crossentropy(
            LABELS, z, label_smoothing=0.0, from_logits=True
        )
        np.testing.assert_allclose(array(loss(Z)), array(expected), rtol=1e-12)
        slope = gradient(loss, Z)
    p = np.exp(z) / np.exp(z).sum(-1, keepdims=True)
    np.testing.assert_allclose(slope, p - np.eye(3)[LABELS], rtol=1e-10, atol=1e-14)


def test_many_classes_are_adjusted_too():
    """Long rows of logits take another path."""
    counts = np.arange(1, 5001)
    z = RANDOM.normal(size=(3, 5000)).astype("float32")
    labels = np.array([0, 4999, 17])

    def loss(z, smoothing=0.0):
        return losses.logit_adjusted_crossentropy(
            labels, z, counts, label_smoothing=smoothing
        )

    adjusted = z + np.log(counts / counts.sum())
    shifted = np.exp(adjusted - adjusted.max(-1, keepdims=True))
    p = shifted / shifted.sum(-1, keepdims=True)
    rows = np.arange(3)
    np.testing.assert_allclose(array(loss(z)), -np.log(p[rows, labels]), rtol=1e-5)
    p[rows, labels] -= 1
    np.testing.assert_allclose(gradient(loss, z), p, rtol=1e-4, atol=1e-8)
    smoothed = array(loss(z, 1e-7))
    np.testing.assert_allclose(smoothed, array(loss(z)), rtol=1e-5)


def test_ldam_loss_of_equal_counts_has_one_margin():
    cosines = np.tanh(Z)
    with wide():
        actual = losses.ldam_loss(LABELS, cosines, [7, 7, 7], 0.35, 16.0)
        expected = losses.cos_face_loss(LABELS, cosines, 0.35, 16.0)
        np.testing.assert_allclose(array(actual), array(expected), rtol=1e-12)
