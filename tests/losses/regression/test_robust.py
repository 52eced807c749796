"""The curvature of the robust losses."""

import numpy as np
import pytest
from keras import ops

from tests.tools import BACKEND
from tests.tools import array
from tfx_extras import losses


def second_derivative(function, x):
    if BACKEND == "tensorflow":
        import tensorflow as tf

        x = tf.constant(x)
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as inner:
                inner.watch(x)
                total = ops.sum(function(x))
            slope = inner.gradient(total, x)
        return array(outer.gradient(slope, x))
    if BACKEND == "jax":
        import jax

        return array(jax.jit(jax.vmap(jax.grad(jax.grad(lambda x: function(x)))))(x))
    import torch

    x = torch.tensor(x, requires_grad=True)
    (slope,) = torch.autograd.grad(ops.sum(function(x)), x, create_graph=True)
    return array(torch.autograd.grad(slope.sum(), x)[0])


@pytest.mark.parametrize(
    ("function", "width", "height"),
    [
        (losses.huber, {"delta": 0.5}, 1.0),
        (losses.smooth_l1, {"beta": 0.5}, 2.0),
        (losses.pseudo_huber, {"delta": 0.5}, 1.0),
    ],
)
def test_small_errors_have_the_curvature_of_a_square_at_0_too(function, width, height):
    errors = np.float32([0, 1e-5, -1e-5, 1e-30])

    def loss(x):
        return function(ops.zeros_like(x), x, **width)

    if BACKEND == "jax":
        values = second_derivative(lambda x: loss(x[None])[0], errors)
    else:
        values = second_derivative(loss, errors)
    np.testing.assert_allclose(values, height, rtol=1e-5)
