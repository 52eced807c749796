"""Tests of NovoGrad beyond the contracts."""

import keras
import numpy as np
import pytest
from keras import ops

from tests.references.optimizers import novograd
from tests.tools import array
from tfx_extras.optimizers import NovoGrad


@pytest.mark.parametrize(("rate_in_momentum", "second"), [(False, 0.009), (True, 0.09)])
def test_the_rate_is_of_the_momentum_or_in_it(rate_in_momentum, second):
    """The second gradient is 0: the momentum remains, at a tenth of the rate."""
    rate = keras.optimizers.schedules.PiecewiseConstantDecay([0], [0.1, 0.01])
    optimizer = NovoGrad(rate, rate_in_momentum=rate_in_momentum)
    variable = keras.Variable([1.0], dtype="float32", name="w")
    values = [array(variable)]
    for gradient in (3.0, 0.0):
        optimizer.apply([ops.convert_to_tensor([gradient])], [variable])
        values.append(array(variable))
    np.testing.assert_allclose(-np.diff(values, axis=0)[:, 0], [0.1, second], rtol=1e-5)


def test_the_variance_begins_at_the_first_gradient_that_is_not_zero():
    """The first gradients of a variable may be zero."""
    variable = keras.Variable([1.0, 1.0], dtype="float32", name="w")
    optimizer = NovoGrad(0.1)
    for gradient in ([0.0, 0.0], [0.0, 0.0], [3.0, 4.0]):
        optimizer.apply([ops.convert_to_tensor(gradient)], [variable])
    np.testing.assert_allclose(array(variable), [0.94, 0.92], rtol=1e-6)


@pytest.mark.parametrize("amsgrad", [False, True])
@pytest.mark.parametrize("beta_2", [0.0, 0.5])
@pytest.mark.parametrize(
    "gradients", [[1, 0, 1], [0, 0, 1, 0, 1], [0, 0, 0], [2, 1, 0, 0, 3, 1]]
)
def test_a_gradient_of_zero_after_others_is_no_new_beginning(
    gradients, beta_2, amsgrad
):
    options = {"beta_2": beta_2, "grad_averaging": True, "amsgrad": amsgrad}
    gradients = [np.float64([g, 2 * g]) for g in gradients]
    expected = novograd(np.float64([1.0, -1.0]), gradients, 1.0, **options)
    variable = keras.Variable([1.0, -1.0], dtype="float32", name="w")
    optimizer = NovoGrad(1.0, **options)
    for gradient in gradients:
        optimizer.apply([ops.convert_to_tensor(gradient, "float32")], [variable])
    np.testing.assert_allclose(array(variable), expected, rtol=1e-5)


def test_without_beta_2_and_with_an_average_the_third_step_is_that_of_the_formula():
    variable = keras.Variable([1.0], dtype="float32", name="w")
    optimizer = NovoGrad(1.0, beta_2=0, grad_averaging=True)
    for gradient in (1.0, 0.0, 1.0):
        optimizer.apply([ops.convert_to_tensor([gradient])], [variable])
    np.testing.assert_allclose(array(variable), [-1.81], rtol=1e-5)


def test_decay_enters_the_momentum_unless_independent():
    moved = {}
    for independent in (False, True):
        optimizer = NovoGrad(0.1, weight_decay=0.5, independent_decay=independent)
        variable = keras.Variable([1.0], dtype="float32", name="w")
        optimizer.apply([ops.zeros(1)], [variable])
        first = array(variable)
        optimizer.weight_decay = 0.0
        optimizer.apply([ops.zeros(1)], [variable])
        moved[independent] = float(first[0]), float((array(variable) - first)[0])
    np.testing.assert_allclose(moved[False], [0.95, -0.045], rtol=1e-5)
    np.testing.assert_allclose(moved[True], [0.5, 0.0], rtol=1e-5)
