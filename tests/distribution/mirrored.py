"""Trains on one replica or two and prints the weights: `mirrored.py WAY`.

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
from tfx_extras.optimizers import LAMB
from tfx_extras.optimizers import SWA
from tfx_extras.optimizers import AdaBelief
from tfx_extras.optimizers import LazyAdam
from tfx_extras.optimizers import Lookahead
from tfx_extras.optimizers import MovingAverage
from tfx_extras.optimizers import NovoGrad
from tfx_extras.optimizers import ParameterGroups
from tfx_extras.optimizers import RAdam

WAYS = {
    "one": lambda: tf.distribute.get_strategy(),
    "collective": lambda: tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]),
    "merged": lambda: tf.distribute.MirroredStrategy(
        ["CPU:0", "CPU:1"], cross_device_ops=tf.distribute.ReductionToOneDevice()
    ),
}
DECAY = {"weight_decay": 0.1, "weight_decay_exclude": ["bias"]}
AVERAGE = {"use_ema": True, "ema_momentum": 0.9}
KINDS = {
    **{cls.__name__: (cls, DECAY) for cls in (RAdam, LAMB, NovoGrad, LazyAdam)},
    "RAdam, average, bfloat16": (RAdam, AVERAGE),
    "Lookahead, bfloat16": (lambda rate: Lookahead(RAdam(rate), 3), {}),
    "MovingAverage": (lambda rate: MovingAverage(RAdam(rate), 0.5, 2), {}),
    "SWA(MovingAverage), bfloat16": (
        lambda rate: SWA(MovingAverage(AdaBelief(rate), 0.5), 2, 3),
        {},
    ),
    "ParameterGroups": (
        lambda rate: ParameterGroups(
            RAdam(rate),
            {
                "embedding": keras.optimizers.SGD(rate),
                "bias": {"learning_rate_multiplier": 0.5},
                ".*": {},
            },
        ),
        {},
    ),
}


def main(way):
    tf.config.set_logical_device_configuration(
        tf.config.list_physical_devices("CPU")[0],
        [tf.config.LogicalDeviceConfiguration()] * 2,
    )
    strategy = WAYS[way]()
    rng = np.random.default_rng(0)
    x = rng.integers(0, 5, size=(32, 3))
    y = rng.normal(size=(32, 2)).astype("float32")
    weights = {}
    for kind, (make, options) in KINDS.items():
        keras.utils.set_random_seed(0)
        dtype = "bfloat16" if "bfloat16" in kind else "float32"
        with strategy.scope():
            model = keras.Sequential(
                [
                    keras.Input((3,), dtype="int32"),
                    keras.layers.Embedding(5, 4, dtype=dtype),
                    keras.layers.Flatten(),
                    keras.layers.Dense(2, dtype=dtype),
                ]
            )
            loss = tfx_extras.losses.Huber()
            model.compile(make(0.01, **options), loss, jit_compile=False)
        model.fit(x, y, batch_size=8, epochs=2, verbose=0, shuffle=False)
        weights[kind] = flat(model)
        if hasattr(model.optimizer, "swap"):
            model.optimizer.swap()
            weights[f"{kind}, swapped"] = flat(model)
    print(json.dumps(weights))


def flat(model):
    weights = [np.asarray(w, "float32").ravel() for w in model.get_weights()]
    return np.concatenate(weights).tolist()


if __name__ == "__main__":
    main(*sys.argv[1:])
