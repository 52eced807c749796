"""Tests of COCOB beyond the contracts."""

import keras
import numpy as np
import pytest
from keras import ops

from tests.tools import array
from tfx_extras.optimizers import COCOB


def test_float16_weights_without_gradient_at_first_stay_finite():
    """The initial scale, 1e-8, is 0 in float16."""
    variable = keras.Variable([1.0, 1.0], dtype="float16", name="w")
    optimizer = COCOB()
    for gradient in ([0.0, 1.0], [0.0, 1.0], [1.0, 0.0]):
        optimizer.apply([ops.convert_to_tensor(gradient, "float16")], [variable])
    assert np.isfinite(array(variable)).all()
    assert (array(variable) < 1).all()


def test_the_first_step_is_one_in_alpha_whatever_the_gradient():
    variable = keras.Variable(np.ones(3), dtype="float32", name="w")
    COCOB(alpha=10.0).apply([ops.convert_to_tensor([1e-6, 1.0, -1e6])], [variable])
    np.testing.assert_allclose(array(variable), [0.9, 0.9, 1.1], rtol=1e-6)


def test_it_finds_a_minimum_without_a_learning_rate():
    variable = keras.Variable([0.0], dtype="float32", name="w")
    optimizer = COCOB()
    for _ in range(100):
        gradient = ops.sign(ops.convert_to_tensor(variable) - 0.5)
        optimizer.apply([gradient], [variable])
    assert abs(array(variable)[0] - 0.5) < 0.1


def test_the_bet_is_how_far_weights_are_from_where_they_began():
    start = np.array([1.0, -2.0, 0.0])
    variable = keras.Variable(start, dtype="float32", name="w")
    optimizer = COCOB()
    for gradient in ([1.0, -3.0, 0.0], [0.5, 1.0, 0.0], [-2.0, -1.0, 1e-3]):
        optimizer.apply([ops.convert_to_tensor(gradient)], [variable])
    (bet,) = (array(v) for v in optimizer.variables if v.name.endswith("_bet"))
    np.testing.assert_allclose(bet, array(variable) - start, rtol=1e-4)


@pytest.mark.only("jax")
def test_an_update_in_place_copies_one_slot():
    """It must not copy each one whose old value is read after its new one exists."""
    import jax

    variable = keras.Variable(np.ones(1000), dtype="float32", name="w")
    optimizer = COCOB()
    optimizer.build([variable])
    weights, state = [variable.value], [v.value for v in optimizer.variables]
    update = jax.jit(
        lambda weights, state, gradients: optimizer.stateless_apply(
            state, gradients, weights
        ),
        donate_argnums=(0, 1),
    )
    program = update.lower(weights, state, [jax.numpy.ones(1000)]).compile()
    assert program.memory_analysis().temp_size_in_bytes < 1.5 * 4 * 1000
