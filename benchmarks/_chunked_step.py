"""One measurement for `chunked_crossentropy.py`, forward and backward."""

import json
import sys
from pathlib import Path

import keras
import numpy as np
from _loss_step import megabytes
from _server import sees_gpu
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
    """A function to the mean loss and both gradients, and one that makes tensors."""
    if framework == "torch":
        import torch

        def step(h, k, y):
            h.grad = k.grad = None
            mean = loss(h, k, y)
            mean.backward()
            return mean.detach(), (h.grad, k.grad)

        device = "cuda" if sees_gpu() else "cpu"
        return step, lambda x: torch.tensor(
            x, device=device, requires_grad=x.dtype.kind == "f"
        )
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


def rise_of_memory(framework, function):
    """The result of a function, and by how many megabytes it raises the memory peak.

    Measures the memory of the GPU, if there is one. JAX cannot reset its peak, so the
    function must need more memory than everything that ran before it.
    """
    if not sees_gpu():
        before = megabytes("VmRSS")
        Path("/proc/self/clear_refs").write_text("5")  # resets the peak
        result = function()
        return result, megabytes("VmHWM") - before
    if framework == "torch":
        import torch

        torch.cuda.reset_peak_memory_stats()
        before, result = torch.cuda.memory_allocated(), function()
        peak = torch.cuda.max_memory_allocated()
    elif framework == "jax":
        import jax

        (device,) = jax.devices()
        before, result = device.memory_stats()["bytes_in_use"], function()
        peak = device.memory_stats()["peak_bytes_in_use"]
    else:
        import tensorflow as tf

        tf.config.experimental.reset_memory_stats("GPU:0")
        before = tf.config.experimental.get_memory_info("GPU:0")["current"]
        result = function()
        peak = tf.config.experimental.get_memory_info("GPU:0")["peak"]
    return result, (peak - before) / 2**20


def measure(contender, framework, mode, seconds, *sizes):
    """Prints the mean loss, the median of seconds, and megabytes.

    Args:
        contender: One of `LOSSES`.
        framework: `"tensorflow"`, `"jax"` or `"torch"`.
        mode: `"eager"`, `"graph"`, `"XLA"` or `"jit"`.
        seconds: How long to time steps; at least 3 steps are timed.
        *sizes: Numbers of samples, features and classes.
    """
    step, tensor = stepper(LOSSES[contender], framework, mode)

    def run(given):
        mean, gradients = step(*given)
        for gradient in gradients:
            ops.convert_to_numpy(gradient[0, 0])  # waits for the result
        return float(mean)

    # A first call with few samples and classes loads libraries, which then do not
    # count, and leaves little free memory for later calls to reuse. Compilation for
    # the sizes to be measured does count.
    run([tensor(x) for x in inputs(16, sizes[1], 64)])
    given = [tensor(x) for x in inputs(*sizes)]
    means, rise = rise_of_memory(framework, lambda: [run(given), run(given)])
    turn = timed(lambda: run(given))
    (found,) = in_turns([turn], rounds=50, seconds=seconds)
    print(json.dumps([means[0], median(found), rise]))


if __name__ == "__main__":
    contender, framework, mode, seconds, *sizes = sys.argv[1:]
    measure(contender, framework, mode, float(seconds), *map(int, sizes))
