"""Rates are finite at the ends of every interval and at every step, or rejected."""

import keras
import numpy as np
import pytest
from keras import ops

from tests.tools import BACKEND
from tests.tools import array
from tfx_extras import schedules

TINY = float(np.finfo("float32").smallest_normal)
LARGEST = float(np.finfo("float32").max)
RATES = [0, 0.0, TINY, 1.0, LARGEST]
COUNTS = [1, 3, 10**6, 2**31 - 1, 2**53 + 1, 10**30, int(LARGEST)]
FACTORS = [TINY, 1e-20, 0.5, 1.0, 1e20, LARGEST]
BOOLS = [False, True]
UP = {
    "peak_learning_rate": RATES,
    "warmup_steps": [0, *COUNTS],
    "initial_learning_rate": RATES,
    "first_step_nonzero": BOOLS,
}
DOWN = {"decay_steps": COUNTS, "end_learning_rate": RATES}
EXTREMES = {
    schedules.WarmupCosine: {
        **UP,
        **DOWN,
        "hold_steps": [0, *COUNTS],
        "restarts": [0, 1, 1000],
        "t_mul": [1.0, 2.5, 1e20, LARGEST],
        "m_mul": [TINY, 0.5, 1.0],
        "k_decay": [TINY, 0.5, 1.0, LARGEST],
    },
    schedules.Cyclical: {
        "initial_learning_rate": RATES,
        "maximal_learning_rate": RATES,
        "step_size": [1e-6, 2.3, 2**31, 1e30, LARGEST],
        "scale": ["triangular", "triangular2", "exponential"],
        "scale_mode": [None, "cycle", "iterations"],
        "gamma": [None, TINY, 0.99, 1.0],
    },
    schedules.InverseSquareRoot: UP | {"warmup_steps": COUNTS},
    schedules.OneCycle: {
        "peak_learning_rate": RATES,
        "total_steps": [2, 3, 2**31, 10**30, int(LARGEST)],
        "warmup_fraction": [0, TINY, 0.5, 0.999],
        "div_factor": FACTORS,
        "final_div_factor": FACTORS,
        "anneal": ["cosine", "linear"],
        "three_phase": BOOLS,
    },
    schedules.PiecewiseLinear: {
        "boundaries": [[0, 1], [0, 10**30], [3, int(LARGEST)], [2**31, 2**31 + 1]],
        "learning_rates": [[0, LARGEST], [LARGEST, LARGEST], [TINY, 0]],
    },
    schedules.Polynomial: {
        "initial_learning_rate": RATES,
        "decay_steps": COUNTS,
        "end_learning_rate": RATES,
        "power": [TINY, 0.5, 1.0, LARGEST],
        "k_decay": [TINY, 0.5, 1.0, LARGEST],
    },
    schedules.REX: {
        "initial_learning_rate": RATES,
        "decay_steps": COUNTS,
        "end_learning_rate": RATES,
    },
    schedules.Sequential: {
        "schedules": [[0.1, LARGEST], [0, schedules.Warmup(0.1, 3)]],
        "boundaries": [[1], [2**31], [10**30], [int(LARGEST)]],
    },
    schedules.Warmup: {
        "schedule": [*RATES, keras.optimizers.schedules.CosineDecay(0.1, 3)],
        "warmup_steps": [0, *COUNTS],
        "mode": ["linear", "polynomial", "exponential", "gaussian", "constant"],
        "start_factor": [0.0, TINY, 1.0],
        "power": [None, TINY, 2, LARGEST],
        "first_step_nonzero": BOOLS,
    },
    schedules.WarmupStableDecay: {
        **UP,
        **DOWN,
        "stable_steps": [0, *COUNTS],
        "decay": ["1-sqrt", "cosine", "linear"],
    },
}
STEPS = [
    *(0, 3, 2**31 - 1, 2**63 - 1, 2**63, 10**25, 7.25, 1e38, np.float64(1e30)),
    *(np.int32(5), np.int64(2**40), np.uint64(2**63), np.uint8(3), np.float32(3.5)),
    *(np.arange(4), np.array([0.0, 1e9], "float32"), np.array([], "int32")),
    ("int32", [0, 2**31 - 1]),
    ("float32", [0.0, LARGEST]),
]


def random_arguments(random, extremes):
    return {
        name: values[random.integers(len(values))] for name, values in extremes.items()
    }


@pytest.mark.parametrize("cls", EXTREMES, ids=lambda cls: cls.__name__)
def test_rates_are_finite_at_the_ends_of_all_intervals(cls):
    random = np.random.default_rng(16)
    made = 0
    while made < (12 if BACKEND == "torch" else 4):
        arguments = random_arguments(random, EXTREMES[cls])
        try:
            schedule = cls(**arguments)
        except ValueError:  # tests/schedules/cases.py tests which values are rejected
            continue
        made += 1
        for i in random.permutation(len(STEPS))[:4]:
            step = STEPS[i]
            if isinstance(step, tuple):
                step = ops.convert_to_tensor(step[1], step[0])
            rates = array(schedule(step))
            assert np.isfinite(rates).all(), (arguments, step, rates)


@pytest.mark.parametrize("step", [3, 2**31 - 1, 1e30])
def test_a_thousand_restarts_that_never_come_change_nothing(step):
    endless = schedules.WarmupCosine(1.0, 0, 10, restarts=1000, t_mul=2.5)
    some = schedules.WarmupCosine(1.0, 0, 10, restarts=100, t_mul=2.5)
    assert float(endless(step)) == float(some(step))


def test_a_step_beyond_64_bits_is_a_step():
    schedule = schedules.WarmupCosine(1.0, 10, 10, end_learning_rate=0.25)
    for step in (2**63 - 1, 2**63, 10**25, np.uint64(2**64 - 1)):
        assert float(schedule(step)) == 0.25


def test_a_rate_that_division_makes_infinite_is_refused():
    with pytest.raises(ValueError, match=r"`peak_learning_rate / div_factor` must be"):
        schedules.OneCycle(1e38, 10, div_factor=1e-20)
    with pytest.raises(ValueError, match="/ div_factor / final_div_factor` must be"):
        schedules.OneCycle(1.0, 10, final_div_factor=1e-30, div_factor=1e-10)
