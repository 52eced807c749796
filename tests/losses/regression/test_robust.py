"""The curvature of the robust losses, and their special cases."""

import numpy as np
import pytest
from keras import ops

from tests.tools import BACKEND
from tests.tools import array
from tests.tools import values_and_gradient
from tests.tools import wide
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
        (losses.charbonnier_loss, {"epsilon": 0.5}, 2.0),
        *(
            (losses.general_robust_loss, {"alpha": alpha, "scale": 0.5}, 4.0)
            for alpha in (2.0, 1.5, 1.0, 0.0, -2.0, float("-inf"))
        ),
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


@pytest.mark.parametrize("bound", [1e30, 1e-30])
def test_charbonnier_neither_overflows_nor_underflows(bound):
    e = np.float32([[3 * bound]])
    value = array(losses.charbonnier_loss(0 * e, e, epsilon=4 * bound))
    np.testing.assert_allclose(value, 5 * bound, rtol=1e-6)


def test_a_charbonnier_loss_is_a_pseudo_huber_loss_divided_by_its_delta():
    e = np.linspace(-3, 3, 25)[:, None]
    with wide():
        one = array(losses.charbonnier_loss(0 * e, e, epsilon=0.5))
        other = array(losses.pseudo_huber(0 * e, e, delta=0.5)) / 0.5 + 0.5
    np.testing.assert_allclose(one, other, rtol=1e-12)


@pytest.mark.parametrize("at", [0.0, 1.0, 2.0, -1e14])
def test_the_general_loss_has_no_jump_at_its_special_powers(at):
    e = np.concatenate([[0], np.logspace(-3, 3, 13)])[:, None]
    with wide():
        limit = float("-inf") if at < -1e9 else at
        special = array(losses.general_robust_loss(0 * e, e, limit, 0.5))
        for near in {at * (1 - 1e-12) - 1e-13, at + 1e-10 * (at < 2)}:
            values = array(losses.general_robust_loss(0 * e, e, near, 0.5))
            np.testing.assert_allclose(values, special, rtol=1e-8)


@pytest.mark.parametrize(
    "alpha", [2.0, 2 - 1e-15, 1.5, 1.0, 1e-300, 0.0, -2.0, -1e300, float("-inf")]
)
def test_the_general_loss_falls_with_alpha_and_has_a_finite_gradient(alpha):
    e = np.float32([0, 1e-30, -1e-3, 0.5, 3, -1e4])[:, None]
    loss = losses.GeneralRobustLoss(alpha=alpha, reduction=None)
    values, slopes = values_and_gradient(lambda x: loss(0 * e, x), e)
    assert np.isfinite(slopes).all()
    assert (values >= 0).all()
    assert (values <= e[:, 0] ** 2 / 2 * (1 + 1e-6)).all()
    if alpha < 0:
        assert values.max() <= (1 if alpha < -9 else (alpha - 2) / alpha)
