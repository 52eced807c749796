"""Statistics of batch normalization, measured for given weights."""

import keras
import numpy as np
import pytest

from tests.tools import array
from tfx_extras.optimizers import update_batch_norm

X = np.random.default_rng(0).normal(3, 2, size=(10, 3)).astype("float32")


def network(**options):
    return keras.Sequential(
        [
            keras.Input((3,)),
            keras.Sequential([keras.layers.BatchNormalization(name="first")]),
            keras.layers.Dense(2, name="dense"),
            keras.layers.BatchNormalization(name="second", **options),
        ]
    )


def expected(x, size):
    """The means, weighed by size, of the means and variances of batches of `x`."""
    parts = [x[i : i + size].astype("float64") for i in range(0, len(x), size)]
    weights = [len(part) for part in parts]
    mean = np.average([part.mean(axis=0) for part in parts], axis=0, weights=weights)
    variance = np.average([p.var(axis=0) for p in parts], axis=0, weights=weights)
    return mean, variance


def batches_of(kind):
    parts = [X[:4], X[4:8], X[8:]]
    if kind == "tf.data":
        tf = pytest.importorskip("tensorflow")
        return tf.data.Dataset.from_tensor_slices((X, X[:, 0])).batch(4)
    if kind == "PyDataset":

        class Parts(keras.utils.PyDataset):
            def __len__(self):
                return 3

            def __getitem__(self, index):
                return parts[index], parts[index][:, 0]

        return Parts()
    if kind == "generator":
        return ((part, part[:, 0], part[:, 0]) for part in parts)
    return [[part] for part in parts] if kind == "lists" else parts


@pytest.mark.parametrize(
    "kind", ["array", "tf.data", "PyDataset", "generator", "lists", "parts"]
)
def test_they_are_those_of_all_the_data(kind):
    model = network()
    first, second = model.layers[0].layers[0], model.layers[2]
    weights = [array(v) for v in model.trainable_variables]
    data, size = (X, 4) if kind == "array" else (batches_of(kind), None)
    update_batch_norm(model, data, size)
    mean, variance = expected(X, 4)
    np.testing.assert_allclose(array(first.moving_mean), mean, rtol=1e-5)
    np.testing.assert_allclose(array(first.moving_variance), variance, rtol=1e-5)
    normal = [
        (p - p.mean(axis=0)) / np.sqrt(p.var(axis=0) + first.epsilon)
        for p in (X[:4], X[4:8], X[8:])
    ]
    kernel = array(model.layers[1].kernel)
    outputs = np.concatenate([n @ kernel for n in normal])
    mean, variance = expected(outputs, 4)
    np.testing.assert_allclose(array(second.moving_mean), mean, atol=1e-5)
    np.testing.assert_allclose(array(second.moving_variance), variance, rtol=1e-4)
    assert first.momentum == second.momentum == 0.99
    for before, after in zip(weights, model.trainable_variables, strict=True):
        np.testing.assert_array_equal(before, array(after))


def test_frozen_layers_and_models_without_any_stay_as_they_are():
    model = network(trainable=False)
    update_batch_norm(model, X)
    np.testing.assert_array_equal(array(model.layers[2].moving_mean), 0)
    assert (array(model.layers[0].layers[0].moving_mean) != 0).all()
    plain = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    update_batch_norm(plain, {"x": X}["x"], batch_size=3)


def test_several_inputs_are_a_dictionary():
    inputs = {name: keras.Input((3,), name=name) for name in "ab"}
    outputs = keras.layers.BatchNormalization()(inputs["a"] + inputs["b"])
    model = keras.Model(inputs, outputs)
    update_batch_norm(model, {"a": X, "b": 2 * X}, batch_size=10)
    layer = model.layers[-1]
    np.testing.assert_allclose(array(layer.moving_mean), 3 * X.mean(axis=0), rtol=1e-5)


def test_data_that_cannot_be_meant_is_refused():
    for data, size, message in [
        ((X, X[:, 0]), None, "without labels"),
        ([], None, "no batch"),
        (X, 0, "batch_size=0"),
        ([X], 4, "batches have their own"),
    ]:
        with pytest.raises(ValueError, match=message):
            update_batch_norm(network(), data, size)
    model = network()
    with pytest.raises(TypeError):
        update_batch_norm(model, 3)
    assert model.layers[2].momentum == 0.99
