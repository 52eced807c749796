"""The sparsemax function, and the gradients of its loss."""

import keras
import numpy as np
import pytest
from keras import ops

from tests.references import sparsemax as references
from tests.tools import BACKEND
from tests.tools import array
from tests.tools import compiled
from tests.tools import fused
from tests.tools import gradient
from tests.tools import wide
from tfx_extras import losses

# JAX has no code of its own here; the contracts test its values and gradients.
pytestmark = pytest.mark.only("tensorflow", "torch")


def sparsemax(x, axis):
    return fused(lambda x: losses.sparsemax(x, axis))(ops.convert_to_tensor(x))


def logits(*shape):
    return np.random.default_rng(0).normal(size=shape).astype("float32")


@pytest.mark.parametrize(
    ("shape", "axis"),
    [((7,), 0), ((7,), -1), ((3, 5), 0), ((3, 5), 1), ((2, 3, 4), 1), ((2, 2, 9), -1)],
)
@pytest.mark.parametrize("scale", [1e-3, 1.0, 10.0])
def test_it_is_the_projection_of_the_paper(shape, axis, scale):
    x = logits(*shape) * np.float32(scale)
    actual = array(sparsemax(x, axis))
    np.testing.assert_allclose(actual, references.sparsemax(x, axis), 1e-5, 1e-7)
    np.testing.assert_allclose(actual.sum(axis), 1, rtol=1e-6)
    with wide():
        actual = array(sparsemax(x.astype("float64"), axis))
    np.testing.assert_allclose(actual, references.sparsemax(x, axis), 1e-12, 1e-14)


@pytest.mark.parametrize("shift", [0.0, 1e8, -1e8])
def test_large_logits_are_no_different(shift):
    """Regression test for NaN: https://github.com/tensorflow/addons/issues/2314."""
    x = np.float32([[0, 0, -1e9], [3e8, 0, 1e8], [-1e20, -1e20, -3e38]]) + np.float32(
        shift
    )
    expected = references.sparsemax(x)
    np.testing.assert_array_equal(array(losses.sparsemax(x)), expected)
    y = np.float32([[0.5, 0.5, 0], [1, 0, 0], [0.25, 0.75, 0]])
    slopes = gradient(lambda z: losses.sparsemax_loss(y, z), x)
    np.testing.assert_array_equal(slopes, expected - y)


def test_masked_classes_with_logits_of_minus_infinity_are_left_out():
    z = np.float32([[0, -np.inf, 0], [2, -np.inf, 1], [-np.inf, -np.inf, 0]])
    y = np.float32([[0, 0, 1]] * 3)
    np.testing.assert_array_equal(array(losses.sparsemax_loss(y, z)), [0.25, 1, 0])
    slopes = gradient(lambda z: losses.sparsemax_loss(y, z), z)
    np.testing.assert_array_equal(slopes, array(losses.sparsemax(z)) - y)


def test_what_is_hardly_in_the_support_is_in_it():
    """The threshold of 0 and a is (a - 1) / 2; sums in float32 are less exact."""
    a = -np.linspace(0.1, 0.9, 9)[:, None]
    near = (a - 1) / 2 + np.array([-1e-10, -1e-12, 1e-12, 1e-10])
    z = np.stack(np.broadcast_arrays(0, a, near), axis=-1)
    with wide():
        actual = array(losses.sparsemax(z))
    np.testing.assert_allclose(actual, references.sparsemax(z), atol=1e-15)


def test_many_classes_still_sum_to_1():
    x = logits(2, 100_000) * np.float32(1e-6)
    np.testing.assert_allclose(array(losses.sparsemax(x)).sum(-1), 1, rtol=1e-4)


@pytest.mark.parametrize(
    "dtype", ["float16", "bfloat16", "float32", "float64", "int32"]
)
def test_the_type_of_floats_is_kept(dtype):
    with wide():
        p = losses.sparsemax(ops.cast(ops.convert_to_tensor([[1, 0, -1]]), dtype))
    expected = dtype if "float" in dtype else "float32"
    assert keras.backend.standardize_dtype(p.dtype) == expected
    np.testing.assert_array_equal(array(p), [[1, 0, 0]])


def test_what_is_out_of_question_has_no_probability_and_no_slope():
    x = np.float32([[0.5, -np.inf, 0.0], [-np.inf, 0, -np.inf]])
    weights = np.float32([1, 2, 4])
    np.testing.assert_array_equal(
        array(losses.sparsemax(x)), [[0.75, 0, 0.25], [0, 1, 0]]
    )
    slopes = gradient(lambda z: losses.sparsemax(z) * ops.convert_to_tensor(weights), x)
    np.testing.assert_array_equal(slopes, [[-1.5, 0, 1.5], [0, 0, 0]])


def test_the_slope_is_that_of_the_paper():
    """Its Jacobian is diag(s) - s s' / |s|, where s marks the support."""
    x, v = logits(6, 5), logits(7, 5)[1:]
    s = references.sparsemax(x) > 0
    assert 1 < s.sum(-1).mean() < 4
    expected = s * (v - (s * v).sum(-1, keepdims=True) / s.sum(-1, keepdims=True))
    slopes = gradient(lambda z: losses.sparsemax(z) * ops.convert_to_tensor(v), x)
    np.testing.assert_allclose(slopes, expected, rtol=1e-5, atol=1e-6)


def test_the_slope_of_the_loss_is_the_difference_also_at_its_edges():
    x = np.float32([[1, 0, 0], [0, 0, 0], [1, 1, 0], [0.5, 0.25, -0.25], [2, 1, -1]])
    y = np.float32([[0, 1, 0], [0.5, 0.5, 0], [0, 0.25, 0.75], [0, 0, 1], [1, 0, 0]])
    slopes = gradient(lambda z: losses.sparsemax_loss(y, z), x)
    np.testing.assert_allclose(slopes, references.sparsemax(x) - y, atol=1e-7)


@pytest.mark.only("tensorflow", "jax", "torch")  # each backend has its own code
def test_the_second_slope_of_the_loss_is_that_of_sparsemax():
    x, v = logits(6, 5), logits(7, 5)[1:]
    y = np.eye(5, dtype="float32")[[0, 1, 2, 3, 4, 0]]
    expected = gradient(lambda z: losses.sparsemax(z) * ops.convert_to_tensor(v), x)
    if BACKEND == "tensorflow":
        import tensorflow as tf

        z = tf.convert_to_tensor(x)
        with tf.GradientTape() as outer:
            outer.watch(z)
            with tf.GradientTape() as inner:
                inner.watch(z)
                loss = losses.sparsemax_loss(y, z)
            first = tf.reduce_sum(inner.gradient(loss, z) * v)
        second = outer.gradient(first, z)
    elif BACKEND == "jax":
        import jax

        slope = jax.grad(lambda z: ops.sum(losses.sparsemax_loss(y, z)))
        second = jax.jit(jax.grad(lambda z: ops.sum(slope(z) * v)))(x)
    else:
        import torch

        z = torch.tensor(x, requires_grad=True)
        loss = losses.sparsemax_loss(y, z).sum()
        (first,) = torch.autograd.grad(loss, z, create_graph=True)
        (second,) = torch.autograd.grad((first * torch.tensor(v)).sum(), z)
    np.testing.assert_allclose(array(second), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.only("tensorflow", "jax")
def test_nothing_is_sorted_for_the_slope():
    y, x = np.eye(5, dtype="float32"), logits(5, 5)
    if BACKEND == "tensorflow":
        import tensorflow as tf

        def slope(z):
            return tf.gradients(losses.sparsemax_loss(y, z), z)

        graph = tf.function(slope).get_concrete_function(tf.constant(x)).graph
        kinds = [op.type for op in graph.get_operations()]
        assert sum("TopK" in kind or "Sort" in kind for kind in kinds) == 1
        assert sum("Gather" in kind or "Scatter" in kind for kind in kinds) == 0
    else:
        import jax

        slope = jax.grad(lambda z: losses.sparsemax_loss(y, z).sum())
        assert str(jax.make_jaxpr(slope)(x)).count(" sort[") == 1


def test_compiled_is_eager():
    x = ops.convert_to_tensor(logits(4, 6))
    actual = array(compiled(losses.sparsemax)(x))
    np.testing.assert_allclose(actual, array(losses.sparsemax(x)), rtol=1e-5, atol=1e-7)


def test_an_empty_batch_stays_empty():
    assert tuple(losses.sparsemax(np.zeros((0, 3), "float32")).shape) == (0, 3)


@pytest.mark.parametrize(("shape", "axis"), [((3,), 1), ((2, 3), -3), ((), -1)])
def test_the_axis_must_exist(shape, axis):
    with pytest.raises(ValueError, match=rf"`axis` must .* axis={axis}, x.shape="):
        losses.sparsemax(np.zeros(shape), axis)


def test_it_is_the_activation_of_a_saved_model(tmp_path):
    layers = [keras.Input((3,)), keras.layers.Dense(4, activation=losses.sparsemax)]
    model = keras.Sequential(layers)
    path = tmp_path / "model.keras"
    model.save(path)
    copy = keras.saving.load_model(path)
    assert copy.layers[0].activation is losses.sparsemax
    x = logits(5, 3)
    np.testing.assert_array_equal(
        copy.predict(x, verbose=0), model.predict(x, verbose=0)
    )


def test_large_logits_can_be_made_on_the_way():
    """A compiler that rounded them again found none of them above the threshold."""
    y_true = np.eye(4, dtype="float32")
    made = 1e8 * logits(4, 4)

    def compute(x):
        return losses.sparsemax_loss(y_true, x / 0.4)

    actual = array(compiled(compute)(ops.convert_to_tensor(made)))
    expected = array(compute(ops.convert_to_tensor(made)))
    np.testing.assert_allclose(actual, expected, rtol=1e-6)
