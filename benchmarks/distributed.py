"""Time of a step on two replicas, compared with Keras's Adam.

    python benchmarks/distributed.py [--rows 200000] [--width 32] [--ids 256]

Prints two tables in Markdown, for an embedding and for 20 small variables: the median
milliseconds of a step under `MirroredStrategy` on two CPUs, and how many times longer
Adam takes. For the small variables, the table also has the number of operations in the
graph of a step. The optimizers take turns. Each of the two ways to reduce over replicas
runs in its own process. Needs TensorFlow.
"""

import argparse
import os
import subprocess
import sys

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
from _timing import repeated

from tfx_extras import optimizers

REPLICAS = 2
WAYS = {"all-reduce": None, "on one device": tf.distribute.ReductionToOneDevice}
SMALL = ("RAdam", "AdaBelief", "LAMB", "NovoGrad")


def strategy_of(way):
    tf.config.set_logical_device_configuration(
        tf.config.list_physical_devices("CPU")[0],
        [tf.config.LogicalDeviceConfiguration()] * REPLICAS,
    )
    devices = [f"CPU:{i}" for i in range(REPLICAS)]
    ops = WAYS[way]
    return tf.distribute.MirroredStrategy(devices, ops and ops())


def stepper(strategy, make, shapes, loss):
    """A function without arguments that makes one step, and the size of its graph.

    Args:
        strategy: The distribution strategy.
        make: A function that makes an optimizer.
        shapes: The shapes of the variables.
        loss: A function of the variables, on one replica.
    """
    with strategy.scope():
        variables = [keras.Variable(np.ones(s), dtype="float32") for s in shapes]
        optimizer = make()
        optimizer.build(variables)

    def update():
        raws = [v.value for v in variables]
        with tf.GradientTape() as tape:
            value = loss(raws)
        optimizer.apply(tape.gradient(value, raws), variables)

    step = tf.function(lambda: strategy.run(update))
    return step, len(step.get_concrete_function().graph.get_operations())


def looked_up(options):
    random = np.random.default_rng(0)
    ids = tf.constant(random.integers(0, options.rows, (REPLICAS, options.ids)))

    def loss(variables):
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        return tf.reduce_sum(tf.nn.embedding_lookup(*variables, ids[replica]) ** 2)

    return loss


def squared(variables):
    return sum(tf.reduce_sum(v**2) for v in variables)


def timed(steps, options):
    for step in steps:
        step()
        step()
    turns = [lambda step=step: repeated(step, options.seconds) for step in steps]
    return [median(results) for results in in_turns(turns, options.turns)]


def measure(way, options):
    strategy = strategy_of(way)
    optimizer_of = {name: getattr(optimizers, name) for name in ("LazyAdam", *SMALL)}
    adam = keras.optimizers.Adam
    shapes, loss = [(options.rows, options.width)], looked_up(options)
    both = (optimizer_of["LazyAdam"], adam)
    steps, _ = zip(*(stepper(strategy, m, shapes, loss) for m in both), strict=True)
    ours, theirs = timed(steps, options)
    title = f"### A table of {options.rows:,} x {options.width}, {options.ids:,} rows"
    print_head(f"{title}, {way}", "optimizer", "ms", "Keras's Adam, ms", "ratio")
    print_row("LazyAdam", milliseconds(ours), milliseconds(theirs), ratio(theirs, ours))
    makes = [*(optimizer_of[name] for name in SMALL), adam]
    built = [stepper(strategy, m, [(8, 8)] * options.count, squared) for m in makes]
    steps, sizes = zip(*built, strict=True)
    *times, theirs = timed(steps, options)
    title = f"### {options.count} variables of 8 x 8, {way}"
    columns = ("ms", "Keras's Adam, ms", "ratio", "operations", "Keras's Adam's")
    print_head(title, "optimizer", *columns)
    for name, ours, size in zip(SMALL, times, sizes, strict=False):
        row = milliseconds(ours), milliseconds(theirs), ratio(theirs, ours)
        print_row(name, *row, str(size), str(sizes[-1]))


def main(options):
    if options.way:
        measure(options.way, options)
        return
    print_about()
    for way in WAYS:
        sys.stdout.flush()
        command = [sys.executable, *sys.argv, "--way", way]
        subprocess.run(command, check=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in [("rows", 200_000), ("width", 32), ("ids", 256)]:
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument(
        "--count", type=int, default=20, help="number of small variables"
    )
    parser.add_argument("--turns", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=0.05, help="per turn")
    parser.add_argument("--way", choices=WAYS, help="run only this one")
    main(parser.parse_args())
