"""Sums of losses: `a + 0.5 * b`."""

import json

import keras
import numpy as np
import pytest
from keras import ops

from tests.tools import array
from tfx_extras import losses

Y_TRUE = np.array([[0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], "float32")
Y_PRED = np.array([[0.25, 3.0], [0.5, 0.125], [0.75, -1.0]], "float32")
WEIGHTS = np.array([1.0, 0.0, 2.0], "float32")
HUBER = losses.Huber(delta=0.5)
SMOOTH = losses.SmoothL1(beta=2.0)


def value(loss, *weights):
    return array(loss(Y_TRUE, Y_PRED, *weights))


def test_the_parts_are_visible():
    loss = HUBER + 0.5 * SMOOTH
    assert loss.losses == [HUBER, SMOOTH]
    assert loss.weights == [1.0, 0.5]
    longer = 2.0 * (loss + losses.PseudoHuber()) * 3
    assert [part.name for part in longer.losses] == [
        "huber",
        "smooth_l1",
        "pseudo_huber",
    ]
    assert longer.weights == [6.0, 3.0, 6.0]


def test_it_is_the_weighted_sum_with_sample_weights_and_without():
    loss = HUBER * 2 + 0.5 * SMOOTH
    for weights in ((), (WEIGHTS,)):
        expected = 2 * value(HUBER, *weights) + 0.5 * value(SMOOTH, *weights)
        np.testing.assert_allclose(value(loss, *weights), expected, rtol=1e-6)


def test_losses_of_keras_are_parts_on_either_side():
    mse = keras.losses.MeanSquaredError()
    expected = value(HUBER) + value(mse)
    for loss in (HUBER + mse, mse + HUBER, losses.CombinedLoss([HUBER, mse])):
        np.testing.assert_allclose(value(loss), expected, rtol=1e-6)


def test_a_mask_and_weights_reach_each_part_as_they_are():
    masked = keras.layers.Masking(2.0)(np.array([[[1.0]], [[2.0]], [[4.0]]], "float32"))
    weights = ops.convert_to_tensor([[1.0], [2.0], [3.0]])
    mse = keras.losses.MeanSquaredError()
    for parts in ([mse, HUBER], [HUBER, mse], [mse, mse]):
        given = ops.copy(weights)
        each = [array(p(0 * masked, masked, ops.copy(weights))) for p in parts]
        together = array(losses.CombinedLoss(parts)(0 * masked, masked, given))
        np.testing.assert_allclose(together, sum(each), rtol=1e-6)
        np.testing.assert_array_equal(array(given), array(weights))


def test_the_sum_of_parts_is_of_the_widest_dtype():
    half = losses.SmoothL1(dtype="bfloat16")
    for parts in ([HUBER, half], [half, HUBER]):
        total = losses.CombinedLoss(parts)(Y_TRUE, Y_PRED)
        assert keras.backend.standardize_dtype(total.dtype) == "float32"
        expected = value(HUBER) + array(ops.cast(half(Y_TRUE, Y_PRED), "float32"))
        np.testing.assert_allclose(array(total), expected, rtol=1e-6)


def test_sums_differences_and_quotients_are_weighted_sums():
    for loss, weights in (
        (sum([HUBER, SMOOTH]), [1.0, 1.0]),
        (sum([HUBER, SMOOTH]) / 2, [0.5, 0.5]),
        ((HUBER + SMOOTH) / np.float32(4), [0.25, 0.25]),
        (HUBER - SMOOTH / 2, [1.0, -0.5]),
        (-HUBER - 2 * SMOOTH, [-1.0, -2.0]),
        (HUBER - (SMOOTH - HUBER), [1.0, -1.0, 1.0]),
        (keras.losses.MeanSquaredError() - HUBER, [1.0, -1.0]),
    ):
        assert loss.weights == weights
    assert sum([HUBER]) is HUBER


def test_labels_reach_each_part_as_they_are():
    labels = np.array([257, 256])
    logits = np.zeros((2, 300), "float32")
    logits[:, 257] = 8
    sparse = losses.SmoothedSparseCategoricalCrossentropy(
        from_logits=True, dtype="bfloat16", reduction=None
    )
    actual = array((sparse + 0.0 * sparse)(labels, logits))
    np.testing.assert_array_equal(actual, array(sparse(labels, logits)))
    assert actual[0] < 1 < actual[1]


def test_configuration_survives_json():
    loss = losses.CombinedLoss(
        [HUBER, keras.losses.Dice()], np.array([1.0, 0.25]), name="mine"
    )
    config = json.loads(json.dumps(keras.losses.serialize(loss)))
    copy = keras.losses.deserialize(config)
    assert copy.name == "mine"
    assert copy.weights == [1.0, 0.25]
    assert copy.losses[0].delta == 0.5
    assert isinstance(copy.losses[1], keras.losses.Dice)
    np.testing.assert_array_equal(value(copy), value(loss))


def test_it_trains_and_is_saved_with_a_model(tmp_path):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
    loss = HUBER + 0.5 * SMOOTH
    model.compile("sgd", loss)
    model.fit(Y_PRED, Y_TRUE, epochs=2, verbose=0)
    expected = model.evaluate(Y_PRED, Y_TRUE, verbose=0)
    model.save(tmp_path / "model.keras")
    copy = keras.saving.load_model(tmp_path / "model.keras")
    assert copy.loss.get_config() == loss.get_config()
    actual = copy.evaluate(Y_PRED, Y_TRUE, verbose=0)
    np.testing.assert_allclose(actual, expected, rtol=1e-6)
    np.testing.assert_allclose(array(loss(Y_TRUE, model(Y_PRED))), expected, rtol=1e-6)


def test_what_is_no_sum_of_losses_is_rejected():
    with pytest.raises(TypeError):
        HUBER + 1.0
    with pytest.raises(TypeError):
        HUBER * SMOOTH
    with pytest.raises(TypeError):
        True * HUBER
    with pytest.raises(TypeError):
        1 + HUBER
    with pytest.raises(TypeError):
        HUBER / SMOOTH
    with pytest.raises(TypeError):
        1 / HUBER
    with pytest.raises(ZeroDivisionError):
        HUBER / 0
    with pytest.raises(ValueError, match=r"`losses` must be one or more"):
        losses.CombinedLoss([])
    with pytest.raises(ValueError, match=r"`losses` must .* same `reduction`"):
        HUBER + losses.Huber(reduction="sum")
    with pytest.raises(ValueError, match=r"`weights` must .* weights=\[1.0\]"):
        losses.CombinedLoss([HUBER, SMOOTH], [1.0])
    with pytest.raises(ValueError, match=r"`weights\[0\]` must be in \(-inf, inf\)"):
        HUBER * float("nan")
    with pytest.raises(
        TypeError, match=r"`losses` of `CombinedLoss` must be a list of"
    ):
        losses.CombinedLoss([HUBER, "huber"])
    with pytest.raises(TypeError):
        losses.CombinedLoss(HUBER)
