"""What holds for every optimizer that wraps another, on every backend."""

import inspect
import json
import warnings

import keras
import numpy as np
import pytest
from keras import ops

from tests.cases import WRAPPERS
from tests.cases import each
from tests.cases import each_class
from tests.contracts.test_optimizers import START
from tests.contracts.test_optimizers import stepper
from tests.optimizers.wrapper_cases import MOMENTUM
from tests.optimizers.wrapper_cases import RATE
from tests.references import wrappers as references
from tests.tools import array
from tests.tools import each_device
from tests.tools import wide
from tfx_extras.optimizers import AdaBelief
from tfx_extras.optimizers import ParameterGroups
from tfx_extras.optimizers import RAdam


@pytest.fixture
def gradients():
    rng = np.random.default_rng(0)
    return array(ops.cast(rng.normal(size=(14, 3, 4)), "bfloat16"))


def run(optimizer, gradients, dtype="float32", start=START):
    """The weights after one update with each gradient, and their average."""
    variable = keras.Variable(start, dtype=dtype, name="w")
    for g in gradients:
        optimizer.apply([ops.convert_to_tensor(g, dtype)], [variable])
    return array(variable), average(optimizer, variable)


def average(optimizer, variable):
    """The average that an optimizer keeps, as a model would see it."""
    if not hasattr(optimizer, "swap"):
        return None
    optimizer.swap()
    seen = array(variable)
    optimizer.swap()
    return seen


def assert_close(actual, expected, tolerance):
    for ours, theirs in zip(actual, expected, strict=True):
        assert (ours is None) == (theirs is None)
        if theirs is not None:
            moved = np.abs(theirs - START).max()
            np.testing.assert_allclose(ours, theirs, rtol=0, atol=tolerance * moved)


@each(WRAPPERS)
@pytest.mark.parametrize("past", [2**24 + 1, 2**24 + 3, 2**31 - 15])
def test_late_updates_equal_the_reference(case, past, gradients, monkeypatch):
    """Counters are compared as integers; float32 would skip every second step."""
    kwargs = dict(case.kwargs)
    for name in ("start", "start_step"):  # these steps have passed
        if name in kwargs:
            kwargs[name] += past
    optimizer = case.make(**kwargs)
    variable = keras.Variable(START, name="w")
    optimizer.build([variable])
    optimizer.before = None
    optimizer._iterations.assign(past)
    for slot in optimizer._slots[0]:
        slot.assign(START)
    for g in gradients:
        optimizer.apply([ops.convert_to_tensor(g, "float32")], [variable])

    def late(items, start):
        return enumerate(items, start + past)

    monkeypatch.setattr(references, "enumerate", late, raising=False)
    expected = case.reference(START, gradients, RATE, MOMENTUM, **kwargs)
    actual = array(variable), average(optimizer, variable)
    assert_close(actual, expected, 1e-6)


@each(WRAPPERS)
@each_device
@pytest.mark.parametrize(
    ("dtype", "tolerance"), [("float64", 1e-12), ("float32", 1e-6)]
)
def test_matches_its_reference(case, device, dtype, tolerance, gradients):
    expected = case.expected(START, gradients)
    with wide(), keras.device(device):
        assert_close(run(case.make(), gradients, dtype), expected, tolerance)


@each(WRAPPERS)
@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_weights_follow_the_reference(case, dtype, gradients):
    """The inner optimizer is ours, which loses no rounding error either."""
    unit = {"bfloat16": 2.0**-8, "float16": 2.0**-11}[dtype]
    expected = run(case.make(RAdam(2.0**-9)), gradients, "float32")
    actual = run(case.make(RAdam(2.0**-9)), gradients, dtype)
    for ours, theirs in zip(actual, expected, strict=True):
        if theirs is not None:
            np.testing.assert_allclose(ours, theirs, rtol=1.1 * unit, atol=1e-6)


@each(WRAPPERS)
@pytest.mark.parametrize("jit", [False, True])
def test_compiled_equals_eager(case, jit, gradients):
    expected = run(case.make(), gradients)
    variable = keras.Variable(START, dtype="float32", name="w")
    optimizer = case.make()
    optimizer.build([variable])
    step = stepper(optimizer, [variable], jit)
    for g in gradients:
        step([ops.convert_to_tensor(g, "float32")])
    assert_close((array(variable), average(optimizer, variable)), expected, 1e-6)


@each(WRAPPERS)
def test_accumulated_gradients_count_as_one_update(case, gradients):
    expected = case.expected(START, gradients.reshape(7, 2, 3, 4).mean(axis=1))
    inner = keras.optimizers.SGD(RATE, MOMENTUM, gradient_accumulation_steps=2)
    assert_close(run(case.make(inner), gradients), expected, 1e-6)


@each_class(WRAPPERS)
def test_updates_are_counted_from_when_it_wraps(case, gradients):
    """The inner optimizer may have made updates before it was wrapped."""
    inner = RAdam(RATE)
    variable = keras.Variable(START, dtype="float32", name="w")
    for g in gradients[:5]:
        inner.apply([ops.convert_to_tensor(g, "float32")], [variable])
    before = array(variable)
    optimizer = case.make(inner)
    seen = [before]
    for g in gradients[5:9]:
        optimizer.apply([ops.convert_to_tensor(g, "float32")], [variable])
        seen.append(array(variable))
    assert inner.iterations == 9
    kept = average(optimizer, variable)
    if kept is not None:
        low, high = np.min(seen, axis=0), np.max(seen, axis=0)
        assert ((low - 1e-6 <= kept) & (kept <= high + 1e-6)).all()
    else:
        assert (np.abs(array(variable) - before) < 4 * RATE * 10).all()


@each_class(WRAPPERS)
def test_weights_loaded_after_it_was_built_are_the_first(case, gradients):
    variable = keras.Variable(START - 100, dtype="float32", name="w")
    optimizer = case.make()
    optimizer.build([variable])
    variable.assign(START)
    assert_close(
        run_more(optimizer, variable, gradients), case.expected(START, gradients), 1e-6
    )


def run_more(optimizer, variable, gradients):
    for g in gradients:
        optimizer.apply([ops.convert_to_tensor(g, "float32")], [variable])
    return array(variable), average(optimizer, variable)


@each_class(WRAPPERS)
def test_two_in_one_another_do_what_each_does(case, gradients):
    expected, kept = case.expected(START, gradients)
    plain = ParameterGroups(keras.optimizers.SGD(RATE, MOMENTUM), {".*": {}})
    assert_close(run(case.make(plain), gradients), (expected, kept), 1e-6)
    half = {".*": {"learning_rate_multiplier": 0.5}}
    outer = ParameterGroups(case.make(keras.optimizers.SGD(2 * RATE, MOMENTUM)), half)
    assert_close(run(outer, gradients)[:1], (expected,), 1e-6)


@pytest.mark.only("jax")
@each_class(WRAPPERS)
def test_variables_share_no_memory_which_a_compiled_step_could_not_reuse(
    case, gradients
):
    optimizer, variable = case.make(), keras.Variable(START, name="w")

    def pointers():
        own = [variable, *optimizer.variables]
        return [v.value.unsafe_buffer_pointer() for v in own]

    for g in gradients[:4]:
        optimizer.apply([ops.convert_to_tensor(g, "float32")], [variable])
    assert len(set(pointers())) == len(pointers())
    if hasattr(optimizer, "assign_average"):
        optimizer.swap()
        assert len(set(pointers())) == len(pointers())
        optimizer.swap()
        optimizer.assign_average()
        assert len(set(pointers())) == len(pointers())


# Configuration


@pytest.mark.filterwarnings("ignore:The weight decay of:UserWarning")
@each(WRAPPERS)
def test_config_round_trip(case):
    optimizer = case.make(AdaBelief(1e-4, weight_decay=0.1), name="other")
    config = json.loads(json.dumps(keras.optimizers.serialize(optimizer)))
    assert config["registered_name"] == f"tfx_extras>{case.cls.__name__}"
    copy = keras.optimizers.deserialize(config)
    assert type(copy) is case.cls
    assert type(copy.inner_optimizer) is AdaBelief
    assert copy.get_config() == optimizer.get_config() == config["config"]
    assert config["config"].items() >= (case.kwargs | {"name": "other"}).items()


@each_class(WRAPPERS)
def test_a_changed_argument_changes_the_result(case, gradients):
    def inner():
        return keras.optimizers.SGD(case.rate, MOMENTUM)

    before = run(case.make(inner()), gradients)
    before = np.concatenate([x for x in before if x is not None])
    for name, value in case.changes.items():
        after = run(case.make(inner(), **{name: value}), gradients)
        after = np.concatenate([x for x in after if x is not None])
        assert np.abs(after - before).max() > 1e-4, name
    arguments = set(inspect.signature(case.cls).parameters)
    assert case.changes.keys() == arguments - {"inner_optimizer", "name"}


@each_class(WRAPPERS)
def test_invalid_arguments_are_named_with_their_value(case):
    for kwargs in case.invalid:
        ((name, value),) = kwargs.items()
        with pytest.raises(ValueError, match=rf"`{name}` must be in .* {name}={value}"):
            case.make(**kwargs)


@each_class(WRAPPERS)
def test_names_of_optimizers_are_understood_and_others_refused(case):
    assert type(case.make("adamax").inner_optimizer).__name__ == "Adamax"
    with pytest.raises(ValueError, match="nonsense"):
        case.make("nonsense")
    scaled = keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam())
    with pytest.raises(ValueError, match=rf"LossScaleOptimizer\({case.cls.__name__}"):
        case.make(scaled)
    assert case.make().name == case.make().name == case.cls.__name__.lower()


# What belongs to the inner optimizer


@each_class(WRAPPERS)
def test_the_learning_rate_is_that_of_the_inner_optimizer(case, gradients):
    optimizer = case.make()
    assert optimizer.learning_rate is optimizer.inner_optimizer.learning_rate
    optimizer.learning_rate = 0.25
    assert array(optimizer.inner_optimizer.learning_rate) == 0.25
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay([6], [RATE, 0.0])
    ended = gradients * (np.arange(14) <= 6)[:, None, None]
    # A decay would depend on the rate too.
    kwargs = {k: v for k, v in case.kwargs.items() if k != "weight_decay"}
    expected = case.reference(START, ended, RATE, 0.0, **kwargs)
    actual = run(case.cls(keras.optimizers.SGD(schedule), **kwargs), gradients)
    assert_close(actual, expected, 1e-6)


@pytest.mark.filterwarnings("ignore:The weight decay of:UserWarning")
@each_class(WRAPPERS)
def test_clipping_and_exclusion_are_those_of_the_inner_optimizer(case, gradients):
    clipped = case.make(keras.optimizers.SGD(RATE, MOMENTUM, clipvalue=0.1))
    expected = case.expected(START, np.clip(gradients, -0.1, 0.1))
    assert_close(run(clipped, gradients), expected, 1e-5)
    optimizer = case.make(RAdam(weight_decay=0.5))
    optimizer.exclude_from_weight_decay(var_names=["w"])
    assert optimizer.inner_optimizer.weight_decay_exclude == ["w"]
    still = run(optimizer, np.zeros((5, 3, 4)))[0]
    np.testing.assert_array_equal(still, START)


@pytest.mark.filterwarnings("ignore:`use_ema` of:UserWarning")
@each_class(WRAPPERS)
def test_loss_scale_and_average_are_those_of_the_inner_optimizer(case, gradients):
    inner = keras.optimizers.SGD(RATE, MOMENTUM, loss_scale_factor=4.0)
    optimizer = case.make(inner)
    assert optimizer.scale_loss(2.0) == 8.0
    assert_close(run(optimizer, 4 * gradients), case.expected(START, gradients), 1e-6)
    optimizer.loss_scale_factor = 2.0
    assert inner.loss_scale_factor == optimizer.loss_scale_factor == 2.0
    ema = case.make(keras.optimizers.SGD(RATE, use_ema=True, ema_momentum=0.5))
    variable = keras.Variable(START, dtype="float32", name="w")
    run_more(ema, variable, gradients)
    last = array(variable)
    ema.finalize_variable_values([variable])
    assert (array(variable) != last).all()


@each_class(WRAPPERS)
def test_variables_without_gradient_stay_as_they_are(case):
    a, b = (keras.Variable(np.ones(2), dtype="float32", name=n) for n in "ab")
    optimizer = case.make()
    optimizer.build([a, b])
    with pytest.warns(UserWarning, match="Gradients do not exist"):
        optimizer.apply([None, ops.ones(2)], [a, b])
    with warnings.catch_warnings():
        # Where the update is a graph, as in `fit`, the warning appears only once.
        warnings.filterwarnings("ignore", "Gradients do not exist")
        for _ in range(5):
            optimizer.apply([None, ops.ones(2)], [a, b])
    np.testing.assert_array_equal(array(a), 1)
    assert (array(b) < 1).all()
    with pytest.raises(ValueError, match="must already be built"):
        case.make().apply([ops.ones(2)])


@each_class(WRAPPERS)
def test_its_state_is_saved_once_and_set_by_weights(case, gradients, tmp_path):
    optimizer, other = case.make(), case.make()
    variable = keras.Variable(START, dtype="float32", name="w")
    run_more(optimizer, variable, gradients)
    other.build([variable])
    other.set_weights([array(v) for v in optimizer.variables])
    for a, b in zip(optimizer.variables, other.variables, strict=True):
        np.testing.assert_array_equal(array(a), array(b))
    own, inner = {}, {}
    optimizer.save_own_variables(own)
    optimizer.inner_optimizer.save_own_variables(inner)
    assert len(own) + len(inner) == len(optimizer.variables)
    with pytest.warns(UserWarning, match="not loaded"):
        case.make().load_own_variables(own)


@each_class(WRAPPERS)
def test_frozen_weights_stay_as_they_are(case, gradients):
    a, b = (keras.Variable(START, dtype="float32", name=name) for name in "ab")
    optimizer = case.make()
    tensors = [ops.convert_to_tensor(g, "float32") for g in gradients]
    for g in tensors[:2]:
        optimizer.apply([g, g], [a, b])
    frozen = array(b)
    for g in tensors[2:]:
        optimizer.apply([g], [a])
    np.testing.assert_array_equal(array(b), frozen)
    assert (array(a) != START).all()


@each_class(WRAPPERS)
@pytest.mark.only("tensorflow")
@pytest.mark.parametrize("cls", [keras.optimizers.Adam, keras.optimizers.RMSprop])
def test_repeated_rows_are_summed_for_optimizers_of_keras_too(case, cls):
    import tensorflow as tf

    rows, values = [2, 0, 2], np.arange(6.0).reshape(3, 2)
    dense = np.zeros((4, 2))
    np.add.at(dense, rows, values)
    results = []
    for gradient in (
        tf.IndexedSlices(
            tf.constant(values, "float32"), tf.constant(rows), tf.constant([4, 2])
        ),
        tf.constant(dense, "float32"),
    ):
        table = keras.Variable(np.ones((4, 2)), dtype="float32", name="table")
        optimizer = case.make(ParameterGroups(cls(0.1), {".*": {}}))
        for _ in range(3):
            optimizer.apply([gradient], [table])
        results.append(array(table))
    np.testing.assert_array_equal(*results)
