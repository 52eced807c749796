"""Learned weights of the losses of several tasks."""

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
from tfx_extras import optimizers

RANDOM = np.random.default_rng(8)
A, B = RANDOM.normal(size=(6, 2)), RANDOM.normal(size=(6, 3))
OF_A, OF_B = RANDOM.normal(size=(6, 2)), np.array([0, 2, 1, 1, 0, 2])
KINDS = ["regression", "classification"]
START = np.array([0.5, -1.5])
ENTROPY = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def total_of(values, s, kinds=KINDS):
    """Equation 7 of the paper for regression, and 10 for classification."""
    total = 0.0
    for value, each, kind in zip(values, s, kinds, strict=True):
        variance = np.exp(each)
        half = 2 if kind == "regression" else 1
        total += value / (half * variance) + np.log(np.sqrt(variance))
    return total


def square(weights=None):
    each = ((A - OF_A) ** 2).mean(-1)
    return (each if weights is None else weights * each).mean()


def entropy(weights=None):
    logits = B - np.log(np.exp(B).sum(-1, keepdims=True))
    each = -logits[np.arange(6), OF_B]
    return (each if weights is None else weights * each).mean()


def narrow(x):
    return x.astype("float32")


def build(task_losses=("mse", ENTROPY), start=START, **options):
    layer = layers.UncertaintyWeighting(list(task_losses), **{"kinds": KINDS} | options)
    layer.build([(None, 2), (None, 3)])
    layer.log_variances.assign(start)
    return layer


def total(layer, *args, **kwargs):
    layer([narrow(A), narrow(B)], *args, **kwargs)
    (value,) = layer.losses
    return array(value)


@pytest.mark.parametrize("kinds", [KINDS, KINDS[::-1], "regression", "classification"])
def test_the_total_is_that_of_the_paper(kinds):
    layer = build(kinds=kinds)
    each = [kinds] * 2 if isinstance(kinds, str) else kinds
    expected = total_of([square(), entropy()], START, each)
    np.testing.assert_allclose(total(layer, [OF_A, OF_B]), expected, rtol=1e-6)


def test_gradients_reach_outputs_and_log_variances():
    with wide():
        layer = build(["mse", ENTROPY], dtype="float64")
        b = ops.convert_to_tensor(B, "float64")

        def added(a):
            layer([a, b], [OF_A, OF_B])
            return layer.losses[0]

        actual = gradient(added, A)
    expected = np.exp(-START[0]) * (A - OF_A) / A.size
    np.testing.assert_allclose(actual, expected, rtol=1e-6)
    model, layer = taught("float32", optimizer=keras.optimizers.SGD(1.0))
    before = array(layer.log_variances)
    x, y, z = DATA
    mse = ((model.predict(list(DATA), verbose=0)[1] - z) ** 2).mean()
    model.fit([x, y, z], batch_size=len(x), verbose=0)
    moved = array(layer.log_variances) - before
    np.testing.assert_allclose(moved[1], mse / 2 - 1 / 2, rtol=1e-4)


def test_outputs_are_returned_unchanged_and_without_labels_nothing_is_added():
    layer = build()
    given = [narrow(A), narrow(B)]
    for args in ((), ([OF_A, OF_B],)):
        for expected, actual in zip(given, layer(given, *args), strict=True):
            np.testing.assert_array_equal(array(actual), expected)
        assert len(layer.losses) == len(args)


def test_weights_are_those_of_each_task_or_of_all():
    layer, w = build(), narrow(RANDOM.uniform(0, 2, 6))
    for given, values in (
        ([w, None], [square(w), entropy()]),
        ([None, w], [square(), entropy(w)]),
        (w, [square(w), entropy(w)]),
    ):
        expected = total_of(values, START)
        actual = total(layer, [OF_A, OF_B], sample_weight=given)
        np.testing.assert_allclose(actual, expected, rtol=1e-5)


def test_masks_are_those_that_are_given_or_those_of_the_outputs():
    layer, kept = build(), np.arange(6) < 4
    mask = ops.convert_to_tensor(kept)
    values = [square(kept) * 6 / 4, entropy()]
    actual = total(layer, [OF_A, OF_B], mask=[mask, None])
    np.testing.assert_allclose(actual, total_of(values, START), rtol=1e-5)
    values = [square(kept) * 6 / 4, entropy(kept) * 6 / 4]
    actual = total(layer, [OF_A, OF_B], mask=mask)
    np.testing.assert_allclose(actual, total_of(values, START), rtol=1e-5)
    # Steps of zeros are masked, and weights are multiplied by masks in a copy.
    x = np.ones((2, 3, 2), "float32")
    x[1, 1:] = 0
    masked = keras.layers.Masking()(ops.convert_to_tensor(x))
    weights = ops.convert_to_tensor(np.float32([[1, 2, 3], [4, 5, 6]]))
    layer = layers.UncertaintyWeighting(["mse"])
    (output,) = layer([masked], [np.zeros_like(x)], sample_weight=[weights])
    np.testing.assert_allclose(array(layer.losses[0]), (1 + 2 + 3 + 4) / 4 / 2)
    np.testing.assert_array_equal(array(weights), [[1, 2, 3], [4, 5, 6]])
    assert output.shape == (2, 3, 2)


def test_a_task_without_samples_adds_nothing_and_keeps_its_weight():
    layer = build()
    nothing = ops.convert_to_tensor(np.zeros(6, "bool"))
    expected = total_of([square()], START[:1], KINDS[:1])
    for options in (
        {"mask": [None, nothing]},
        {"sample_weight": [None, np.zeros(6, "float32")]},
    ):
        actual = total(layer, [OF_A, OF_B], **options)
        np.testing.assert_allclose(actual, expected, rtol=1e-6)
    padding = keras.layers.Masking()(ops.zeros((2, 3, 2)))  # its mask comes with it
    one = layers.UncertaintyWeighting(["mse"])
    one.build([(None, 3, 2)])
    one.log_variances.assign([2.0])
    one([padding], [np.zeros((2, 3, 2), "float32")])
    assert array(one.losses[0]) == 0
    layer([narrow(A[:0]), narrow(B[:0])], [OF_A[:0], OF_B[:0]])
    assert array(layer.losses[0]) == 0


def test_nan_stays():
    layer = build()
    wrong = narrow(A)
    wrong[0, 0] = np.nan
    layer([wrong, narrow(B)], [OF_A, OF_B])
    assert np.isnan(array(layer.losses[0]))


@keras.saving.register_keras_serializable("tests")
def cubic(y_true, y_pred):
    return ops.mean(ops.abs(y_true - y_pred) ** 3, axis=-1)


def test_losses_are_names_objects_or_functions_of_keras_and_of_this_package():
    huber = losses.Huber(delta=0.3)
    given = ["mse", "MeanSquaredError", keras.losses.mean_squared_error, huber, cubic]
    layer = layers.UncertaintyWeighting(given)
    layer([narrow(A)] * 5, [OF_A] * 5)
    e = np.abs(A - OF_A)
    values = [square()] * 3
    values += [np.where(e < 0.3, e**2 / 2, 0.3 * (e - 0.15)).mean(), (e**3).mean()]
    expected = total_of(values, [0.0] * 5, ["regression"] * 5)
    np.testing.assert_allclose(array(layer.losses[0]), expected, rtol=1e-5)
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(layer)))
    copy = keras.saving.deserialize_keras_object(config)
    copy([narrow(A)] * 5, [OF_A] * 5)
    np.testing.assert_array_equal(array(copy.losses[0]), array(layer.losses[0]))
    assert copy.task_losses[3].delta == 0.3


def test_the_configuration_survives_json():
    layer = build(minimum=-3.0, name="mine")
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(layer)))
    copy = keras.saving.deserialize_keras_object(config)
    assert copy.get_config() == layer.get_config()
    assert (copy.kinds, copy.minimum) == (KINDS, -3.0)


DATA = (
    narrow(RANDOM.normal(size=(24, 5))),
    np.arange(24) % 3,
    narrow(RANDOM.normal(size=(24, 1))),
)


def taught(policy, optimizer=None, start=None, reduction="sum_over_batch_size"):
    """A model of two tasks, and its layer."""
    keras.utils.set_random_seed(4)
    x, y, z = keras.Input((5,)), keras.Input((), dtype="int32"), keras.Input((1,))
    hidden = keras.layers.Dense(8, activation="relu", dtype=policy)(x)
    outputs = [keras.layers.Dense(n, dtype=policy)(hidden) for n in (3, 1)]
    task_losses = [
        keras.losses.SparseCategoricalCrossentropy(True, reduction=reduction),
        keras.losses.MeanSquaredError(reduction=reduction),
    ]
    layer = layers.UncertaintyWeighting(task_losses, KINDS[::-1], dtype=policy)
    model = keras.Model([x, y, z], layer(outputs, [y, z]))
    if start is not None:
        layer.log_variances.assign(start)
    model.compile(optimizer or keras.optimizers.Adam(0.05))
    return model, layer


@pytest.mark.parametrize("policy", [IN_FLOAT32, "mixed_float16"])
def test_a_model_trains_is_saved_and_trains_on_bit_for_bit(policy, tmp_path):
    model, layer = taught(policy)
    model.compile(keras.optimizers.Adam(0.05), metrics=[["accuracy"], ["mse"]])
    x, y, z = DATA
    options = {"batch_size": 10, "shuffle": False, "verbose": 0}
    # The labels are given as targets too, for the metrics of each task.
    history = model.fit([x, y, z], [y, z], epochs=30, **options).history
    assert history["loss"][-1] < history["loss"][0]
    assert any(name.endswith("accuracy") for name in history)
    assert any(name.endswith("mse") for name in history)
    assert layer.log_variances.dtype == "float32"
    assert array(layer.log_variances).all()
    before = array(layer.log_variances)
    model.evaluate([x, y, z], [y, z], verbose=0)
    np.testing.assert_array_equal(array(layer.log_variances), before)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    for each in (model, loaded):
        each.fit([x, y, z], [y, z], **options)
    for one, other in zip(model.weights, loaded.weights, strict=True):
        np.testing.assert_array_equal(array(one), array(other))


def test_log_variances_become_those_at_which_all_tasks_count_alike():
    """The outputs are frozen, so the optimum is known: the logarithm of the losses."""
    model, layer = taught("float32", optimizer=keras.optimizers.SGD(0.3))
    for each in model.layers:
        each.trainable = each is layer
    model.compile(keras.optimizers.SGD(0.3))
    x, y, z = DATA
    logits, values = model.predict([x, y, z], verbose=0)
    logits = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    found = [-2 * logits[np.arange(24), y].mean(), ((values - z) ** 2).mean()]
    repeated = [np.concatenate([part] * 100) for part in (x, y, z)]
    model.fit(repeated, batch_size=24, shuffle=False, verbose=0)
    np.testing.assert_allclose(array(layer.log_variances), np.log(found), rtol=1e-3)


OF_KERAS = [keras.optimizers.SGD, optimizers.AdamW]


@pytest.mark.parametrize("make", OF_KERAS, ids=lambda make: make.__module__)
def test_log_variances_stay_above_the_minimum_and_come_back(make):
    inputs, labels = keras.Input((1,)), keras.Input((1,))
    layer = layers.UncertaintyWeighting(["mse"])
    model = keras.Model([inputs, labels], layer([inputs], [labels]))
    layer.log_variances.assign([-6.9])
    model.compile(make(0.5))
    x = np.ones((4, 1), "float32")
    model.fit([x, x], epochs=2, batch_size=4, verbose=0)  # a loss of 0
    np.testing.assert_array_equal(array(layer.log_variances), [-7.0])
    for _ in range(9):  # AdamW averages the gradients
        model.fit([x, -x], batch_size=4, verbose=0)
    assert array(layer.log_variances)[0] > -7


def test_weight_decay_can_leave_them_out():
    moved = []
    x, y, z = DATA
    for options in (
        {"weight_decay": 0.5},
        {"weight_decay": 0.5, "weight_decay_exclude": ["log_variances"]},
        {"weight_decay": 0.0},
    ):
        optimizer = optimizers.AdamW(0.1, **options)
        model, layer = taught("float32", optimizer, start=[3.0, -3.0])
        model.fit([x, y, z], batch_size=24, verbose=0)
        moved.append(array(layer.log_variances))
    assert np.abs(moved[0] - moved[1]).min() > 0.1
    np.testing.assert_array_equal(moved[1], moved[2])


def test_a_rule_for_its_path_gives_it_a_rate_of_its_own():
    rules = {"log_variances": {"learning_rate_multiplier": 0.0}, ".*": {}}
    optimizer = optimizers.ParameterGroups(optimizers.AdamW(0.1), rules)
    model, layer = taught("float32", optimizer, start=[1.0, 1.0])
    kernel = array(model.trainable_variables[0])
    model.fit(list(DATA), verbose=0)
    np.testing.assert_array_equal(array(layer.log_variances), [1.0, 1.0])
    assert (array(model.trainable_variables[0]) != kernel).any()


def test_a_frozen_layer_keeps_its_weights():
    model, layer = taught("float32", start=[1.0, -1.0])
    layer.trainable = False
    model.compile(keras.optimizers.Adam(0.1))
    model.fit(list(DATA), verbose=0)
    np.testing.assert_array_equal(array(layer.log_variances), [1.0, -1.0])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"task_losses": []}, "`task_losses` must have one or more losses"),
        ({"task_losses": ["none"]}, r"`task_losses\[0\]` must be .*'none'"),
        ({"task_losses": [3]}, r"`task_losses\[0\]` must be .*=3"),
        ({"task_losses": [losses.Huber]}, "Did you mean an instance"),
        ({"task_losses": [losses.Huber(reduction=None)]}, "must have a reduction"),
        ({"kinds": "count"}, "`kinds` must be one of regression, classification"),
        ({"kinds": ["regression"]}, "one kind per loss, 2 in total"),
        ({"minimum": 1.0}, r"`minimum` must be in \(-80, 0\]"),
        ({"dtype": "nonsense"}, "`dtype` must be a dtype"),
    ],
)
def test_wrong_arguments_are_named(arguments, said):
    with pytest.raises(ValueError, match=said):
        layers.UncertaintyWeighting(**{"task_losses": ["mse", "mae"]} | arguments)


def test_other_numbers_of_outputs_labels_and_weights_are_refused():
    layer = build()
    with pytest.raises(ValueError, match=r"`inputs` must be a list .* Received: 1"):
        layer([narrow(A)], [OF_A, OF_B])
    with pytest.raises(ValueError, match=r"`y_true` must be a list .* Received: 3"):
        layer([narrow(A), narrow(B)], [OF_A, OF_B, OF_B])
    with pytest.raises(ValueError, match="`sample_weight` must be a list"):
        layer([narrow(A), narrow(B)], [OF_A, OF_B], sample_weight=[None])


def test_weights_and_masks_of_steps_count_together():
    """A task has no sample if each step is masked or has the weight 0."""
    output = np.ones((2, 3, 1), "float32")
    layer = layers.UncertaintyWeighting(["mse", "mse"])
    layer.build([output.shape] * 2)
    layer.log_variances.assign([2.0, 0.0])
    mask = ops.convert_to_tensor(np.array([[True, True, False]] * 2))
    weights = np.array([[0, 0, 1]] * 2, "float32")
    labels = [np.zeros_like(output)] * 2
    layer([output, output], labels, [weights, None], [mask, None])
    np.testing.assert_allclose(array(layer.losses[0]), 0.5, rtol=1e-6)


def test_weights_of_samples_are_those_of_all_steps():
    output = np.array([[1.0] * 3, [2.0] * 3, [3.0] * 3], "float32")[..., None]
    layer = layers.UncertaintyWeighting(["mse"])
    layer([output], [np.zeros_like(output)], [np.array([1.0, 0, 0], "float32")])
    np.testing.assert_allclose(array(layer.losses[0]), 1 / 6, rtol=1e-6)


@pytest.mark.parametrize("shape", [(4,), (4, 1)])
def test_labels_of_weight_zero_may_be_nan(shape):
    output = np.ones((4, 1), "float32")
    labels = np.array([0.0, np.nan, 0.0, np.nan], "float32").reshape(shape)
    weights = np.array([1.0, 0.0, 1.0, 0.0], "float32")
    for given in (weights, weights[:, None]):
        layer = layers.UncertaintyWeighting(["mse"])
        layer([output], [labels], [given])
        np.testing.assert_allclose(array(layer.losses[0]), 0.25, rtol=1e-6)
