"""Values of overlap losses that users rely on, and weights of pixels and classes."""

import functools

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from keras import ops

from tests.losses.cases.vision.overlap import FAMILY
from tests.losses.cases.vision.overlap import images
from tests.losses.cases.vision.overlap import masks
from tests.references import overlap as references
from tests.tools import array
from tests.tools import gradient
from tests.tools import values_and_gradient
from tests.tools import wide
from tfx_extras import losses

# What follows from the formula. The contracts test values and gradients everywhere.
pytestmark = pytest.mark.only("torch")
few = settings(max_examples=20, deadline=None, derandomize=True, database=None)
each_loss = pytest.mark.parametrize("name", FAMILY)


def both(name):
    return getattr(losses, name), getattr(losses, f"sparse_{name}")


@each_loss
@pytest.mark.parametrize("size", [4, 16])
def test_an_empty_image_costs_what_is_predicted_wrongly(name, size):
    loss, _ = both(name)
    y = np.zeros((3, 5, 4, 1))
    q = np.zeros((3, 20))
    q[1, :size], q[2] = 1, 1
    actual = array(loss(y, q.reshape(y.shape)))
    if name == "generalized_dice_loss":  # all weights are 0
        expected = np.zeros(3)
    else:
        alpha = {"dice_loss": 0.5, "jaccard_loss": 1.0, "tversky_loss": 0.5}
        n = np.array([0, size, 20]) * alpha.get(name, 0.3)
        expected = n / (n + 1)
        if name == "focal_tversky_loss":
            expected = expected**0.75
    np.testing.assert_allclose(actual, expected, rtol=1e-6)


@each_loss
def test_nothing_true_and_nothing_predicted_costs_nothing_without_smoothing(name):
    loss, _ = both(name)
    y, q = np.zeros((2, 4, 1), "float32"), np.zeros((2, 4, 1), "float32")
    y[1] = q[1] = 1
    found = values_and_gradient(lambda x: loss(y, x, smooth=0.0), q)
    np.testing.assert_array_equal(found[0], 0)
    assert np.isfinite(found[1]).all()
    np.testing.assert_array_equal(found[1][0], 0)


@each_loss
def test_labels_of_both_forms_agree(name):
    dense, sparse = both(name)
    labels, z = images()
    y = np.eye(3)[labels]
    weights = np.arange(24).reshape(8, 3) % 3
    for kwargs in (
        {},
        {"over": "batch"},
        {"class_weight": [1, 2, 0]},
        {"ignore_class": 2},
        {"sample_weight": weights},
        {"sample_weight": weights[..., None]},
    ):
        with wide():
            one = array(dense(y, z, activation="softmax", **kwargs))
            other = array(sparse(labels, z, activation="softmax", **kwargs))
        np.testing.assert_allclose(one, other, rtol=1e-12)


@each_loss
@few
@given(st.data())
def test_it_is_between_0_and_1_and_grows_with_every_error(name, data):
    loss, _ = both(name)
    draw = st.lists(st.integers(0, 16), min_size=12, max_size=12)
    y = np.array(data.draw(draw)).reshape(2, 6, 1) % 2
    y[:, 0] = 1  # without a true pixel, the generalized Dice loss is 0
    q = np.array(data.draw(draw)).reshape(2, 6, 1) / 16
    place = data.draw(st.integers(0, 5))
    worse = q.copy()
    worse[:, place] = 1 - y[:, place]
    with wide():
        before, after = array(loss(y, q)), array(loss(y, worse))
    assert (before >= 0).all()
    assert (after <= 1).all()
    assert (after >= before - 1e-12).all()


@each_loss
def test_pixels_of_weight_0_may_hold_anything(name):
    loss, sparse = both(name)
    labels, z = images()
    weights = np.ones(labels.shape, "float32")
    weights[:, 1] = 0
    expected = array(
        loss(
            np.eye(3)[labels[:, ::2]], z[:, ::2].astype("float32"), activation="softmax"
        )
    )
    z = z.astype("float32")
    z[::2, 1], z[1::2, 1] = np.nan, np.inf
    for function, y in ((loss, np.eye(3)[labels]), (sparse, labels)):

        def compute(x, function=function, y=y):
            return function(y, x, activation="softmax", sample_weight=weights)

        actual, slope = values_and_gradient(compute, z)
        np.testing.assert_allclose(actual, expected, rtol=1e-6)
        np.testing.assert_array_equal(slope[:, 1], 0)
        assert np.isfinite(slope).all()


def test_a_small_loss_keeps_its_digits():
    """The difference of two overlaps would be rounded to a multiple of 1e-7."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, (2, 64, 64, 1)).astype("float32")
    z = ((2 * y - 1) * rng.integers(17, 22, y.shape)).astype("float32")
    for name, shape in (("sigmoid", y.shape), ("softmax", (*y.shape[:-1], 2))):
        labels, logits = y, z
        if name == "softmax":
            labels = np.concatenate([1 - y, y], -1)
            logits = np.concatenate([np.zeros_like(z), z], -1)
        assert labels.shape == shape
        actual = array(losses.dice_loss(labels, logits, activation=name))
        expected = references.dice_loss(
            labels.astype("float64"), logits.astype("float64"), activation=name
        )
        assert (expected < 1e-7).all()
        np.testing.assert_allclose(actual, expected, rtol=1e-5)


@pytest.mark.parametrize("activation", [None, "sigmoid", "softmax"])
@pytest.mark.parametrize("ignore_class", [None, 1])
def test_large_images_have_the_same_gradient(activation, ignore_class):
    """Their gradient is not the automatic one, which given weights ask for."""
    rng = np.random.default_rng(0)
    y = np.eye(3)[rng.integers(0, 3, (2, 64, 64))]
    y[:, :8] = rng.integers(1, 16, (2, 8, 64, 3)) / 32
    q = rng.integers(1, 16, y.shape) / 16
    x = q if activation is None else 8 * q - 4
    kwargs = {"activation": activation, "ignore_class": ignore_class}

    def of_predictions(weights):
        return values_and_gradient(
            lambda x: losses.tversky_loss(
                y, x, 0.25, 2.0, sample_weight=weights, **kwargs
            ),
            x,
        )

    def of_labels(weights):
        return gradient(
            lambda y: losses.tversky_loss(
                y, x, 0.25, 2.0, sample_weight=weights, **kwargs
            ),
            y,
        )

    for function in (of_predictions, of_labels):
        pairs = zip(function(None), function(np.ones(y.shape[:-1])), strict=True)
        for actual, expected in pairs:
            scale = np.abs(expected).max()
            np.testing.assert_allclose(actual, expected, rtol=1e-9, atol=1e-9 * scale)


def test_the_classes_are_weighed():
    y, z = np.eye(3)[images()[0]], images()[1]
    each = [
        array(losses.dice_loss(y, z, activation="softmax", class_weight=row))
        for row in np.eye(3)
    ]
    actual = losses.dice_loss(y, z, activation="softmax", class_weight=[1, 2, 5])
    expected = np.average(each, axis=0, weights=[1, 2, 5])
    np.testing.assert_allclose(array(actual), expected, rtol=1e-6)


def test_alpha_weighs_false_positives_and_beta_false_negatives():
    """Keras up to 3.15.1 has them the other way round."""
    y, q = np.array([[[1], [0], [0], [0]]]), np.ones((1, 4, 1))
    for alpha, beta, expected in ((1.0, 0.0, 0.75), (0.0, 1.0, 0.0)):
        actual = losses.tversky_loss(y, q, alpha, beta, smooth=0.0)
        np.testing.assert_allclose(array(actual), [expected], rtol=1e-6)


def test_the_three_names_are_one_family():
    y, z = masks()
    dice = losses.dice_loss(y, z, activation="sigmoid")
    half = losses.tversky_loss(y, z, 0.5, 0.5, activation="sigmoid")
    np.testing.assert_array_equal(array(dice), array(half))
    jaccard = losses.jaccard_loss(y, z, smooth=0.0, activation="sigmoid")
    dice = array(losses.dice_loss(y, z, smooth=0.0, activation="sigmoid"))
    np.testing.assert_allclose(array(jaccard), 2 * dice / (1 + dice), rtol=1e-6)


def test_a_weight_of_an_image_is_not_a_weight_of_its_pixels():
    y, z = images()
    loss = losses.SparseDiceLoss(activation="softmax")
    values = array(losses.sparse_dice_loss(y, z, activation="softmax"))
    weights = np.arange(8) / 4
    actual = array(loss(y, z, weights))
    np.testing.assert_allclose(actual, (values * weights).mean(), rtol=1e-6)
    twice = array(loss(y, z, np.full(y.shape, 2.0)))  # smoothing is in pixels
    assert twice > 2 * values.mean()


def test_two_images_of_a_batch_are_one_image():
    y, z = images()
    actual = losses.sparse_dice_loss(y, z, activation="softmax", over="batch")
    joined = losses.sparse_dice_loss(
        y.reshape(1, -1), z.reshape(1, -1, 3), activation="softmax"
    )
    np.testing.assert_allclose(array(actual), array(joined).repeat(8), rtol=1e-6)


def test_the_slope_of_a_root_is_finite_at_0():
    y = np.ones((1, 4, 1), "float32")
    slope = gradient(lambda x: losses.focal_tversky_loss(y, x), y)
    assert np.isfinite(slope).all()
    assert (slope < 0).all()
    assert array(losses.focal_tversky_loss(y, y)) == 0


@pytest.mark.only("tensorflow", "jax", "torch")
def test_tiny_probabilities_of_an_absent_class_have_no_slope():
    """The loss is 1 for all of them. The square of their sum underflows."""
    y, q = np.zeros((1, 4, 1), "float32"), np.full((1, 4, 1), 1e-31, "float32")
    for name in ("dice_loss", "jaccard_loss", "tversky_loss"):
        loss, _ = both(name)
        compute = functools.partial(loss, y, smooth=0.0)
        value, slope = values_and_gradient(compute, q)
        np.testing.assert_allclose(value, 1.0)
        np.testing.assert_array_equal(slope, 0.0)


@pytest.mark.parametrize("logits", [0.0, 1e4, -1e4, float("inf")])
def test_extreme_logits_have_finite_gradients(logits):
    y = np.array([[[1], [0], [1], [0]]], "float32")
    z = np.full(y.shape, logits, "float32")
    for name in FAMILY:
        loss, _ = both(name)
        for gamma in ({}, {"gamma": 0.5}) if "tversky" in name else ({},):
            value, slope = values_and_gradient(
                lambda x, loss=loss, gamma=gamma: loss(
                    y, x, activation="sigmoid", **gamma
                ),
                z,
            )
            assert np.isfinite(value).all()
            assert np.isfinite(slope).all()


def test_errors_name_the_cause_and_the_cure():
    y, q = np.zeros((2, 3, 4)), np.zeros((2, 3, 4))
    with pytest.raises(ValueError, match=r"For integer labels, use `SparseDiceLoss`"):
        losses.dice_loss(y[..., 0], q)
    with pytest.raises(ValueError, match=r"For one-hot labels, use `DiceLoss`"):
        losses.sparse_dice_loss(y, q)
    with pytest.raises(ValueError, match=r'Did you mean activation="sigmoid"'):
        losses.dice_loss(y, q - 1)
    with pytest.raises(ValueError, match=r'must be "sigmoid" for a single class'):
        losses.dice_loss(y[..., :1], q[..., :1], activation="softmax")
    with pytest.raises(ValueError, match=r"one weight per pixel, of shape \(2, 3\)"):
        losses.dice_loss(y, q, sample_weight=np.ones(2))
    with pytest.raises(ValueError, match=r"must have a positive weight"):
        losses.DiceLoss(class_weight=[0.0, 0.0])
    with pytest.raises(ValueError, match=r"must have one weight for each of the 4"):
        losses.dice_loss(y, q, class_weight=[1.0, 2.0])
    with pytest.raises(ValueError, match=r"must hold classes in \[0, 4\)"):
        losses.sparse_dice_loss(y[..., 0] + 4, q)
    with pytest.raises(ValueError, match=r"`over` must be one of sample, batch"):
        losses.dice_loss(y, q, over="image")


@pytest.mark.only("tensorflow")  # PyTorch checks the labels
def test_a_label_out_of_range_is_nan_in_a_compiled_function():
    import tensorflow as tf

    y, z = images()
    y[3, 1] = 3
    for over in ("sample", "batch"):
        loss = tf.function(
            lambda y, z, over=over: losses.sparse_dice_loss(
                y, z, activation="softmax", over=over
            ),
            jit_compile=True,
        )
        is_nan = np.isnan(array(loss(ops.convert_to_tensor(y), z)))
        np.testing.assert_array_equal(is_nan, np.arange(8) == 3)


def test_it_can_be_combined_with_a_cross_entropy():
    y, z = images()
    loss = losses.SparseDiceLoss(activation="softmax") + (
        0.5 * losses.SmoothedSparseCategoricalCrossentropy(0.0, from_logits=True)
    )
    dice = array(losses.sparse_dice_loss(y, z, activation="softmax")).mean()
    entropy = losses.smoothed_sparse_categorical_crossentropy(
        y, z, 0.0, from_logits=True
    )
    actual = array(loss(y, z))
    np.testing.assert_allclose(actual, dice + 0.5 * array(entropy).mean(), rtol=1e-6)
    assert keras.backend.standardize_dtype(loss(y, z).dtype) == "float32"
