"""The wrappers, with the arguments and the reference that test each."""

from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import field
from typing import Any

import keras

from tests.references import wrappers as references
from tfx_extras import optimizers

RATE, MOMENTUM = 2.0**-6, 0.5


@dataclass(frozen=True)
class WrapperCase:
    """One configuration of one wrapper; `changes` must change its result."""

    cls: type
    reference: Callable[..., Any]
    kwargs: dict[str, Any] = field(default_factory=dict)
    changes: dict[str, Any] = field(default_factory=dict)
    invalid: tuple[dict[str, Any], ...] = ()
    # A learning rate with which all `changes` matter.
    rate: Any = RATE

    def make(self, inner_optimizer=None, **kwargs):
        inner = inner_optimizer or keras.optimizers.SGD(RATE, MOMENTUM)
        return self.cls(inner, **self.kwargs | kwargs)

    def expected(self, start, gradients, **kwargs):
        return self.reference(start, gradients, RATE, MOMENTUM, **self.kwargs | kwargs)

    def __str__(self):
        arguments = ",".join(f"{k}={v}" for k, v in self.kwargs.items())
        return f"{self.cls.__name__}({arguments})"


WRAPPERS = [
    WrapperCase(
        optimizers.Lookahead,
        references.lookahead,
        {"sync_period": 3},
        changes={"sync_period": 2, "slow_step_size": 0.9},
        invalid=(
            {"sync_period": 0},
            {"sync_period": -1},
            {"sync_period": 2**31},
            {"slow_step_size": 1.5},
            {"slow_step_size": -0.5},
        ),
    ),
    WrapperCase(
        optimizers.MovingAverage,
        references.moving_average,
        {"decay": 0.9, "start_step": 4, "warmup": "inverse"},
        changes={
            "decay": 0.25,
            "start_step": 2,
            "warmup": False,
            "warmup_gamma": 4.0,
            "warmup_power": 0.25,
        },
        invalid=(
            {"decay": 1.0},
            {"decay": -0.1},
            {"start_step": -1},
            {"start_step": 2**31},
            {"warmup_gamma": 0.0},
            {"warmup_power": 0.0},
            {"warmup_power": 10.5},
        ),
    ),
    WrapperCase(
        optimizers.MovingAverage,
        references.moving_average,
        {"decay": 0.9, "start_step": 4},
    ),
    WrapperCase(optimizers.MovingAverage, references.moving_average, {"warmup": True}),
    WrapperCase(
        optimizers.MovingAverage,
        references.moving_average,
        {"warmup": "power", "start_step": 0},
    ),
    WrapperCase(
        optimizers.MovingAverage,
        references.moving_average,
        {"warmup": "power", "warmup_gamma": 1.5, "start_step": 2},
    ),
    WrapperCase(
        optimizers.ScheduleFree,
        references.schedule_free,
        {"weight_decay": 0.5},
        changes={
            "beta": 0.5,
            "weight_decay": 0.0,
            "weight_decay_exclude": ["w"],
            "weight_lr_power": 0.0,
            "r": 2.0,
        },
        invalid=(
            {"beta": -0.1},
            {"beta": 1.1},
            {"weight_decay": -1.0},
            {"weight_lr_power": -1.0},
            {"r": -1.0},
        ),
        rate=keras.optimizers.schedules.PolynomialDecay(RATE, 8, 4 * RATE),
    ),
    WrapperCase(
        optimizers.ScheduleFree, references.schedule_free, {"beta": 0.0, "r": 2.0}
    ),
    WrapperCase(
        optimizers.ScheduleFree,
        references.schedule_free,
        {"beta": 1.0, "weight_lr_power": 0.0},
    ),
    WrapperCase(
        optimizers.SWA,
        references.swa,
        {"start": 4, "period": 3},
        changes={"start": 5, "period": 2},
        invalid=({"start": 0}, {"start": 2**31}, {"period": 0}, {"period": 2**63}),
    ),
]
