"""Tests of PiecewiseLinear beyond the contracts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from keras import ops

from tests import tools
from tfx_extras.schedules import PiecewiseLinear
from tfx_extras.schedules import piecewise_linear


@settings(max_examples=10, deadline=None, derandomize=True, database=None)
@given(
    st.lists(st.integers(0, 40), min_size=4, max_size=4, unique=True).map(sorted),
    st.lists(st.floats(0, 10, width=32, allow_subnormal=False), min_size=4, max_size=4),
)
def test_every_point_is_met_exactly_and_none_is_left(boundaries, rates):
    points = tools.array(piecewise_linear(np.array(boundaries), boundaries, rates))
    np.testing.assert_array_equal(points, rates)
    between = tools.array(piecewise_linear(np.arange(45), boundaries, rates))
    assert between.min() >= min(rates) - 1e-6
    assert between.max() <= max(rates) * (1 + 1e-6)


def test_points_beyond_what_float32_counts_are_met_exactly():
    start = 2**24
    points = [start + 1, start + 3, start + 4]
    schedule = PiecewiseLinear(points, [0.1, 0.7, 0.3])
    steps = ops.convert_to_tensor(start + np.arange(6), "int32")
    rates = tools.array(tools.compiled(schedule)(steps))
    expected = np.float32([0.1, 0.1, 0.4, 0.7, 0.3, 0.3])
    np.testing.assert_array_equal(np.delete(rates, 2), np.delete(expected, 2))
    assert rates[2] == pytest.approx(0.4, rel=1e-6)


def test_the_function_refuses_a_wrong_number_of_rates():
    with pytest.raises(ValueError, match="`learning_rates` must have length 2, as"):
        piecewise_linear(0, [1, 2], [0.1])
