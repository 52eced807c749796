"""Hyperparameters are functions, tensors and attributes, as in TensorFlow Addons."""

import keras
import numpy as np
import pytest
from keras import ops

from tests import tools
from tfx_extras import tfa

ADAM = {"beta_1": 0.5, "beta_2": 0.875}


def make(name, **arguments):
    """An optimizer by its name; of a wrapper, around one that descends."""
    if name == "extended SGD":
        cls = tfa.optimizers.extend_with_decoupled_weight_decay(keras.optimizers.SGD)
        return cls(0.0, learning_rate=0.125, name="own", **arguments)
    cls = getattr(tfa.optimizers, name)
    if name in ("Lookahead", "MovingAverage"):
        return cls(keras.optimizers.SGD(0.125, name="inner"), **arguments)
    if name in ("AdamW", "SGDW"):
        arguments = {"weight_decay": 0.0} | arguments
    return cls(learning_rate=0.125, **arguments)


# The argument, its first value and the next, and others that let it matter.
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
# Read by our formulas as tensors, by native ones as numbers, and by wrappers.
EACH_KIND = [CASES[i] for i in (1, 2, 6, 9, 10, 11, -2, -1)]


def trajectory(optimizer, change=lambda: None):
    """Weights after each of two steps, and of six more after a change."""
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


@of(CASES)
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
