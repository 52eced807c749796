"""The work that one device and many devices do, which must give the same results.

Optimizers train a small model, whose embedding has sparse gradients on TensorFlow.
Losses that find pairs in a batch are computed, with their gradients.
"""

import os

import keras
import numpy as np
from keras import ops

from tests.optimizers import cases
from tests.tools import BACKEND
from tfx_extras import losses
from tfx_extras import optimizers
from tfx_extras._backend import backend

BATCH = 8
RATE = 0.01


def _groups(rate, **options):
    rules = {
        "embedding": keras.optimizers.SGD(rate),
        "bias": {"learning_rate_multiplier": 0.5},
        ".*": {},
    }
    return optimizers.ParameterGroups(optimizers.RAdam(rate, **options), rules)


OPTIMIZERS = {
    name: lambda name=name: getattr(optimizers, name)(RATE)
    for name in sorted({case.cls.__name__ for case in cases.OPTIMIZERS})
}
# Its other bases would depend on rounding, where covariances have no full rank.
OPTIMIZERS["SOAP"] = lambda: optimizers.SOAP(RATE, max_size=4)
WRAPPERS = {
    "Lookahead": lambda: optimizers.Lookahead(optimizers.RAdam(RATE), 3),
    "MovingAverage": lambda: optimizers.MovingAverage(optimizers.RAdam(RATE), 0.5, 2),
    "ParameterGroups": lambda: _groups(RATE),
    "Ranger": lambda: optimizers.Ranger(RATE, sync_period=3),
    "ScheduleFree": lambda: optimizers.ScheduleFreeAdamW(
        RATE, 3, weight_decay=0.1, weight_decay_exclude=["bias"]
    ),
    "SWA": lambda: optimizers.SWA(
        optimizers.MovingAverage(optimizers.AdaBelief(RATE), 0.5), 2, 3
    ),
}
_SKIPS = {"skip_nonfinite": True}
# All gradients exceed these limits, so all are clipped. NovoGrad's epsilon is larger
# than the limits, so that its normalization does not undo the clipping.
_OPTIONS = {
    "weight_decay": {"weight_decay": 0.1, "weight_decay_exclude": ["bias"]},
    "clipnorm": {"clipnorm": 1e-3},
    "clipvalue": {"clipvalue": 1e-3},
    "global_clipnorm": {"global_clipnorm": 1e-3},
    "gradient_accumulation_steps": {"gradient_accumulation_steps": 2},
    "use_ema": {"use_ema": True, "ema_momentum": 0.5, "ema_overwrite_frequency": 2},
    "skip_nonfinite": _SKIPS,
}
OPTIONS = {
    name: lambda options=options: optimizers.NovoGrad(RATE, epsilon=0.1, **options)
    for name, options in _OPTIONS.items()
}
# Combinations that have no row of their own in the guide's table.
MORE = {
    "ParameterGroups, clipped": lambda: _groups(
        RATE, epsilon=0.1, global_clipnorm=1e-3, **_SKIPS
    ),
    "LazyAdam, accumulated": lambda: optimizers.LazyAdam(
        RATE, gradient_accumulation_steps=2, **_SKIPS
    ),
    "Muon, conditioned": lambda: optimizers.Muon(
        RATE,
        weight_decay=0.1,
        corrected_decay=True,
        adaptive_clip=0.05,
        centralize_gradient=True,
        cautious=True,
    ),
    "RAdam, bfloat16": lambda: optimizers.RAdam(RATE, use_ema=True),
    "SWA, bfloat16": WRAPPERS["SWA"],
}
# These get nonfinite gradients on one replica.
SPOILED = ("skip_nonfinite", "ParameterGroups, clipped", "LazyAdam, accumulated")
TRAINED = OPTIMIZERS | WRAPPERS | OPTIONS | MORE
# Replicas communicate in code that all optimizers share. PyTorch compiles nothing, so
# it trains every optimizer. The other backends train some of each kind; "SWA" wraps
# AdaBelief.
_WRAPPED = ("SWA", "ParameterGroups, clipped")
_KINDS = (
    *("ConditionalGradient", "weight_decay", "LazyAdam, accumulated"),
    *("Muon, conditioned", "RAdam, bfloat16", *_WRAPPED),
)
_SOME = {
    "one": _KINDS,
    "mirrored over 2": _KINDS,
    "mirrored over 4": _WRAPPED[1:],
    "workers": ("LazyAdam, accumulated", *_WRAPPED),
    "data": ("weight_decay", *_WRAPPED),
    "model": _KINDS,
}

_FLAT = (
    "LiftedStructuredLoss",
    "MultiSimilarityLoss",
    "SupervisedContrastiveLoss",
    "TripletHardLoss",
    "TripletSemiHardLoss",
)
_SHAPES = {"CoxLoss": (8, 1), "CornLoss": (8, 7), "ProxyAnchorLoss": (8, 8)}
LOSSES = (
    *_FLAT,
    "BarlowTwinsLoss",
    "CLIPLoss",
    "CoxLoss",
    "CornLoss",
    "NPairsLoss",
    "NPairsMultilabelLoss",
    "NTXentLoss",
    "ProxyAnchorLoss",
    "VICRegLoss",
    "SigLIPLoss",
)


LEFT_OUT = 0.5
# The dtype of each loss's labels. Replicas must be able to exchange all of them.
LABELS = {
    "LiftedStructuredLoss": "int16",
    "MultiSimilarityLoss": "bool",
    "SupervisedContrastiveLoss": "uint8",
    "TripletHardLoss": "int32",
    "TripletSemiHardLoss": "int64",
    "BarlowTwinsLoss": "int32",
    "CLIPLoss": "uint16",
    "CoxLoss": "int32",
    "CornLoss": "int32",
    "NPairsLoss": "int8",
    "NPairsMultilabelLoss": "float32",
    "NTXentLoss": "uint32",
    "ProxyAnchorLoss": "int32",
    "VICRegLoss": "int32",
    "SigLIPLoss": "float16",
}
DTYPES = [*LABELS.values(), "bfloat16", "float64"]
if BACKEND == "tensorflow":  # there, each dtype is exchanged as one of three
    DTYPES = ["bool", "uint32", "bfloat16", "float64"]


def trained(way):
    """The names of what is trained in a way of distributing."""
    names = TRAINED if is_all() else _SOME[way]
    # TensorFlow cannot send initial bfloat16 values to a worker.
    return [name for name in names if way != "workers" or "bfloat16" not in name]


def is_all():
    """Whether everything is trained, not only some of each kind."""
    return BACKEND == "torch" or "ALL_DISTRIBUTED" in os.environ


def start(name):
    """A model, the same each time, and the optimizer with that name."""
    keras.utils.set_random_seed(0)
    dtype = "bfloat16" if "bfloat16" in name else "float32"
    model = keras.Sequential(
        [
            keras.Input((3,), dtype="int32"),
            keras.layers.Embedding(8, 4, dtype=dtype),
            keras.layers.Flatten(),
            keras.layers.Dense(4, dtype=dtype),
        ]
    )
    optimizer = TRAINED[name]()
    optimizer.build(model.trainable_variables)
    return model, optimizer


def data(name):
    rng = np.random.default_rng(0)
    x = rng.integers(0, 8, size=(4 * BATCH, 3)).astype("int32")
    y = rng.normal(size=(4 * BATCH, 4)).astype("float32")
    if name in SPOILED:  # on the first replica, and on the last
        y[1], y[3 * BATCH + 7] = np.nan, np.inf
    return x, y


def batches(name, epochs=2):
    x, y = data(name)
    for _ in range(epochs):
        for start in range(0, len(x), BATCH):
            yield x[start : start + BATCH], y[start : start + BATCH]


def loss(y_true, y_pred):
    """The loss of each sample; a nonfinite label gives a nonfinite gradient."""
    return keras.losses.mean_squared_error(y_true, y_pred)


def results(name, model, optimizer):
    """The weights, and the averages that the optimizer keeps."""
    found = {name: _flat(model)}
    if hasattr(optimizer, "swap"):
        optimizer.swap()
        found[f"{name}, swapped"] = _flat(model)
    if name in SPOILED:
        found[f"{name}, skipped"] = optimizer.skipped.numpy()
    return found


def _flat(model):
    weights = [np.asarray(w, "float32").ravel() for w in model.get_weights()]
    return np.concatenate(weights)


def parts(replicas):
    """The samples of a batch on each replica; replicas have unequal numbers of them."""
    ends = {1: [8], 2: [7, 8], 4: [3, 4, 6, 8]}[replicas]
    return [slice(a, b) for a, b in zip([0, *ends], ends, strict=False)]


def embeddings(name):
    """Labels (some on one replica only), embeddings, and weights."""
    random = np.random.default_rng(0)
    labels = np.array([0, 1, 0, 2, 1, 0, 7, 2])
    if name == "NPairsMultilabelLoss":
        labels = np.eye(8, dtype="float32")[labels] * (labels != 7)[:, None]
    if name == "CoxLoss":  # times and events
        labels = np.stack([labels, labels != 1], axis=-1)
    shape = _SHAPES.get(name, (8, 3) if name in _FLAT else (8, 2, 3))
    embeddings = random.normal(size=shape).astype("float32")
    if name == "ProxyAnchorLoss":  # cosines with 8 classes
        embeddings = np.tanh(embeddings)
    embeddings[2].flat[0] = LEFT_OUT
    labels = labels.astype(LABELS[name])
    return labels, embeddings, np.array([1, 2, 0, 1, 0.5, 3, 1, 2], "float32")


class Masked(keras.layers.Layer):
    """Returns embeddings with a mask that leaves out a sample with a local positive."""

    def call(self, inputs):
        return inputs * 1.0

    def compute_mask(self, inputs, previous_mask):
        rows = ops.reshape(inputs, (ops.shape(inputs)[0], -1))
        return rows[:, 0] != LEFT_OUT


def gathering(name, gather, reduction):
    """A function of labels, embeddings and weights that computes the loss."""
    kwargs = {"from_embeddings": True} if name.startswith("NPairs") else {}
    loss = getattr(losses, name)(gather=gather, reduction=reduction, **kwargs)
    if reduction != "mean_with_sample_weight":
        return lambda y_true, y_pred, weights: loss(y_true, y_pred)
    masked = Masked(autocast=False)
    return lambda y_true, y_pred, weights: loss(y_true, masked(y_pred), weights)


def each_loss(way):
    """Pairs of a result's key and the arguments of `gathering`, for a way."""
    if not is_all():
        name, other = "SupervisedContrastiveLoss", "SigLIPLoss"
        yield f"{name}, gather=True, weighed", (name, True, "mean_with_sample_weight")
        yield f"{other}, gather=True, sum", (other, True, "sum")
        if way not in ("mirrored over 4", "workers", "data"):
            yield f"{name}, gather=True", (name, True, "sum_over_batch_size")
            yield f"{other}, gather=False, sum", (other, False, "sum")
        return
    for name in LOSSES:
        yield f"{name}, gather=True", (name, True, "sum_over_batch_size")
    for name in (LOSSES[0], LOSSES[-1]):
        yield f"{name}, gather=True, sum", (name, True, "sum")
        yield f"{name}, gather=True, weighed", (name, True, "mean_with_sample_weight")
        yield f"{name}, gather=False, sum", (name, False, "sum")


def gathered(labels, cast):
    """Labels from all replicas, sent in each of `DTYPES`, to which `cast` casts."""
    own = [cast(labels, dtype) for dtype in DTYPES]
    found = [backend.gather(x)[0] for x in own]
    assert [x.dtype for x in found] == [x.dtype for x in own]
    return ops.stack([ops.cast(x, "int32") for x in found])
