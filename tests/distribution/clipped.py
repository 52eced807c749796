"""Clips gradients on one replica and on two, and writes how far the weight moves.

Shows what `docs/guides/sharp_bits.md` says about Keras. Two samples have gradients of 3
and -1.
"""

import json

import keras
import numpy as np
import tensorflow as tf


def moved(strategy):
    with strategy.scope():
        layer = keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")
        model = keras.Sequential([keras.Input((1,)), layer])
        # The gradient of a sample is the sample itself.
        model.compile(
            keras.optimizers.SGD(1.0, clipnorm=1.0),
            lambda y_true, y_pred: y_pred,
            jit_compile=False,
        )
    x = np.array([[3.0], [-1.0]], "float32")
    model.fit(x, x, batch_size=2, verbose=0)
    return abs(float(model.get_weights()[0][0, 0]))


def main(path):
    tf.config.set_logical_device_configuration(
        tf.config.list_physical_devices("CPU")[0],
        [tf.config.LogicalDeviceConfiguration()] * 2,
    )
    one = tf.distribute.get_strategy()
    two = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    path.write_text(json.dumps([moved(one), moved(two)]))
