"""Time of a step of LazyAdam on an embedding, beside that of Keras's Adam.

    python benchmarks/lazy_adam.py [--rows 1000000] [--width 64] [--ids 4096]

Prints a table in Markdown: the median milliseconds of each, which take turns, eager
and in a graph, and how many times longer Adam takes. Needs TensorFlow. The first step
of each copies the table once, and is left out.
"""

import argparse
import os
import platform
import statistics
import time

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf

import tfx_extras


def stepper(optimizer, options, graph):
    """A function of no argument that makes one update of a table."""
    rng = np.random.default_rng(0)
    table = keras.Variable(np.zeros((options.rows, options.width)), dtype="float32")
    optimizer.build([table])
    ids = tf.constant(rng.integers(0, options.rows, options.ids))
    values = tf.constant(rng.normal(size=(options.ids, options.width)), "float32")
    shape = tf.constant([options.rows, options.width])

    def step():
        optimizer.apply([tf.IndexedSlices(values, ids, shape)])

    return tf.function(step) if graph else step


def main(options):
    print(f"{options.rows} x {options.width}, {options.ids} ids;", end=" ")
    print(f"{os.cpu_count()} cores, {platform.machine()};", end=" ")
    print(f"TensorFlow {tf.__version__}, Keras {keras.__version__}\n")
    print("| Mode | Adam, ms | LazyAdam, ms | times faster |\n|---|--:|--:|--:|")
    for graph in (False, True):
        steps = [
            stepper(optimizer, options, graph)
            for optimizer in (keras.optimizers.Adam(), tfx_extras.optimizers.LazyAdam())
        ]
        times = [[], []]
        for turn in range(options.turns + 2):
            for step, kept in zip(steps, times, strict=True):
                start = time.perf_counter()
                step()
                tf.test.experimental.sync_devices()
                if turn >= 2:
                    kept.append(1000 * (time.perf_counter() - start))
        adam, lazy = (statistics.median(kept) for kept in times)
        mode = "graph" if graph else "eager"
        print(f"| {mode} | {adam:.1f} | {lazy:.2f} | {adam / lazy:.0f} |", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    for name, default in [("rows", 1_000_000), ("width", 64), ("ids", 4096)]:
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--turns", type=int, default=20)
    main(parser.parse_args())
