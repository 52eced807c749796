"""Writes `goldens/tfa_optimizers.npz`: how TensorFlow Addons' optimizers train.

In the environment of `make_tfa.py`:

    .venv-tfa/bin/python -m tests.parity.make_tfa_optimizers

For wrappers that average, the averages are recorded too. In cases with a `fault`,
TensorFlow Addons is wrong.
"""

import tensorflow as tf
import tensorflow_addons as tfa

from tests.parity import inputs
from tests.parity import tfa_optimizers

SCHEDULES = ("ExponentialDecay", "PiecewiseConstantDecay")


class Holder(tf.keras.layers.Layer):
    """A layer with one weight."""

    def __init__(self, name, value, dtype):
        super().__init__(name=f"{name}_layer", dtype=dtype)
        self.held = self.add_weight(name=name, shape=value.shape)
        self.held.assign(value)


def run(case, mode, dtype):
    start = tfa_optimizers.given()
    layers = {name: Holder(name, start[name], dtype) for name in ("kernel", "bias")}
    kernel, bias = layers["kernel"].held, layers["bias"].held

    def named(name):
        if name.startswith("the "):
            return layers[name.removeprefix("the ")]
        if name in SCHEDULES:
            return getattr(tf.keras.optimizers.schedules, name)
        if name.startswith("extended "):
            base = named(name.removeprefix("extended "))
            return tfa.optimizers.extend_with_decoupled_weight_decay(base)
        own = getattr(tfa.optimizers, name, None)
        return own or getattr(tf.keras.optimizers.legacy, name)

    optimizer = tfa_optimizers.made(case["build"], named)
    averages = isinstance(optimizer, tfa.optimizers.AveragedOptimizerWrapper)

    @tf.function
    def apply(gradient, rows, bias_gradient):
        if rows is not None:
            gradient = tf.IndexedSlices(gradient, rows, dense_shape=(4, 3))
        optimizer.apply_gradients([(gradient, kernel), (bias_gradient, bias)])

    def convert(gradient, rows, bias_gradient):
        apply(
            tf.constant(gradient, dtype),
            None if rows is None else tf.constant(rows, "int32"),
            tf.constant(bias_gradient, dtype),
        )

    def read():
        values = [kernel.numpy(), bias.numpy()]
        if averages:
            values += [optimizer.get_slot(v, "average").numpy() for v in (kernel, bias)]
        return values

    return tfa_optimizers.record(mode, convert, read)


def main():
    described, outputs = tfa_optimizers.cases(), {}
    for name, case in described.items():
        outputs[name] = {
            f"{mode}, {dtype}": run(case, mode, dtype)
            for mode in case["modes"]
            for dtype in case["dtypes"]
        }
    versions = {"tensorflow": tf.__version__, "tensorflow-addons": tfa.__version__}
    inputs.save("tfa_optimizers", versions, described, outputs)


if __name__ == "__main__":
    main()
