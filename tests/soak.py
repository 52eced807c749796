"""Trains for a long time; reports memory growth and how often updates were traced.

    python -m tests.soak [STEPS] [BACKEND ...]

Each backend runs in its own process. There, a small model is trained by `fit` and by a
custom loop, which is eager on TensorFlow (updates go through our graph) and one
compiled step on JAX. After a quarter of the steps, memory may grow by 2 percent, and
nothing may be traced twice. Exits with 1 if that does not hold.
"""

import gc
import os
import subprocess
import sys
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import keras
import numpy as np
from keras import ops

from tfx_extras import optimizers
from tfx_extras import schedules

BACKENDS = ("tensorflow", "jax", "torch")
SAMPLES = 20  # memory samples, evenly spaced over the steps
TRACES = []


@keras.saving.register_keras_serializable("tests")
class Counted(optimizers.AdaBelief):
    """Counts how often Python runs its formula."""

    def update(self, *arguments):
        TRACES.append(1)
        return super().update(*arguments)


def rate(steps):
    return schedules.WarmupCosine(0.01, steps // 10, steps // 2, restarts=1)


def network(optimizer):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile(optimizer, loss="mse")
    # TensorFlow traces a function twice if it makes variables.
    optimizer.build(model.trainable_variables)
    return model


def data(count):
    x = np.random.default_rng(0).normal(size=(count, 3)).astype("float32")
    return x, x[:, :1]


def memory():
    """The resident memory of this process, in MiB; Linux only."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


class Samples(keras.callbacks.Callback):
    def __init__(self, found):
        self.found = found

    def on_epoch_end(self, epoch, logs=None):
        self.found.append(memory())


def in_fit(steps, found):
    model = network(optimizers.Lookahead(Counted(rate(steps), weight_decay=0.01)))
    x, y = data(steps // SAMPLES)
    model.fit(x, y, batch_size=1, epochs=SAMPLES, verbose=0, callbacks=[Samples(found)])
    return model


def in_loop(steps, found):
    inner = Counted(rate(steps), global_clipnorm=1.0)
    model = network(optimizers.SWA(inner, start=steps // 4, period=100))
    step = {"tensorflow": tensorflow_step, "jax": jax_step, "torch": torch_step}
    step = step[keras.backend.backend()](model)
    x, y = data(64)
    for i in range(steps):
        step(x[i % 64][None], y[i % 64][None])
        if (i + 1) % (steps // SAMPLES) == 0:
            found.append(memory())
    return model


def tensorflow_step(model):
    import tensorflow as tf

    def step(x, y):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((model(x) - y) ** 2)
        variables = model.trainable_variables
        model.optimizer.apply(tape.gradient(loss, variables), variables)

    return step


def torch_step(model):
    def step(x, y):
        model.zero_grad()
        loss = ((model(x) - ops.convert_to_tensor(y)) ** 2).mean()
        loss.backward()
        variables = model.trainable_variables
        model.optimizer.apply([v.value.grad for v in variables], variables)

    return step


def jax_step(model):
    import jax

    def loss(weights, x, y):
        predictions, _ = model.stateless_call(weights, [], x)
        return ops.mean((predictions - y) ** 2)

    @jax.jit
    def update(weights, state, x, y):
        slopes = jax.grad(loss)(weights, x, y)
        return model.optimizer.stateless_apply(state, slopes, weights)

    variables = model.trainable_variables, model.optimizer.variables
    kept = [[v.value for v in column] for column in variables]

    def step(x, y):
        kept[:] = update(*kept, x, y)

    return step


def child(steps):
    failed = False
    for part in (in_fit, in_loop):
        TRACES.clear()
        found, since = [], time.monotonic()
        model = part(steps, found)
        backend = keras.backend.backend()
        traces = len(TRACES) // len(model.trainable_variables)
        once = traces == 1 or backend == "torch"
        warm = found[SAMPLES // 5 :]
        growth = 100 * (max(warm) / warm[0] - 1)
        finite = all(np.isfinite(w).all() for w in model.get_weights())
        print(
            f"{backend}, {part.__name__[3:]}: {steps} steps in "
            f"{time.monotonic() - since:.0f} s, memory {warm[0]:.1f} MiB, at most "
            f"{growth:.2f} % more, "
            + ("not traced" if backend == "torch" else f"traced {traces} time(s)")
            + ("" if finite else ", weights are not finite"),
            flush=True,
        )
        failed |= growth > 2 or not once or not finite
    return int(failed)


def main(steps="100000", *backends):
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", __spec__.name, steps, "--child"],
            env=os.environ | {"KERAS_BACKEND": backend},
        )
        for backend in backends or BACKENDS
    ]
    return max(abs(process.wait()) for process in processes)


if __name__ == "__main__":
    if "--child" in sys.argv:
        sys.exit(child(int(sys.argv[1])))
    sys.exit(main(*sys.argv[1:]))
