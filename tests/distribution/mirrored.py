"""Trains on one replica or two and prints the weights: `mirrored.py CLASS WAY`.

Two strategies in one process would clash, so each has a process of its own.
"""

import json
import os
import sys

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf

import tfx_extras

WAYS = {
    "one": lambda: tf.distribute.get_strategy(),
    "collective": lambda: tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]),
    "merged": lambda: tf.distribute.MirroredStrategy(
        ["CPU:0", "CPU:1"], cross_device_ops=tf.distribute.ReductionToOneDevice()
    ),
}


def main(name, way):
    tf.config.set_logical_device_configuration(
        tf.config.list_physical_devices("CPU")[0],
        [tf.config.LogicalDeviceConfiguration()] * 2,
    )
    weights = {}
    for label, dtype, options in [
        ("plain", "float32", {"weight_decay": 0.1, "weight_decay_exclude": ["bias"]}),
        ("average", "float32", {"use_ema": True, "ema_momentum": 0.9}),
        ("bfloat16", "bfloat16", {"use_ema": True, "ema_momentum": 0.9}),
    ]:
        keras.utils.set_random_seed(0)
        strategy = WAYS[way]()
        with strategy.scope():
            model = keras.Sequential(
                [
                    keras.Input((3,), dtype="int32"),
                    keras.layers.Embedding(5, 4, dtype=dtype),
                    keras.layers.Flatten(),
                    keras.layers.Dense(2, dtype=dtype),
                ]
            )
            optimizer = getattr(tfx_extras.optimizers, name)(0.01, **options)
            loss = tfx_extras.losses.Huber()
            model.compile(optimizer, loss, jit_compile=False)
        rng = np.random.default_rng(0)
        x = rng.integers(0, 5, size=(32, 3))
        y = rng.normal(size=(32, 2)).astype("float32")
        model.fit(x, y, batch_size=8, epochs=2, verbose=0, shuffle=False)
        flat = [np.asarray(w, "float32").ravel() for w in model.get_weights()]
        weights[label] = np.concatenate(flat).tolist()
    print(json.dumps(weights))


if __name__ == "__main__":
    main(*sys.argv[1:])
