"""Finds a learning rate for digits, and compares it with a grid of learning rates.

python examples/learning_rate.py           # a few minutes
python examples/learning_rate.py --fast    # a few steps, to see that it runs

Prints for each optimizer what `find_learning_rate` suggests, and the validation loss
after training with this rate, with a tenth of it, and with each rate of a grid.
"""

import os
import sys

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from keras import layers
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import tfx_extras

FAST = "--fast" in sys.argv
SEEDS = range(1 if FAST else 6)
EPOCHS, BATCH = 1 if FAST else 15, 32
GRID = 10.0 ** np.arange(-4, 0.1, 2 if FAST else 0.5)
OPTIMIZERS = {
    "AdamW": tfx_extras.optimizers.AdamW,
    "SGD with momentum": lambda rate: keras.optimizers.SGD(rate, momentum=0.9),
    "Muon": lambda rate: tfx_extras.optimizers.Muon(rate, weight_decay=0.1),
}


def read():
    """Returns digits for training, their labels, and the same for validation."""
    x, y = load_digits(return_X_y=True)
    x = (x / 16).astype("float32")
    return train_test_split(x, y, test_size=0.3, random_state=0, stratify=y)


def build(make, rate, seed):
    keras.utils.set_random_seed(seed)
    model = keras.Sequential(
        [
            keras.Input((64,)),
            layers.Dense(128, activation="relu"),
            layers.Dense(64, activation="relu"),
            layers.Dense(10),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(make(rate), loss)
    return model


def trained(make, rate, digits):
    """The validation loss after training, the mean over seeds."""
    x, x_validation, y, y_validation = digits
    steps = EPOCHS * -(-len(x) // BATCH)
    warmup = steps // 10
    schedule = tfx_extras.schedules.WarmupCosine(rate, warmup, steps - warmup)
    found = []
    for seed in SEEDS:
        model = build(make, schedule, seed)
        model.fit(x, y, batch_size=BATCH, epochs=EPOCHS, verbose=0)
        found.append(model.evaluate(x_validation, y_validation, 256, verbose=0))
    return float(np.mean(found))


def main():
    digits = x, _, y, _ = read()
    print(f"{keras.backend.backend()}, {len(SEEDS)} seeds, validation loss")
    for name, make in [*OPTIMIZERS.items()][: 1 if FAST else None]:
        model = build(make, 1e-3, seed=0)
        result = tfx_extras.schedules.find_learning_rate(
            model, x, y, batch_size=BATCH, verbose=0
        )
        assert result.suggestion is not None, result.reason
        losses = {rate: trained(make, rate, digits) for rate in map(float, GRID)}
        best = min(losses, key=lambda rate: losses[rate])
        own = trained(make, result.suggestion, digits)
        print(f"\n{name}")
        print(f"  suggestion {result.suggestion:.3g}: {own:.4f}")
        print(f"  best of the grid, {best:.3g}: {losses[best]:.4f}")
        print(f"  suggestion / best: {own / losses[best]:.2f}")
        for rate, loss in losses.items():
            print(f"    {rate:.3g}: {loss:.4f}", flush=True)


if __name__ == "__main__":
    main()
