"""Tests of InverseSquareRoot beyond the contracts."""

import numpy as np
import pytest
from keras import ops

from tests import tools
from tfx_extras.schedules import InverseSquareRoot
from tfx_extras.schedules import inverse_square_root


def test_it_is_that_of_the_transformer():
    d, warmup_steps = 512, 20
    noam = InverseSquareRoot(
        (d * warmup_steps) ** -0.5, warmup_steps, first_step_nonzero=True
    )
    step_num = np.arange(1, 61)
    expected = d**-0.5 * np.minimum(step_num**-0.5, step_num * warmup_steps**-1.5)
    np.testing.assert_allclose(tools.array(noam(step_num - 1)), expected, rtol=1e-6)


@pytest.mark.parametrize("first_step_nonzero", [False, True])
def test_the_peak_is_exact_beyond_what_float32_counts(first_step_nonzero):
    start = 2**24 + 2
    schedule = InverseSquareRoot(0.1, start, 0.0, first_step_nonzero)
    peak = start - first_step_nonzero
    steps = ops.convert_to_tensor([peak - 2, peak, 4 * start], "int32")
    rates = tools.array(tools.compiled(schedule)(steps))
    assert rates[1] == np.float32(0.1)
    np.testing.assert_allclose(rates[[0, 2]], [0.1, 0.05], rtol=1e-6)


def test_numbers_are_counted_beyond_32_bits():
    rate = tools.array(inverse_square_root(2**40, 1.0, 2**20))
    assert rate == pytest.approx(2.0**-10)
