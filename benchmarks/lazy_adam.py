"""Time of a step of LazyAdam on an embedding, compared with Keras's Adam.

    python benchmarks/lazy_adam.py [--rows 1000000] [--width 64] [--ids 4096]

Prints a table in Markdown: the median milliseconds of both, eager and in a graph, and
how many times longer Adam takes. The optimizers take turns. Two warm-up steps are left
out; the first one copies the table. Needs TensorFlow. In `make bench`, the C library
keeps freed memory, as in `optimizers.py`; by itself, the script measures without that.
"""

import argparse
import os

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
from _report import print_about
from _report import print_head
from _report import print_row
from _timing import in_turns
from _timing import median
from _timing import milliseconds
from _timing import ratio
from _timing import timed

import tfx_extras


def stepper(optimizer, options, graph):
    """A function without arguments that makes one step on a table."""
    rng = np.random.default_rng(0)
    table = keras.Variable(np.zeros((options.rows, options.width)), dtype="float32")
    optimizer.build([table])
    ids = tf.constant(rng.integers(0, options.rows, options.ids))
    values = tf.constant(rng.normal(size=(options.ids, options.width)), "float32")
    shape = tf.constant([options.rows, options.width])

    def apply():
        optimizer.apply([tf.IndexedSlices(values, ids, shape)])

    if graph:
        apply = tf.function(apply)

    def step():
        apply()
        tf.test.experimental.sync_devices()

    return step


def main(options):
    print_about()
    title = f"### A table of {options.rows:,} x {options.width}, {options.ids:,} rows"
    print_head(title, "mode", "LazyAdam, ms", "Keras's Adam, ms", "ratio")
    for graph in (False, True):
        steps = [
            stepper(optimizer, options, graph)
            for optimizer in (tfx_extras.optimizers.LazyAdam(), keras.optimizers.Adam())
        ]
        for step in steps:
            step()
            step()
        lazy, adam = map(median, in_turns(list(map(timed, steps)), options.turns))
        mode = "graph" if graph else "eager"
        print_row(mode, milliseconds(lazy), milliseconds(adam), ratio(adam, lazy))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    for name, default in [("rows", 1_000_000), ("width", 64), ("ids", 4096)]:
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--turns", type=int, default=20)
    main(parser.parse_args())
