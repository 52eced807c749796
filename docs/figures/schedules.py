"""Each schedule as a curve."""

from functools import partial

import numpy as np
from figures._style import figure
from figures._style import shape
from keras import ops
from keras.optimizers.schedules import ExponentialDecay

from tfx_extras import schedules

STEPS = 1000
CURVES = {
    "Cyclical": {
        "step_size=125": schedules.Cyclical(1e-4, 1e-3, 125),
        'scale="triangular2"': schedules.Cyclical(1e-4, 1e-3, 125, scale="triangular2"),
    },
    "InverseSquareRoot": {
        "warmup_steps=50": schedules.InverseSquareRoot(1e-3, 50),
        "warmup_steps=200": schedules.InverseSquareRoot(1e-3, 200),
    },
    "OneCycle": {"total_steps=1000": schedules.OneCycle(1e-3, STEPS)},
    "PiecewiseLinear": {
        "at 0, 200, 600, 1000": schedules.PiecewiseLinear(
            [0, 200, 600, 1000], [0, 1e-3, 4e-4, 0]
        ),
    },
    "Polynomial": {
        "power=2": schedules.Polynomial(1e-3, STEPS, power=2.0),
        "k_decay=2": schedules.Polynomial(1e-3, STEPS, k_decay=2.0),
    },
    "REX": {"decay_steps=1000": schedules.REX(1e-3, STEPS)},
    "Sequential": {
        "PiecewiseLinear, then ExponentialDecay": schedules.Sequential(
            [
                schedules.PiecewiseLinear([0, 200], [0.0, 1e-3]),
                ExponentialDecay(1e-3, 200, 0.5),
            ],
            [200],
        )
    },
    "Warmup": {
        "warmup_steps=200, around ExponentialDecay": schedules.Warmup(
            ExponentialDecay(1e-3, 200, 0.5), 200
        )
    },
    "WarmupCosine": {
        "warmup_steps=200, decay_steps=800": schedules.WarmupCosine(1e-3, 200, 800),
        "end_learning_rate=1e-4": schedules.WarmupCosine(
            1e-3, 200, 800, end_learning_rate=1e-4
        ),
    },
    "WarmupStableDecay": {
        "steps of 200, 500 and 300": schedules.WarmupStableDecay(1e-3, 200, 500, 300),
    },
}


def curve(name, path):
    """Draws the learning rate at each step, and says what is seen."""
    steps = np.arange(STEPS + 1)
    seen = []
    with figure(path) as axes:
        for label, schedule in CURVES[name].items():
            rates = ops.convert_to_numpy(schedule(steps))
            axes.plot(steps, rates, label=label)
            seen.append(f"With {label}, it {shape(steps, rates)}.")
        axes.set(xlabel="step", ylabel="learning rate", title=name)
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2))
    return f"Learning rate of {name} against the step. {' '.join(seen)}"


def caption(name):
    return f"The learning rate at steps 0 to {STEPS}."


FIGURES = {f"schedules/{name}": partial(curve, name) for name in CURVES}
