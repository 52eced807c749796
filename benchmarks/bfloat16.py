"""Compares ways to store small updates of bfloat16 weights.

Trains the same network on handwritten digits in float32 and in pure bfloat16, with four
ways to store the updated weight. Prints for each way the test accuracy, the distance of
the predicted probabilities from the probabilities of float32, the error of a weight
after 2,000 small updates relative to the distance that it moved, and the bytes per
weight in addition to the weight and the optimizer state.

    python benchmarks/bfloat16.py
"""

import os

os.environ.setdefault("KERAS_BACKEND", "jax")

import jax
import keras
import numpy as np
from keras import ops
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from tfx_extras.optimizers import AdaBelief
from tfx_extras.optimizers import RAdam

SEEDS = range(5)
EPOCHS = 30


def rounded(base):
    """Stores the nearest weight, as Keras's optimizers do."""

    class Rounded(base):
        def update_step(self, gradient, variable, learning_rate):
            super().update_step(gradient, variable, learning_rate)
            residual = self._residuals[self._get_variable_index(variable)]
            if residual is not None:
                residual.assign(ops.zeros(residual.shape, residual.dtype))

    return Rounded


def stochastic(base):
    """Stochastic rounding: stores one of the two nearest weights, unbiased."""

    class Stochastic(base):
        def build(self, variables):
            if not self.built:
                super().build(variables)
                self.seed = keras.random.SeedGenerator(0)
                self._track_variable(self.seed.state)

        def update_step(self, gradient, variable, learning_rate):
            super().update_step(gradient, variable, learning_rate)
            residual = self._residuals[self._get_variable_index(variable)]
            exact = ops.cast(variable, "float32") + ops.cast(residual, "float32")
            # bfloat16 cuts off the lower half of the bits.
            toss = keras.random.randint(exact.shape, 0, 2**16, seed=self.seed)
            bits = jax.lax.bitcast_convert_type(exact, "int32") + toss
            high = jax.lax.bitcast_convert_type(bits & -(2**16), "float32")
            variable.assign(high)
            residual.assign(ops.zeros(residual.shape, residual.dtype))

    return Stochastic


def wide_residual(base):
    """Stores the rounding error in float32 instead of bfloat16."""

    class WideResidual(base):
        def build(self, variables):
            if not self.built:
                super().build(variables)
                self._residuals = self.add_optimizer_variables(variables, "wide")

    return WideResidual


def train(make, dtype, seed):
    keras.utils.set_random_seed(seed)
    keras.config.set_dtype_policy(dtype)
    x, y = load_digits(return_X_y=True)
    x_train, x_test, y_train, y_test = train_test_split(
        x / 16, y, test_size=0.25, random_state=0
    )
    model = keras.Sequential(
        [
            keras.Input((64,)),
            keras.layers.Dense(64, activation="relu"),
            keras.layers.Dense(64, activation="relu"),
            keras.layers.Dense(10),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(make(1e-3), loss, metrics=["accuracy"])
    model.fit(x_train, y_train, batch_size=32, epochs=EPOCHS, verbose=0)
    logits = ops.convert_to_numpy(ops.cast(model(x_test), "float32"))
    return (logits.argmax(1) == y_test).mean(), ops.softmax(logits)


def drift(make, dtype):
    """Error of 1,000 weights after 2,000 updates, relative to the distance moved."""
    start = np.linspace(1, 2, 1000, dtype="float32")
    start = np.asarray(ops.cast(ops.cast(start, "bfloat16"), "float32"))
    gradients = 1 + np.random.default_rng(0).normal(size=(2000, 1000))
    ends = []
    for optimizer, kind in (
        (make(2.0**-15), dtype),
        (exact(make)(2.0**-15), "float32"),
    ):
        variable = keras.Variable(start, dtype=kind, name="w")
        optimizer.build([variable])
        step = jax.jit(optimizer.stateless_apply)
        values, state = [variable.value], [v.value for v in optimizer.variables]
        for g in gradients.astype("float32"):
            values, state = step(state, [g], values)
        ends.append(np.asarray(values[0], "float32"))
    return np.abs(ends[0] - ends[1]).mean() / np.abs(ends[1] - start).mean()


def exact(make):
    """The original optimizer, without changes to how it stores weights."""
    return next(c for c in make.__mro__ if c in (AdaBelief, RAdam))


def main():
    print(f"keras {keras.__version__}, {keras.backend.backend()}, CPU")
    print(f"{EPOCHS} epochs, means over {len(SEEDS)} seeds")
    row = "{:10} {:30} {:>9} {:>13} {:>9} {:>6}"
    print(
        row.format("optimizer", "weights", "accuracy", "from float32", "error", "bytes")
    )
    ways = [
        ("float32", lambda c: c, "float32", 0),
        ("bfloat16, rounded", rounded, "bfloat16", 0),
        ("bfloat16, stochastic rounding", stochastic, "bfloat16", 0),
        ("bfloat16, bfloat16 residual", lambda c: c, "bfloat16", 2),
        ("bfloat16, float32 residual", wide_residual, "bfloat16", 4),
    ]
    for base in (AdaBelief, RAdam):
        learned = {}
        for name, way, dtype, size in ways:
            accuracies, distances = [], []
            for seed in SEEDS:
                accuracy, p = train(way(base), dtype, seed)
                learned.setdefault(seed, p)
                accuracies.append(accuracy)
                distances.append(np.abs(p - learned[seed]).mean())
            accuracy, distance = np.mean(accuracies), np.mean(distances)
            values = (
                f"{accuracy:.4f}",
                f"{distance:.5f}",
                f"{drift(way(base), dtype):.4f}",
            )
            print(row.format(base.__name__, name, *values, size), flush=True)
    accuracies = [train(keras.optimizers.Adam, "bfloat16", seed)[0] for seed in SEEDS]
    accuracy = f"{np.mean(accuracies):.4f}"
    print(row.format("Keras Adam", "bfloat16", accuracy, "", "", 0))


if __name__ == "__main__":
    main()
