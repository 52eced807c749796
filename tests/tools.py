"""What tests need from the backend: arrays, gradients, devices, and float64."""

from contextlib import contextmanager
from contextlib import nullcontext

import keras
import numpy as np
import pytest
from keras import ops

BACKEND = keras.backend.backend()

# What a layer keeps in `float32` under a 16-bit policy, it keeps in `float32` too. The
# other backends compile each model, so there the 16-bit policy stands for both.
IN_FLOAT32 = pytest.param("float32", marks=pytest.mark.only("torch"))


def array(x) -> np.ndarray:
    """The tensor or variable `x` as a NumPy array; floating-point values in float64."""
    x = ops.convert_to_tensor(x)
    if "float" in keras.backend.standardize_dtype(x.dtype):
        with wide():
            return np.asarray(ops.convert_to_numpy(ops.cast(x, "float64")))
    return np.asarray(ops.convert_to_numpy(x))


def gradient(function, x) -> np.ndarray:
    """The gradient of the sum of `function(x)` with respect to the array `x`."""
    return values_and_gradient(function, x)[1]


def values_and_gradient(function, x) -> tuple[np.ndarray, np.ndarray]:
    """`function(x)`, and the gradient of its sum with respect to the array `x`.

    On JAX, both are one compiled program: see `fused`.
    """
    if BACKEND == "tensorflow":
        import tensorflow as tf

        x = tf.convert_to_tensor(x)
        with tf.GradientTape() as tape:
            tape.watch(x)
            values = function(x)
            total = ops.sum(values)
        return array(values), array(tape.gradient(total, x))
    if BACKEND == "jax":
        import jax

        def total(x):
            values = function(x)
            return ops.sum(values), values

        both = jax.jit(jax.grad(total, has_aux=True))
        slope, values = both(jax.numpy.asarray(x))
        return array(values), array(slope)

    x = ops.convert_to_tensor(x).detach().requires_grad_()
    values = function(x)
    ops.sum(values).backward()
    return array(values.detach()), array(x.grad.detach())


def compiled(function, jit_compile=True):
    """Compiles `function` as the backend does; PyTorch leaves it as it is.

    As in Keras's training step, TensorFlow does not rewrite the source of the function
    (AutoGraph), which would take as long as the rest.
    """
    if BACKEND == "tensorflow":
        import tensorflow as tf

        return tf.function(function, jit_compile=jit_compile, autograph=False)
    if BACKEND == "jax":
        import jax

        return jax.jit(function)
    return function


def fused(function):
    """Compiles `function` on JAX, where separate operations take longer."""
    return compiled(function) if BACKEND == "jax" else function


def devices() -> list[str]:
    """Names, for `keras.device`, of one CPU and of every GPU of the backend."""
    if BACKEND == "tensorflow":
        import tensorflow as tf

        count = len(tf.config.list_physical_devices("GPU"))
    elif BACKEND == "jax":
        import jax

        try:
            count = len(jax.devices("gpu"))
        except RuntimeError:  # JAX raises this if there is none
            count = 0
    else:
        import torch

        count = torch.cuda.device_count()
    kind = "cuda" if BACKEND == "torch" else "gpu"
    return ["cpu:0" if BACKEND != "torch" else "cpu"] + [
        f"{kind}:{i}" for i in range(count)
    ]


each_device = pytest.mark.parametrize("device", devices())


def on(device):
    """In this scope, the backend computes on `device`."""
    # JAX compiles anew in such a scope, even if there is only one device.
    return keras.device(device) if len(devices()) > 1 else nullcontext()


@contextmanager
def looked_at():
    """In this scope, losses check values, which has a cost on a GPU."""
    if BACKEND == "tensorflow" and len(devices()) > 1:
        pytest.skip("TensorFlow does not check values on a machine with a GPU.")
    with on(devices()[0]):
        yield


@contextmanager
def wide():
    """In this scope, JAX has float64, as the other backends always have."""
    if BACKEND != "jax":
        yield
        return
    import jax

    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    try:
        yield
    finally:
        jax.config.update("jax_enable_x64", before)
