"""One measurement of `chunked_crossentropy.py`: one way, forward and backward."""

import json
import sys
from pathlib import Path

import keras
import numpy as np
from _loss_step import megabytes
from _timing import in_turns
from _timing import median
from _timing import timed
from keras import ops

from tfx_extras import losses

DENSE = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
LOSSES = {
    "chunked": lambda h, k, y: ops.mean(losses.chunked_linear_crossentropy(y, h, k)),
    "dense": lambda h, k, y: DENSE(y, ops.matmul(h, k)),
}


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


def measure(contender, framework, mode, *sizes):
    """Prints the mean loss, the median of seconds, and megabytes.

    Args:
        contender: One of `LOSSES`.
        framework: `"tensorflow"`, `"jax"` or `"torch"`.
        mode: `"eager"`, `"graph"`, `"XLA"` or `"jit"`.
        *sizes: Rows, features, classes.
    """
    step, tensor = stepper(LOSSES[contender], framework, mode)

    def run(given):
        mean, gradients = step(*given)
        for gradient in gradients:
            ops.convert_to_numpy(gradient[0, 0])  # waits until it is computed
        return float(mean)

    # Of few rows and classes, so that what is loaded by the first call is not counted,
    # and little is left that the next ones could take. Compiling for the sizes is.
    run([tensor(x) for x in inputs(16, sizes[1], 64)])
    given = [tensor(x) for x in inputs(*sizes)]
    before = megabytes("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # begins the peak anew
    mean = run(given)
    run(given)
    rise = megabytes("VmHWM") - before
    turn = timed(lambda: run(given))
    (seconds,) = in_turns([turn], rounds=50, seconds=4)
    print(json.dumps([mean, median(seconds), rise]))


if __name__ == "__main__":
    contender, framework, mode, *sizes = sys.argv[1:]
    measure(contender, framework, mode, *map(int, sizes))
