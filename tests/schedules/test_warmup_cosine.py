"""Tests of WarmupCosine beyond the contracts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from keras import ops

from tests import tools
from tfx_extras.schedules import WarmupCosine
from tfx_extras.schedules import warmup_cosine

ULP = 2.0**-23
LONG = 2**24 + 1


@st.composite
def arguments(draw):
    rates = st.floats(0, 10, width=32, allow_subnormal=False)
    end, initial, peak = sorted(draw(st.tuples(rates, rates, rates)))
    return {
        "peak_learning_rate": peak,
        "warmup_steps": draw(st.integers(0, 12)),
        "decay_steps": draw(st.integers(1, 20)),
        "hold_steps": draw(st.integers(0, 5)),
        "initial_learning_rate": initial,
        "end_learning_rate": end,
        "first_step_nonzero": draw(st.booleans()),
    }


def sample(kwargs, steps):
    """The rates at `steps`, and the maximum rounding error."""
    rates = tools.array(warmup_cosine(steps, **kwargs))
    return rates, 4 * ULP * kwargs["peak_learning_rate"]


property_test = settings(
    max_examples=15, deadline=None, derandomize=True, database=None
)


@property_test
@given(arguments(), st.integers(0, 3), st.floats(1, 2), st.floats(0.5, 1))
def test_rates_are_between_the_lowest_and_the_highest(kwargs, restarts, t_mul, m_mul):
    rates, error = sample(
        kwargs | {"restarts": restarts, "t_mul": t_mul, "m_mul": m_mul}, np.arange(50)
    )
    lowest = min(
        kwargs["end_learning_rate"], kwargs["peak_learning_rate"] * m_mul**restarts
    )
    assert rates.min() >= lowest - error
    assert rates.max() <= kwargs["peak_learning_rate"] + error


@property_test
@given(arguments())
def test_rates_rise_to_the_peak_hold_it_and_fall(kwargs):
    rates, error = sample(kwargs, np.arange(50))
    start = kwargs["warmup_steps"]
    stop = start + kwargs["hold_steps"]
    assert (np.diff(rates[: start + 1]) >= -error).all()
    assert (rates[start : stop + 1] == np.float32(kwargs["peak_learning_rate"])).all()
    assert (np.diff(rates[stop:]) <= error).all()
    ended = rates[stop + kwargs["decay_steps"] :]
    assert (ended == np.float32(kwargs["end_learning_rate"])).all()


@property_test
@given(arguments())
def test_rates_are_continuous(kwargs):
    kwargs["first_step_nonzero"] = False
    rates, error = sample(kwargs, np.linspace(0, 50, 1001))
    slopes = 1 / max(kwargs["warmup_steps"], 1) + np.pi / 2 / kwargs["decay_steps"]
    largest = 0.05 * slopes * kwargs["peak_learning_rate"]
    # A float step is rounded too, and so is its fraction of the decay.
    assert np.abs(np.diff(rates)).max() <= largest * 1.001 + 50 * error


@pytest.mark.parametrize("restarts", [0, 1, 2, 3])
def test_a_cycle_ends_and_starts_at_its_step(restarts):
    schedule = WarmupCosine(0.1, 4, 8, 3, 0.0, 0.01, restarts, 2.0, 0.5)
    start = 7
    for i in range(restarts + 1):
        assert tools.array(schedule(start)) == np.float32(0.1 * 0.5**i)
        start += 8 * 2**i
        assert tools.array(schedule(start - 1)) < 0.1 * 0.5**i
    assert tools.array(schedule(start)) == np.float32(0.01)


def test_rounding_of_the_lengths_makes_no_restart_late():
    # In floating point, 25 + 25 * 2.2 + 25 * 2.2 * 2.2 is 201.00000000000003.
    rates = tools.array(
        warmup_cosine(np.array([200, 201]), 0.1, 0, 25, restarts=3, t_mul=2.2)
    )
    assert rates[0] < 1e-4
    assert rates[1] == np.float32(0.1)


def test_the_end_is_exact_also_where_the_sine_is_not(monkeypatch):
    sine = ops.sin
    monkeypatch.setattr(ops, "sin", lambda x: sine(x) * (1 - ULP))
    rates = tools.array(warmup_cosine(np.array([7, 8, 9]), 0.1, 3, 5))
    assert rates[0] > 0
    np.testing.assert_array_equal(rates[1:], [0, 0])


def test_joints_beyond_what_float32_counts_are_exact():
    schedule = WarmupCosine(0.1, LONG, LONG, end_learning_rate=0.01, restarts=1)
    steps = ops.convert_to_tensor(
        [LONG, 2 * LONG - 1, 2 * LONG, 2 * LONG + 1, 3 * LONG], "int32"
    )
    rates = tools.array(tools.compiled(schedule)(steps))
    assert rates[0] == rates[2] == rates[3] == np.float32(0.1)
    assert rates[1] == pytest.approx(0.01)
    assert rates[4] == np.float32(0.01)


def test_cycles_may_start_after_the_last_step_that_there_is():
    schedule = WarmupCosine(0.1, 10, 1000, restarts=40, t_mul=2)
    steps = ops.convert_to_tensor([10, 1010, 2**31 - 10], "int32")
    rates = tools.array(tools.compiled(schedule)(steps))
    assert rates[0] == rates[1] == np.float32(0.1)
    assert 0 < rates[2] < 0.1


def test_small_rates_at_the_start_of_a_long_warmup_are_precise():
    rates = tools.array(warmup_cosine(np.arange(1, 4), 1e-3, 10**6, 10))
    np.testing.assert_allclose(rates, [1e-9, 2e-9, 3e-9], rtol=1e-6)


def test_the_fall_is_precise_next_to_the_peak():
    """With (1 - cos) / 2, the first steps of a long decay would cancel and not fall."""
    rates = tools.array(warmup_cosine(np.arange(1, 4), 0.0, 0, 4000, 0, 0, 1.0))
    expected = np.sin(np.pi * np.arange(1, 4) / 8000) ** 2
    np.testing.assert_allclose(rates, expected, rtol=1e-5)


def test_update_0_is_made_at_the_initial_rate_unless_told_otherwise():
    schedule = {"peak_learning_rate": 0.5, "warmup_steps": 4, "decay_steps": 9}
    assert tools.array(warmup_cosine(0, **schedule)) == 0
    assert tools.array(warmup_cosine(0, **schedule, first_step_nonzero=True)) == 0.125
    assert tools.array(warmup_cosine(3, **schedule, first_step_nonzero=True)) == 0.5
