"""Weights inside the formula, both kinds of labels, and degenerate batches."""

import keras
import numpy as np
import pytest
from keras import ops

from tests.losses.cases.classification.weighted_kappa import ratings
from tests.references import weighted_kappa as references
from tests.tools import array
from tests.tools import compiled
from tests.tools import gradient
from tests.tools import looked_at
from tfx_extras import losses
from tfx_extras._backend import backend

# What follows from the formula. The contracts test values and gradients everywhere.
pytestmark = pytest.mark.only("torch")
REDUCTIONS = ["sum_over_batch_size", "mean", "mean_with_sample_weight", "sum"]
WEIGHTS = np.float32([1, 0, 2, 0.5, 0, 3, 1, 1, 0, 0.25, 1, 0])


def batch():
    y, p = ratings()
    return y, p.astype("float32")


@pytest.mark.parametrize("weightage", ["linear", "quadratic"])
@pytest.mark.parametrize("shape", [(12,), (12, 1)])
def test_weights_act_within_the_formula(weightage, shape):
    y, p = batch()
    expected = references.weighted_kappa_loss(
        y, p, weightage=weightage, sample_weight=WEIGHTS
    )
    even = references.weighted_kappa_loss(y, p, weightage=weightage)
    assert abs(expected[0] - even[0]) > 0.02
    w = WEIGHTS.reshape(shape)
    actual = losses.weighted_kappa_loss(y, p, weightage=weightage, sample_weight=w)
    np.testing.assert_allclose(array(actual), expected, rtol=3e-6)
    loss = losses.WeightedKappaLoss(weightage=weightage)
    np.testing.assert_allclose(array(loss(y, p, w)), expected[0], rtol=3e-6)


class Marked(keras.layers.Layer):
    def call(self, inputs):
        return ops.copy(inputs)

    def compute_mask(self, inputs, previous_mask):
        return ops.convert_to_tensor(WEIGHTS > 0)


@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum"])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("from_logits", [False, True])
def test_a_sample_of_weight_0_might_as_well_be_missing(reduction, masked, from_logits):
    y, p = batch()
    there = WEIGHTS > 0
    p[np.flatnonzero(~there)[:2]] = [[np.nan], [np.inf]]
    loss = losses.WeightedKappaLoss(reduction=reduction, from_logits=from_logits)

    def with_all(x):
        if masked:
            return loss(y, Marked(autocast=False)(x))
        return loss(y, x, there.astype("float32"))

    expected = array(loss(y[there], p[there]))
    np.testing.assert_allclose(array(with_all(p)), expected, rtol=2e-6)
    slopes = gradient(with_all, p)
    expected = gradient(lambda x: loss(y[there], x), p[there])
    np.testing.assert_allclose(slopes[there], expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(slopes[~there], 0)


@pytest.mark.parametrize("factor", [0.25, 2.0**100, 2.0**-100])
def test_a_common_factor_of_the_weights_does_not_matter(factor):
    y, p = batch()
    loss = losses.WeightedKappaLoss()
    actual = array(loss(y, p, WEIGHTS * np.float32(factor)))
    np.testing.assert_allclose(actual, array(loss(y, p, WEIGHTS)), rtol=1e-6)


def test_a_weight_of_2_is_a_sample_twice():
    y, p = batch()
    loss = losses.WeightedKappaLoss()
    twice = np.repeat(np.arange(12), np.arange(12) % 3)
    actual = array(loss(y, p, np.float32(np.arange(12) % 3)))
    np.testing.assert_allclose(actual, array(loss(y[twice], p[twice])), rtol=2e-6)


@pytest.mark.parametrize("shape", [(12, 2), (6,), (1, 12), (12, 1, 1)])
def test_weights_of_another_shape_are_an_error(shape):
    y, p = batch()
    with pytest.raises(ValueError, match=r"`sample_weight` .* Received: "):
        losses.weighted_kappa_loss(y, p, sample_weight=np.ones(shape, "float32"))


def test_keras_weighs_classes_and_samples_in_fit():
    y, p = batch()
    model = keras.Sequential([keras.Input((5,)), keras.layers.Activation("linear")])
    model.compile(loss=losses.WeightedKappaLoss())
    expected = references.weighted_kappa_loss(y, p, sample_weight=WEIGHTS)[0]
    actual = model.evaluate(p, y, sample_weight=WEIGHTS, batch_size=12, verbose=0)
    np.testing.assert_allclose(actual, expected, rtol=3e-6)


@pytest.mark.parametrize("dtype", ["int32", "int64", "uint8", "float32", "bfloat16"])
def test_classes_and_one_hot_labels_mean_the_same(dtype):
    y, p = batch()
    expected = array(losses.weighted_kappa_loss(np.eye(5)[y], p))
    labels = ops.cast(y.astype("int32"), dtype) if dtype != "int64" else y
    for given in (labels, ops.expand_dims(labels, -1)):
        actual = array(losses.weighted_kappa_loss(given, p))
        np.testing.assert_allclose(actual, expected, rtol=1e-6)


@pytest.mark.parametrize("bad", [5, -1, 0.5])
def test_a_label_that_is_no_class_is_an_error_or_nan(bad, monkeypatch):
    y, p = batch()
    y = y.astype(type(bad))
    y[1] = bad  # this sample has weight 0
    monkeypatch.setattr(backend, "check", lambda condition, message: None)
    assert np.isnan(array(losses.weighted_kappa_loss(y, p))).all()
    assert np.isfinite(
        array(losses.weighted_kappa_loss(y, p, sample_weight=WEIGHTS))
    ).all()
    monkeypatch.undo()
    with looked_at(), pytest.raises(ValueError, match=r"`y_true` .* in \[0, 5\)"):
        losses.weighted_kappa_loss(y, p)


@pytest.mark.only("tensorflow", "jax")
def test_a_label_that_is_no_class_is_nan_in_compiled_code():
    y, p = batch()
    y[1] = 5
    loss = losses.WeightedKappaLoss()
    y, p = ops.convert_to_tensor(y), ops.convert_to_tensor(p)
    assert np.isnan(array(compiled(loss)(y, p)))


@pytest.mark.parametrize("from_logits", [False, True])
@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum"])
def test_a_batch_of_one_class_predicted_for_sure_costs_nothing(from_logits, reduction):
    y = np.array([3, 3, 3])
    p = np.eye(5, dtype="float32")[y] * (1000 if from_logits else 1)
    loss = losses.WeightedKappaLoss(from_logits=from_logits, reduction=reduction)
    assert array(loss(y, p)) == 0
    np.testing.assert_array_equal(gradient(lambda x: loss(y, x), p), 0)


def test_weights_of_0_cost_nothing():
    y, p = batch()
    for reduction in REDUCTIONS:
        loss = losses.WeightedKappaLoss(reduction=reduction)
        assert array(loss(y, p, np.zeros(12, "float32"))) == 0
        slopes = gradient(lambda x, f=loss: f(y, x, np.zeros(12, "float32")), p)
        np.testing.assert_array_equal(slopes, 0)


def test_the_loss_of_a_perfect_batch_is_that_of_epsilon():
    y, _ = batch()
    p = np.eye(5, dtype="float32")[y]
    for epsilon in (1e-6, 0.125):
        loss = losses.WeightedKappaLoss(epsilon=epsilon)
        np.testing.assert_allclose(array(loss(y, p)), np.log(epsilon), rtol=1e-6)
        assert np.isfinite(gradient(lambda x, f=loss: f(y, x), p)).all()


def test_negative_predictions_are_none():
    y, p = batch()
    given = p - 1e-3
    actual = array(losses.weighted_kappa_loss(y, given))
    expected = references.weighted_kappa_loss(y, np.maximum(given, 0))
    np.testing.assert_allclose(actual, expected, rtol=3e-6)


def test_saturated_logits_have_finite_slopes():
    y, p = batch()
    z = (p - 0.5) * np.float32(1e6)
    loss = losses.WeightedKappaLoss(from_logits=True)
    assert np.isfinite(gradient(lambda x: loss(y, x), z)).all()


def test_the_number_of_classes_is_checked_if_given():
    y, p = batch()
    for function in (losses.weighted_kappa_loss, losses.WeightedKappaLoss(4)):
        given = {} if function is not losses.weighted_kappa_loss else {"num_classes": 4}
        with pytest.raises(ValueError, match=r"num_classes=4, y_pred\.shape=\(12, 5\)"):
            function(y, p, **given)
