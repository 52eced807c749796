"""Classifies handwritten digits: trains, saves, and resumes in a new process.

python examples/digits.py               # the 1,797 digits of scikit-learn
python examples/digits.py images.npz    # your own: arrays `x` (n, ...) and `y` (n,)
"""

import os
import subprocess
import sys
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import images  # the file next to this one: reads the data, draws the figures
import keras
import numpy as np

import tfx_extras

OUT = Path("demo")
EPOCHS = 15  # in each half of the training; the model is saved in between


def build(shape, classes, updates):
    # Linear warm-up over the first 10 % of the steps, then cosine decay to 0.
    schedule = tfx_extras.schedules.WarmupCosine(
        0.002, warmup_steps=updates // 10, decay_steps=updates * 9 // 10
    )
    model = keras.Sequential(
        [
            keras.Input(shape),
            keras.layers.Flatten(),
            keras.layers.Dense(256, activation="relu"),
            keras.layers.Dense(128, activation="relu"),
            keras.layers.Dense(classes),
        ]
    )
    model.compile(
        # Weight decay applies to kernels but not to biases, matched by their path.
        optimizer=tfx_extras.optimizers.AdaBelief(
            schedule, weight_decay=0.01, weight_decay_exclude=["bias"]
        ),
        # Labels are integers. label_smoothing=0.1 spreads 10 % of the probability
        # uniformly over all classes.
        loss=tfx_extras.losses.SmoothedSparseCategoricalCrossentropy(
            label_smoothing=0.1, from_logits=True
        ),
        metrics=["accuracy"],
    )
    return model, schedule


def train_half(model, data):
    x_train, x_test, y_train, y_test = data
    # `images.read` has shuffled the data. Without further shuffling, the process that
    # resumes sees the samples in the same order.
    options = {"validation_data": (x_test, y_test), "shuffle": False}
    return model.fit(x_train, y_train, epochs=EPOCHS, **options).history


def main(source):
    x_train, x_test, y_train, y_test = data = images.read(source)
    OUT.mkdir(exist_ok=True)
    keras.utils.set_random_seed(0)
    updates = -(-len(x_train) // 32) * 2 * EPOCHS
    model, schedule = build(x_train.shape[1:], int(y_train.max()) + 1, updates)

    first = train_half(model, data)
    model.save(OUT / "halfway.keras")
    halfway = model.predict(x_test, verbose=0)
    second = train_half(model, data)
    model.save(OUT / "digits.keras")
    end = model.predict(x_test, verbose=0)
    np.savez(OUT / "predictions.npz", halfway=halfway, end=end)

    print("\nA new process loads the model that was saved halfway:", flush=True)
    subprocess.run([sys.executable, __file__, source, "--resume"], check=True)
    losses = {name: first[name] + second[name] for name in ("loss", "val_loss")}
    pictures = images.draw(OUT, schedule, updates, losses, x_test, end, y_test)
    accuracy = model.evaluate(x_test, y_test, verbose=0)[1]
    print(f"\nTest accuracy: {accuracy:.4f}. Model: {OUT / 'digits.keras'}")
    print("Figures:", *pictures)


def resume(source):
    data = images.read(source)
    model = keras.saving.load_model(OUT / "halfway.keras")
    expected = np.load(OUT / "predictions.npz")
    if not np.array_equal(model.predict(data[1], verbose=0), expected["halfway"]):
        sys.exit("The predictions of the loaded model differ.")
    print(
        "its predictions are identical, bit for bit. It continues training:", flush=True
    )
    train_half(model, data)
    if not np.array_equal(model.predict(data[1], verbose=0), expected["end"]):
        sys.exit("After the second half, its predictions differ.")
    print("It predicts as if it had never stopped, bit for bit.")


if __name__ == "__main__":
    source = sys.argv[1] if len(sys.argv) > 1 else ""
    resume(source) if "--resume" in sys.argv else main(source)
