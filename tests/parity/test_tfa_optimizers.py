"""The optimizers of `tfx_extras.tfa` move weights like those of TensorFlow Addons."""

import keras
import numpy as np
import pytest
from keras import ops

from tests import tools
from tests.parity import inputs
from tests.parity import tfa_optimizers
from tfx_extras import tfa

pytestmark = pytest.mark.slow

TFA = inputs.Golden("tfa_optimizers")
CLIPPED = {"clipnorm", "clipvalue", "global_clipnorm"}


class Holder(keras.layers.Layer):
    """A layer with one weight."""

    def __init__(self, name, value, dtype):
        super().__init__(name=f"{name}_layer", dtype=dtype)
        self.held = self.add_weight(name=name, shape=value.shape, dtype=dtype)
        self.held.assign(value)
        self.built = True


def named(layers):
    def find(name):
        if name.startswith("the "):
            return layers[name.removeprefix("the ")]
        if name.startswith("extended "):
            base = find(name.removeprefix("extended "))
            return tfa.optimizers.extend_with_decoupled_weight_decay(base)
        for place in (tfa, keras):
            if hasattr(place.optimizers, name):
                return getattr(place.optimizers, name)
        return getattr(keras.optimizers.schedules, name)

    return find


def trajectory(case, mode, dtype):
    """What the golden records, computed for the same case by our optimizers."""
    start = tfa_optimizers.given()
    layers = {name: Holder(name, start[name], dtype) for name in ("kernel", "bias")}
    variables = [layers["kernel"].held, layers["bias"].held]
    optimizer = tfa_optimizers.made(case["build"], named(layers))
    optimizer.build(variables)
    apply = stepped(optimizer, variables, dtype)
    averages = isinstance(optimizer, tfa.optimizers.AveragedOptimizerWrapper)

    def read():
        values = [tools.array(v) for v in variables]
        if averages:
            values += [tools.array(slots[0]) for slots in optimizer._slots]
        return values

    return tfa_optimizers.record(mode, apply, read)


def stepped(optimizer, variables, dtype):
    """A function that applies gradients, compiled where that saves time."""
    if tools.BACKEND == "tensorflow":
        import tensorflow as tf

        @tf.function(autograph=False)
        def dense(kernel, bias):
            optimizer.apply([kernel, bias], variables)

        @tf.function(autograph=False)
        def sparse(values, rows, bias):
            kernel = tf.IndexedSlices(values, rows, dense_shape=(4, 3))
            optimizer.apply([kernel, bias], variables)

        def apply(kernel, rows, bias):
            kernel, bias = tf.constant(kernel, dtype), tf.constant(bias, dtype)
            if rows is None:
                dense(kernel, bias)
            else:
                sparse(kernel, tf.constant(rows, "int32"), bias)

        return apply
    if tools.BACKEND == "jax":
        import jax

        step = jax.jit(optimizer.stateless_apply)

        def apply(kernel, rows, bias):
            grads = [jax.numpy.asarray(g, dtype) for g in (kernel, bias)]
            new = step(
                [v.value for v in optimizer.variables],
                grads,
                [v.value for v in variables],
            )
            for v, value in zip(
                [*variables, *optimizer.variables], [*new[0], *new[1]], strict=True
            ):
                v.assign(value)

        return apply

    def apply(kernel, rows, bias):
        grads = [ops.convert_to_tensor(g, dtype) for g in (kernel, bias)]
        optimizer.apply(grads, variables)

    return apply


def words(described):
    """All names and values in a description."""
    if isinstance(described, dict):
        return set(described) | {w for v in described.values() for w in words(v)}
    if isinstance(described, list | tuple):
        return {w for item in described for w in words(item)}
    return {described}


def chosen(name, mode, dtype):
    """Whether this backend shows the case, and runs it fast."""
    used = words(TFA.cases[name]["build"])
    if tools.BACKEND == "torch":
        return mode == "dense"
    if tools.BACKEND == "jax":  # compiling takes a second for each case
        return mode == "dense" and dtype == "float64" and name in ON_JAX
    # TensorFlow Addons clips before it sums repeated rows: see below.
    if used & CLIPPED:
        return False
    if "SGD" in used and "momentum" in used:  # Keras's own formula moves all rows
        return False
    title = name.partition(":")[2]
    if any(word in title for word in OF_TIME):  # the same for sparse gradients
        return False
    return mode == "sparse" and (dtype == "float64" or name in NARROW)


ON_JAX = ("RectifiedAdam:warm-up", "AdamW:time decay", "MultiOptimizer:two")
OF_TIME = ("schedule", "warm-up", "time", "epsilon", "updates", "dynamic")
NARROW = ("RectifiedAdam:short", "Yogi:default", "SWA:start")
RIGHT = [
    (name, mode, dtype)
    for name, case in TFA.cases.items()
    if "fault" not in case
    for mode in case["modes"]
    for dtype in case["dtypes"]
    if chosen(name, mode, dtype)
]


def assert_alike(ours, theirs, tolerance):
    start = tfa_optimizers.given()
    start = np.concatenate([start["kernel"].ravel(), start["bias"]])
    start = np.tile(start, theirs.shape[1] // len(start))
    moved = np.abs(theirs - start)
    # Relative to the maximum movement, since small ones are differences of large ones.
    moved = np.maximum.accumulate(moved.max(-1, keepdims=True))
    assert (moved > 0).all()
    error = (np.abs(ours - theirs) / moved).max()
    assert error <= tolerance, error


@pytest.mark.parametrize(("name", "mode", "dtype"), RIGHT)
def test_optimizers_train_as_those_of_tensorflow_addons(name, mode, dtype):
    case = TFA.cases[name]
    with tools.wide():
        ours = trajectory(case, mode, dtype)
    tolerance = 1e-7 if dtype == "float64" else 1e-5
    if dtype == "float32" and name in ("RectifiedAdam:default", "AdaBelief:default"):
        # TensorFlow Addons loses digits of 1 - beta_2**t: see `test_optimizers.py`
        tolerance = 6e-3
    assert_alike(ours, TFA.arrays[f"{name}/{mode}, {dtype}"], tolerance)
