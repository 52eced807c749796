"""The path of each optimizer on two functions of two numbers.

One rule for all: of the learning rates `RATES`, that is drawn whose path ends lowest
after `STEPS` updates; other arguments are the defaults, but for those in `OPTIMIZERS`.
"""

from functools import partial

import keras
import numpy as np
import tensorflow as tf
from figures._style import figure

from tfx_extras import optimizers

STEPS = 400
RATES = [mantissa * 10.0**power for power in (-4, -3, -2, -1) for mantissa in (1, 3)]


def rosenbrock(w):
    x, y = tf.unstack(w, axis=-1)
    return (1 - x) ** 2 + 100 * (y - x**2) ** 2


def rastrigin(w):
    return 20 + tf.reduce_sum(w**2 - 10 * tf.cos(2 * np.pi * w), axis=-1)


# Where it begins, where its lowest point is, and what is seen of it.
PROBLEMS = {
    "Rosenbrock": (rosenbrock, (-1.2, 1.0), (1, 1), ((-2, 2), (-1, 3))),
    "Rastrigin": (rastrigin, (-2.3, 1.7), (0, 0), ((-3, 3), (-3, 3))),
}
OPTIMIZERS = {
    "AdaBelief": optimizers.AdaBelief,
    "COCOB": optimizers.COCOB,
    "ConditionalGradient": lambda: optimizers.ConditionalGradient(radius=3.0),
    "LAMB": optimizers.LAMB,
    "LazyAdam": optimizers.LazyAdam,
    "Lookahead": lambda: optimizers.Lookahead("adam"),
    "MovingAverage": lambda: optimizers.MovingAverage("adam", decay=0.9),
    "NovoGrad": optimizers.NovoGrad,
    "ProximalAdagrad": optimizers.ProximalAdagrad,
    "RAdam": optimizers.RAdam,
    "Ranger": optimizers.Ranger,
    "SWA": lambda: optimizers.SWA("adam", start=100, period=10),
    "Yogi": optimizers.Yogi,
}


def path_of(make, function, start):
    """The best path, its learning rate, and where the average is at the end."""
    weights = keras.Variable(start, dtype="float32", name="w")
    optimizer = make()
    optimizer.build([weights])
    state = [weights, *optimizer.variables]
    initial = [v.numpy() for v in state]

    @tf.function
    def run():
        path = tf.TensorArray("float32", STEPS + 1).write(0, weights.value)
        for step in tf.range(STEPS):
            with tf.GradientTape() as tape:
                value = function(weights.value)
            optimizer.apply([tape.gradient(value, weights.value)], [weights])
            path = path.write(step + 1, weights.value)
        return path.stack()

    best = None
    for rate in RATES:
        for variable, value in zip(state, initial, strict=True):
            variable.assign(value)
        optimizer.learning_rate = rate
        path = run().numpy()
        end = float(function(tf.constant(path[-1])))
        if np.isfinite(end) and (best is None or end < best[0]):
            average = None
            if getattr(optimizer, "has_average", False):
                optimizer.swap()
                average = weights.numpy()
                optimizer.swap()
            best = end, rate, path, average
    return best


def paths(name, path):
    """Draws the path of an optimizer on each function."""
    with figure(path, columns=2, height=3.8) as axes:
        for place, (title, problem) in zip(axes, PROBLEMS.items(), strict=True):
            function, start, lowest, (across, up) = problem
            x, y = np.meshgrid(np.linspace(*across, 201), np.linspace(*up, 201))
            heights = function(np.stack([x, y], axis=-1))
            place.contourf(x, y, np.log1p(heights), levels=20, cmap="Greys", alpha=0.6)
            end, rate, steps, average = path_of(OPTIMIZERS[name], function, start)
            place.plot(*steps.T, ".-", markersize=3, linewidth=1)
            place.plot(*start, "o", color="black", label="start")
            place.plot(*lowest, "*", markersize=12, color="#edae49", label="lowest")
            if average is not None:
                place.plot(*average, "X", color="#d1495b", label="average")
            place.set(
                xlim=across,
                ylim=up,
                title=f"{title}: ends at {end:.2g} with learning rate {rate:g}",
            )
            place.title.set_fontsize(9)
            place.grid(visible=False)
        axes[0].legend(loc="lower left")


FIGURES = {f"optimizers/{name}": partial(paths, name) for name in OPTIMIZERS}
