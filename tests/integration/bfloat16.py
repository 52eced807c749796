"""Prints how well digits are read with 16-bit weights, beside float32.

    KERAS_BACKEND=torch python -m tests.integration.bfloat16 [OPTIMIZER...]

A row per optimizer: the test accuracy in percent, the mean over seeds, with weights in
float32, bfloat16 and float16. Exits with 1 if one of the latter is more than one
percentage point below float32.
"""

import sys

import keras
import numpy as np
from sklearn.datasets import load_digits

from tfx_extras import optimizers
from tfx_extras.schedules import WarmupCosine

SEEDS, EPOCHS, BATCH = range(4), 15, 32
STEPS = EPOCHS * -(-899 // BATCH)
# With rates that reach more than 90 % in float32. Others train with 0.01.
MADE = {
    "AdEMAMix": lambda: optimizers.AdEMAMix(0.003, beta_3=0.99, alpha=2.0),
    "COCOB": lambda: optimizers.COCOB(),
    "ConditionalGradient": lambda: optimizers.ConditionalGradient(0.003, 30.0),
    "LAMB": lambda: optimizers.LAMB(falling(0.01)),
    "LARS": lambda: optimizers.LARS(
        falling(2.0), trust_coefficient=0.01, weight_decay=1e-4
    ),
    "Prodigy": lambda: optimizers.Prodigy(falling(1.0), d0=1e-4),
    "ProximalAdagrad": lambda: optimizers.ProximalAdagrad(0.1),
    "Ranger": lambda: optimizers.Ranger(0.01),
    "ScheduleFreeSGD": lambda: optimizers.ScheduleFreeSGD(1.0, 50),
}
NAMES = (
    *("ADOPT", "AdEMAMix", "AdaBelief", "AdamW", "Adan", "COCOB"),
    *("ConditionalGradient", "LAMB", "LARS", "LazyAdam", "Muon", "NovoGrad", "Prodigy"),
    *("ProximalAdagrad", "RAdam", "Ranger", "SOAP", "ScheduleFreeAdamW"),
    *("ScheduleFreeRAdam", "ScheduleFreeSGD", "Yogi"),
)


def falling(rate):
    return WarmupCosine(rate, 30, STEPS - 30)


def made(name):
    return MADE[name]() if name in MADE else getattr(optimizers, name)(0.01)


def accuracy(optimizer, dtype, seed):
    """Trains on half of scikit-learn's digits; returns the accuracy on the rest."""
    x, y = load_digits(return_X_y=True)
    x = (x / 16).astype("float32")
    keras.utils.set_random_seed(seed)
    model = keras.Sequential(
        [
            keras.Input((64,)),
            keras.layers.Dense(64, activation="relu", dtype=dtype),
            keras.layers.Dense(10, dtype=dtype),
        ]
    )
    assert {str(v.dtype) for v in model.variables} == {dtype}
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss)
    model.fit(x[::2], y[::2], batch_size=BATCH, epochs=EPOCHS, verbose=0)
    if hasattr(optimizer, "swap"):
        optimizer.swap()
    logits = keras.ops.cast(model(x[1::2]), "float32")
    return (keras.ops.convert_to_numpy(logits).argmax(axis=1) == y[1::2]).mean()


def mean_accuracy(name, dtype, seeds):
    return np.mean([accuracy(made(name), dtype, seed) for seed in seeds])


def main(*names):
    failed = False
    print(f"{keras.backend.backend()}, {len(SEEDS)} seeds")
    print(f"{'':20}{'float32':>10}{'bfloat16':>10}{'float16':>10}")
    for name in names or NAMES:
        found = [
            100 * mean_accuracy(name, dtype, SEEDS)
            for dtype in ("float32", "bfloat16", "float16")
        ]
        print(f"{name:20}" + "".join(f"{x:10.2f}" for x in found), flush=True)
        failed |= min(found[1:]) < found[0] - 1 or found[0] < 90
    raise SystemExit(bool(failed))


if __name__ == "__main__":
    main(*sys.argv[1:])
