"""Time of a step of ParameterGroups, compared with its inner optimizer alone.

    KERAS_BACKEND=jax python benchmarks/parameter_groups.py

Prints a table in Markdown: the median milliseconds of a step over 300 matrices, with
the inner optimizer alone and with ParameterGroups around it, and how many times longer
ParameterGroups takes. Both take turns. The rules set multipliers and weight decays:
half of the matrices have half the learning rate, and a quarter has no weight decay.
"""

import argparse
import os

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from _report import print_about
from _report import print_head
from _report import print_row
from _timing import in_turns
from _timing import median
from _timing import milliseconds
from _timing import ratio
from _timing import timed
from keras import ops

import tfx_extras

RULES = {
    "[02468]$": {"learning_rate_multiplier": 0.5},
    "[0-4]0$|[05]$": {"weight_decay": 0.0},
    ".*": {},
}
OPTIMIZERS = {
    "AdaBelief": tfx_extras.optimizers.AdaBelief,
    "RAdam": tfx_extras.optimizers.RAdam,
    "LAMB": tfx_extras.optimizers.LAMB,
    "Keras's Adam": keras.optimizers.Adam,
}


def stepper(optimizer, options):
    """A function without arguments that makes one step, compiled where possible."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=(options.count, 64, 64)).astype("float32")
    weights = [keras.Variable(v, name=f"w{i}") for i, v in enumerate(values)]
    gradients = [ops.convert_to_tensor(v) for v in values]
    optimizer.build(weights)
    backend = keras.backend.backend()
    if backend == "jax":
        import jax

        apply = jax.jit(optimizer.stateless_apply, donate_argnums=(0, 2))
        state = [[v.value for v in optimizer.variables], [w.value for w in weights]]

        def step():
            state[1], state[0] = apply(state[0], gradients, state[1])
            jax.block_until_ready(state[1])

        return step
    if backend == "tensorflow":
        import tensorflow as tf

        apply = tf.function(lambda: optimizer.apply(gradients, weights))

        def step():
            apply()
            tf.test.experimental.sync_devices()

        return step
    return lambda: optimizer.apply(gradients, weights)


def main(options):
    print_about()
    title = f"### {options.count} matrices of 64 x 64, on {keras.backend.backend()}"
    print_head(title, "inner optimizer", "alone, ms", "ParameterGroups, ms", "ratio")
    for name, cls in OPTIMIZERS.items():
        alone = cls(1e-3, weight_decay=0.01)
        within = cls(1e-3, weight_decay=0.01)
        groups = tfx_extras.optimizers.ParameterGroups(within, RULES)
        steps = [stepper(optimizer, options) for optimizer in (alone, groups)]
        for step in steps:
            step()
            step()
        inner, all_ = map(median, in_turns(list(map(timed, steps)), options.turns))
        print_row(name, milliseconds(inner), milliseconds(all_), ratio(all_, inner))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--turns", type=int, default=40)
    main(parser.parse_args())
