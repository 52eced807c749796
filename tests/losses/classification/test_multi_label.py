"""Relations of the multi-label losses to each other and to cross-entropy."""

import numpy as np
import pytest

from tests.references import classification as references
from tests.tools import array
from tests.tools import gradient
from tests.tools import wide
from tfx_extras import losses

# What follows from the formula. The contracts test values and gradients everywhere.
pytestmark = pytest.mark.only("torch")
RANDOM = np.random.default_rng(2009)
Z = np.round(RANDOM.normal(size=(6, 5)) * 4 * 1024) / 1024
Y = RANDOM.integers(0, 2, (6, 5)).astype("float64")


def test_asymmetric_loss_with_equal_focus_and_no_margin_is_focal_loss():
    with wide():
        for gamma in (0.0, 1.5):
            actual = losses.asymmetric_loss(Y, Z, gamma, gamma, margin=0.0)
            expected = losses.sigmoid_focal_crossentropy(
                Y, Z, alpha=None, gamma=gamma, from_logits=True
            )
            np.testing.assert_allclose(array(actual), array(expected), rtol=1e-12)


def test_negatives_within_the_margin_have_neither_loss_nor_gradient():
    z = np.float32([[-9, -3, -2.95], [-2.9, 0, -1e4]])  # the margin is at -2.94
    loss, slope = (
        array(losses.asymmetric_loss(np.zeros((2, 3)), z)),
        gradient(lambda z: losses.asymmetric_loss(np.zeros((2, 3)), z), z),
    )
    assert loss[0] == 0
    assert loss[1] > 0
    np.testing.assert_array_equal(slope[0], 0)
    assert (slope[1, :2] > 0).all()
    assert slope[1, 2] == 0


@pytest.mark.parametrize("margin", [1e-30, 1e-6, 0.05, 0.9])
def test_a_margin_of_any_size_loses_no_digits(margin):
    z = np.float32([[16.0], [20.0], [40.0], [1e4]])
    y = np.zeros_like(z)
    actual = array(losses.asymmetric_loss(y, z, gamma_negative=0.0, margin=margin))
    # 1 - q is (1 - p) + m.
    rest = np.exp(-np.logaddexp(0, z.astype("float64"))) + margin
    np.testing.assert_allclose(actual, -np.log(rest)[:, 0], rtol=2e-6)


def test_zlpr_loss_of_one_class_is_binary_crossentropy():
    with wide():
        actual = array(losses.zlpr_loss(Y[:, :1], Z[:, :1]))
    signed = np.where(Y[:, 0] == 1, -Z[:, 0], Z[:, 0])
    np.testing.assert_allclose(actual, np.logaddexp(0, signed), rtol=1e-12)


def test_zlpr_loss_of_a_sample_without_classes():
    actual = array(losses.zlpr_loss(np.zeros((1, 3)), np.zeros((1, 3), "float32")))
    np.testing.assert_allclose(actual, np.log(4), rtol=1e-6)


def test_zlpr_loss_of_exchanged_labels_and_signs_is_the_same():
    with wide():
        one, other = (losses.zlpr_loss(y, z) for y, z in ((Y, Z), (1 - Y, -Z)))
        np.testing.assert_array_equal(array(one), array(other))


def test_zlpr_loss_is_at_least_that_of_each_pair():
    """Each negative logit should be below each positive one."""
    with wide():
        loss = array(losses.zlpr_loss(Y, Z))
    pairs = Z[:, :, None] - Z[:, None]  # negative minus positive
    is_pair = (Y[:, :, None] == 0) & (Y[:, None] == 1)
    assert is_pair.any()
    assert (loss[:, None, None] >= np.where(is_pair, pairs, 0)).all()


@pytest.mark.parametrize("scale", [10.0, 40.0, 80.0])
def test_a_small_zlpr_loss_keeps_its_digits(scale):
    z = np.float32(scale * np.where(Y == 1, 1, -1))
    actual = array(losses.zlpr_loss(Y, z))
    expected = references.zlpr_loss(Y, z.astype("float64"))
    np.testing.assert_allclose(actual, expected, rtol=2e-6)
