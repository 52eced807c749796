"""Tests of OneCycle beyond the contracts."""

import numpy as np
import pytest
from keras import ops

from tests import tools
from tests.parity import inputs
from tfx_extras.schedules import OneCycle
from tfx_extras.schedules import one_cycle

TORCH = inputs.Golden("torch")
ULP = 2.0**-23


@pytest.mark.parametrize("name", TORCH.named("OneCycleLR"))
def test_rates_are_those_of_pytorch(name):
    arguments = TORCH.cases[name]["arguments"]
    expected = TORCH.arrays[f"{name}/rates"]
    schedule = OneCycle(
        arguments["max_lr"],
        arguments["total_steps"],
        arguments["pct_start"],
        arguments["div_factor"],
        arguments["final_div_factor"],
        {"cos": "cosine"}.get(arguments["anneal_strategy"], "linear"),
        arguments["three_phase"],
    )
    rates = tools.array(schedule(np.arange(len(expected))))
    np.testing.assert_allclose(rates, expected, rtol=0, atol=8 * ULP * expected.max())
    assert rates[-1] == pytest.approx(expected[-1], rel=1e-6)


def test_the_peak_may_be_between_two_updates():
    rates = tools.array(one_cycle(np.array([6, 6.5, 7]), 1.0, 25, 0.3))
    assert rates[1] == 1
    assert rates[0] < 1 > rates[2]


@pytest.mark.parametrize("anneal", ["cosine", "linear"])
def test_a_cycle_of_two_updates_is_its_start_and_its_end(anneal):
    rates = tools.array(one_cycle(np.arange(3), 0.5, 2, anneal=anneal))
    np.testing.assert_array_equal(rates, np.float32([0.5, 0.5 / 25e4, 0.5 / 25e4]))


@pytest.mark.parametrize("three_phase", [False, True])
def test_joints_beyond_what_float32_counts_are_exact(three_phase):
    length = 2**26
    schedule = OneCycle(0.8, length, 0.25, 8.0, 10.0, three_phase=three_phase)
    peak, end = length // 4 - 1, length - 1
    steps = ops.convert_to_tensor([0, peak, 2 * peak, end], "int32")
    rates = tools.array(tools.compiled(schedule)(steps))
    np.testing.assert_array_equal(rates[[0, 1, 3]], np.float32([0.1, 0.8, 0.01]))
    assert (rates[2] == np.float32(0.1)) == three_phase


def test_the_end_is_exact_also_where_the_sine_is_not(monkeypatch):
    sine = ops.sin
    monkeypatch.setattr(ops, "sin", lambda x: sine(x) * (1 - ULP))
    rates = tools.array(one_cycle(np.array([8, 9, 10]), 0.5, 10))
    assert rates[0] > rates[1]
    np.testing.assert_array_equal(rates[1:], np.float32([0.5 / 25e4] * 2))
