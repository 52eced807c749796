"""What holds for every schedule."""

import inspect
import json
import re

import keras
import numpy as np
import pytest
from keras import ops

from tests import tools
from tests.schedules.cases import OWN
from tests.schedules.cases import SCHEDULES
from tests.schedules.cases import STEPS
from tests.schedules.cases import each
from tests.schedules.cases import each_change
from tests.schedules.cases import each_class
from tests.schedules.cases import each_invalid
from tfx_extras import schedules

ULP = 2.0**-23
INT64 = "int32" if tools.BACKEND == "jax" else "int64"  # JAX has no int64 by default


def tolerance(expected):
    """Allows a few roundings of the maximum rate."""
    return 8 * ULP * np.abs(expected).max()


@each(SCHEDULES)
def test_equals_the_reference(case):
    expected = case.expected(STEPS)
    actual = tools.array(case.make()(STEPS))
    np.testing.assert_allclose(actual, expected, rtol=0, atol=tolerance(expected))


@each(SCHEDULES)
def test_is_exact_at_the_joints(case):
    schedule = case.make()
    for step, rate in case.joints.items():
        assert tools.array(schedule(step)) == np.float32(rate), step
    vector = tools.array(schedule(np.array(list(case.joints))))
    np.testing.assert_array_equal(vector, np.float32(list(case.joints.values())))


@each(SCHEDULES)
def test_compiled_is_exact_at_the_joints(case):
    steps = ops.convert_to_tensor(list(case.joints), "int32")
    actual = tools.array(tools.compiled(case.make())(steps))
    np.testing.assert_array_equal(actual, np.float32(list(case.joints.values())))


@each(SCHEDULES)
def test_late_steps_equal_the_reference(case):
    """Steps of an optimizer's counter beyond what float32 holds, up to the maximum."""
    late = [2**24 + 1, 2**24 + 3, 2**31 - 3, 2**31 - 1]
    expected = case.expected(np.array(late))
    steps = ops.convert_to_tensor(late, "int32")
    actual = tools.array(case.make()(steps))
    np.testing.assert_allclose(actual, expected, rtol=0, atol=tolerance(expected))


@each(SCHEDULES)
@pytest.mark.only("torch")
def test_class_equals_function(case):
    of_class = tools.array(case.make()(STEPS))
    of_function = tools.array(case.function(STEPS, **case.kwargs))
    np.testing.assert_array_equal(of_class, of_function)


@each(SCHEDULES)
def test_one_step_at_a_time_equals_a_vector_of_steps(case):
    schedule, steps = case.make(), STEPS[::7]
    one_by_one = [tools.array(schedule(int(step))) for step in steps]
    assert all(rate.shape == () for rate in one_by_one)
    vector = tools.array(schedule(steps))
    # Vectorized sines may differ in the last bit.
    np.testing.assert_allclose(one_by_one, vector, rtol=0, atol=tolerance(vector))


@each(SCHEDULES)
def test_steps_keep_their_shape(case):
    steps = STEPS.reshape(3, 4, 5)
    rates = case.make()(steps)
    assert tuple(rates.shape) == (3, 4, 5)
    np.testing.assert_array_equal(
        tools.array(rates).ravel(), tools.array(case.make()(STEPS))
    )


@each_class(SCHEDULES)
@pytest.mark.parametrize(
    "convert",
    [
        int,
        float,
        np.int32,
        np.int64,
        np.uint8,
        np.float32,
        np.float64,
        np.array,
        lambda step: ops.convert_to_tensor(step, "uint8"),
        lambda step: ops.convert_to_tensor(step, "int32"),
        lambda step: ops.convert_to_tensor(step, INT64),
        lambda step: ops.convert_to_tensor(step, "float32"),
        lambda step: ops.convert_to_tensor(step, "float16"),
        lambda step: keras.Variable(step, dtype="int32", trainable=False),
        lambda step: keras.Variable(step, dtype=INT64, trainable=False),
    ],
    ids=[
        *["int", "float", "np.int32", "np.int64", "np.uint8", "np.float32"],
        *["np.float64", "np.array", "uint8", "int32", "int64", "float32", "float16"],
        *["int32 variable", "int64 variable"],
    ],
)
def test_takes_steps_of_any_type(case, convert):
    schedule = case.make()
    for step in (0, 8, 31):
        rate = schedule(convert(step))
        assert keras.backend.standardize_dtype(rate.dtype) == "float32"
        np.testing.assert_array_equal(tools.array(rate), tools.array(schedule(step)))


@each(OWN)
@pytest.mark.parametrize("half", ["float16", "bfloat16"])
def test_is_no_less_precise_if_the_default_is_half_precision(case, half):
    expected = tools.array(case.make()(STEPS[:3]))
    keras.config.set_floatx(half)
    try:
        actual = case.make()(STEPS[:3])
    finally:
        keras.config.set_floatx("float32")
    np.testing.assert_array_equal(tools.array(actual), expected)


@each(OWN)
@pytest.mark.only("tensorflow", "torch")
def test_is_in_double_precision_if_that_is_the_default(case):
    expected = case.expected(STEPS)
    keras.config.set_floatx("float64")
    try:
        rates = case.make()(STEPS)
    finally:
        keras.config.set_floatx("float32")
    assert keras.backend.standardize_dtype(rates.dtype) == "float64"
    np.testing.assert_allclose(tools.array(rates), expected, rtol=0, atol=1e-15)


@each(SCHEDULES)
def test_compiled_equals_eager(case):
    schedule = case.make()
    steps = ops.convert_to_tensor(STEPS[::3], "int32")
    eager = tools.array(schedule(steps))
    fast = tools.array(tools.compiled(schedule)(steps))
    np.testing.assert_allclose(fast, eager, rtol=0, atol=tolerance(eager))


@each(SCHEDULES)
@pytest.mark.only("torch")
def test_configuration_survives_json(case):
    schedule = case.make()
    saved = json.loads(json.dumps(keras.saving.serialize_keras_object(schedule)))
    loaded = keras.saving.deserialize_keras_object(saved)
    assert type(loaded) is case.cls
    assert saved["registered_name"] == f"tfx_extras>{case.cls.__name__}"
    assert loaded.get_config() == schedule.get_config()
    assert keras.saving.serialize_keras_object(loaded) == saved
    np.testing.assert_array_equal(
        tools.array(loaded(STEPS)), tools.array(schedule(STEPS))
    )


@each(SCHEDULES)
@pytest.mark.only("torch")
def test_configuration_makes_an_equal_schedule(case):
    schedule = case.make()
    again = case.cls.from_config(schedule.get_config())
    assert again.get_config() == schedule.get_config()
    np.testing.assert_array_equal(
        tools.array(again(STEPS)), tools.array(schedule(STEPS))
    )


@each(SCHEDULES)
def test_configuration_of_numpy_arguments_is_of_python_numbers(case):
    def as_numpy(value):
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return np.asarray(value)[()] if is_number else value

    kwargs = {
        name: [as_numpy(item) for item in value]
        if isinstance(value, list | tuple)
        else as_numpy(value)
        for name, value in case.kwargs.items()
    }
    config = case.cls(**kwargs).get_config()
    assert config == case.make().get_config()
    json.dumps(config)


@each_change(SCHEDULES)
@pytest.mark.only("torch")
def test_every_hyperparameter_changes_the_rate(case, change):
    before = tools.array(case.make()(STEPS))
    after = tools.array(case.cls(**case.kwargs | change)(STEPS))
    assert np.abs(after - before).max() > 1e-3 * np.abs(before).max()


@pytest.mark.parametrize("cls", dict.fromkeys(case.cls for case in SCHEDULES))
def test_every_hyperparameter_is_changed_in_some_case(cls):
    changed = {name for case in SCHEDULES if case.cls is cls for name in case.changes}
    assert changed == set(inspect.signature(cls).parameters)


def test_every_schedule_has_a_case():
    tested = {case.cls for case in SCHEDULES} | {case.function for case in SCHEDULES}
    public = {getattr(schedules, name) for name in schedules.list()}
    assert tested == public


@pytest.mark.parametrize("cls", dict.fromkeys(case.cls for case in SCHEDULES))
def test_class_and_function_have_the_same_arguments_and_defaults(cls):
    of_class = inspect.signature(cls).parameters.values()
    of_function = list(inspect.signature(cls.function).parameters.values())[1:]
    for one, other in zip(of_class, of_function, strict=True):
        assert (one.name, one.default) == (other.name, other.default)


@each_invalid(SCHEDULES)
def test_wrong_arguments_are_refused_by_name_and_value(case, arguments, received):
    with pytest.raises(ValueError, match=re.escape(received)):
        case.cls(**case.kwargs | arguments)


# Other backends trace each schedule, and all schedules are given the same step.
@each_class(SCHEDULES if tools.BACKEND == "torch" else SCHEDULES[:1])
def test_trains_a_model_and_is_observed(case):
    model = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(1)])
    schedule = case.make()
    optimizer = keras.optimizers.SGD(schedule)
    model.compile(optimizer, "mse", jit_compile=False)
    model.fit(np.ones((6, 2)), np.ones((6, 1)), batch_size=2, verbose=0)
    assert int(optimizer.iterations) == 3
    observed = float(ops.convert_to_numpy(optimizer.learning_rate))
    assert observed == pytest.approx(case.expected([3])[0], rel=1e-6)


def test_weights_move_by_the_rate_of_each_update():
    schedule = schedules.WarmupCosine(0.5, 2, 4)
    optimizer = keras.optimizers.SGD(schedule)
    weight = keras.Variable([0.0])
    moved = []
    for _ in range(7):
        before = tools.array(weight)
        optimizer.apply([ops.convert_to_tensor([1.0])], [weight])
        moved.append(float((before - tools.array(weight))[0]))
    np.testing.assert_allclose(moved, tools.array(schedule(np.arange(7))), atol=1e-6)


@each(SCHEDULES)
@pytest.mark.only("torch")
def test_saved_model_keeps_its_schedule(case, tmp_path):
    model = keras.Sequential([keras.layers.Input((1,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(case.make()), "mse")
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    learning_rate = loaded.optimizer.get_config()["learning_rate"]
    assert learning_rate["config"] == case.make().get_config()
