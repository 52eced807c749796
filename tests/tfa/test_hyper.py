"""Hyperparameters may be functions, tensors and attributes, as in TensorFlow Addons."""

import keras
import numpy as np
import pytest
from keras import ops

from tests import tools
from tfx_extras import optimizers
from tfx_extras import tfa

ADAM = {"beta_1": 0.5, "beta_2": 0.875}


def make(name, **arguments):
    """An optimizer by its name; a wrapper gets SGD as its inner optimizer."""
    if name == "extended SGD":
        cls = tfa.optimizers.extend_with_decoupled_weight_decay(keras.optimizers.SGD)
        return cls(0.0, learning_rate=0.125, name="own", **arguments)
    cls = getattr(tfa.optimizers, name)
    if name in ("Lookahead", "MovingAverage"):
        return cls(keras.optimizers.SGD(0.125, name="inner"), **arguments)
    if name in ("AdamW", "SGDW"):
        arguments = {"weight_decay": 0.0} | arguments
    return cls(learning_rate=0.125, **arguments)


# The argument, its first and next value, and other arguments that make it matter.
CASES = [
    *[(name, "weight_decay", 0.5, 0.25, {}) for name in ("SGDW", "AdamW")],
    *[(name, "weight_decay", 0.5, 0.25, ADAM) for name in ("RectifiedAdam", "LAMB")],
    *[(name, "weight_decay", 0.5, 0.25, ADAM) for name in ("AdaBelief", "NovoGrad")],
    *[("AdamW", name, 0.5, 0.25, {}) for name in ("beta_1", "beta_2")],
    *[(n, "momentum", 0.5, 0.25, {}) for n in ("SGDW", "extended SGD")],
    ("ConditionalGradient", "lambda_", 0.5, 0.25, {}),
    ("RectifiedAdam", "beta_1", 0.5, 0.25, {}),
    ("RectifiedAdam", "beta_2", 63 / 64, 0.875, {"sma_threshold": 4.0}),
    ("RectifiedAdam", "sma_threshold", 9.0, 4.0, {"beta_1": 0.5}),
    ("RectifiedAdam", "min_lr", 0.0, 1.0, ADAM | {"total_steps": 2}),
    *[("AdaBelief", name, 0.5, 0.25, {"rectify": False}) for name in ADAM],
    *[("LAMB", name, 0.5, 0.25, {}) for name in ADAM],
    *[("LazyAdam", name, 0.5, 0.25, {}) for name in ADAM],
    *[("NovoGrad", name, 0.5, 0.25, {}) for name in ADAM],
    *[("Yogi", name, 0.5, 0.25, {}) for name in ("beta1", "beta2", "epsilon")],
    *[
        ("Yogi", f"{name}_regularization_strength", 0.5, 0.25, {})
        for name in ("l1", "l2")
    ],
    ("Lookahead", "slow_step_size", 0.5, 0.25, {"sync_period": 1}),
    ("MovingAverage", "average_decay", 0.5, 0.25, {}),
]
# Our formulas read hyperparameters as tensors, and native ones read them as numbers.
# Wrappers read them in their own way.
EACH_KIND = [CASES[i] for i in (1, 2, 6, 9, 10, 11, -2, -1)]


def trajectory(optimizer, change=lambda: None):
    """The weights after each of two steps, and of six more after a change."""
    w = keras.Variable(np.array([1.0, -2.0], "float32"))
    recorded = []
    for step in range(8):
        if step == 2:
            change()
        optimizer.apply([ops.array([0.5, 1.0 + step])], [w])
        recorded.append(tools.array(w))
    if isinstance(optimizer, tfa.optimizers.MovingAverage):
        recorded += [tools.array(slots[0]) for slots in optimizer._slots]
    return np.concatenate(recorded)


def of(cases):
    return pytest.mark.parametrize(
        ("name", "argument", "first", "next", "others"),
        cases,
        ids=[f"{case[0]}-{case[1]}" for case in cases],
    )


@of(CASES if tools.BACKEND == "torch" else EACH_KIND)
def test_a_function_is_called_at_each_step(name, argument, first, next, others):
    held = {"value": first}
    function = make(name, **{argument: lambda: held["value"]}, **others)
    with_function = trajectory(function, lambda: held.update(value=next))
    number = make(name, **{argument: first}, **others)
    same = trajectory(number)
    assert np.array_equal(with_function[:4], same[:4])
    assert not np.allclose(with_function[4:], same[4:], rtol=1e-5, atol=0)


@of(EACH_KIND)
def test_a_variable_is_read_at_each_step(name, argument, first, next, others):
    variable = keras.Variable(first)
    optimizer = make(name, **{argument: variable}, **others)
    read = trajectory(optimizer, lambda: variable.assign(next))
    held = {"value": first}
    optimizer = make(name, **{argument: lambda: held["value"]}, **others)
    called = trajectory(optimizer, lambda: held.update(value=next))
    np.testing.assert_allclose(read, called, rtol=1e-6)


@of(EACH_KIND)
def test_a_tensor_is_its_number(name, argument, first, next, others):
    tensor = make(name, **{argument: ops.convert_to_tensor(first)}, **others)
    number = make(name, **{argument: first}, **others)
    assert tensor.get_config() == number.get_config()
    assert np.array_equal(trajectory(tensor), trajectory(number))


@pytest.mark.parametrize("name", ["SGDW", "AdamW", "RectifiedAdam", "extended SGD"])
def test_the_decay_can_be_read_and_set_while_a_model_is_trained(name):
    # In `fit`, TensorFlow and JAX compile a step only once.
    unit = 2.0**-3 if name == "RectifiedAdam" else 1.0
    rate = unit if name == "RectifiedAdam" else 0.0
    cls = tfa.optimizers.extend_with_decoupled_weight_decay(keras.optimizers.SGD)
    cls = getattr(tfa.optimizers, name, cls)
    optimizer = cls(weight_decay=0.5, learning_rate=rate)
    assert optimizer.weight_decay == 0.5
    layer = keras.layers.Dense(1, use_bias=False, kernel_initializer="ones")
    model = keras.Sequential([keras.Input((1,)), layer])
    model.compile(optimizer, "mse")
    data = {"x": np.zeros((1, 1)), "y": np.zeros((1, 1)), "verbose": 0}
    model.fit(**data)
    kernel = 1 - 0.5 * unit
    np.testing.assert_allclose(tools.array(layer.kernel), [[kernel]], rtol=1e-7)
    optimizer.weight_decay = 0.1
    assert optimizer.weight_decay == 0.1
    assert optimizer.get_config()["weight_decay"] == 0.1
    model.fit(**data)
    kernel *= 1 - 0.1 * unit
    np.testing.assert_allclose(tools.array(layer.kernel), [[kernel]], rtol=1e-7)
    with pytest.raises(ValueError, match="weight_decay"):
        optimizer.weight_decay = -1.0


def test_what_is_set_is_no_part_of_the_state_that_is_saved(tmp_path):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(tfa.optimizers.AdamW(0.5, 0.1, beta_1=0.5), "mse")
    data = {"x": np.ones((4, 1)), "y": np.ones((4, 1)), "verbose": 0}
    model.fit(**data)
    model.optimizer.weight_decay = 0.25
    held = {}
    model.optimizer.save_own_variables(held)
    # As before hyperparameters had variables: step count, rate, two slots per variable.
    assert len(held) == 2 + 2 * 2
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert again.optimizer.weight_decay == 0.25
    for each in (model, again):
        each.fit(**data)
    for w, v in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(w, v)


def test_what_has_no_part_in_a_step_cannot_be_set():
    for optimizer, name in (
        (tfa.optimizers.SGDW(0.5, momentum=0.0), "momentum"),
        (tfa.optimizers.RectifiedAdam(weight_decay=0.0), "weight_decay"),
        (tfa.optimizers.SGDW(lambda: 0.5), "weight_decay"),
    ):
        optimizer.build([keras.Variable([1.0])])
        with pytest.raises(ValueError, match=name):
            setattr(optimizer, name, 0.25)


@keras.saving.register_keras_serializable("tests")
def half():
    return 0.5


def test_a_function_is_saved_if_it_is_registered_and_else_its_value():
    for name, argument, *_ in EACH_KIND:
        with_function = make(name, **{argument: half})
        config = with_function.get_config()
        config = type(with_function).from_config(config).get_config()
        assert config[argument]["config"] == "tests>half"
        unnamed = make(name, **{argument: lambda: 0.5})
        with pytest.warns(UserWarning, match=f"`{argument}` is a function"):
            assert unnamed.get_config()[argument] == 0.5
    rate = tfa.optimizers.SGDW(0.5, lambda: 0.25)
    with pytest.warns(UserWarning, match="`learning_rate` is a function"):
        assert rate.get_config()["learning_rate"] == 0.25


def test_a_function_is_checked_when_it_is_called():
    held = {"value": 0.5}
    with pytest.raises(ValueError, match="beta_1"):
        tfa.optimizers.AdamW(0.5, beta_1=lambda: 2.0)
    optimizer = tfa.optimizers.LAMB(0.5, beta_1=lambda: held["value"])
    held["value"] = 2.0
    with pytest.raises(ValueError, match="beta_1"):
        optimizer.apply([ops.ones(1)], [keras.Variable([1.0])])


def test_a_learning_rate_may_be_a_variable():
    rate = keras.Variable(0.5)
    w = keras.Variable([1.0])
    optimizer = tfa.optimizers.SGDW(0.0, rate)
    optimizer.apply([ops.ones(1)], [w])
    rate.assign(0.25)
    optimizer.apply([ops.ones(1)], [w])
    np.testing.assert_allclose(tools.array(w), [0.25])


def test_the_number_of_updates_of_an_average_may_be_a_variable():
    variable = keras.Variable(6, dtype="int32", trainable=False)
    for count in (6, variable, ops.convert_to_tensor(6)):
        average = tfa.optimizers.MovingAverage("sgd", 0.875, num_updates=count)
        assert average.decay == 7 / 16
        assert average.get_config()["num_updates"] == 6


def test_a_wrapper_of_ours_calls_functions_of_its_optimizer():
    held = {"value": 0.5}
    inner = tfa.optimizers.SGDW(lambda: held["value"], 0.0)
    optimizer = optimizers.Lookahead(inner, sync_period=9)
    w = keras.Variable([1.0])
    optimizer.apply([ops.zeros(1)], [w])
    held["value"] = 0.25
    optimizer.apply([ops.zeros(1)], [w])
    np.testing.assert_allclose(tools.array(w), [0.375])
