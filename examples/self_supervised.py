"""Self-supervised learning: an encoder learns from digits without labels.

python examples/self_supervised.py                # a few minutes, with NT-Xent
python examples/self_supervised.py vicreg         # or barlow_twins, or dino
python examples/self_supervised.py nt_xent --fast    # a few steps, to see that it runs

A linear classifier of its embeddings, trained with 5 labels per class, is compared with
one of the embeddings of an untrained encoder. With so few and small images, DINO does
not help: it shows how a student and a teacher are put together.
"""

import os
import sys

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from keras import layers
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

import tfx_extras

FAST = "--fast" in sys.argv
METHODS = {
    "nt_xent": tfx_extras.losses.NTXentLoss(temperature=0.2),
    "barlow_twins": tfx_extras.losses.BarlowTwinsLoss(),
    "vicreg": tfx_extras.losses.VICRegLoss(),
    "dino": None,  # a layer has its loss
}
EPOCHS, BATCH, SPLITS = (1, 64, 2) if FAST else (60, 128, 20)
LABELS = 50  # of the linear classifier, 5 per class


def encoder():
    """A small convolutional network, whose output is the embedding."""
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.Conv2D(64, 3, 2, padding="same", activation="relu"),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
        ]
    )


def projector(method):
    """What turns embeddings into the inputs of the loss, and is then thrown away."""
    hidden = [keras.Input((64,)), layers.Dense(128, activation="relu")]
    if method == "dino":  # its outputs are cosines
        last = [layers.Dense(64), tfx_extras.layers.CosineDense(64)]
    else:
        last = [layers.Dense(64)]
    return keras.Sequential([*hidden, *last])


def augmented(images, rng):
    """Two views of each image: shifted, of another contrast, noisy, partly erased."""
    views = []
    for _ in range(2):
        padded = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))
        x = np.empty_like(images)
        for i, (top, left) in enumerate(rng.integers(0, 3, (len(x), 2))):
            x[i] = padded[i, top : top + 8, left : left + 8]
        for i, (top, left) in enumerate(rng.integers(0, 6, (len(x), 2))):
            x[i, top : top + 3, left : left + 3] = 0
        x = x * rng.uniform(0.6, 1.2, (len(x), 1, 1, 1)) + rng.normal(0, 0.1, x.shape)
        views.append(x)
    return np.stack(views, axis=1).astype("float32")


class Views(keras.utils.PyDataset):
    """Batches of views. The labels are the numbers of the images, not their classes."""

    def __init__(self, images):
        super().__init__()
        self.images, self.rng = images, np.random.default_rng(0)

    def __len__(self):
        return len(self.images) // BATCH

    def __getitem__(self, _):
        chosen = self.rng.choice(len(self.images), BATCH, replace=False)
        return augmented(self.images[chosen], self.rng), chosen


class Teacher(layers.Layer):
    """A copy of a network, whose weights follow the network's in training."""

    def __init__(self, network, teacher, momentum=0.99):
        super().__init__()
        self.network, self.teacher, self.momentum = [network], teacher, momentum
        teacher.set_weights(network.get_weights())
        teacher.trainable = False

    def call(self, x, training=False):
        if training:
            pairs = zip(self.teacher.weights, self.network[0].weights, strict=True)
            for old, new in pairs:
                old.assign(self.momentum * old + (1 - self.momentum) * new)
        return self.teacher(x, training=False)


def pretrain(images, method):
    """Returns an encoder that has been trained without labels."""
    trunk = encoder()
    student = keras.Sequential([trunk, projector(method)])
    x = keras.Input((2, 8, 8, 1))
    flat = keras.ops.reshape(x, (-1, 8, 8, 1))

    def both(outputs):
        return keras.ops.reshape(outputs, (-1, 2, 64))

    outputs = both(student(flat))
    if method == "dino":
        teacher = Teacher(student, keras.Sequential([encoder(), projector(method)]))
        loss = tfx_extras.layers.DINOCenter()
        outputs = loss(outputs, both(teacher(flat)))
    model = keras.Model(x, outputs)
    optimizer = tfx_extras.optimizers.AdamW(2e-3, weight_decay=1e-4)
    model.compile(optimizer, METHODS[method])
    model.fit(Views(images), epochs=EPOCHS, verbose=0)
    return trunk


def accuracy(trunk, train, test):
    """Mean and deviation of the test accuracy, over choices of the labels."""
    (x, y), (x_test, y_test) = train, test
    x, x_test = (trunk.predict(each, verbose=0) for each in (x, x_test))
    mean, std = x.mean(axis=0), x.std(axis=0) + 1e-6
    x, x_test = (x - mean) / std, (x_test - mean) / std
    found = []
    for split in range(SPLITS):
        few, _, labels, _ = train_test_split(
            x, y, train_size=LABELS, random_state=split, stratify=y
        )
        probe = LogisticRegression(max_iter=1000).fit(few, labels)
        found.append(probe.score(x_test, y_test))
    return f"{100 * np.mean(found):.1f} % ± {100 * np.std(found):.1f}"


def main(method):
    x, y = load_digits(return_X_y=True)
    x = (x / 16).reshape(-1, 8, 8, 1).astype("float32")
    x, x_test, y, y_test = train_test_split(
        x, y, test_size=0.2, random_state=0, stratify=y
    )
    print(
        f"Keras {keras.__version__} on {keras.backend.backend()}, "
        f"tfx_extras {tfx_extras.__version__}; {LABELS} labels, {SPLITS} choices\n"
    )
    print("| encoder | accuracy of a linear classifier |\n|---|---|")
    keras.utils.set_random_seed(0)
    untrained = accuracy(encoder(), (x, y), (x_test, y_test))
    print(f"| random encoder | {untrained} |", flush=True)
    trunk = pretrain(x, method)
    print(f"| {method} | {accuracy(trunk, (x, y), (x_test, y_test))} |")


if __name__ == "__main__":
    given = [word for word in sys.argv[1:] if word != "--fast"] or ["nt_xent"]
    if len(given) > 1 or given[0] not in METHODS:
        sys.exit(f"Give one of {', '.join(METHODS)}. Received: {' '.join(given)}")
    main(given[0])
