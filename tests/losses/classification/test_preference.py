"""Known values, extremes, and log-probabilities of sequences."""

import keras
import numpy as np
import pytest
from keras import ops

from tests.losses.cases.classification.preference import means
from tests.losses.cases.classification.preference import sums
from tests.references import preference as references
from tests.tools import array
from tests.tools import fused
from tests.tools import gradient
from tests.tools import values_and_gradient
from tests.tools import wide
from tfx_extras import losses

# What follows from the formula. The contracts test values and gradients everywhere.
pytestmark = pytest.mark.only("torch")
WITH_REFERENCE = [losses.dpo_loss, losses.ipo_loss]
WITHOUT_REFERENCE = [losses.orpo_loss, losses.simpo_loss, losses.reward_loss]
LOG2 = np.log(2.0)


def test_a_model_that_equals_its_reference_has_a_known_loss():
    y = sums()[1].astype("float32")
    np.testing.assert_allclose(array(losses.dpo_loss(y, y)), LOG2, rtol=1e-6)
    np.testing.assert_allclose(array(losses.ipo_loss(y, y, beta=0.5)), 1, rtol=1e-6)


@pytest.mark.parametrize(
    "function",
    [losses.dpo_loss, losses.simpo_loss, losses.reward_loss, losses.orpo_loss],
)
def test_loss_falls_with_the_preference_for_the_chosen_response(function):
    y = -np.linspace(9, 0.1, 40, dtype="float32")
    pairs = np.stack([y, np.full_like(y, -2)], axis=-1)
    y_true = np.full_like(pairs, -2) if function is losses.dpo_loss else None
    values, slopes = values_and_gradient(lambda x: function(y_true, x), pairs)
    assert (np.diff(values) < 0).all()
    assert (slopes[:, 0] < 0).all()
    assert (slopes[:, 1] > 0).all()


def test_only_differences_matter_where_the_formula_has_no_other():
    y_true, y_pred = (y.astype("float32") for y in sums())
    for function in WITH_REFERENCE:
        expected = array(function(y_true, y_pred))
        moved = array(function(y_true + np.float32(8), y_pred - np.float32(16)))
        np.testing.assert_allclose(moved, expected, rtol=1e-6)
    expected = array(losses.simpo_loss(None, y_pred))
    moved = array(losses.simpo_loss(None, y_pred - np.float32(16)))
    np.testing.assert_allclose(moved, expected, rtol=1e-6)


def test_label_smoothing_is_a_mixture_of_both_preferences():
    y_true, y_pred = (y.astype("float32") for y in sums())
    own = array(losses.dpo_loss(y_true, y_pred))
    other = array(losses.dpo_loss(y_true[:, ::-1].copy(), y_pred[:, ::-1].copy()))
    mixed = array(losses.dpo_loss(y_true, y_pred, label_smoothing=0.25))
    np.testing.assert_allclose(mixed, 0.75 * own + 0.25 * other, rtol=1e-6)
    # Its minimum is where the predicted preference is 1 - e.
    h = np.log(3.0) / 0.1
    at = np.float32([[h - 40, -40]])
    slopes = gradient(
        lambda x: losses.dpo_loss(0 * at - 40, x, label_smoothing=0.25), at
    )
    np.testing.assert_allclose(slopes, 0, atol=1e-7)


@pytest.mark.parametrize("function", WITHOUT_REFERENCE)
def test_labels_may_be_missing(function):
    y_pred = means()[1].astype("float32")
    labels = np.zeros(len(y_pred), "float32")
    expected = array(function(labels, y_pred))
    np.testing.assert_array_equal(array(function(None, y_pred)), expected)


@pytest.mark.parametrize("function", WITH_REFERENCE)
def test_a_reference_must_be_given(function):
    with pytest.raises(ValueError, match="under the reference model"):
        function(None, [[-1.0, -2.0]])


@pytest.mark.parametrize("function", [*WITH_REFERENCE, *WITHOUT_REFERENCE])
def test_extremes_have_a_finite_gradient(function):
    y = np.float32([[0, -1e4], [-1e4, 0], [0, 0], [-1e4, -1e4]])
    y_true = y[::-1].copy() if function in WITH_REFERENCE else None
    for found in values_and_gradient(lambda x: function(y_true, x), y):
        assert np.isfinite(found).all()


def test_odds_of_probabilities_near_1_keep_their_digits():
    y_pred = np.float32([[-1e-7, -1e-6], [-3e-20, -1e-20], [-1e-12, -30]])
    expected = references.orpo_loss(None, y_pred.astype("float64"), beta=1.0)
    actual = array(losses.orpo_loss(None, y_pred, beta=1.0))
    np.testing.assert_allclose(actual, expected, rtol=3e-6)


def test_positive_log_probabilities_are_refused_and_rounding_is_not():
    with pytest.raises(ValueError, match=r"not positive.*cross-entropy.* Received: "):
        losses.orpo_loss(None, [[2.0, -1.0]])
    y_pred = np.float32([[1e-6, -1]])
    for found in values_and_gradient(lambda x: losses.orpo_loss(None, x), y_pred):
        assert np.isfinite(found).all()


def test_nan_stays():
    y = np.float32([[-1, np.nan], [-1, -2]])
    fine = np.full_like(y, -3)
    calls = [(function, fine, y) for function in WITH_REFERENCE]
    calls += [(function, y, fine) for function in WITH_REFERENCE]
    calls += [(function, None, y) for function in WITHOUT_REFERENCE]
    calls += [(losses.reward_loss, y[:, 1] + 0, fine)]
    for function, y_true, y_pred in calls:
        values = array(function(y_true, y_pred))
        assert np.isnan(values).tolist() == [True, False], function


def sequences(*shape):
    rng = np.random.default_rng(0)
    labels = rng.integers(-1, 7, shape).astype("int32")
    labels.reshape(-1, shape[-1])[1] = -1
    return labels, rng.normal(size=(*shape, 7)) * 4


@pytest.mark.parametrize("mean", [False, True])
@pytest.mark.parametrize("shape", [(4, 5), (3, 2, 5)])
@pytest.mark.parametrize(
    ("dtype", "tolerance"), [("float32", 3e-6), ("float64", 1e-12)]
)
def test_log_probabilities_are_those_of_the_reference(shape, mean, dtype, tolerance):
    y, z = sequences(*shape)
    z = z.astype("float32").astype(dtype)

    @fused
    def compute(z):
        return losses.sequence_log_probabilities(y, z, mean, ignore_class=-1)

    with wide():
        actual = compute(ops.convert_to_tensor(z))
        assert keras.backend.standardize_dtype(actual.dtype) == dtype
        actual = array(actual)
    expected = references.sequence_log_probabilities(y, z, mean, -1)
    assert actual.shape == expected.shape
    assert actual.reshape(-1)[1] == 0  # no token counts
    np.testing.assert_allclose(actual, expected, rtol=tolerance)


def test_all_tokens_count_by_default():
    y, z = sequences(4, 5)
    y, z = np.abs(y), z.astype("float32")
    for mean in (False, True):
        expected = references.sequence_log_probabilities(y, z.astype("float64"), mean)
        actual = array(losses.sequence_log_probabilities(y, z, mean))
        np.testing.assert_allclose(actual, expected, rtol=3e-6)
        actual = array(losses.sequence_log_probabilities(y[..., None], z, mean))
        np.testing.assert_allclose(actual, expected, rtol=3e-6)


def test_ignored_tokens_have_no_gradient():
    y, z = sequences(4, 5)
    z = z.astype("float32")
    z[y == -1] = 1e4
    for mean in (False, True):
        slopes = gradient(
            lambda z, mean=mean: losses.sequence_log_probabilities(y, z, mean, -1), z
        )
        assert np.isfinite(slopes).all()
        np.testing.assert_array_equal(slopes[y == -1], 0)
        assert (np.abs(slopes[y != -1]).sum(-1) > 0).all()


def test_16_bit_logits_are_summed_in_float32():
    y, z = sequences(4, 5)
    z = ops.cast(z.astype("float32"), "bfloat16")
    actual = losses.sequence_log_probabilities(y, z, ignore_class=-1)
    assert keras.backend.standardize_dtype(actual.dtype) == "float32"
    z = array(ops.cast(z, "float32")).astype("float64")
    expected = references.sequence_log_probabilities(y, z, ignore_class=-1)
    np.testing.assert_allclose(array(actual), expected, rtol=3e-6)


@pytest.mark.parametrize(
    ("labels", "logits"), [((4,), (4, 7)), ((4, 5), (4, 7)), ((4, 4), (4, 5, 7))]
)
def test_shapes_of_sequences_must_match(labels, logits):
    with pytest.raises(ValueError, match=r"Received: "):
        losses.sequence_log_probabilities(np.zeros(labels, "int32"), np.zeros(logits))


def test_the_chunked_crossentropy_computes_the_same_sum():
    y, hidden = sequences(3, 2, 5)
    hidden = hidden.astype("float32")
    kernel = np.random.default_rng(1).normal(size=(7, 7)).astype("float32")
    loss = losses.chunked_linear_crossentropy(y, hidden, kernel, ignore_class=-1)
    expected = array(losses.sequence_log_probabilities(y, hidden @ kernel, False, -1))
    actual = array(-ops.sum(loss, axis=-1))
    np.testing.assert_allclose(actual, expected, rtol=1e-5)
