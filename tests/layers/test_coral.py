"""The last layer of CORAL: shared weights, biases in order, and what trains on it."""

import json

import keras
import numpy as np
import pytest
from keras import ops

from tests.tools import IN_FLOAT32
from tests.tools import array
from tests.tools import gradient
from tests.tools import wide
from tfx_extras import layers
from tfx_extras import losses

RANDOM = np.random.default_rng(7)
X = RANDOM.normal(size=(6, 3))


def build(classes=5, dtype="float32", **options):
    layer = layers.Coral(classes, dtype=dtype, **options)
    layer.build((None, 3))
    return layer


@pytest.mark.parametrize("classes", [2, 3, 7])
def test_logits_are_one_score_plus_biases_that_fall(classes):
    with wide():
        layer = build(classes, "float64")
        x = ops.convert_to_tensor(X, "float64")
        # CoralLayer of coral-pytorch 1.4.0 has these biases, in this order.
        bias = np.arange(classes - 1, 0, -1) / (classes - 1)
        np.testing.assert_allclose(array(layer.bias), bias, rtol=1e-15)
        kernel = array(layer.kernel)
        np.testing.assert_allclose(array(layer(x)), X @ kernel + bias, rtol=1e-12)
        slope = gradient(layer, X)
    np.testing.assert_allclose(slope, np.tile(kernel.T * (classes - 1), (6, 1)))
    assert kernel.shape == (3, 1)


def test_no_probability_of_a_class_is_negative():
    layer = build(9)
    logits = layer(np.float32(30 * X))
    p = array(losses.ordinal_probabilities(logits, conditional=False))
    assert p.min() >= 0
    ranks = np.cumsum(p[:, ::-1], axis=1)[:, ::-1][:, 1:]
    predicted = array(ops.sum(ops.cast(logits > 0, "int32"), axis=-1))
    np.testing.assert_array_equal((ranks > 0.5).sum(1), predicted)


def test_axes_between_batch_and_features_are_kept():
    layer = build()
    x = np.float32(np.stack([X, 2 * X]))
    np.testing.assert_allclose(array(layer(x))[1], array(layer(x[1])), rtol=1e-5)
    inputs = keras.Input((None, 3))
    assert layer(inputs).shape == (None, None, 4)
    assert array(layer(np.zeros((0, 3), "float32"))).shape == (0, 4)


@pytest.mark.parametrize(
    "policy", ["float32", "mixed_float16", "mixed_bfloat16", "bfloat16"]
)
def test_dtypes_are_those_of_dense(policy):
    layer, dense = build(dtype=policy), keras.layers.Dense(4, dtype=policy)
    x = np.float32(X)
    outputs = layer(x), dense(x)
    a, b = (keras.backend.standardize_dtype(out.dtype) for out in outputs)
    assert a == b == layer(keras.Input((3,))).dtype
    assert layer.kernel.dtype == layer.bias.dtype == dense.kernel.dtype
    # Rounding keeps the order of the logits.
    assert (np.diff(array(outputs[0])) <= 0).all()


@pytest.mark.parametrize("policy", [IN_FLOAT32, "mixed_bfloat16"])
def test_a_model_trains_is_saved_and_trains_on_bit_for_bit(policy, tmp_path):
    keras.utils.set_random_seed(2)
    x = RANDOM.normal(size=(60, 3)).astype("float32")
    y = np.searchsorted([-1.0, 0.0, 1.0], x[:, 0] - x[:, 1])
    layer = layers.Coral(4, kernel_regularizer="l2", dtype=policy, name="coral")
    model = keras.Sequential([keras.Input((3,)), layer])
    model.compile(keras.optimizers.Adam(0.3), losses.CoralLoss())
    model.fit(x, y, epochs=12, batch_size=20, shuffle=False, verbose=0)
    predicted = array(ops.sum(ops.cast(model(x) > 0, "int32"), axis=-1))
    assert np.mean(predicted == y) > 0.85
    assert (np.diff(array(layer.bias)) < 0).all()
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.get_layer("coral").kernel_regularizer is not None
    for each in (model, loaded):
        each.fit(x, y, batch_size=20, shuffle=False, verbose=0)
    for one, other in zip(model.weights, loaded.weights, strict=True):
        np.testing.assert_array_equal(array(one), array(other))


def test_the_configuration_survives_json_and_has_other_biases_if_asked():
    layer = build(np.int64(5), bias_initializer="zeros", kernel_initializer="he_normal")
    assert (array(layer.bias) == 0).all()
    for each in (layer, layers.Coral(5)):
        config = json.loads(json.dumps(keras.saving.serialize_keras_object(each)))
        copy = keras.saving.deserialize_keras_object(config)
        assert copy.get_config() == each.get_config()


def test_biases_may_start_at_the_log_odds_of_the_data(tmp_path):
    odds = np.float32([2.0, 0.5, -0.25, -1.0])
    layer = layers.Coral(5, bias_initializer=keras.initializers.Constant(odds))
    model = keras.Sequential([keras.Input((3,)), layer])
    np.testing.assert_array_equal(array(layer.bias), odds)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras").layers[0]
    copy = layers.Coral.from_config(loaded.get_config())
    copy.build((None, 3))
    np.testing.assert_array_equal(array(copy.bias), odds)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"classes": 1}, r"`classes` must be in \[2, inf\). Received: classes=1"),
        ({"dtype": "nonsense"}, "`dtype` must be a dtype"),
    ],
)
def test_wrong_arguments_are_named(arguments, said):
    with pytest.raises(ValueError, match=said):
        layers.Coral(**{"classes": 3, **arguments})


@pytest.mark.parametrize(
    ("loss", "layer"),
    [(losses.coral_loss, r"layers\.Coral"), (losses.corn_loss, "Den")],
)
def test_too_few_outputs_are_named_as_the_cause(loss, layer):
    with pytest.raises(ValueError, match=rf"in \[0, 4\).*K - 1 logits.*{layer}.*at 1"):
        loss([0, 4], np.zeros((2, 3), "float32"))
