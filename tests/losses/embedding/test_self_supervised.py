"""Collapsed embeddings, views that agree, and batches of one or two samples."""

import keras
import numpy as np
import pytest
from keras import ops

from tests.losses.cases.embedding.self_supervised import views
from tests.references import self_supervised as references
from tests.tools import array
from tests.tools import values_and_gradient
from tfx_extras import losses

# What follows from the formula. The contracts test values and gradients everywhere.
pytestmark = pytest.mark.only("torch")
FUNCTIONS = [losses.vicreg_loss, losses.barlow_twins_loss]
each_loss = pytest.mark.parametrize("function", FUNCTIONS)


@pytest.mark.parametrize(
    ("function", "worst"),
    [(losses.vicreg_loss, 24.75), (losses.barlow_twins_loss, 5.0)],
)
@pytest.mark.parametrize("at", [0.0, 1.0, -3e4])
def test_collapsed_embeddings_have_a_known_loss_and_no_gradient(function, worst, at):
    z = np.full((6, 2, 5), at, "float32")
    values, slopes = values_and_gradient(lambda x: function(None, x), z)
    np.testing.assert_allclose(values, worst, rtol=1e-6)
    np.testing.assert_array_equal(slopes, 0)


@each_loss
def test_one_sample(function):
    """The variance counts as 0, and only the distance of the views has a gradient."""
    z = views()[1][:1].astype("float32")
    values, slopes = values_and_gradient(lambda x: function(None, x), z)
    if function is losses.vicreg_loss:
        apart = z[:, 0] - z[:, 1]
        collapsed = 25 * (1 - 1e-4**0.5)
        np.testing.assert_allclose(values, 25 * (apart**2).mean() + collapsed, 1e-6)
        expected = 25 * 2 / 5 * np.stack([apart, -apart], axis=1)
        np.testing.assert_allclose(slopes, expected, 1e-6)
        return
    np.testing.assert_array_equal(values, 5)
    np.testing.assert_array_equal(slopes, 0)


def test_perfect_views_cost_nothing():
    """Equal views, with features that vary by more than 1 and do not correlate."""
    signs = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]], "float32")
    z = np.stack([4 * signs, 4 * signs], axis=1)
    np.testing.assert_array_equal(array(losses.vicreg_loss(None, z)), 0)
    assert (array(losses.barlow_twins_loss(None, z)) < 1e-11).all()


@each_loss
def test_the_order_of_samples_views_and_features_does_not_matter(function):
    z = views()[1].astype("float32")
    values = array(function(None, z))
    for turned, expected in (
        (z[::-1], values[::-1]),
        (z[:, ::-1], values),
        (z[..., ::-1], values),
    ):
        actual = array(function(None, turned.copy()))
        np.testing.assert_allclose(actual, expected, rtol=3e-6)


@each_loss
def test_views_may_be_separate_tensors_and_labels_are_ignored(function):
    z = views()[1].astype("float32")
    expected = array(function(None, z))
    two = [ops.convert_to_tensor(z[:, v]) for v in range(2)]
    for given in (two, tuple(two)):
        np.testing.assert_array_equal(array(function(np.arange(8), given)), expected)
    with pytest.raises(ValueError, match=r"`y_pred` must .* Received: "):
        function(None, two[:1])


def test_barlow_twins_does_not_depend_on_the_scale_and_place_of_features():
    z = views()[1].astype("float32")
    moved = z * np.float32([64, 2, 32, 8, 128]) + np.float32([3, -8, 100, 0, 1])
    expected, actual = (
        array(losses.barlow_twins_loss(None, x, epsilon=1e-12)) for x in (z, moved)
    )
    np.testing.assert_allclose(actual, expected, rtol=3e-5)


def test_barlow_twins_keeps_the_digits_of_views_that_nearly_agree():
    z = np.random.default_rng(0).normal(size=(64, 1, 4)).repeat(2, axis=1)
    z[:, 1] += 1e-4 * np.random.default_rng(1).normal(size=(64, 4))
    z = z.astype("float32")
    options = {"off_diagonal": 0.0, "epsilon": 1e-12}
    expected = references.barlow_twins_loss(None, z.astype("float64"), **options)
    assert 0 < expected[0] < 1e-14
    actual = array(losses.barlow_twins_loss(None, z, **options))
    np.testing.assert_allclose(actual, expected, rtol=1e-3)


@each_loss
def test_nan_stays(function):
    z = views()[1].astype("float32")
    z[3, 1, 2] = np.nan
    assert np.isnan(array(function(None, z))).all()


@pytest.mark.parametrize("cls", [losses.VICRegLoss, losses.BarlowTwinsLoss])
def test_training_with_two_views_lowers_the_loss_without_labels(cls):
    x = views(shape=(16, 2, 5))[1].astype("float32")
    model = keras.Sequential([keras.Input((2, 5)), keras.layers.Dense(4)])
    model.compile(keras.optimizers.Adam(0.05), cls())
    before = model.evaluate(x, verbose=0)
    model.fit(x, epochs=5, verbose=0)
    assert model.evaluate(x, verbose=0) < before
