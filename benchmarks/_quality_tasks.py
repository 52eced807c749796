"""Tasks for `quality.py`: data, a network, a loss, and what is measured."""

import functools
import os
import re
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any
from typing import NamedTuple

import keras
import numpy as np
from keras import layers
from sklearn import datasets

from tfx_extras import losses
from tfx_extras import metrics

sys.path.append(str(Path(__file__).parents[1] / "examples"))
import two_digits

SPLIT = 0.4, 0.25  # shares of training and validation; the rest is the test
DRAW = 12345  # the seed of all splits and of all data that are made


class Part(NamedTuple):
    """Samples: inputs and labels."""

    x: Any
    y: Any


class Task(NamedTuple):
    """What a network learns, and for how long."""

    data: Callable[[], dict[str, Part]]
    network: Callable[[], keras.Model]
    loss: Any
    # Each takes labels and outputs. Learning rates are chosen by the first.
    scores: dict[str, Callable]
    steps: int = 300
    batch: int = 64
    more_is_better: bool = False
    is_balanced: bool = False  # whether a batch has two samples of each of its classes


def split(*arrays, shares=SPLIT):
    """Splits arrays at random into the three parts."""
    order = np.random.default_rng(DRAW).permutation(len(arrays[0]))
    ends = np.cumsum([round(share * len(order)) for share in shares])
    names = "training", "validation", "test"
    return {
        name: Part(*(array[rows] for array in arrays))
        for name, rows in zip(names, np.split(order, ends), strict=True)
    }


def scaled(parts, labels=False):
    """Returns parts whose features, and labels, have the scale 1 in training."""
    x, y = parts["training"]
    mean, std = x.mean(axis=0), x.std(axis=0)
    center, width = (y.mean(), y.std()) if labels else (0, 1)
    return {
        name: Part(
            ((part.x - mean) / std).astype("float32"),
            ((part.y - center) / width).astype("float32") if labels else part.y,
        )
        for name, part in parts.items()
    }


# Scores


def probabilities(logits):
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True), dtype="float64")
    return shifted / shifted.sum(axis=-1, keepdims=True)


def crossentropy(y, logits):
    """Mean negative log-likelihood, in nats."""
    logits = logits.astype("float64")
    largest = logits.max(axis=-1, keepdims=True)
    total = np.log(np.exp(logits - largest).sum(axis=-1)) + largest[..., 0]
    own = np.take_along_axis(logits, y[..., None].astype("int64"), axis=-1)[..., 0]
    return float(np.mean(total - own))


def binary_crossentropy(y, logits):
    logits = logits.reshape(y.shape).astype("float64")
    return float(np.mean(np.logaddexp(0, logits) - y * logits))


def error(y, outputs):
    """Root of the mean squared error."""
    residual = outputs.reshape(y.shape).astype("float64") - y
    return float(np.sqrt(np.mean(residual * residual)))


def recalls(y, logits):
    """The share of each class that is recognized."""
    is_right = logits.argmax(axis=-1) == y
    return [is_right[y == each].mean() for each in np.unique(y)]


def balanced_accuracy(y, logits):
    return float(np.mean(recalls(y, logits)))


def worst_class(y, logits):
    return float(np.min(recalls(y, logits)))


def calibration_error(y, logits, bins=10):
    """Expected calibration error: of the confidence as a forecast of the accuracy."""
    shares = probabilities(logits)
    confidence, is_right = shares.max(axis=-1), shares.argmax(axis=-1) == y
    numbers = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = np.bincount(numbers, is_right - confidence, minlength=bins)
    return float(np.abs(gaps).sum() / len(y))


def iou(y, logits):
    """Intersection over union of the object pixels of all images."""
    found, object_ = logits.reshape(y.shape) > 0, y > 0.5
    return float((found & object_).sum() / max((found | object_).sum(), 1))


def recall_at_1(y, embeddings):
    metric = metrics.RecallAtK(k=1)
    metric.update_state(y, embeddings)
    return float(metric.result())


# Data


@functools.cache
def digits(shares=(0.2, 0.3)):
    """Few digits to train on: with most of them, all losses read 99 % of the others."""
    images, y = datasets.load_digits(return_X_y=True)
    images = (images / 16).astype("float32").reshape(-1, 8, 8, 1)
    return split(images, y, shares=shares)


@functools.cache
def noisy_digits(shares=(0.6, 0.15), noise=0.3):
    """Digits of which a share of the labels is random in training."""
    parts, rng = digits(shares), np.random.default_rng(DRAW)
    x, y = parts["training"]
    is_random = rng.uniform(size=len(y)) < noise
    y = np.where(is_random, rng.integers(10, size=len(y)), y)
    return parts | {"training": Part(x, y)}


def few_noisy_digits():
    return noisy_digits((0.2, 0.3))


@functools.cache
def imbalanced_digits(ratio=0.06):
    """Digits of which each class is rarer in training than the one before."""
    x, y = digits()["training"]
    rows = []
    for digit in range(10):
        own = np.flatnonzero(y == digit)
        rows.append(own[: round(len(own) * ratio ** (digit / 9))])
    rows = np.concatenate(rows)
    return digits() | {"training": Part(x[rows], y[rows])}


@functools.cache
def cancer():
    x, y = datasets.load_breast_cancer(return_X_y=True)
    return scaled(split(x, y.astype("float32")))


@functools.cache
def diabetes():
    return scaled(split(*datasets.load_diabetes(return_X_y=True)), labels=True)


# Of Python's own library: text whose license and place are known everywhere.
MODULES = {
    "training": "argparse ast asyncio/base_events calendar codecs configparser "
    "dataclasses difflib doctest email/message enum fractions ftplib functools gettext "
    "http/client imaplib inspect ipaddress locale logging/__init__ mailbox optparse "
    "pdb pickle platform plistlib random shutil smtplib socket ssl statistics "
    "subprocess tarfile tempfile threading trace turtle typing unittest/case "
    "unittest/mock urllib/request uuid xmlrpc/client",
    "validation": "collections/__init__ datetime heapq mimetypes sched string",
    "test": "bdb contextlib copy csv glob json/decoder operator textwrap timeit",
}
CHARACTERS = "\n" + "".join(map(chr, range(32, 127)))
CONTEXT = 32


def sources(part):
    """The text of the modules that this Python has."""
    folder = Path(os.__file__).parent
    files = [folder / f"{name}.py" for name in MODULES[part].split()]
    return "\n".join(file.read_text("utf-8") for file in files if file.exists())


@functools.cache
def characters():
    """Windows of text, and the same one character later."""
    index, parts = {c: i for i, c in enumerate(CHARACTERS)}, {}
    rng = np.random.default_rng(DRAW)
    for name, count in (("training", 20_000), ("validation", 256), ("test", 1024)):
        text = np.array([index[c] for c in sources(name) if c in index], "int32")
        starts = rng.integers(len(text) - CONTEXT, size=count)
        rows = text[starts[:, None] + np.arange(CONTEXT + 1)]
        parts[name] = Part(rows[:, :-1], rows[:, 1:])
    return parts


WORDS = 500


@functools.cache
def words():
    """Pairs of words of the text, and the logarithm of how often they are near."""
    text = re.findall(r"[A-Za-z]+", sources("training"))
    common = [word for word, _ in Counter(text).most_common(WORDS)]
    index = {word: i for i, word in enumerate(common)}
    places = np.array([index.get(word, -1) for word in text])
    counts = np.zeros((WORDS, WORDS))
    for gap in range(1, 6):
        left, right = places[:-gap], places[gap:]
        both = (left >= 0) & (right >= 0)
        np.add.at(counts, (left[both], right[both]), 1 / gap)
    pairs = np.argwhere(counts > 0)
    logarithms = np.log(counts[counts > 0]).astype("float32")
    return split(pairs.astype("int32"), logarithms - logarithms.mean())


@functools.cache
def masks(side=24, images=(480, 120, 240)):
    """Digits on noise with stripes, and which pixels are theirs: about one of ten."""
    rng = np.random.default_rng(DRAW)
    parts = {}
    for (name, (pictures, _)), count in zip(digits().items(), images, strict=True):
        x = 0.3 * rng.normal(size=(count, side, side))
        phases = rng.uniform(0, 6, (count, 1, 1))
        x += 0.3 * np.sin(np.add.outer(np.arange(side), np.arange(side)) + phases)
        y = np.zeros((count, side, side))
        for image, mask in zip(x, y, strict=True):
            for _ in range(2):
                top, left = rng.integers(side - 8, size=2)
                picture = pictures[rng.integers(len(pictures))][..., 0]
                image[top : top + 8, left : left + 8] += picture
                mask[top : top + 8, left : left + 8] += picture > 0.4
        y = np.minimum(y, 1)[..., None].astype("float32")
        parts[name] = Part(x[..., None].astype("float32"), y)
    return parts


@functools.cache
def numbers():
    """Two-digit numbers. No number is in two parts."""
    read = two_digits.read(DRAW, examples=40)
    parts = {name: Part(*part) for name, part in read.items()}
    x, y = parts["training"]
    return parts | {"training": Part(x, np.unique(y, return_inverse=True)[1])}


# Networks


def dense(inputs, *units, outputs=None):
    network = [keras.Input(inputs), layers.Flatten()]
    network += [layers.Dense(each, activation="relu") for each in units]
    return keras.Sequential([*network, layers.Dense(outputs)])


def images_to_features(inputs):
    """A convolutional network with batch normalization."""
    network = [keras.Input(inputs)]
    for filters, stride in ((16, 1), (32, 2), (32, 1)):
        network += [
            layers.Conv2D(filters, 3, stride, padding="same", use_bias=False),
            layers.BatchNormalization(momentum=0.9),
            layers.Activation("relu"),
        ]
    return [*network, layers.GlobalAveragePooling2D()]


def convolutions():
    return keras.Sequential([*images_to_features((8, 8, 1)), layers.Dense(10)])


class Places(layers.Layer):
    """Adds a vector that is learned for each place of a text."""

    def build(self, shape):
        self.vectors = self.add_weight(shape=shape[1:], name="places")

    def call(self, x):
        return x + self.vectors


def transformer(width=64, heads=4, blocks=2):
    """Predicts the next character at each place of a text."""
    inputs = keras.Input((CONTEXT,), dtype="int32")
    x = Places()(layers.Embedding(len(CHARACTERS), width)(inputs))
    for _ in range(blocks):
        normal = layers.LayerNormalization()(x)
        attention = layers.MultiHeadAttention(heads, width // heads)
        x = x + attention(normal, normal, use_causal_mask=True)
        hidden = layers.Dense(2 * width, activation="gelu")(
            layers.LayerNormalization()(x)
        )
        x = x + layers.Dense(width)(hidden)
    return keras.Model(
        inputs, layers.Dense(len(CHARACTERS))(layers.LayerNormalization()(x))
    )


def factors(rank=16):
    """The product of two embeddings: a factorization of a matrix."""
    pairs = keras.Input((2,), dtype="int32")
    both = [
        layers.Embedding(WORDS, rank + 1, name=name)(pairs[:, i])
        for i, name in enumerate(("left", "right"))
    ]
    (left, left_bias), (right, right_bias) = [
        (vectors[:, :rank], vectors[:, rank]) for vectors in both
    ]
    outputs = keras.ops.sum(left * right, axis=-1) + left_bias + right_bias
    return keras.Model(pairs, outputs)


def pixels():
    """Classifies each pixel of an image, at two scales."""

    def block(x, filters, stride=1):
        x = layers.Conv2D(filters, 3, stride, padding="same", use_bias=False)(x)
        return layers.Activation("relu")(layers.BatchNormalization(momentum=0.9)(x))

    inputs = keras.Input((24, 24, 1))
    fine = block(inputs, 8)
    coarse = block(block(fine, 16, 2), 16)
    x = layers.Concatenate()([layers.UpSampling2D()(coarse), fine])
    return keras.Model(inputs, layers.Conv2D(1, 1)(block(x, 8)))


def embeddings(width=64):
    return keras.Sequential(
        [
            keras.Input((8, 16, 1)),
            layers.Conv2D(16, 3, padding="same", activation="relu"),
            layers.Conv2D(32, 3, 2, padding="same", activation="relu"),
            layers.Flatten(),
            layers.Dropout(0.3),
            layers.Dense(width),
            layers.UnitNormalization(),
        ]
    )


CLASSES = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
BINARY = keras.losses.BinaryCrossentropy(from_logits=True)
OF_CLASSES = {
    "balanced accuracy": balanced_accuracy,
    "worst class": worst_class,
    "calibration error": calibration_error,
}

OPTIMIZER_TASKS = {
    "digits_dense": Task(
        digits,
        functools.partial(dense, (8, 8, 1), 128, 128, outputs=10),
        CLASSES,
        {"cross-entropy": crossentropy, "accuracy": balanced_accuracy},
    ),
    "digits_convolution": Task(
        digits,
        convolutions,
        CLASSES,
        {"cross-entropy": crossentropy, "accuracy": balanced_accuracy},
    ),
    "cancer": Task(
        cancer,
        functools.partial(dense, (30,), 32, 32, outputs=1),
        BINARY,
        {"cross-entropy": binary_crossentropy},
        batch=32,
    ),
    "diabetes": Task(
        diabetes,
        functools.partial(dense, (10,), 32, 32, outputs=1),
        keras.losses.MeanSquaredError(),
        {"error": error},
        batch=32,
    ),
    "characters": Task(
        characters,
        transformer,
        CLASSES,
        {"cross-entropy": crossentropy},
        steps=500,
        batch=16,
    ),
    "words": Task(
        words, factors, keras.losses.MeanSquaredError(), {"error": error}, batch=256
    ),
    "masks": Task(
        masks,
        pixels,
        losses.DiceLoss(activation="sigmoid") + BINARY,
        {"iou": iou},
        batch=16,
        more_is_better=True,
    ),
    "numbers": Task(
        numbers,
        embeddings,
        losses.SupervisedContrastiveLoss(),
        {"recall@1": recall_at_1},
        batch=32,
        more_is_better=True,
        is_balanced=True,
    ),
}


def on(data):
    """Classification with few, many or wrong labels, by the convolutional network."""
    return Task(data, convolutions, CLASSES, OF_CLASSES, more_is_better=True)


LOSS_TASKS = {
    "digits_clean": on(digits),
    "digits_imbalanced": on(imbalanced_digits),
    "digits_noisy": on(noisy_digits),
    "digits_noisy_few": on(few_noisy_digits),
    "masks_losses": OPTIMIZER_TASKS["masks"],
    "numbers_losses": OPTIMIZER_TASKS["numbers"],
}
TASKS = OPTIMIZER_TASKS | LOSS_TASKS
