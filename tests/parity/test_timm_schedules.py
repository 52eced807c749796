"""Cosine and polynomial rates with k-decay equal those of timm."""

import numpy as np
import pytest

from tests import tools
from tests.parity import inputs
from tfx_extras.schedules import Polynomial
from tfx_extras.schedules import Warmup
from tfx_extras.schedules import warmup_cosine

# Other backends: tests/contracts/test_schedules.py.
pytestmark = pytest.mark.only("torch")

TIMM = inputs.Golden("timm_schedules")
ULP = 2.0**-23


@pytest.mark.parametrize("name", TIMM.named("CosineLRScheduler"))
def test_rates_are_those_of_timm(name):
    given = TIMM.cases[name]["arguments"]
    rates = warmup_cosine(
        TIMM.inputs["steps"],
        peak_learning_rate=0.5,
        warmup_steps=given["warmup_t"],
        decay_steps=given["t_initial"],
        end_learning_rate=given["lr_min"],
        restarts=given.get("cycle_limit", 1) - 1,
        t_mul=given.get("cycle_mul", 1.0),
        m_mul=given.get("cycle_decay", 1.0),
        k_decay=given["k_decay"],
    )
    assert_rates_are_alike(rates, name)


@pytest.mark.parametrize("name", TIMM.named("PolyLRScheduler"))
def test_polynomial_rates_are_those_of_timm(name):
    given = TIMM.cases[name]["arguments"]
    decay = Polynomial(
        0.5,
        given["t_initial"],
        given["lr_min"],
        given["power"],
        given.get("k_decay", 1.0),
    )
    rates = Warmup(decay, given["warmup_t"])(TIMM.inputs["steps"])
    assert_rates_are_alike(rates, name)


def assert_rates_are_alike(rates, name):
    expected = TIMM.arrays[f"{name}/rates"]
    assert np.ptp(expected) > 0.45
    np.testing.assert_allclose(
        tools.array(rates), expected, rtol=0, atol=8 * ULP * expected.max()
    )
