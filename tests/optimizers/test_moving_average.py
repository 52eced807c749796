"""Warm-ups of `MovingAverage`."""

import keras
import numpy as np
import pytest
from keras import ops

from tests.tools import array
from tfx_extras.optimizers import MovingAverage

KARRAS = {0.05: 16.97, 0.10: 6.94}  # gamma by the relative width: 2312.02696, table 1


def window(count=200, **kwargs):
    """How much the weights after each step count in the average at the end."""
    optimizer = MovingAverage(keras.optimizers.SGD(1.0), **kwargs)
    w = keras.Variable(np.zeros(count), dtype="float32", name="w")
    for i in range(count):  # the weights after step i are 1 in place i
        there = np.eye(count, dtype="float32")[i]
        optimizer.apply([w - ops.convert_to_tensor(there)], [w])
    optimizer.swap()
    return array(w)


@pytest.mark.parametrize(("width", "gamma"), KARRAS.items(), ids=map(str, KARRAS))
def test_power_averages_over_a_share_of_all_steps(width, gamma):
    for count in (100, 200):
        weights = window(count, warmup="power", warmup_gamma=gamma)
        np.testing.assert_allclose(weights.sum(), 1, rtol=1e-5)
        steps = np.arange(1, count + 1) / count
        mean = weights @ steps
        deviation = np.sqrt(weights @ (steps - mean) ** 2)
        np.testing.assert_allclose(deviation, width, rtol=0.02)


def test_power_is_that_of_a_gamma_of_6_94_and_uses_no_decay():
    expected = window(50, warmup="power", warmup_gamma=6.94)
    np.testing.assert_array_equal(window(50, warmup="power"), expected)


def test_inverse_ends_at_the_decay():
    weights = window(50, warmup="inverse", decay=0.75)
    np.testing.assert_allclose(weights[-20:-1] / weights[-19:], 0.75, rtol=1e-5)


def test_an_unknown_warm_up_is_refused():
    with pytest.raises(ValueError, match=r"`warmup` must be one of .* `inverse`"):
        MovingAverage("sgd", warmup="invers")


@pytest.mark.parametrize(
    ("warmup", "name"),
    [
        (False, "warmup_gamma"),
        (True, "warmup_power"),
        ("power", "warmup_power"),
        ("power", "decay"),
    ],
)
def test_an_argument_that_the_warm_up_does_not_use_is_refused(warmup, name):
    with pytest.raises(ValueError, match=f"`{name}` is not used with .* {name}=0.5"):
        MovingAverage("sgd", warmup=warmup, **{name: 0.5})
