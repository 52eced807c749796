"""Time and memory of the chunked cross-entropy, beside a layer with Keras's loss.

    python benchmarks/chunked_crossentropy.py

Prints one table in Markdown: forward and backward, with the gradients of the hidden
states and of the kernel, by `chunked_linear_crossentropy`, and by `hidden @ kernel` and
`keras.losses.SparseCategoricalCrossentropy(from_logits=True)`.

Every measurement is a process of its own: the median time of its runs, after one to
warm up, and how far the peak of its memory rose above what it held before the first,
with its inputs. Processes take turns, and what they say is the median again.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from _loss_step import megabytes

WAYS = ["tensorflow eager", "tensorflow graph", "tensorflow XLA", "jax jit"]
WAYS += ["torch eager"]
CONTENDERS = ["chunked", "dense"]


def loss_of(contender):
    import keras
    from keras import ops

    from tfx_extras import losses

    dense = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    return {
        "chunked": lambda h, k, y: ops.mean(
            losses.chunked_linear_crossentropy(y, h, k)
        ),
        "dense": lambda h, k, y: dense(y, ops.matmul(h, k)),
    }[contender]


def stepper(loss, framework, mode):
    """A function to the mean loss and two gradients, and what makes its tensors."""
    if framework == "torch":
        import torch

        def step(h, k, y):
            h.grad = k.grad = None
            mean = loss(h, k, y)
            mean.backward()
            return mean.detach(), (h.grad, k.grad)

        return step, lambda x: torch.tensor(x, requires_grad=x.dtype.kind == "f")
    if framework == "jax":
        import jax

        step = jax.value_and_grad(loss, (0, 1))
        return (jax.jit(step) if mode == "jit" else step), jax.numpy.asarray

    import tensorflow as tf

    def step(h, k, y):
        with tf.GradientTape() as tape:
            tape.watch([h, k])
            mean = loss(h, k, y)
        return mean, tape.gradient(mean, [h, k])

    if mode != "eager":
        step = tf.function(step, jit_compile=mode == "XLA")
    return step, tf.constant


def inputs(rows, features, classes):
    random = np.random.default_rng(0)
    hidden = random.standard_normal((rows, features), "float32")
    kernel = random.standard_normal((features, classes), "float32") / features**0.5
    return hidden, kernel, random.integers(0, classes, rows).astype("int32")


def measure(contender, framework, mode, rows, features, classes):
    """The mean loss, the median of seconds, and megabytes."""
    step, tensor = stepper(loss_of(contender), framework, mode)
    # Of few rows and classes, so that what is loaded by the first call is not counted,
    # and little is left that the next ones could take. Compiling for the sizes is.
    step(*map(tensor, inputs(16, features, 64)))
    given = [tensor(x) for x in inputs(rows, features, classes)]
    Path("/proc/self/clear_refs").write_text("5")  # begins the peak anew
    before = megabytes("VmRSS")
    seconds = []
    while len(seconds) < 4 or (sum(seconds) < 4 and len(seconds) < 50):
        start = time.perf_counter()
        mean, gradients = step(*given)
        mean = float(mean)
        for gradient in gradients:
            float(gradient[0, 0])  # waits until it is computed
        seconds.append(time.perf_counter() - start)
        del gradients, gradient  # before the next ones are there
    return mean, statistics.median(seconds[1:]), megabytes("VmHWM") - before


def measured(contender, way, sizes):
    """What `measure` says in a process of its own."""
    framework, mode = way.split()
    arguments = [contender, framework, mode, *map(str, sizes)]
    environment = {"KERAS_BACKEND": framework, "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", __file__, "--measure", *arguments],
        env=os.environ | environment,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise SystemExit(f"{arguments}: {done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def in_turns(way, sizes, rounds):
    """The medians of all rounds, by contender."""
    results = {contender: [] for contender in CONTENDERS}
    for i in range(rounds):
        for contender in CONTENDERS[:: 1 if i % 2 == 0 else -1]:
            results[contender].append(measured(contender, way, sizes))
    return {
        contender: [statistics.median(column) for column in zip(*rows, strict=True)]
        for contender, rows in results.items()
    }


def table(ways=WAYS, sizes=(4096, 512, 32_000), rounds=3):
    """The lines of the table, one after the other as they are measured."""
    from importlib.metadata import version

    names = ["keras", *dict.fromkeys(way.split()[0] for way in ways)]
    versions = ", ".join(f"{name} {version(name)}" for name in names)
    yield f"{platform.machine()}, {os.cpu_count()} CPUs, rounds: {rounds}, {versions}"
    yield ""
    yield "{} rows, {} features, {} classes, float32".format(*sizes)
    yield ""
    columns = ("backend", "chunked, s", "dense, s", "ratio")
    columns += ("chunked, MB", "dense, MB", "ratio", "same value")
    yield "| " + " | ".join(columns) + " |"
    yield "|" + " - |" * len(columns)
    for way in ways:
        results = in_turns(way, sizes, rounds)
        ours, theirs = results["chunked"], results["dense"]
        row = [way, f"{ours[1]:.2f}", f"{theirs[1]:.2f}", f"{ours[1] / theirs[1]:.2f}"]
        row += [f"{ours[2]:.0f}", f"{theirs[2]:.0f}", f"1/{theirs[2] / ours[2]:.1f}"]
        row += ["yes" if abs(ours[0] - theirs[0]) < 1e-5 * theirs[0] else "no"]
        yield "| " + " | ".join(row) + " |"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ways", nargs="*", default=WAYS)
    sizes = (4096, 512, 32_000)
    parser.add_argument("--sizes", nargs=3, type=int, default=sizes)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--measure", nargs=6, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        contender, framework, mode, *sizes = options.measure
        print(json.dumps(measure(contender, framework, mode, *map(int, sizes))))
        return
    for line in table(options.ways, options.sizes, options.rounds):
        print(line, flush=True)


if __name__ == "__main__":
    main()
