"""Every schedule, with the arguments and the reference that test it."""

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

    `changes` are values that must change the result; together, the cases of a class
    change each of its hyperparameters. `invalid` are arguments that must be rejected,
    each with what the error reports as received. `inner` replaces arguments that are
    schedules when the reference is called. `joints` are steps with their exact rates.
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

    def __str__(self):  # the same in each process
        return f"{self.cls.__name__}({','.join(self.kwargs)})"


STEPS = np.arange(60)


@keras.saving.register_keras_serializable("tests")
def waning(a):
    """A scale for cycles or iterations, for both the schedule and its reference."""
    return 1 / (1 + 0.25 * a * a)


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
            "k_decay": 1.5,
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
            "k_decay=0.0": {"k_decay": 0.0},
            "k_decay=inf": {"k_decay": float("inf")},
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
        schedules.warmup_cosine,
        schedules.WarmupCosine,
        references.warmup_cosine,
        {
            "peak_learning_rate": 0.4,
            "warmup_steps": 3,
            "decay_steps": 10,
            "end_learning_rate": 0.05,
            "restarts": 1,
            "t_mul": 2.0,
            "m_mul": 0.5,
            "k_decay": 2,
        },
        changes={"k_decay": 1.0, "restarts": 0},
        joints={0: 0.0, 3: 0.4, 13: 0.2, 33: 0.05, 59: 0.05},
    ),
    ScheduleCase(
        schedules.warmup_cosine,
        schedules.WarmupCosine,
        references.warmup_cosine,
        {
            "peak_learning_rate": 1,
            "warmup_steps": 0,
            "decay_steps": 40,
            "k_decay": 0.5,
        },
        changes={"k_decay": 1},
        joints={0: 1.0, 40: 0.0, 59: 0.0},
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
            "length 2, one less than `schedules`. Received: boundaries=[5, 27, 48]": {
                "schedules": [0.2, 0.5, 0.1]
            },
            "`schedules` must not be empty": {
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
    ScheduleCase(
        schedules.cyclical,
        schedules.Cyclical,
        references.cyclical,
        {"initial_learning_rate": 0.1, "maximal_learning_rate": 0.7, "step_size": 8},
        changes={
            "initial_learning_rate": 0.2,
            "maximal_learning_rate": 0.3,
            "step_size": 7,
            "scale": "triangular2",
        },
        invalid={
            "initial_learning_rate=-0.5": {"initial_learning_rate": -0.5},
            "maximal_learning_rate=inf": {"maximal_learning_rate": float("inf")},
            "step_size=0": {"step_size": 0},
            "step_size=1e-07": {"step_size": 1e-7},
            "scale=exp_range": {"scale": "exp_range"},
            "`scale` must be registered": {"scale": lambda a: 1.0},
            "scale_mode=iteration": {"scale_mode": "iteration"},
            "gamma=0.5, scale=triangular": {"gamma": 0.5},
            "gamma=None, scale=exponential": {"scale": "exponential"},
            "gamma=-0.5": {"scale": "exponential", "gamma": -0.5},
            "gamma=1.5": {"scale": "exponential", "gamma": 1.5},
        },
        joints={0: 0.1, 8: 0.7, 16: 0.1, 24: 0.7, 48: 0.1, 56: 0.7},
    ),
    ScheduleCase(
        schedules.cyclical,
        schedules.Cyclical,
        references.cyclical,
        {
            "initial_learning_rate": 0,
            "maximal_learning_rate": 1,
            "step_size": 2.5,
            "scale": "triangular2",
        },
        changes={"scale_mode": "iterations"},
        joints={0: 0.0, 5: 0.0, 10: 0.0, 55: 0.0},
    ),
    ScheduleCase(
        schedules.cyclical,
        schedules.Cyclical,
        references.cyclical,
        {
            "initial_learning_rate": 0.02,
            "maximal_learning_rate": 0.4,
            "step_size": 6.3,
            "scale": "exponential",
            "gamma": 0.96,
        },
        changes={"gamma": 0.9, "scale_mode": "cycle"},
        joints={0: 0.02},
    ),
    ScheduleCase(
        schedules.cyclical,
        schedules.Cyclical,
        references.cyclical,
        {
            "initial_learning_rate": 0.5,
            "maximal_learning_rate": 0.1,
            "step_size": 1,
            "scale": waning,
            "scale_mode": "iterations",
        },
        changes={"scale": "triangular", "scale_mode": "cycle"},
        joints={0: 0.5, 2: 0.5, 58: 0.5},
    ),
    ScheduleCase(
        schedules.one_cycle,
        schedules.OneCycle,
        references.one_cycle,
        {"peak_learning_rate": 0.3, "total_steps": 50},
        changes={
            "peak_learning_rate": 0.2,
            "total_steps": 49,
            "warmup_fraction": 0.2,
            "div_factor": 10,
            "final_div_factor": 10,
            "anneal": "linear",
            "three_phase": True,
        },
        invalid={
            "peak_learning_rate=-0.5": {"peak_learning_rate": -0.5},
            "total_steps=1": {"total_steps": 1},
            "total_steps=50.5": {"total_steps": 50.5},
            "[0, 1). Received: warmup_fraction=1": {"warmup_fraction": 1},
            "[0, 0.5]. Received: warmup_fraction=0.75": {
                "warmup_fraction": 0.75,
                "three_phase": True,
            },
            "div_factor=0": {"div_factor": 0},
            "final_div_factor=-1": {"final_div_factor": -1},
            "anneal=cos": {"anneal": "cos"},
        },
        joints={0: 0.3 / 25, 14: 0.3, 49: 0.3 / 25e4, 59: 0.3 / 25e4},
    ),
    ScheduleCase(
        schedules.one_cycle,
        schedules.OneCycle,
        references.one_cycle,
        {
            "peak_learning_rate": 1,
            "total_steps": 41,
            "warmup_fraction": 0.35,
            "div_factor": 10,
            "final_div_factor": 4,
            "anneal": "linear",
            "three_phase": True,
        },
        changes={"three_phase": False, "anneal": "cosine"},
        joints={0: 0.1, 40: 0.025, 59: 0.025},
    ),
    ScheduleCase(
        schedules.one_cycle,
        schedules.OneCycle,
        references.one_cycle,
        {"peak_learning_rate": 0.5, "total_steps": 33, "warmup_fraction": 0},
        joints={0: 0.5, 32: 0.5 / 25e4, 59: 0.5 / 25e4},
    ),
    ScheduleCase(
        schedules.warmup_stable_decay,
        schedules.WarmupStableDecay,
        references.warmup_stable_decay,
        {
            "peak_learning_rate": 0.1,
            "warmup_steps": 7,
            "stable_steps": 20,
            "decay_steps": 13,
        },
        changes={
            "peak_learning_rate": 0.2,
            "warmup_steps": 8,
            "stable_steps": 21,
            "decay_steps": 14,
            "decay": "cosine",
            "initial_learning_rate": 0.01,
            "end_learning_rate": 0.01,
            "first_step_nonzero": True,
        },
        invalid={
            "peak_learning_rate=-0.5": {"peak_learning_rate": -0.5},
            "warmup_steps=-1": {"warmup_steps": -1},
            "stable_steps=2.5": {"stable_steps": 2.5},
            "decay_steps=0": {"decay_steps": 0},
            "decay=sqrt": {"decay": "sqrt"},
            "initial_learning_rate=-0.25": {"initial_learning_rate": -0.25},
            "end_learning_rate=nan": {"end_learning_rate": float("nan")},
        },
        joints={0: 0.0, 7: 0.1, 26: 0.1, 27: 0.1, 40: 0.0, 59: 0.0},
    ),
    ScheduleCase(
        schedules.warmup_stable_decay,
        schedules.WarmupStableDecay,
        references.warmup_stable_decay,
        {
            "peak_learning_rate": 3,
            "warmup_steps": 5,
            "stable_steps": 0,
            "decay_steps": 30,
            "decay": "1-sqrt",
            "initial_learning_rate": 1,
            "end_learning_rate": 0.7,
            "first_step_nonzero": True,
        },
        changes={"decay": "linear", "stable_steps": 1},
        joints={4: 3.0, 5: 3.0, 35: 0.7, 59: 0.7},
    ),
    ScheduleCase(
        schedules.warmup_stable_decay,
        schedules.WarmupStableDecay,
        references.warmup_stable_decay,
        {
            "peak_learning_rate": 0.2,
            "warmup_steps": 0,
            "stable_steps": 3,
            "decay_steps": 50,
            "decay": "cosine",
        },
        changes={"warmup_steps": 1},
        joints={0: 0.2, 3: 0.2, 53: 0.0},
    ),
    ScheduleCase(
        schedules.inverse_square_root,
        schedules.InverseSquareRoot,
        references.inverse_square_root,
        {"peak_learning_rate": 0.4, "warmup_steps": 9},
        changes={
            "peak_learning_rate": 0.5,
            "warmup_steps": 10,
            "initial_learning_rate": 0.1,
            "first_step_nonzero": True,
        },
        invalid={
            "peak_learning_rate=-0.5": {"peak_learning_rate": -0.5},
            "warmup_steps=0": {"warmup_steps": 0},
            "warmup_steps=0.5": {"warmup_steps": 0.5},
            "initial_learning_rate=-0.25": {"initial_learning_rate": -0.25},
        },
        joints={0: 0.0, 9: 0.4, 36: 0.2},
    ),
    ScheduleCase(
        schedules.inverse_square_root,
        schedules.InverseSquareRoot,
        references.inverse_square_root,
        {
            "peak_learning_rate": 2,
            "warmup_steps": 4,
            "initial_learning_rate": 1,
            "first_step_nonzero": True,
        },
        changes={"first_step_nonzero": False},
        joints={0: 1.25, 3: 2.0, 15: 1.0},
    ),
    ScheduleCase(
        schedules.piecewise_linear,
        schedules.PiecewiseLinear,
        references.piecewise_linear,
        {"boundaries": [3, 10, 31, 32], "learning_rates": [0.1, 0.7, 0, 0.4]},
        changes={
            "boundaries": [3, 11, 31, 32],
            "learning_rates": [0.1, 0.7, 0, 0.5],
        },
        invalid={
            "boundaries[0]=-1": {"boundaries": [-1, 10, 31, 32]},
            "boundaries[1]=10.5": {"boundaries": [3, 10.5, 31, 32]},
            "boundaries=[3, 3, 31, 32]": {"boundaries": [3, 3, 31, 32]},
            "boundaries=[]": {"boundaries": []},
            "length 3, as `boundaries`. Received: learning_rates=[0.1, 0.7, 0, 0.4]": {
                "boundaries": [3, 10, 31]
            },
            "learning_rates[2]=-0.5": {"learning_rates": [0.1, 0.7, -0.5, 0.4]},
        },
        joints={0: 0.1, 3: 0.1, 10: 0.7, 31: 0.0, 32: 0.4, 59: 0.4},
    ),
    ScheduleCase(
        schedules.piecewise_linear,
        schedules.PiecewiseLinear,
        references.piecewise_linear,
        {"boundaries": (5,), "learning_rates": (0.5,)},
        joints={0: 0.5, 5: 0.5, 59: 0.5},
    ),
    ScheduleCase(
        schedules.polynomial,
        schedules.Polynomial,
        references.polynomial,
        {"initial_learning_rate": 0.4, "decay_steps": 40},
        changes={
            "initial_learning_rate": 0.5,
            "decay_steps": 41,
            "end_learning_rate": 0.1,
            "power": 2,
            "k_decay": 1.5,
        },
        invalid={
            "initial_learning_rate=-0.5": {"initial_learning_rate": -0.5},
            "decay_steps=0": {"decay_steps": 0},
            "decay_steps=2.5": {"decay_steps": 2.5},
            "end_learning_rate=inf": {"end_learning_rate": float("inf")},
            "power=0.0": {"power": 0.0},
            "k_decay=-1.0": {"k_decay": -1.0},
        },
        joints={0: 0.4, 10: 0.3, 40: 0.0, 59: 0.0},
    ),
    ScheduleCase(
        schedules.polynomial,
        schedules.Polynomial,
        references.polynomial,
        {
            "initial_learning_rate": 2,
            "decay_steps": 50,
            "end_learning_rate": 0.5,
            "power": 0.9,
            "k_decay": 3,
        },
        changes={"power": 1, "k_decay": 1},
        joints={0: 2.0, 50: 0.5, 59: 0.5},
    ),
    ScheduleCase(
        schedules.rex,
        schedules.REX,
        references.rex,
        {"initial_learning_rate": 0.4, "decay_steps": 40, "end_learning_rate": 0.1},
        changes={
            "initial_learning_rate": 0.5,
            "decay_steps": 41,
            "end_learning_rate": 0.2,
        },
        invalid={
            "initial_learning_rate=-0.5": {"initial_learning_rate": -0.5},
            "decay_steps=0": {"decay_steps": 0},
            "decay_steps=2.5": {"decay_steps": 2.5},
            "end_learning_rate=nan": {"end_learning_rate": float("nan")},
        },
        joints={0: 0.4, 20: 0.3, 40: 0.1, 59: 0.1},
    ),
]

# The cases that use no schedule of Keras.
OWN = [
    case for case in SCHEDULES if COSINE_DECAY not in keras.tree.flatten(case.kwargs)
]


def each(cases):
    """Parametrizes a test by `case`, one id per class and arguments."""
    ids = [f"{case.cls.__name__}-{i}" for i, case in enumerate(cases)]
    return pytest.mark.parametrize("case", cases, ids=ids)


def each_class(cases):
    """Parametrizes a test by `case`: the first of each class."""
    return each(list({case.cls: case for case in reversed(cases)}.values()))


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
