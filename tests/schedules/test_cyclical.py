"""Tests of cyclical schedules beyond the contracts."""

from fractions import Fraction

import keras
import numpy as np
import pytest
from keras import ops

from tests import tools
from tfx_extras.schedules import Cyclical
from tfx_extras.schedules import cyclical

LATE = 2**24 + 1


def test_the_place_in_a_cycle_is_exact_where_float32_cannot_count():
    steps = LATE * 10 + np.arange(12)  # 10 half cycles of LATE steps each
    rates = cyclical(ops.convert_to_tensor(steps, "int32"), 0.0, 1.0, LATE)
    np.testing.assert_allclose(tools.array(rates), np.arange(12) / LATE, rtol=1e-6)
    short = tools.compiled(Cyclical(0.0, 6.0, 6))
    start = 2**27 - 2**27 % 12
    steps = ops.convert_to_tensor(start + np.arange(13), "int32")
    expected = [0, 1, 2, 3, 4, 5, 6, 5, 4, 3, 2, 1, 0]
    np.testing.assert_allclose(tools.array(short(steps)), expected, rtol=1e-6)


def test_half_a_cycle_may_be_a_fraction_of_an_update():
    late = 2**24 + 1 + np.arange(23)  # five cycles
    expected = [float(Fraction(int(t)) % Fraction(23, 5)) for t in late]
    expected = 2.3 - np.abs(np.subtract(expected, 2.3))
    rates = tools.array(cyclical(ops.convert_to_tensor(late, "int32"), 0, 2.3, 2.3))
    np.testing.assert_allclose(rates, expected, atol=3e-6)


def test_numbers_are_counted_beyond_32_bits():
    start = 10 * (2**40 + 1)
    rates = tools.array(cyclical(start + np.arange(6), 0.0, 5.0, 5))
    np.testing.assert_allclose(rates, np.arange(6), rtol=1e-6)


def test_a_cycle_may_be_longer_than_all_steps_that_there_are():
    step = ops.convert_to_tensor([2**31 - 1], "int32")
    assert tools.array(cyclical(step, 0.0, 1.0, 2**32))[0] == pytest.approx(0.5)


def test_the_power_of_gamma_is_precise_after_many_updates():
    gamma, peaks = 0.99994, 1000 * np.arange(1, 40, 2)
    rates = tools.array(cyclical(peaks, 0.0, 1.0, 1000, "exponential", gamma=gamma))
    np.testing.assert_allclose(rates, gamma**peaks, rtol=1e-6)


@pytest.mark.parametrize("scale_mode", ["cycle", "iterations"])
def test_a_function_sees_floats_of_the_first_cycle_as_1(scale_mode):
    seen = []

    def scale(a):
        seen.append(a)
        return 1

    rates = tools.array(cyclical(np.arange(9), 0.0, 2.0, 2, scale, scale_mode))
    np.testing.assert_array_equal(rates, [0, 1, 2, 1, 0, 1, 2, 1, 0])
    (a,) = seen
    assert keras.backend.standardize_dtype(a.dtype) == "float32"
    cycle = [1, 1, 1, 1, 2, 2, 2, 2, 3]
    expected = cycle if scale_mode == "cycle" else np.arange(9)
    np.testing.assert_array_equal(tools.array(a), expected)


def test_the_function_may_be_any_and_the_class_says_what_to_do_with_it():
    assert tools.array(cyclical(2, 0.0, 1.0, 2, lambda a: 0.5)) == 0.5
    with pytest.raises(ValueError, match="register_keras_serializable"):
        Cyclical(0.0, 1.0, 2, lambda a: 0.5)


def test_the_function_refuses_what_its_scale_has_no_use_for():
    with pytest.raises(ValueError, match=r"gamma=0.5, scale=triangular2"):
        cyclical(0, 0.0, 1.0, 2, "triangular2", gamma=0.5)
    with pytest.raises(ValueError, match=r"Received: gamma=-0.5"):
        cyclical(0, 0.0, 1.0, 2, "exponential", gamma=-0.5)
    with pytest.raises(ValueError, match=r"or a function. Received: scale=3"):
        cyclical(0, 0.0, 1.0, 2, 3)


@pytest.mark.parametrize("scale_mode", ["cycle", "iterations"])
def test_steps_below_0_have_finite_rates(scale_mode):
    options = {"scale": "exponential", "gamma": 0.5, "scale_mode": scale_mode}
    rates = tools.array(cyclical(np.array([-3, -(2**31)]), 0.0, 1.0, 2, **options))
    first = 0.25 if scale_mode == "cycle" else 0.5  # gamma in the first cycle, or 1
    np.testing.assert_array_equal(rates, [first, 0.0])
