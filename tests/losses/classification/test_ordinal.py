"""Distributions over ordered classes, and the probabilities that logits stand for."""

import keras
import numpy as np
import pytest

from tests.losses.cases.classification.ordinal import distributions
from tests.losses.cases.classification.ordinal import logits
from tests.losses.cases.classification.ordinal import probabilities
from tests.losses.cases.classification.ordinal import thresholds
from tests.references import ordinal as references
from tests.tools import array
from tests.tools import gradient
from tests.tools import looked_at
from tests.tools import values_and_gradient
from tests.tools import wide
from tfx_extras import losses

# What follows from the formula. The contracts test values and gradients everywhere.
pytestmark = pytest.mark.only("torch")
each_kind = pytest.mark.parametrize("conditional", [False, True])


@each_kind
@pytest.mark.parametrize(
    ("dtype", "tolerance"), [("float32", 3e-6), ("float64", 1e-12)]
)
def test_probabilities_are_those_of_their_reference(conditional, dtype, tolerance):
    z = np.sort(np.clip(logits(), -12, 12), -1)[:, ::-1].astype(dtype)
    with wide():
        p = losses.ordinal_probabilities(z, conditional)
        assert keras.backend.standardize_dtype(p.dtype) == dtype
        p = array(p)
    expected = references.ordinal_probabilities(z, conditional)
    np.testing.assert_allclose(p, expected, rtol=tolerance, atol=1e-15)
    np.testing.assert_allclose(p.sum(-1), 1, rtol=1e-6)
    assert (p >= 0).all()


@each_kind
def test_extreme_logits_have_probabilities(conditional):
    z = [[1e4, 1e4, 1e4], [-1e4, -1e4, -1e4], [1e4, -1e4, -1e4], [100.0, 0, -100]]
    p = array(losses.ordinal_probabilities(z, conditional))
    expected = [[0, 0, 0, 1], [1, 0, 0, 0], [0, 1, 0, 0], [0, 0.5, 0.5, 0]]
    np.testing.assert_allclose(p, expected, atol=1e-6)
    slopes = gradient(
        lambda x: losses.ordinal_probabilities(x, conditional)[:, 0], np.float32(z)
    )
    assert np.isfinite(slopes).all()


def test_small_probabilities_keep_their_digits():
    z = np.float32([[20, 18, 17.5], [-3, -19, -20]])
    for conditional in (False, True):
        p = array(losses.ordinal_probabilities(z, conditional))
        expected = references.ordinal_probabilities(z, conditional)
        np.testing.assert_allclose(p, expected, rtol=1e-5)


def test_probabilities_need_logits_with_an_axis():
    with pytest.raises(ValueError, match=r"`logits` must .* logits\.shape=\(\)"):
        losses.ordinal_probabilities(1.0, True)
    with pytest.raises(ValueError, match="`logits` must hold numbers"):
        losses.ordinal_probabilities(None, True)


def test_corn_trains_the_conditional_probabilities():
    """The loss is the likelihood of the probabilities, over all pairs."""
    y, z = thresholds()
    z = np.clip(z, -8, 8)
    p = references.ordinal_probabilities(z, True)
    likelihood = -np.log(p[np.arange(len(y)), y]).sum()
    pairs = np.minimum(y + 1, 4).sum()
    actual = array(losses.CornLoss()(y, z.astype("float32")))
    np.testing.assert_allclose(actual, likelihood / pairs, rtol=1e-5)


def test_corn_ignores_thresholds_above_the_class():
    z = np.float32([[1, np.nan, -3], [1, 2, np.inf], [1, 2, 3]])
    values, slopes = values_and_gradient(lambda x: losses.corn_loss([0, 1, 3], x), z)
    assert np.isfinite(values).all()
    assert np.isfinite(slopes).all()
    assert (slopes[0, 1:] == 0).all()
    assert slopes[1, 2] == 0


@pytest.mark.parametrize("function", [losses.coral_loss, losses.corn_loss])
def test_extreme_logits_have_a_finite_loss(function):
    z = np.float32([[1e4, -1e4], [-1e4, 1e4], [-1e4, -1e4]])
    values, slopes = values_and_gradient(lambda x: function([2, 0, 0], x), z)
    assert np.isfinite(values).all()
    assert (values >= 0).all()
    assert np.isfinite(slopes).all()


@pytest.mark.parametrize("function", [losses.coral_loss, losses.corn_loss])
def test_a_class_beyond_the_thresholds_is_an_error(function):
    with looked_at(), pytest.raises(ValueError, match=r"classes in \[0, 3\)"):
        function([0, 3], np.zeros((2, 2), "float32"))


@pytest.mark.parametrize("weights", [[1.0], [1.0, 1.0, 1.0], [[1.0, 1.0]]])
def test_coral_needs_one_weight_per_threshold(weights):
    with pytest.raises(ValueError, match=r"`threshold_weight` must .* 2 thresholds"):
        losses.coral_loss([0], np.zeros((1, 2), "float32"), weights)
    with pytest.raises(ValueError, match=r"`threshold_weight\[1\]` must be in"):
        losses.CoralLoss(threshold_weight=[1.0, -1.0])


@pytest.mark.parametrize("r", [1.0, 1.5, 2.0, 4.0])
@pytest.mark.parametrize("root", [True, False])
def test_classes_and_one_hot_labels_mean_the_same(r, root):
    y, p = probabilities()
    arguments = {"r": r, "root": root}
    with wide():
        sparse = array(losses.earth_mover_loss(y, p, **arguments))
        dense = array(losses.earth_mover_loss(np.eye(5)[y], p, **arguments))
    np.testing.assert_allclose(dense, sparse, rtol=1e-10)


@pytest.mark.parametrize("r", [1.0, 1.5, 2.0, 4.0])
@pytest.mark.parametrize("root", [True, False])
def test_equal_distributions_have_loss_and_gradient_0(r, root):
    same = np.float32([[0.25, 0.5, 0.25], [0, 1, 0], [1, 0, 0]])
    for y, p in ((same, same), (np.array([1, 0]), same[1:])):
        values, slopes = values_and_gradient(
            lambda x, y=y: losses.earth_mover_loss(y, x, r=r, root=root), p
        )
        np.testing.assert_array_equal(values, 0)
        assert np.isfinite(slopes).all()
        if y.ndim > 1 and r > 1:
            np.testing.assert_array_equal(slopes, 0)


@pytest.mark.parametrize("r", [1.0, 2.0])
def test_a_farther_class_costs_more_and_the_farthest_almost_1(r):
    p = np.eye(5, dtype="float32")
    values = array(losses.earth_mover_loss(np.zeros(5, "int32"), p, r=r))
    np.testing.assert_allclose(values, (np.arange(5) / 5) ** (1 / r), rtol=1e-6)
    mirrored = array(losses.earth_mover_loss(np.full(5, 4), p[::-1].copy(), r=r))
    np.testing.assert_allclose(mirrored, values, rtol=1e-6)


def test_the_distance_is_symmetric():
    labels, p = distributions()
    with wide():
        one = array(losses.earth_mover_loss(labels, p, r=3.0))
        other = array(losses.earth_mover_loss(p, labels, r=3.0))
    np.testing.assert_allclose(one, other, rtol=1e-12)


def test_losses_of_sure_logits_keep_their_digits():
    z = np.float32([[0, 18, 1, 2], [60, 0, 0, 0], [0, 0, 0, 80]])
    y = np.array([1, 0, 3])
    for root in (True, False):
        arguments = {"from_logits": True, "root": root}
        expected = references.earth_mover_loss(y, z, **arguments)
        actual = array(losses.earth_mover_loss(y, z, **arguments))
        least = 0 if root else 1e-37  # the squares are not normal numbers
        np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=least)
