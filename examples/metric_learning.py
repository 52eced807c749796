"""Metric learning: finds images of the same number, also of numbers never seen before.

python examples/metric_learning.py           # about a minute
python examples/metric_learning.py --fast    # a few steps, to see that it runs

Trains an embedding of images of two-digit numbers with balanced batches, and tests it
on 20 other numbers: recall@1 of the pixels, before training and after. With Matplotlib,
it draws test images with their nearest neighbors to `demo/neighbors.png`.
"""

import os
import sys
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import two_digits  # the file next to this one: makes the images
from keras import layers

import tfx_extras

FAST = "--fast" in sys.argv
OUT = Path("demo")
EPOCHS = 1 if FAST else 40
CLASSES, EXAMPLES = 16, 4  # of each batch


def build():
    """Returns a model that turns an image into an embedding of length 1."""
    return keras.Sequential(
        [
            keras.Input((two_digits.SIDE, 2 * two_digits.SIDE, 1)),
            layers.Conv2D(16, 3, padding="same", activation="relu"),
            layers.Conv2D(32, 3, 2, padding="same", activation="relu"),
            layers.Flatten(),
            layers.Dropout(0.3),
            layers.Dense(64),
            layers.UnitNormalization(),
        ]
    )


def recall_at_1(x, y):
    metric = tfx_extras.metrics.RecallAtK(k=1)
    metric.update_state(y, x)
    return float(metric.result())


def draw(path, x, y, embeddings, count=6, neighbors=5):
    """Draws queries and their nearest neighbors: of another number in red."""
    import matplotlib.pyplot as plt

    queries = np.linspace(0, len(x) - 1, count).astype(int)
    found, _ = tfx_extras.utils.nearest(embeddings, k=neighbors)
    figure, grid = plt.subplots(
        count, 1 + neighbors, figsize=(8, count), layout="constrained"
    )
    for row, query in zip(grid, queries, strict=True):
        for axes, i in zip(row, [query, *found[query]], strict=True):
            axes.imshow(x[i, ..., 0], cmap="gray_r", vmin=0, vmax=1)
            axes.set(xticks=[], yticks=[])
            color = "black" if y[i] == y[query] else "tab:red"
            axes.set_title(f"{y[i]:02d}", color=color, fontsize=9)
            axes.spines[:].set(color=color, linewidth=1.5)
    grid[0, 0].set_title(f"query: {y[queries[0]]:02d}", fontsize=9)
    figure.savefig(path, dpi=150)
    plt.close(figure)


def main():
    data = two_digits.read()
    (x, y), (x_test, y_test) = data["training"], data["test"]
    print(f"Keras {keras.__version__} on {keras.backend.backend()}")
    print(f"{len(np.unique(y))} numbers to train on, {len(np.unique(y_test))} to find")

    keras.utils.set_random_seed(0)
    model = build()
    sampler = tfx_extras.utils.BalancedBatches(y, CLASSES, EXAMPLES)
    steps = EPOCHS * len(sampler)
    schedule = tfx_extras.schedules.WarmupCosine(
        2e-3, warmup_steps=steps // 10, decay_steps=steps - steps // 10
    )
    model.compile(
        keras.optimizers.Adam(schedule),
        tfx_extras.losses.MultiSimilarityLoss(),
        metrics=[tfx_extras.metrics.RecallAtK(k=1, size=len(x_test))],
    )

    pixels = x_test.reshape(len(x_test), -1)
    print(f"recall@1 of the pixels: {recall_at_1(pixels, y_test):.3f}")
    before = model.predict(x_test, verbose=0)
    print(f"recall@1 before training: {recall_at_1(before, y_test):.3f}")
    model.fit(
        sampler.dataset(x, y),
        shuffle=False,
        epochs=EPOCHS,
        validation_data=(x_test, y_test),
        verbose=0,
    )
    after = model.predict(x_test, verbose=0)
    print(f"recall@1 after training: {recall_at_1(after, y_test):.3f}")
    try:
        OUT.mkdir(exist_ok=True)
        draw(OUT / "neighbors.png", x_test, y_test, after)
        print("Figure:", OUT / "neighbors.png")
    except ImportError:
        print("Install Matplotlib to see the nearest neighbors.")


if __name__ == "__main__":
    main()
