"""Recall@1 of metric learning losses on classes that training has not seen.

    KERAS_BACKEND=torch python benchmarks/metric_learning.py [--quick]

Prints a table in Markdown. The data are the two-digit numbers of `examples`: 60 numbers
to train on, 20 to choose by, and 20 others for the test. Every loss trains the same
network with the same balanced batches, for the same number of steps. A seed draws the
numbers of each part, the images, the first weights and the batches. The learning rate
of a loss is, for each seed, that with the best recall@1 on the validation numbers.
Centers of classes learn 10 times as fast. Losses of pairs also run with
`CrossBatchMemory`.
"""

import argparse
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from _quality_tasks import embeddings as network
from _quality_tasks import recall_at_1
from _report import print_about
from _report import print_head
from _report import print_row
from _timing import progress

import tfx_extras
from tfx_extras import losses

sys.path.append(str(Path(__file__).parents[1] / "examples"))
from two_digits import read

CLASSES, EXAMPLES = 16, 2  # of each batch
MEMORY = {"size": 1024, "warmup": 100}

# Each loss with its arguments, and the options of its layer of centers, if it has one.
LOSSES = {
    "TripletSemiHardLoss": ({"margin": 0.3}, None),
    "MultiSimilarityLoss": ({}, None),
    "SupervisedContrastiveLoss": ({}, None),
    "ArcFaceLoss": ({"scale": 16.0}, {}),
    "ProxyAnchorLoss": ({}, {}),
    "SoftTripleLoss": ({}, {"centers": 5, "pooling": "soft"}),
}


def recall(x, y):
    return recall_at_1(y, x)


def trained(name, has_memory, rate, seed, epochs):
    """Returns the recall@1 of the validation numbers and of the test numbers."""
    data = read(seed)
    x, y = data["training"]
    _, y = np.unique(y, return_inverse=True)  # centers count from 0
    keras.utils.set_random_seed(seed)
    encoder = network()
    image = keras.Input(x.shape[1:])
    embedding = encoder(image)
    arguments, centers = LOSSES[name]
    loss = getattr(losses, name)(**arguments)
    sampler = tfx_extras.utils.BalancedBatches(y, CLASSES, EXAMPLES, seed=seed)
    steps = epochs * len(sampler)
    warmup = steps // 10
    schedule = tfx_extras.schedules.WarmupCosine(rate, warmup, steps - warmup)
    optimizer = keras.optimizers.Adam(schedule)
    if has_memory:
        label = keras.Input((), dtype="int32")
        memory = tfx_extras.layers.CrossBatchMemory(loss, **MEMORY)
        model = keras.Model([image, label], memory(embedding, label))
        model.compile(optimizer)
        batches = sampler.dataset([x, y.astype("int32")])
    else:
        outputs = embedding
        if centers is not None:
            head = tfx_extras.layers.CosineDense(int(y.max()) + 1, **centers)
            outputs = head(embedding)
            optimizer = tfx_extras.optimizers.ParameterGroups(
                optimizer,
                {"cosine_dense": {"learning_rate_multiplier": 10.0}, ".*": {}},
            )
        model = keras.Model(image, outputs)
        model.compile(optimizer, loss)
        batches = sampler.dataset(x, y)
    model.fit(batches, epochs=epochs, verbose=0)
    parts = (data["validation"], data["test"])
    return [recall(embed(encoder, x), y) for x, y in parts]


def embed(encoder, x):
    return encoder.predict(x, batch_size=512, verbose=0)


def spread(values):
    """The median, and the least and the largest value."""
    low, middle, high = np.percentile(values, [0, 50, 100])
    return f"{middle:.3f} ({low:.3f} to {high:.3f})"


def tested(name, has_memory, options):
    """Returns the recall over the seeds, and the learning rate of each of them."""
    recalls, rates = [], []
    for seed in range(options.seeds):
        found = {
            rate: trained(name, has_memory, rate, seed, options.epochs)
            for rate in options.rates
        }
        rate = max(found, key=lambda rate: found[rate][0])
        rates.append(rate)
        recalls.append(found[rate][1])
        progress(name, "with memory" * has_memory, found)
    return [spread(recalls), ", ".join(f"{rate:g}" for rate in rates)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--losses", nargs="*", default=list(LOSSES))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rates", nargs="*", type=float, default=[2e-3, 8e-3, 3.2e-2])
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--quick", action="store_true", help="to see that it runs")
    options = parser.parse_args()
    if options.quick:
        options.seeds, options.rates, options.epochs = 1, [2e-3], 1

    print_about()
    print(f"keras on {keras.backend.backend()}")
    raw, untrained = [], []
    for seed in range(options.seeds):
        x, y = read(seed)["test"]
        raw.append(recall(x.reshape(len(x), -1), y))
        keras.utils.set_random_seed(seed)
        untrained.append(recall(embed(network(), x), y))
    title = f"### Test recall@1: median, and least to largest, of {options.seeds} seeds"
    columns = ("recall@1", "learning rate", "recall@1 with memory", "learning rate")
    print_head(title, "loss", *columns)
    print_row("none: the pixels", spread(raw), *["-"] * 3)
    print_row("none: the network before training", spread(untrained), *["-"] * 3)
    start = time.monotonic()
    for name in options.losses:
        row = tested(name, False, options)
        is_of_pairs = LOSSES[name][1] is None
        row += tested(name, True, options) if is_of_pairs else ["-"] * 2
        print_row(f"`{name}`", *row)
    progress(f"{time.monotonic() - start:.0f} s")


if __name__ == "__main__":
    main()
