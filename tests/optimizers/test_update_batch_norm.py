"""Batch normalization statistics, measured for given weights."""

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
    """The means, weighted by size, of the means and variances of batches of `x`."""
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


def of_calls(calls):
    """The means over calls, weighted by the number of vectors in each call."""
    flat = [x.reshape(-1, x.shape[-1]).astype("float64") for x in calls]
    sizes = [len(x) for x in flat]
    mean = np.average([x.mean(axis=0) for x in flat], axis=0, weights=sizes)
    return mean, np.average([x.var(axis=0) for x in flat], axis=0, weights=sizes)


def assert_statistics(layer, calls, tolerance=1e-5):
    mean, variance = of_calls(calls)
    np.testing.assert_allclose(array(layer.moving_mean), mean, rtol=tolerance)
    np.testing.assert_allclose(array(layer.moving_variance), variance, rtol=tolerance)


def test_a_layer_that_is_called_several_times_gets_the_mean_over_its_calls():
    """As in siamese encoders; here the layer is in a model that is used as a layer."""
    one, two = keras.Input((3,)), keras.Input((3,))
    layer = keras.layers.BatchNormalization()
    encoder = keras.Sequential([keras.Input((3,)), layer])
    other = keras.Sequential([keras.Input((3,)), layer])
    pair = keras.layers.Concatenate(axis=0)([two, two + 1])
    model = keras.Model([one, two], [encoder(one), other(pair), layer(one)])
    y = 2 * X - 5
    update_batch_norm(model, [([X[:4], y[:4]],), ([X[4:], y[4:]],)])
    calls = []
    for part in (slice(4), slice(4, 10)):
        pair = np.concatenate([y[part], y[part] + 1])
        calls += [X[part], pair, X[part]]
    assert_statistics(layer, calls)
    assert "call" not in vars(layer)
    assert layer.momentum == 0.99


def test_a_layer_that_some_batches_do_not_reach_gets_the_mean_of_the_others():
    class Branches(keras.Model):
        def __init__(self):
            super().__init__()
            self.branches = [keras.layers.BatchNormalization() for _ in range(3)]
            for branch in self.branches:
                branch.build((None, 3))

        def call(self, x, training=None):
            outputs = self.branches[len(x) % 2](x, training=training)
            # In inference mode, as for a teacher, nothing is measured.
            outputs = outputs + self.branches[0](x, training=False)
            return outputs + self.branches[2](x, training=False)

    model = Branches()
    update_batch_norm(model, [X[:4], X[4:7], X[7:9], X[9:]])
    even, odd, unused = model.branches
    assert_statistics(even, [X[:4], X[7:9]])
    assert_statistics(odd, [X[4:7], X[9:]])
    np.testing.assert_array_equal(array(unused.moving_mean), 0)
    np.testing.assert_array_equal(array(unused.moving_variance), 1)


def test_only_what_a_mask_leaves_counts():
    masking = keras.layers.Masking(-1.0)
    layer = keras.layers.BatchNormalization()
    model = keras.Sequential([keras.Input((None, 3)), masking, layer])
    x = np.stack([X, X + 1, 2 * X], axis=1)
    x[0, 1:] = x[3, 2:] = x[8:] = -1.0
    update_batch_norm(model, x, batch_size=4)  # the last batch is fully masked
    kept = [part[(part != -1).any(-1)] for part in (x[:4], x[4:8])]
    assert_statistics(layer, kept)


def test_renormalization_does_not_bring_in_what_was_measured_before():
    model = network(renorm=True)
    first, second = model.layers[0].layers[0], model.layers[2]
    for variable in (second.renorm_mean, second.renorm_stddev):
        variable.assign([7.0, 9.0])
    update_batch_norm(model, X, batch_size=4)
    calls = [X[i : i + 4] for i in (0, 4, 8)]
    assert_statistics(first, calls)
    kernel = array(model.layers[1].kernel)
    normal = [(x - x.mean(0)) / np.sqrt(x.var(0) + first.epsilon) for x in calls]
    mean, variance = of_calls([x @ kernel for x in normal])
    np.testing.assert_allclose(array(second.moving_variance), variance, rtol=1e-4)
    np.testing.assert_allclose(array(second.moving_mean), mean, atol=1e-5)
    deviation = np.sqrt(array(second.moving_variance) + second.epsilon)
    np.testing.assert_allclose(array(second.moving_stddev), deviation, rtol=1e-6)
    np.testing.assert_allclose(array(second.renorm_stddev), deviation, rtol=1e-6)
    np.testing.assert_array_equal(array(second.renorm_mean), array(second.moving_mean))
    assert second.renorm is True


def test_means_of_half_precision_do_not_stand_still():
    layer = keras.layers.BatchNormalization(dtype="bfloat16")
    model = keras.Sequential([keras.Input((1,), dtype="bfloat16"), layer])
    # If each step were rounded, they would stop at 65.5.
    x = np.array([[64.0]] + [[66.0]] * 15)
    update_batch_norm(model, x, batch_size=1)
    np.testing.assert_array_equal(array(layer.moving_mean), 66.0)


def test_statistics_that_are_not_finite_are_replaced():
    model = network()
    first = model.layers[0].layers[0]
    for variable in (first.moving_mean, first.moving_variance):
        variable.assign([np.nan, np.inf, 1.0])
    update_batch_norm(model, X, batch_size=5)
    assert_statistics(first, [X[:5], X[5:]])


def test_after_an_error_all_is_as_before():
    model = network()
    update_batch_norm(model, X)
    before = [array(v) for v in model.variables]

    def broken():
        yield X + 1
        raise OSError("disk")

    with pytest.raises(OSError, match="disk"):
        update_batch_norm(model, broken())
    for old, new in zip(before, model.variables, strict=True):
        np.testing.assert_array_equal(old, array(new))
    assert all("call" not in vars(layer) for layer in model._flatten_layers())


@pytest.mark.only("tensorflow")
def test_synchronized_statistics_are_those_of_the_data():
    layer = keras.layers.BatchNormalization(synchronized=True)
    update_batch_norm(keras.Sequential([keras.Input((3,)), layer]), X, batch_size=5)
    assert_statistics(layer, [X[:5], X[5:]])


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
