"""DINO's layer: its losses, its center, and the number of steps."""

import json

import keras
import numpy as np
import pytest
from keras import ops

from tests.references import self_supervised
from tests.tools import BACKEND
from tests.tools import IN_FLOAT32
from tests.tools import array
from tests.tools import gradient
from tests.tools import wide
from tfx_extras import layers
from tfx_extras import schedules

RANDOM = np.random.default_rng(7)
TEACHERS = RANDOM.normal(size=(5, 6, 2, 4))
STUDENTS = RANDOM.normal(size=(5, 6, 3, 4))
OPTIONS = {"momentum": 0.6, "teacher_temperature": 0.3, "student_temperature": 0.5}
TEMPERATURES = {k: v for k, v in OPTIONS.items() if k != "momentum"}
WARMUP = schedules.PiecewiseLinear([0, 4], [0.1, 0.5])


def build(**options):
    layer = layers.DINOCenter(**OPTIONS | options)
    layer.build((None, 3, 4))
    return layer


def narrow(x):
    return x.astype("float32")


def test_losses_and_centers_are_those_of_the_reference():
    center = np.zeros(4)
    with wide():
        layer = build(dtype="float64")
        for t, s in zip(TEACHERS, STUDENTS, strict=True):
            y, x = (ops.convert_to_tensor(each, "float64") for each in (t, s))
            actual = array(layer(x, y, training=True))
            expected = self_supervised.dino_loss(t, s, center, **TEMPERATURES)
            center = self_supervised.dino_center(t, center, 0.6)
            np.testing.assert_allclose(actual, expected, rtol=1e-12)
            np.testing.assert_allclose(array(layer.center), center, rtol=1e-12)
            # On PyTorch, Keras takes the mean in float32.
            np.testing.assert_allclose(
                array(layer.losses[0]), expected.mean(), rtol=1e-6
            )
    assert int(array(layer.steps)) == 5


def test_a_schedule_of_the_temperature_counts_training_steps():
    layer = build(momentum=0.0, teacher_temperature=WARMUP)
    t, s = narrow(TEACHERS[0]), narrow(STUDENTS[0])
    center = 0.0
    for temperature in (0.1, 0.2, 0.3, 0.4, 0.5, 0.5):
        layer(s, t)  # does not count
        expected = self_supervised.dino_loss(t, s, center, temperature, 0.5)
        actual = array(layer(s, t, training=True))
        np.testing.assert_allclose(actual, expected, rtol=1e-4)
        center = t.mean(axis=(0, 1))


def test_inference_and_frozen_layers_leave_the_state():
    layer, t, s = build(), narrow(TEACHERS[0]), narrow(STUDENTS[0])
    np.testing.assert_array_equal(array(layer(s, training=True)), s)
    assert not layer.losses
    layer(s, t)
    layer.trainable = False
    layer(s, t, training=True)
    assert not array(layer.center).any()
    assert array(layer.steps) == 0
    assert not layer.trainable_variables
    assert len(layer.non_trainable_variables) == 2


def test_lists_of_views_are_views():
    stacked, layer = build(), build()
    t, s = narrow(TEACHERS[0]), narrow(STUDENTS[0])
    expected = array(stacked(s, t, training=True))
    listed = ([x[:, i] for i in range(x.shape[1])] for x in (s, t))
    np.testing.assert_array_equal(array(layer(*listed, training=True)), expected)
    np.testing.assert_array_equal(array(layer.center), array(stacked.center))
    inputs = [keras.Input((8,)) for _ in range(2)]
    again = layers.DINOCenter()
    assert again(inputs, inputs).shape == (None,)
    assert again.center.shape == (8,)


def test_samples_that_do_not_count_leave_center_and_mean():
    t, s = narrow(TEACHERS[0]), narrow(STUDENTS[0])
    exact, layer = build(), build()
    few = array(exact(s[:4], t[:4], training=True))
    wrong_t, wrong_s = t.copy(), s.copy()
    wrong_t[4:], wrong_s[4:] = [[[7.0]], [[np.nan]]], [[[np.nan]], [[np.inf]]]
    mask = ops.convert_to_tensor(np.arange(6) < 4)
    losses = array(layer(wrong_s, wrong_t, mask=mask, training=True))
    np.testing.assert_allclose(losses[:4], few, rtol=1e-6)
    assert (losses[4:] == 0).all()
    np.testing.assert_allclose(array(layer.losses[0]), few.mean(), rtol=1e-6)
    np.testing.assert_allclose(array(layer.center), array(exact.center), rtol=1e-6)
    slope = gradient(lambda x: layer(x, wrong_t, mask=mask), wrong_s)
    assert np.isfinite(slope).all()
    # Of weights of 0, and of outputs that are not finite, without a mask.
    again = build()
    wrong_s[4] = 1.0
    weights = np.float32([1, 1, 1, 2, 0, 1])
    losses = array(again(wrong_s, wrong_t, weights, training=True))
    np.testing.assert_allclose(array(again.center), array(exact.center), rtol=1e-6)
    np.testing.assert_array_equal(np.isnan(losses), np.arange(6) == 5)


def test_the_mean_is_weighted():
    layer = build()
    weights = np.float32([1, 2, 0, 3, 1, 1])
    losses = array(layer(narrow(STUDENTS[0]), narrow(TEACHERS[0]), weights))
    expected = (weights * losses).sum() / 6
    np.testing.assert_allclose(array(layer.losses[0]), expected, rtol=1e-6)


def test_batches_of_none_or_all_masked_give_0():
    layer, t, s = build(), narrow(TEACHERS[0]), narrow(STUDENTS[0])
    layer(s, t, training=True)
    before = array(layer.center)
    assert array(layer(s[:0], t[:0], training=True)).shape == (0,)
    assert array(layer.losses[0]) == 0
    nothing = ops.convert_to_tensor(np.zeros(6, "bool"))
    assert not array(layer(s, t, mask=nothing, training=True)).any()
    assert array(layer.losses[0]) == 0
    np.testing.assert_array_equal(array(layer.center), before)


def pair(policy, temperature=0.2):
    """A model that trains a student with a constant teacher, and its layer."""
    keras.utils.set_random_seed(2)
    views = keras.Input((3, 5))
    student = keras.layers.Dense(4, dtype=policy)(views)
    teacher = keras.layers.Dense(4, dtype=policy, trainable=False)(views[:, :2])
    layer = layers.DINOCenter(
        momentum=0.5, teacher_temperature=temperature, dtype=policy, name="dino"
    )
    model = keras.Model(views, layer(student, teacher))
    model.compile(keras.optimizers.Adam(0.02))
    return model, layer


@pytest.mark.parametrize("policy", [IN_FLOAT32, "mixed_float16"])
def test_a_model_trains_is_saved_and_trains_on_bit_for_bit(policy, tmp_path):
    model, layer = pair(policy, WARMUP)
    assert model.output.dtype == "float32"
    x = narrow(RANDOM.normal(size=(20, 3, 5)))
    # TensorFlow traces a function twice if it makes variables.
    model.optimizer.build(model.trainable_variables)
    history = model.fit(x, epochs=12, batch_size=8, shuffle=False, verbose=0)
    losses = history.history["loss"]
    assert losses[-1] < losses[3]  # the temperature is constant from there
    assert {layer.center.dtype, layer.steps.dtype} == {"float32", "int32"}
    assert array(layer.steps) == 36
    assert array(layer.center).all()
    before = array(layer.center)
    model.evaluate(x, verbose=0)
    np.testing.assert_array_equal(array(layer.center), before)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    for each in (model, loaded):
        each.fit(x, batch_size=8, shuffle=False, verbose=0)
    assert array(loaded.get_layer("dino").steps) == 39
    for one, other in zip(model.weights, loaded.weights, strict=True):
        np.testing.assert_array_equal(array(one), array(other))


@pytest.mark.parametrize(
    "temperature", [0.3, WARMUP, keras.optimizers.schedules.CosineDecay(0.1, 5)]
)
def test_the_configuration_survives_json(temperature):
    given = OPTIONS | {"teacher_temperature": temperature, "gather": True}
    layer = layers.DINOCenter(name="mine", **given)
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(layer)))
    copy = keras.saving.deserialize_keras_object(config)
    assert copy.get_config() == layer.get_config()
    assert type(copy.teacher_temperature) is type(temperature)
    assert copy.gather


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"momentum": 1.0}, r"`momentum` must be in \[0, 1\). Received: momentum=1.0"),
        ({"teacher_temperature": 0.0}, r"`teacher_temperature` must be in \(0, inf\)"),
        ({"student_temperature": -1.0}, r"`student_temperature` must be in \(0, inf\)"),
        ({"dtype": "nonsense"}, "`dtype` must be a dtype"),
    ],
)
def test_wrong_arguments_are_named(arguments, said):
    with pytest.raises(ValueError, match=said):
        layers.DINOCenter(**arguments)


def test_wrong_shapes_are_named():
    layer, t, s = build(), narrow(TEACHERS[0]), narrow(STUDENTS[0])
    with pytest.raises(ValueError, match="student must have two or more views"):
        layer(s[:, :1], t[:, :1])
    with pytest.raises(ValueError, match=r"`teacher` must have .*teacher.shape"):
        layer(s, t[:, 0])
    with pytest.raises(ValueError, match=r"`sample_weight` must .*sample_weight.shape"):
        layer(s, t, np.ones(3, "float32"))
    with pytest.raises(ValueError, match=r"`mask` must .*mask.shape=\(6, 3\)"):
        layer(s, t, mask=np.ones((6, 3), "bool"))


@pytest.mark.slow
@pytest.mark.only("torch")
def test_processes_gather_their_samples_or_keep_their_centers(tmp_path):
    """See `tests/layers/center_of_processes.py`."""
    assert BACKEND == "torch"
    from tests import processes
    from tests.distribution.matrix import ports

    paths, numbers = [tmp_path / f"{i}.npz" for i in range(2)], ports(1)
    started = [
        processes.start(
            "tests.layers.center_of_processes", str(path), rank, *numbers, log=None
        )
        for rank, path in enumerate(paths)
    ]
    for process in started:
        process.join()
        assert process.exitcode == 0
    found = [dict(np.load(path)) for path in paths]
    t = TEACHERS[0]
    for key, parts in {
        "own": (t[:2], t[2:]),
        "gathered": (t, t),
    }.items():
        for each, samples in zip(found, parts, strict=True):
            expected = self_supervised.dino_center(samples, 0.0, 0.6)
            np.testing.assert_allclose(each[key], expected, rtol=1e-5)


def test_a_schedule_that_starts_at_zero_is_refused():
    rising = schedules.PiecewiseLinear([0, 10], [0.0, 0.07])
    with pytest.raises(ValueError, match=r"values above 0\. Received: 0\.0 at step 0"):
        layers.DINOCenter(teacher_temperature=rising)


def test_the_teacher_has_no_views_that_the_student_lacks():
    x = narrow(STUDENTS[0])
    with pytest.raises(ValueError, match="2 views of the student, 3 views of the"):
        build()(x[:, :2], x)
