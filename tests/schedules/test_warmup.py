"""Tests of Warmup before various schedules, beyond the contracts."""

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from tests import tools
from tfx_extras import schedules
from tfx_extras.schedules import Warmup
from tfx_extras.schedules import warmup

ULP = 2.0**-23


@settings(max_examples=12, deadline=None, derandomize=True, database=None)
@given(
    st.floats(2.0**-10, 10, width=32),
    st.integers(1, 20),
    st.sampled_from(["linear", "polynomial", "exponential", "constant"]),
    st.floats(2.0**-20, 1, width=32),
    st.booleans(),
)
def test_rates_rise_from_the_start_factor_to_the_first_rate(
    rate, warmup_steps, mode, start_factor, first_step_nonzero
):
    first_step_nonzero &= mode != "constant"
    arguments = (rate, warmup_steps, mode, start_factor, None, first_step_nonzero)
    rates = tools.array(warmup(np.arange(24), *arguments))
    error = 16 * ULP * rate
    assert (np.diff(rates) >= -error).all()
    assert rates[0] >= start_factor * rate - error
    assert (rates[warmup_steps:] == np.float32(rate)).all()
    if not first_step_nonzero:
        assert rates[0] == pytest.approx(start_factor * rate, rel=1e-5)


def test_the_inner_schedule_starts_when_the_warmup_ends():
    inner = schedules.WarmupCosine(0.5, 0, 10)
    rates = tools.array(Warmup(inner, 5)(np.arange(5, 20)))
    np.testing.assert_array_equal(rates, tools.array(inner(np.arange(15))))


def test_it_continues_exactly_where_float32_cannot_count():
    start = 2**24 + 1
    inner = schedules.Sequential([0.1, 0.2, 0.3], [1, 2])
    rates = tools.array(Warmup(inner, start)(start + np.arange(3)))
    np.testing.assert_array_equal(rates, np.float32([0.1, 0.2, 0.3]))


def test_power_is_2_by_default():
    steps, arguments = np.arange(9), (0.4, 7, "polynomial", 0.1)
    by_default = tools.array(warmup(steps, *arguments))
    np.testing.assert_array_equal(
        by_default, tools.array(warmup(steps, *arguments, power=2.0))
    )


def test_an_unknown_mode_is_refused_with_those_that_there_are():
    modes = "constant, exponential, gaussian, linear, polynomial"
    with pytest.raises(ValueError, match=modes):
        Warmup(0.1, 3, "quadratic")


def test_the_function_refuses_what_its_mode_has_no_use_for():
    with pytest.raises(ValueError, match=r"power=3, mode=linear"):
        warmup(0, 0.1, 3, power=3)


@pytest.mark.parametrize("wrong", ["adam", None, [0.1], abs])
def test_the_class_refuses_what_is_no_schedule(wrong):
    with pytest.raises(TypeError, match="Argument `schedule`"):
        Warmup(wrong, 3)


class Own(keras.optimizers.schedules.LearningRateSchedule):
    """A user's schedule, which takes one step at a time."""

    def __init__(self, rate):
        self.rate = rate

    def __call__(self, step):
        return keras.ops.cond(step < 3, lambda: self.rate, lambda: self.rate / 2)

    def get_config(self):
        return {"rate": self.rate}


def test_a_schedule_of_the_user_is_run_and_saved():
    schedule = Warmup(Own(0.5), 2)
    expected = [0, 0.25, 0.5, 0.5, 0.5, 0.25]
    np.testing.assert_array_equal(tools.array(schedule(np.arange(6))), expected)
    loaded = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(schedule), custom_objects={"Own": Own}
    )
    assert type(loaded.schedule) is Own
    assert loaded.get_config() == schedule.get_config()
