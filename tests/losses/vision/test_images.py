"""Images that are equal, nearly equal and opposite, and comparison with TensorFlow."""

import numpy as np
import pytest
from keras import ops

from tests.losses.cases.vision.images import images
from tests.references import images as references
from tests.tools import array
from tests.tools import gradient
from tests.tools import values_and_gradient
from tests.tools import wide
from tfx_extras import losses

# JAX has no code of its own here; the contracts test its values and gradients.
pytestmark = pytest.mark.only("tensorflow", "torch")
SMALL = {"filter_size": 3, "filter_sigma": 1.0}
LOSSES = [
    (losses.ssim_loss, SMALL),
    (losses.ms_ssim_loss, SMALL | {"weights": [0.5, 0.5]}),
]
each_loss = pytest.mark.parametrize(("function", "kwargs"), LOSSES)


def large_images(size=176, count=2):
    """Smooth images with noise, and noisy copies."""
    rng = np.random.default_rng(0)
    i = np.arange(size)
    waves = np.sin(i / 9)[:, None] * np.cos(i / 17)
    y = (
        0.5
        + 0.3 * waves[None, :, :, None]
        + 0.1 * rng.normal(size=(count, size, size, 3))
    )
    p = y + 0.1 * rng.normal(size=y.shape)
    return y.astype("float32"), p.astype("float32")


@each_loss
def test_identical_images_have_loss_and_gradient_0(function, kwargs):
    y, _ = images()
    y = y.astype("float32") * 0.7
    values, slopes = values_and_gradient(lambda x: function(y, x, **kwargs), y)
    np.testing.assert_array_equal(values, 0)
    np.testing.assert_array_equal(slopes, 0)


@each_loss
def test_nearly_identical_images_keep_digits(function, kwargs):
    y, _ = images()
    y = y.astype("float32")
    p = y + 1e-4 * np.random.default_rng(1).normal(size=y.shape).astype("float32")
    reference = getattr(references, function.__name__)
    expected = reference(y.astype("float64"), p.astype("float64"), **kwargs)
    assert expected.max() < 1e-5
    np.testing.assert_allclose(array(function(y, p, **kwargs)), expected, rtol=1e-4)


@each_loss
def test_the_loss_is_symmetric_and_bounded(function, kwargs):
    y, p = (x.astype("float32") for x in images())
    one, other = array(function(y, p, **kwargs)), array(function(p, y, **kwargs))
    np.testing.assert_allclose(one, other, rtol=1e-6)
    assert (one >= 0).all()
    assert (one <= 2).all()


@each_loss
def test_the_unit_does_not_matter(function, kwargs):
    y, p = (x.astype("float32") for x in images())
    expected = array(function(y, p, **kwargs))
    actual = array(function(256 * y, 256 * p, max_value=256, **kwargs))
    np.testing.assert_allclose(actual, expected, rtol=1e-6)


def test_images_of_one_color_differ_in_luminance_only():
    a, b = np.float32([0, 0.25, 0.5, 1]), np.float32([0, 0.5, 0.5, 0])
    y, p = (x[:, None, None, None] * np.ones((1, 6, 6, 1), "float32") for x in (a, b))
    expected = (a - b) ** 2 / (a**2 + b**2 + 1e-4)
    actual = array(losses.ssim_loss(y, p, **SMALL))
    np.testing.assert_allclose(actual, expected, rtol=1e-5)
    assert actual[0] == actual[2] == 0


@pytest.mark.parametrize("kind", ["flat", "noise"])
def test_opposite_images_have_a_finite_gradient(kind):
    """tensorflow#50400, tensorflow#57353: NaN from a power of 0."""
    y, _ = images(8, 8, 1)
    y = np.round(y) if kind == "flat" else y
    y = y.astype("float32")
    values, slopes = values_and_gradient(
        lambda x: losses.ms_ssim_loss(y, x, **SMALL, weights=[0.3, 0.3]), 1 - y
    )
    assert np.isfinite(slopes).all()
    assert (values > 0.9).all()
    assert (values <= 1).all()


def test_images_must_be_as_large_as_the_window_at_the_last_scale():
    x = np.zeros((1, 160, 200, 1), "float32")
    with pytest.raises(ValueError, match=r"at least 161 .*=\(1, 160, 200, 1\)"):
        losses.ms_ssim_loss(x, x)
    with pytest.raises(ValueError, match=r"at least 11 .*=\(1, 160, 10, 1\)"):
        losses.ssim_loss(x[:, :, :10], x[:, :, :10])
    with pytest.raises(ValueError, match="For gray images, use"):
        losses.ssim_loss(x[..., 0], x[..., 0])
    with pytest.raises(ValueError, match="`weights` must"):
        losses.ms_ssim_loss(x, x, weights=[])
    with pytest.raises(ValueError, match="`weights` must"):
        losses.MSSSIMLoss(weights=[])
    assert array(losses.ms_ssim_loss(*[np.zeros((1, 161, 161, 1), "float32")] * 2)) == 0


@pytest.mark.only("tensorflow")
@pytest.mark.parametrize(
    "kwargs", [{}, {"filter_size": 7, "filter_sigma": 2.0, "k1": 0.05, "k2": 0.1}]
)
@pytest.mark.parametrize("name", ["ssim", "ssim_multiscale"])
def test_values_and_gradients_are_those_of_tensorflow(name, kwargs):
    import tensorflow as tf

    y, p = large_images(177 if name == "ssim_multiscale" else 40)
    function = losses.ssim_loss if name == "ssim" else losses.ms_ssim_loss
    actual, slopes = values_and_gradient(lambda x: function(y, x, **kwargs), p)
    expected, of_tf = values_and_gradient(
        lambda x: 1 - getattr(tf.image, name)(y, x, 1.0, **kwargs), p
    )
    assert (expected > 0.03).all()
    # TensorFlow's variances lose digits.
    np.testing.assert_allclose(actual, expected, rtol=1e-4)
    largest = np.abs(of_tf).max()
    np.testing.assert_allclose(slopes, of_tf, atol=1e-3 * largest)


@pytest.mark.only("tensorflow")
def test_total_variation_is_that_of_tensorflow():
    import tensorflow as tf

    _, p = large_images(24)
    actual, slopes = values_and_gradient(
        lambda x: losses.total_variation_loss(None, x), p
    )
    expected, of_tf = values_and_gradient(tf.image.total_variation, p)
    np.testing.assert_allclose(actual, expected, rtol=1e-6)
    np.testing.assert_array_equal(slopes, of_tf)


@pytest.mark.parametrize("mean", [False, True])
def test_images_without_neighbors_cost_nothing(mean):
    for shape in ((2, 1, 1, 3), (2, 1, 5, 3), (2, 5, 1, 3)):
        x = np.ones(shape, "float32")
        values, slopes = values_and_gradient(
            lambda x: losses.total_variation_loss(None, x, mean), x
        )
        np.testing.assert_array_equal(values, 0)
        np.testing.assert_array_equal(slopes, 0)


def test_total_variation_does_not_change_with_brightness_and_grows_with_contrast():
    _, x = images()
    with wide():
        one = array(losses.total_variation_loss(None, x))
        brighter = array(losses.total_variation_loss(None, x + 0.5))
        stronger = array(losses.total_variation_loss(None, 4 * x))
    np.testing.assert_allclose(brighter, one, rtol=1e-12)
    np.testing.assert_allclose(stronger, 4 * one, rtol=1e-12)


def test_a_gradient_step_makes_images_more_alike():
    y, p = large_images(24)
    before, slopes = values_and_gradient(lambda x: losses.ssim_loss(y, x), p)
    after = array(losses.ssim_loss(y, ops.convert_to_tensor(p - 10 * slopes)))
    assert (after < before).all()
    assert np.abs(gradient(lambda x: losses.ssim_loss(y, x), p) - slopes).max() == 0
