"""Multi-task learning: one network reads a digit, its ink and its slant.

python examples/multi_task.py           # a minute or two, with 3 seeds
python examples/multi_task.py --fast    # a few steps, to see that it runs

The losses have different units, so their plain sum learns one task only. Uncertainty
weighting learns a weight for each loss.
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
SEEDS = range(1 if FAST else 3)
EPOCHS = 1 if FAST else 40


def read():
    """Returns digits, and three labels of each: its class, its ink and its slant."""
    x, digit = load_digits(return_X_y=True)
    images = x.reshape(-1, 8, 8)
    ink = x.sum(axis=1) / 16  # as many pixels, if all were black: 11 to 27
    mass = images / (16 * ink)[:, None, None]
    down, across = np.arange(8)[:, None], np.arange(8)[None, :]
    down = down - (mass * down).sum((1, 2), keepdims=True)
    across = across - (mass * across).sum((1, 2), keepdims=True)
    slant = (mass * down * across).sum((1, 2)) / (mass * down**2).sum((1, 2))
    labels = digit, ink, np.degrees(np.arctan(slant))
    return train_test_split(
        (x / 16).astype("float32"),
        *(label.reshape(-1, 1).astype("float32") for label in labels),
        test_size=0.2,
        random_state=0,
    )


def build(weighted):
    """Returns a network with three outputs, and a model that trains it."""
    x = keras.Input((64,))
    hidden = layers.Dense(128, activation="relu")(x)
    hidden = layers.Dense(64, activation="relu")(hidden)
    network = keras.Model(x, [layers.Dense(n)(hidden) for n in (10, 1, 1)])
    entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    losses = [entropy, "mse", "mse"]
    if not weighted:
        network.compile(keras.optimizers.Adam(2e-3), losses)
        return network, network
    weighting = tfx_extras.layers.UncertaintyWeighting(
        losses, ["classification", "regression", "regression"]
    )
    labels = [keras.Input((1,)) for _ in losses]
    model = keras.Model([x, labels], weighting(network(x), labels))
    model.compile(keras.optimizers.Adam(2e-3))
    return network, model


def trained(weighted, seed, data):
    """Returns the test accuracy, and the share of variance that is not explained."""
    x, x_test, *labels = data
    train, test = labels[::2], labels[1::2]
    keras.utils.set_random_seed(seed)
    network, model = build(weighted)
    fed = ([x, train],) if weighted else (x, train)
    model.fit(*fed, batch_size=64, epochs=EPOCHS, verbose=0)
    logits, *values = network.predict(x_test, verbose=0)
    accuracy = np.mean(logits.argmax(-1) == test[0][:, 0])
    pairs = zip(values, test[1:], strict=True)
    left = [np.mean((v - t) ** 2) / np.var(t) for v, t in pairs]
    return accuracy, *left


print(
    f"Keras {keras.__version__} on {keras.backend.backend()}, "
    f"tfx_extras {tfx_extras.__version__}; {len(SEEDS)} seed(s)\n"
)
print("| losses | digit: accuracy | ink: unexplained | slant: unexplained |")
print("|---|---|---|---|")
data = read()
for title, weighted in (("plain sum", False), ("uncertainty weighting", True)):
    found = 100 * np.array([trained(weighted, seed, data) for seed in SEEDS])
    cells = [f"{column.mean():.1f} % ± {column.std():.1f}" for column in found.T]
    print(f"| {title} | {' | '.join(cells)} |", flush=True)
