"""Every schedule, with the arguments and the reference it is tested by."""

from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import field
from functools import partial
from typing import Any

import keras
import numpy as np
import pytest

from tests.references import schedules as references
from tfx_extras import schedules


@dataclass(frozen=True)
class ScheduleCase:
    """One configuration of one schedule.

    `changes` are values that must change the result; between them, the cases of a
    class change each of its hyperparameters. `invalid` are arguments that must be
    refused, by what the error says that it received. `inner` are arguments of the
    reference in place of those that are schedules. `joints` are steps with their
    exact rates.
    """

    function: Callable[..., Any]
    cls: type
    reference: Callable[..., Any]
    kwargs: dict[str, Any]
    changes: dict[str, Any] = field(default_factory=dict)
    invalid: dict[str, dict[str, Any]] = field(default_factory=dict)
    inner: dict[str, Any] = field(default_factory=dict)
    joints: dict[int, float] = field(default_factory=dict)

    def make(self):
        return self.cls(**self.kwargs)

    def expected(self, steps):
        return self.reference(steps, **self.kwargs | self.inner)


STEPS = np.arange(60)

COSINE_DECAY = keras.optimizers.schedules.CosineDecay(0.3, 20)
COSINE_DECAY_REFERENCE = partial(
    references.cosine_decay, initial_learning_rate=0.3, decay_steps=20
)
WARMUP_COSINE = schedules.WarmupCosine(0.7, 3, 11)
WARMUP_COSINE_REFERENCE = partial(
    references.warmup_cosine, peak_learning_rate=0.7, warmup_steps=3, decay_steps=11
)

SCHEDULES = [
    ScheduleCase(
        schedules.warmup_cosine,
        schedules.WarmupCosine,
        references.warmup_cosine,
        {"peak_learning_rate": 0.1, "warmup_steps": 7, "decay_steps": 30},
        changes={
            "peak_learning_rate": 0.2,
            "warmup_steps": 8,
            "decay_steps": 31,
            "hold_steps": 1,
            "initial_learning_rate": 0.01,
            "end_learning_rate": 0.01,
            "restarts": 1,
            "first_step_nonzero": True,
        },
        invalid={
            "peak_learning_rate=-0.5": {"peak_learning_rate": -0.5},
            "peak_learning_rate=inf": {"peak_learning_rate": float("inf")},
            "warmup_steps=-1": {"warmup_steps": -1},
            "warmup_steps=2.5": {"warmup_steps": 2.5},
            "decay_steps=0": {"decay_steps": 0},
            "decay_steps=0.5": {"decay_steps": 0.5},
            "hold_steps=-2": {"hold_steps": -2},
            "initial_learning_rate=-0.25": {"initial_learning_rate": -0.25},
            "end_learning_rate=nan": {"end_learning_rate": float("nan")},
            "restarts=-1": {"restarts": -1},
            "t_mul=0.5": {"t_mul": 0.5},
            "m_mul=0.0": {"m_mul": 0.0},
            "m_mul=1.5": {"m_mul": 1.5},
        },
        joints={0: 0.0, 7: 0.1, 37: 0.0, 59: 0.0},
    ),
    ScheduleCase(
        schedules.warmup_cosine,
        schedules.WarmupCosine,
        references.warmup_cosine,
        {
            "peak_learning_rate": 0.7,
            "warmup_steps": 5,
            "decay_steps": 10,
            "hold_steps": 4,
            "initial_learning_rate": 0.3,
            "end_learning_rate": 0.1,
            "restarts": 2,
            "t_mul": 1.5,
            "m_mul": 0.7,
            "first_step_nonzero": True,
        },
        changes={"t_mul": 1.0, "m_mul": 1.0, "hold_steps": 0},
        joints={4: 0.7, 5: 0.7, 8: 0.7, 9: 0.7, 19: 0.7 * 0.7, 57: 0.1, 59: 0.1},
    ),
    ScheduleCase(
        schedules.warmup_cosine,
        schedules.WarmupCosine,
        references.warmup_cosine,
        {
            "peak_learning_rate": 3,
            "warmup_steps": 0,
            "decay_steps": 25,
            "hold_steps": 2,
        },
        changes={"warmup_steps": 1},
        joints={0: 3.0, 2: 3.0, 27: 0.0},
    ),
    ScheduleCase(
        schedules.warmup,
        schedules.Warmup,
        references.warmup,
        {"schedule": COSINE_DECAY, "warmup_steps": 9},
        changes={
            "schedule": 0.3,
            "warmup_steps": 8,
            "mode": "polynomial",
            "start_factor": 0.1,
            "first_step_nonzero": True,
        },
        invalid={
            "schedule=-0.5": {"schedule": -0.5},
            "warmup_steps=-1": {"warmup_steps": -1},
            "warmup_steps=0.5": {"warmup_steps": 0.5},
            "mode=cosine": {"mode": "cosine"},
            "start_factor=1.5": {"start_factor": 1.5},
            "start_factor=-0.5": {"start_factor": -0.5},
            "start_factor=0.0": {"mode": "exponential"},
            "start_factor=0": {"mode": "constant", "start_factor": 0},
            "(0, 1]. Received: start_factor=0.0": {"mode": "gaussian"},
            "power=3.0, mode=linear": {"power": 3.0},
            "power=0.0": {"mode": "polynomial", "power": 0.0},
            "first_step_nonzero=True, mode=constant": {
                "mode": "constant",
                "start_factor": 0.5,
                "first_step_nonzero": True,
            },
        },
        inner={"schedule": COSINE_DECAY_REFERENCE},
        joints={0: 0.0, 9: 0.3, 29: 0.0},
    ),
    ScheduleCase(
        schedules.warmup,
        schedules.Warmup,
        references.warmup,
        {
            "schedule": 0.4,
            "warmup_steps": 9,
            "mode": "polynomial",
            "start_factor": 0.2,
            "power": 3,
            "first_step_nonzero": True,
        },
        changes={"power": None, "first_step_nonzero": False},
        joints={8: 0.4, 9: 0.4, 59: 0.4},
    ),
    ScheduleCase(
        schedules.warmup,
        schedules.Warmup,
        references.warmup,
        {"schedule": 1, "warmup_steps": 8, "mode": "polynomial"},
        changes={"power": 0.5},
        joints={0: 0.0, 8: 1.0},
    ),
    ScheduleCase(
        schedules.warmup,
        schedules.Warmup,
        references.warmup,
        {
            "schedule": COSINE_DECAY,
            "warmup_steps": 9,
            "mode": "exponential",
            "start_factor": 1e-3,
        },
        changes={"start_factor": 1e-2, "mode": "constant"},
        inner={"schedule": COSINE_DECAY_REFERENCE},
        joints={9: 0.3},
    ),
    ScheduleCase(
        schedules.warmup,
        schedules.Warmup,
        references.warmup,
        {
            "schedule": 1,
            "warmup_steps": 9,
            "mode": "gaussian",
            "start_factor": 0.0067,
        },
        changes={"start_factor": 0.1, "mode": "exponential"},
        joints={0: 0.0067, 9: 1.0, 59: 1.0},
    ),
    ScheduleCase(
        schedules.warmup,
        schedules.Warmup,
        references.warmup,
        {
            "schedule": 0.5,
            "warmup_steps": 9,
            "mode": "constant",
            "start_factor": 0.25,
        },
        changes={"start_factor": 0.5, "warmup_steps": 10},
        joints={0: 0.125, 8: 0.125, 9: 0.5},
    ),
    ScheduleCase(
        schedules.warmup,
        schedules.Warmup,
        references.warmup,
        {"schedule": COSINE_DECAY, "warmup_steps": 0},
        changes={"warmup_steps": 1},
        inner={"schedule": COSINE_DECAY_REFERENCE},
        joints={0: 0.3},
    ),
    ScheduleCase(
        schedules.sequential,
        schedules.Sequential,
        references.sequential,
        {"schedules": [0.2, COSINE_DECAY, WARMUP_COSINE, 1], "boundaries": [5, 27, 48]},
        changes={
            "schedules": [0.3, COSINE_DECAY, WARMUP_COSINE, 1],
            "boundaries": [5, 28, 48],
        },
        invalid={
            "schedules[1]=-0.5": {"schedules": [0.2, -0.5, 0.1, 0.1]},
            "schedules[2]='adam'": {"schedules": [0.2, 0.5, "adam", 0.1]},
            "the 3 schedules. Received: boundaries=[5, 27, 48]": {
                "schedules": [0.2, 0.5, 0.1]
            },
            "the 0 schedules. Received: boundaries=[]": {
                "schedules": [],
                "boundaries": [],
            },
            "boundaries=[5, 27]": {"boundaries": [5, 27]},
            "boundaries=[5, 27, 48, 50]": {"boundaries": [5, 27, 48, 50]},
            "boundaries[0]=0": {"boundaries": [0, 27, 48]},
            "boundaries[1]=27.5": {"boundaries": [5, 27.5, 48]},
            "boundaries=[5, 27, 27]": {"boundaries": [5, 27, 27]},
            "boundaries=[27, 5, 48]": {"boundaries": [27, 5, 48]},
        },
        inner={"schedules": [0.2, COSINE_DECAY_REFERENCE, WARMUP_COSINE_REFERENCE, 1]},
        joints={0: 0.2, 4: 0.2, 5: 0.3, 25: 0.0, 27: 0.0, 30: 0.7, 47: 0.0, 48: 1.0},
    ),
    ScheduleCase(
        schedules.sequential,
        schedules.Sequential,
        references.sequential,
        {"schedules": (0.2,), "boundaries": ()},
        joints={0: 0.2, 59: 0.2},
    ),
]

# Those whose arithmetic is ours alone.
OWN = [
    case for case in SCHEDULES if COSINE_DECAY not in keras.tree.flatten(case.kwargs)
]


def each(cases):
    """Parametrizes a test by `case`, one id per class and arguments."""
    ids = [f"{case.cls.__name__}-{i}" for i, case in enumerate(cases)]
    return pytest.mark.parametrize("case", cases, ids=ids)


def each_change(cases):
    """Parametrizes a test by `case` and `change`, one argument and its new value."""
    return pytest.mark.parametrize(
        ("case", "change"),
        [
            pytest.param(case, {name: value}, id=f"{case.cls.__name__}-{i}-{name}")
            for i, case in enumerate(cases)
            for name, value in case.changes.items()
        ],
    )


def each_invalid(cases):
    """Parametrizes a test by `case`, wrong `arguments` and what is `received`."""
    return pytest.mark.parametrize(
        ("case", "arguments", "received"),
        [
            pytest.param(
                case, arguments, received, id=f"{case.cls.__name__}-{received}"
            )
            for case in cases
            for received, arguments in case.invalid.items()
        ],
    )
