"""The rounding error of 16-bit weights, which is kept beside them."""

import keras
import numpy as np
import pytest
from keras import ops

from tests.tools import array
from tfx_extras.optimizers import ProximalAdagrad
from tfx_extras.optimizers import RAdam


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_nothing_is_left_of_a_weight_that_was_assigned_from_outside(dtype):
    w = keras.Variable([1000.0, 1.0], dtype=dtype, name="w")
    optimizer = ProximalAdagrad(1.0, initial_accumulator_value=1.0)
    for _ in range(3):
        optimizer.apply([ops.full((2,), 0.3, dtype)], [w])
    assert (np.abs(array(optimizer._residuals[0])) > 0).any()
    w.assign([0.0, 0.0])
    optimizer.apply([ops.zeros((2,), dtype)], [w])
    np.testing.assert_allclose(array(w), 0, atol=1e-6)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_a_residual_of_half_a_unit_in_the_last_place_counts(dtype):
    """Steps of a quarter of a unit accumulate, at each place within a power of two."""
    unit = {"bfloat16": 2.0**-7, "float16": 2.0**-10}[dtype]
    start = np.array([1.0, 1.0 + unit, 1.5, 2 - unit, 2.0, 3.0, 4 - 2 * unit])
    w = keras.Variable(start, dtype=dtype, name="w")
    optimizer = RAdam(unit / 4)
    # The first steps depend on momentum only, and each has the length of the rate.
    for _ in range(4):
        optimizer.apply([-ops.ones(start.shape, dtype)], [w])
    exact = array(w) + array(optimizer._residuals[0])
    np.testing.assert_allclose(exact, start + unit, rtol=0, atol=unit / 64)


def test_an_overflow_to_infinity_stays_one():
    w = keras.Variable([6.0e4], dtype="float16", name="w")
    optimizer = ProximalAdagrad(1e5, initial_accumulator_value=1.0)
    for gradient in (-1.0, 0.0):
        optimizer.apply([ops.full((1,), gradient, "float16")], [w])
    assert np.isinf(array(w)).all()
