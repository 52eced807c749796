"""Tests of ConditionalGradient beyond the contracts."""

import keras
import numpy as np
import pytest
from keras import ops

from tests.tools import BACKEND
from tests.tools import array
from tests.tools import compiled
from tests.tools import wide
from tfx_extras.optimizers import ConditionalGradient


def farthest(gradient, dtype="float64", jit=False):
    """The point that a rate of 1 moves to: an extreme point of the unit ball."""
    with wide():
        variable = keras.Variable(np.ones_like(gradient), dtype=dtype, name="w")
        optimizer = ConditionalGradient(1.0, norm="nuclear")
        optimizer.build([variable])
        g = ops.convert_to_tensor(np.asarray(gradient), dtype)
        if jit or BACKEND == "jax":  # where it is faster
            direct = compiled(lambda g: optimizer.update(g, 0 * g, 1, ())[0])
            return -array(direct(g))
        optimizer.apply([g])
        return array(variable)


def expected(gradient):
    matrix = gradient.reshape(-1, gradient.shape[-1])
    u, s, vh = np.linalg.svd(matrix, full_matrices=False)
    assert s[1] < 0.995 * s[0]
    return -np.outer(u[:, 0], vh[0]).reshape(gradient.shape)


@pytest.mark.parametrize(
    ("shape", "scale"), [((3, 5), 1e-30), ((3, 3, 2, 4), 1.0), ((20, 20), 1e30)]
)
def test_the_nuclear_direction_is_the_first_singular_pair(shape, scale):
    gradient = np.random.default_rng(0).normal(size=shape)
    for dtype, tolerance in [("float64", 1e-10), ("float32", 2e-5)]:
        actual = farthest(scale * gradient, dtype)
        assert np.abs(actual - expected(gradient)).max() < tolerance


def test_the_nuclear_direction_compiles():
    gradient = np.random.default_rng(0).normal(size=(6, 4))
    actual = farthest(gradient, "float32", jit=True)
    np.testing.assert_allclose(actual, expected(gradient), atol=1e-5)


def test_a_vector_is_a_matrix_of_one_row_and_equal_values_are_no_matter():
    np.testing.assert_allclose(farthest(np.array([3.0, -4.0])), [-0.6, 0.8], rtol=1e-6)
    # Any rank-one matrix of norm 1 in that subspace is equally far down the gradient.
    point = farthest(np.eye(3))
    np.testing.assert_allclose(np.linalg.norm(point, ord="nuc"), 1, rtol=1e-6)
    np.testing.assert_allclose(np.trace(point), -1, rtol=1e-6)


def test_without_gradient_nothing_is_divided_by_zero():
    np.testing.assert_array_equal(farthest(np.zeros((3, 2))), 0)


@pytest.mark.parametrize("norm", ["frobenius", "nuclear"])
def test_weights_stay_in_the_ball(norm):
    variable = keras.Variable(np.zeros((4, 3)), dtype="float32", name="w")
    optimizer = ConditionalGradient(0.5, radius=2.0, norm=norm)
    order = "fro" if norm == "frobenius" else "nuc"
    for g in np.random.default_rng(0).normal(size=(10, 4, 3)):
        optimizer.apply([ops.convert_to_tensor(g, "float32")], [variable])
        assert np.linalg.norm(array(variable), ord=order) <= 2 * (1 + 1e-6)
    assert np.linalg.norm(array(variable), ord=order) > 0.5


@pytest.mark.parametrize("norms", [("frobenius", "nuclear"), ("nuclear", "frobenius")])
def test_another_norm_counts_in_the_next_step(norms):
    first, second = norms
    g = np.random.default_rng(0).normal(size=(2, 4, 6)).astype("float32")
    gradients = [ops.convert_to_tensor(x) for x in g]
    ends = []
    for then in (None, second):
        variables = [keras.Variable(np.zeros((4, 6)), dtype="float32") for _ in g]
        optimizer = ConditionalGradient(1.0, norm=first if then else second)
        if then:
            optimizer.apply(gradients, variables)
            optimizer.norm = then
        optimizer.apply(gradients, variables)
        ends.append([array(v) for v in variables])
    np.testing.assert_allclose(*ends, rtol=1e-5, atol=1e-6)
