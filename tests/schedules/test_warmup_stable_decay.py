"""Tests of WarmupStableDecay beyond the contracts."""

import numpy as np
import pytest
from keras import ops

from tests import tools
from tfx_extras.schedules import WarmupStableDecay
from tfx_extras.schedules import warmup_stable_decay

DECAYS = ["linear", "cosine", "1-sqrt"]


@pytest.mark.parametrize("decay", DECAYS)
def test_the_way_down_has_no_jump_to_a_high_end(decay):
    steps = np.linspace(20, 35, 1501)
    rates = tools.array(
        warmup_stable_decay(steps, 1.0, 5, 15, 10, decay, end_learning_rate=0.4)
    )
    assert rates[0] == 1
    assert rates[-1] == np.float32(0.4)
    fall = -np.diff(rates)
    assert fall.min() >= -1e-6
    # Among a thousand pieces of a root, the first is the largest, the last the
    # smallest.
    assert fall.max() <= 0.6 * np.sqrt(1e-3) + 1e-5
    assert fall[990:].max() <= 0.6 * 1.001e-3


@pytest.mark.parametrize("decay", DECAYS)
def test_joints_beyond_what_float32_counts_are_exact(decay):
    start = 2**24 + 1
    schedule = WarmupStableDecay(0.1, start, start, start, decay, 0.0, 0.01)
    steps = [start - 1, start, 2 * start, 2 * start + 1, 3 * start - 1, 3 * start]
    rates = tools.array(tools.compiled(schedule)(ops.convert_to_tensor(steps, "int32")))
    np.testing.assert_array_equal(rates[[1, 2, 5]], np.float32([0.1, 0.1, 0.01]))
    assert rates[0] == pytest.approx(0.1, rel=1e-6)
    # One step after the start, 1-sqrt has already fallen by 1 / sqrt(length).
    expected = 0.1 - 0.09 / np.sqrt(start) if decay == "1-sqrt" else 0.1
    assert rates[3] == pytest.approx(expected, rel=1e-7)
    assert rates[4] == pytest.approx(0.01, rel=1e-5)


def test_update_0_is_made_at_the_initial_rate_unless_told_otherwise():
    lengths = {"warmup_steps": 4, "stable_steps": 2, "decay_steps": 3}
    rates = tools.array(warmup_stable_decay(np.arange(5), 0.5, **lengths))
    np.testing.assert_array_equal(rates, [0, 0.125, 0.25, 0.375, 0.5])
    lengths["first_step_nonzero"] = True
    rates = tools.array(warmup_stable_decay(np.arange(5), 0.5, **lengths))
    np.testing.assert_array_equal(rates, [0.125, 0.25, 0.375, 0.5, 0.5])
