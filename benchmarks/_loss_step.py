"""One measurement for `losses.py`: the loss of one package, forward and backward.

It runs in the environment of that package, which may lack tfx_extras.
"""

import json
import resource
import sys
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
from _timing import in_turns
from _timing import median
from _timing import timed


class Case(NamedTuple):
    """The inputs of one of our losses, and the other packages that have it."""

    labels: str
    beside: tuple[str, ...]
    arguments: dict


LOSSES = {
    "triplet_semi_hard_loss": Case("eights", ("tfa", "pml"), {}),
    "triplet_hard_loss": Case("eights", ("tfa", "pml"), {}),
    "lifted_structured_loss": Case("eights", ("tfa", "pml"), {}),
    "n_pairs_loss": Case("pairs", ("tfa", "pml"), {"from_embeddings": True}),
    "supervised_contrastive_loss": Case("eights", ("pml",), {"temperature": 0.1}),
    "nt_xent_loss": Case("pairs", ("pml",), {"temperature": 0.1}),
    "multi_similarity_loss": Case("eights", ("pml",), {}),
    "sigmoid_focal_crossentropy": Case("one_hot", ("tfa",), {"from_logits": True}),
    "pinball_loss": Case("one_hot", ("tfa",), {}),
    "sparsemax_loss": Case("one_hot", ("tfa",), {}),
}


def of_tfx(name):
    from keras import ops

    from tfx_extras import losses

    def loss(y, x):
        if LOSSES[name].labels == "pairs":
            y, x = y[::2], ops.reshape(x, (-1, 2, x.shape[-1]))
        return getattr(losses, name)(y, x, **LOSSES[name].arguments)

    return loss


def of_tfa(name):
    import tensorflow as tf
    from tensorflow_addons import losses

    return {
        "triplet_semi_hard_loss": losses.triplet_semihard_loss,
        "triplet_hard_loss": losses.triplet_hard_loss,
        "lifted_structured_loss": losses.lifted_struct_loss,
        "n_pairs_loss": lambda y, x: losses.npairs_loss(
            y[::2], tf.matmul(x[::2], x[1::2], transpose_b=True)
        ),
        # TensorFlow Addons sums over the classes; ours is the mean.
        "sigmoid_focal_crossentropy": lambda y, x: (
            losses.sigmoid_focal_crossentropy(y, x, from_logits=True) / x.shape[-1]
        ),
        "pinball_loss": losses.pinball_loss,
        "sparsemax_loss": losses.SparsemaxLoss(),
    }[name]


def of_pml(name):
    from pytorch_metric_learning import distances
    from pytorch_metric_learning import losses
    from pytorch_metric_learning import miners
    from pytorch_metric_learning import reducers

    distance = distances.LpDistance(normalize_embeddings=False)
    # By default, some of these losses average over nonzero values only.
    options = {"reducer": reducers.MeanReducer()}
    triplet = losses.TripletMarginLoss(margin=1, distance=distance, **options)
    loss, miner = {
        # There is no miner for the closest semi-hard negative of each positive pair.
        # This one uses all semi-hard negatives, which is a different loss.
        "triplet_semi_hard_loss": (
            triplet,
            miners.TripletMarginMiner(1, "semihard", distance=distance),
        ),
        "triplet_hard_loss": (triplet, miners.BatchHardMiner(distance=distance)),
        "lifted_structured_loss": (
            losses.LiftedStructureLoss(distance=distance, **options),
            None,
        ),
        "n_pairs_loss": (
            losses.NPairsLoss(
                distance=distances.DotProductSimilarity(normalize_embeddings=False),
                **options,
            ),
            None,
        ),
        "supervised_contrastive_loss": (losses.SupConLoss(0.1, **options), None),
        "nt_xent_loss": (losses.NTXentLoss(0.1, **options), None),
        "multi_similarity_loss": (
            losses.MultiSimilarityLoss(**options),
            miners.MultiSimilarityMiner(),
        ),
    }[name]
    return lambda y, x: loss(x, y, miner(x, y) if miner else None)


def of_smoothed(name):
    import keras
    from keras import ops

    from tfx_extras import losses

    def sparse(y, x):
        return losses.smoothed_sparse_categorical_crossentropy(
            y, x, 0.1, from_logits=True
        )

    one_hot = keras.losses.CategoricalCrossentropy(
        from_logits=True, label_smoothing=0.1
    )

    def dense(y, x):
        return one_hot(ops.one_hot(y, x.shape[-1]), x)

    return {"sparse": sparse, "dense": dense}[name]


PACKAGES = {"tfx": of_tfx, "tfa": of_tfa, "pml": of_pml, "smoothed": of_smoothed}


def inputs(package, name, batch, width):
    """Labels and predictions, as NumPy arrays."""
    random = np.random.default_rng(0)
    if package == "smoothed":
        predictions = random.standard_normal((batch, width), "float32")
        return random.integers(0, width, batch), predictions
    samples = np.arange(batch)
    kind = LOSSES[name].labels
    if kind == "one_hot":
        labels = np.zeros((batch, width), "float32")
        labels[samples, samples % width] = 1
    else:
        labels = samples // {"eights": 8, "pairs": 2}[kind]
    predictions = random.standard_normal((batch, width), "float32")
    return labels, predictions / width**0.5


def stepper(package, name, framework, mode):
    """A function to the mean loss and its gradient, and one that makes tensors."""
    loss = PACKAGES[package](name)
    if framework == "torch":
        import torch

        if mode == "compiled":
            loss = torch.compile(loss, dynamic=True)

        def step(y, x):
            x.grad = None
            mean = loss(y, x).mean()
            mean.backward()
            return mean.detach(), x.grad

        def tensor(array):
            return torch.tensor(array, requires_grad=array.dtype.kind == "f")

        return step, tensor

    import tensorflow as tf

    def step(y, x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            mean = tf.reduce_mean(loss(y, x))
        return mean, tape.gradient(mean, x)

    if mode != "eager":
        step = tf.function(step, jit_compile=mode == "XLA")
    return step, tf.constant


def megabytes(key):
    """The memory of this process according to Linux: `VmRSS`, or its peak `VmHWM`.

    `ru_maxrss` is of no use: a process inherits the peak of its parent.
    """
    lines = Path("/proc/self/status").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith(f"{key}:"))
    return int(line.split()[1]) / 1024


def measure(package, name, batch, width, framework, mode, memory):
    """Prints the mean loss, the median of seconds, megabytes, and the first seconds.

    Args:
        package: One of `PACKAGES`.
        name: The loss, by its name in that package.
        batch: Number of samples.
        width: Number of values, or classes, of each sample.
        framework: `"tensorflow"` or `"torch"`.
        mode: `"eager"`, `"graph"` or `"XLA"`; on PyTorch, `"eager"` or `"compiled"`.
        memory: Maximum number of gigabytes.
    """
    step, tensor = stepper(package, name, framework, mode)
    # A first call with 16 samples loads libraries, which then do not count.
    start = time.perf_counter()
    step(*map(tensor, inputs(package, name, 16, width)))
    first = time.perf_counter() - start
    y, x = map(tensor, inputs(package, name, batch, width))
    limit = memory * 2**30
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    Path("/proc/self/clear_refs").write_text("5")  # resets the peak
    before = megabytes("VmRSS")

    def run():
        mean, gradient = step(y, x)
        float(gradient[0, 0])  # waits for the result
        return float(mean)

    mean = run()
    (seconds,) = in_turns([timed(run)], rounds=50, seconds=2)
    rise = megabytes("VmHWM") - before
    print(json.dumps([mean, median(seconds), rise, first]))


if __name__ == "__main__":
    package, name, batch, width, framework, mode, memory = sys.argv[1:]
    measure(package, name, int(batch), int(width), framework, mode, int(memory))
