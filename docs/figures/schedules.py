"""Each schedule as a curve."""

from functools import partial

import numpy as np
from figures._style import figure
from keras import ops
from keras.optimizers.schedules import ExponentialDecay

from tfx_extras import schedules

STEPS = 1000
CURVES = {
    "Cyclical": {
        "triangular": schedules.Cyclical(1e-4, 1e-3, 125),
        "triangular2": schedules.Cyclical(1e-4, 1e-3, 125, scale="triangular2"),
    },
    "InverseSquareRoot": {
        "warm-up of 50 steps": schedules.InverseSquareRoot(1e-3, 50),
        "of 200": schedules.InverseSquareRoot(1e-3, 200),
    },
    "OneCycle": {"default": schedules.OneCycle(1e-3, STEPS)},
    "PiecewiseLinear": {
        "knots": schedules.PiecewiseLinear([0, 200, 600, 1000], [0, 1e-3, 4e-4, 0]),
    },
    "Sequential": {
        "a warm-up, then a decay": schedules.Sequential(
            [
                schedules.PiecewiseLinear([0, 200], [0.0, 1e-3]),
                ExponentialDecay(1e-3, 200, 0.5),
            ],
            [200],
        )
    },
    "Warmup": {
        "around `ExponentialDecay`": schedules.Warmup(
            ExponentialDecay(1e-3, 200, 0.5), 200
        )
    },
    "WarmupCosine": {
        "default": schedules.WarmupCosine(1e-3, 200, 800),
        "to a tenth": schedules.WarmupCosine(1e-3, 200, 800, end_learning_rate=1e-4),
    },
    "WarmupStableDecay": {
        "default": schedules.WarmupStableDecay(1e-3, 200, 500, 300),
    },
}


def curve(name, path):
    """Draws the learning rate of each step."""
    steps = np.arange(STEPS + 1)
    with figure(path) as axes:
        for label, schedule in CURVES[name].items():
            axes.plot(steps, ops.convert_to_numpy(schedule(steps)), label=label)
        axes.set(xlabel="step", ylabel="learning rate", title=name)
        if len(CURVES[name]) > 1:
            axes.margins(y=0.2)  # leaves room above the curves
            axes.legend(loc="upper right")


FIGURES = {f"schedules/{name}": partial(curve, name) for name in CURVES}
