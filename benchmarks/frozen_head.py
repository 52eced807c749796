"""Time of `ChunkedLinearCrossentropy` with a frozen kernel and with a trained one.

    KERAS_BACKEND=torch python benchmarks/frozen_head.py [--sizes ROWS FEATURES CLASSES]

Prints a table in Markdown: the median milliseconds of the forward and backward pass,
with the gradients of the hidden states and of the trained weights. Both layers take
turns in one process. The ratio is the time with a trained kernel divided by the time
with a frozen kernel.
"""

import argparse
import os

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
from _chunked_step import inputs
from _report import print_about
from _report import print_head
from _report import print_row
from _timing import in_turns
from _timing import median
from _timing import milliseconds
from _timing import ratio
from _timing import timed
from keras import ops

from tfx_extras import layers

BACKEND = keras.backend.backend()
MODES = {"tensorflow": ("eager", "graph", "XLA"), "jax": ("jit",), "torch": ("eager",)}


def layer(kernel, is_frozen):
    head = layers.ChunkedLinearCrossentropy(kernel.shape[-1], use_bias=False)
    head.build((None, kernel.shape[0]))
    head.kernel.assign(kernel)
    head.trainable = not is_frozen
    return head


def stepper(head, mode, hidden, labels):
    """A function without arguments that computes and waits for all gradients."""
    weights = head.trainable_variables
    if BACKEND == "torch":
        hidden = ops.convert_to_tensor(hidden).requires_grad_()
        labels = ops.convert_to_tensor(labels)

        def step():
            hidden.grad = head.kernel.value.grad = None
            head(hidden, labels, training=True).mean().backward()

        return step
    hidden, labels = ops.convert_to_tensor(hidden), ops.convert_to_tensor(labels)
    if BACKEND == "jax":
        import jax

        fixed = [v.value for v in head.non_trainable_variables]

        def loss(hidden, trained):
            return head.stateless_call(trained, fixed, hidden, labels)[0].mean()

        gradients = jax.jit(jax.grad(loss, (0, 1)))
        trained = [v.value for v in weights]
        return lambda: jax.block_until_ready(gradients(hidden, trained))

    import tensorflow as tf

    def gradients():
        with tf.GradientTape() as tape:
            tape.watch(hidden)
            loss = tf.reduce_mean(head(hidden, labels, training=True))
        return tape.gradient(loss, [hidden, *(v.value for v in weights)])

    if mode != "eager":
        gradients = tf.function(gradients, jit_compile=mode == "XLA")
    return lambda: [float(gradient[0, 0]) for gradient in gradients()]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", nargs=3, type=int, default=(1024, 512, 32_000))
    parser.add_argument("--modes", nargs="*", default=MODES[BACKEND])
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()

    print_about()
    title = "### {} rows, {} features, {} classes, float32".format(*options.sizes)
    print_head(title, "backend", "trained, ms", "frozen, ms", "ratio")
    hidden, kernel, labels = inputs(*options.sizes)
    for mode in options.modes:
        steps = [
            stepper(layer(kernel, is_frozen), mode, hidden, labels)
            for is_frozen in (False, True)
        ]
        for step in steps:
            step()  # compiles
        trained, frozen = map(median, in_turns(list(map(timed, steps)), options.rounds))
        print_row(
            f"{BACKEND} {mode}",
            milliseconds(trained),
            milliseconds(frozen),
            ratio(trained, frozen),
        )


if __name__ == "__main__":
    main()
