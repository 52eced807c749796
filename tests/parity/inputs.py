"""The inputs of the goldens, and functions that read and write goldens; NumPy only.

A golden is a file of results that another library computed. Every input is a multiple
of a power of two that float32 holds. So the goldens of both dtypes start from the same
numbers, and no library's `pow` or `exp` can change them.
"""

import json
import platform
from pathlib import Path

import numpy as np

from tests.parity import tfa_optimizers

GOLDENS = Path(__file__).parent / "goldens"
# Rectification is first defined in step 5 (threshold 4) or 6 (threshold 5).
STEPS = (1, 2, 5, 6, 7, 10, 50)
# Kernels have fewer gradients, and more weights.
KERNEL_STEPS = (1, 2, 12)


def _normal(random, shape, scale=1.0):
    return np.round(random.standard_normal(shape) * 1024) / 1024 * scale


def optimizers():
    """Weights, and 50 gradients of varying magnitudes and signs, with zeros."""
    random = np.random.default_rng(1908)
    shape = (50, 3, 4)
    gradients = _normal(random, shape, np.exp2(random.integers(-10, 4, shape)))
    gradients[random.random(shape) < 0.05] = 0
    gradients[:3, 0, 0] = 0  # the second moment is still 0 while steps are counted
    gradients[:, 1, 1] *= 2.0**-12  # small enough for an epsilon of 1e-14 to matter
    gradients[:, 2, 3] = 0  # only its decay moves it
    return {"start": _normal(random, (3, 4), 0.25), "gradients": gradients}


def kernels():
    """A kernel of a convolution, and 12 gradients, whose units differ in size."""
    random = np.random.default_rng(2412)
    shape = (12, 3, 3, 4, 5)
    sizes = np.exp2(random.integers(-4, 3, (12, 1, 1, 1, 5)))
    return {
        "kernel": _normal(random, shape[1:], 0.25),
        "kernel_gradients": _normal(random, shape, sizes),
    }


def formed(form):
    """The kernel and its gradients as a convolution, a matrix or a vector has them."""

    def forms(x):
        tall = x.reshape(*x.shape[:-4], 36, 5)
        if form == "vector":
            return tall[..., :12, :].reshape(*x.shape[:-4], 60)
        wide = np.swapaxes(tall, -1, -2)
        return {"convolution": x, "tall": tall, "wide": wide}[form]

    return tuple(forms(x) for x in kernels().values())


def in_order_of_pytorch(kernel):
    """A kernel whose outputs come first, then its inputs, and last height and width."""
    return np.transpose(kernel, (3, 2, 0, 1) if kernel.ndim == 4 else None)


def in_order_of_keras(kernel):
    """The inverse of `in_order_of_pytorch`."""
    return np.transpose(kernel, (2, 3, 1, 0) if kernel.ndim == 4 else None)


def losses():
    """Labels and predictions: large and small logits, probabilities, distances."""
    random = np.random.default_rng(1708)
    shape = (6, 5)
    logits = _normal(random, shape, np.exp2(random.integers(-3, 3, shape)))
    extreme = logits.copy()
    extreme[0] = [0, 30, -30, 100, -100]
    extreme[1] = [-100, 100, -30, 30, 0]
    targets = random.integers(1, 64, shape) / 64
    targets[2] = [1, 0, 0, 0, 0]
    distances = random.integers(0, 192, 12) / 64
    distances[:4] = [0, 0.5, 1, 3]  # the bounds: no distance, at a margin, beyond it
    errors = _normal(random, shape, np.exp2(random.integers(-6, 4, shape)))
    errors[0] = [0, 0.5, -0.5, 2, -2]  # the bounds: no error, and at a delta
    values = _normal(random, shape)
    hard = random.integers(0, 2, shape).astype("float64")
    return {
        "logits": logits,
        "extreme_logits": extreme,
        # Correct with increasing certainty: 1 minus the probability loses digits.
        "sure_logits": np.where(hard, 1, -1) * np.arange(2.0, 8.0)[:, None],
        "probabilities": random.integers(1, 64, shape) / 64,
        "hard": hard,
        "soft": random.integers(0, 65, shape) / 64,
        "classes": np.array([0, 4, 2, 1, 2, 3]),
        "targets": targets,
        "class_weights": np.array([0.5, 1, 2, 0.25, 0]),
        "similar": random.integers(0, 2, 12).astype("float64"),
        "distances": distances,
        "values": values,
        "predictions": values + errors,
    }


def more_losses():
    """Labels, embeddings, similarities, distributions, quantiles, scores, and boxes.

    Embeddings have few bits, so that squared distances are exact in float32 too. Except
    for two coincident points, no two distances are equal, and with this seed no other
    point mines the coincident ones. So neither rounding nor the order of points decides
    which point is nearest and where its gradient goes.
    """
    random = np.random.default_rng(25)
    points = np.round(random.standard_normal((12, 4)) * 32) / 32
    coincident = points.copy()
    coincident[9] = points[4]  # the only other point of its class
    few = np.array([0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2])
    similarities = _normal(random, (12, 12), 4.0)
    similarities[0, :4] = [0, 60, -60, 200]
    memberships = random.integers(0, 2, (12, 5)).astype("float64")
    memberships[:, 4] = memberships[:, :4].sum(1) == 0  # every sample has a label
    unlabeled = memberships.copy()
    unlabeled[5] = 0
    classes = np.array([0, 4, 2, 1, 2, 3])
    shares = random.integers(1, 16, (6, 5)) / 64
    shares[:, 0] = 1 - shares[:, 1:].sum(1)
    sure = np.full((6, 5), 2.0**-12)
    sure[np.arange(6), classes] = 1 - 2.0**-10
    scores = _normal(random, (6, 5), np.exp2(random.integers(-3, 3, (6, 1))))
    scores[0] = [0, 30, -30, 100, -100]
    scores[1] = [2, 2, 2, -1, 2]
    values = _normal(random, (6, 5))
    errors = _normal(random, (6, 5), np.exp2(random.integers(-6, 4, (6, 5))))
    boxes = random.choice(np.arange(-64, 65), (2, 6, 2, 2), replace=False) / 16
    boxes = np.concatenate([boxes.min(2), boxes.max(2)], -1)
    boxes[:, 0] = [[0, 0, 1, 1], [2, 3, 4, 5]]  # apart
    boxes[:, 1] = [[0, 0, 1, 1], [-1, -2, 2, 3]]  # one inside the other
    boxes[:, 2] = boxes[::-1, 1]
    touching = [
        [[0, 0, 1, 1], [1, 0.25, 2, 0.75]],  # touching at an edge
        [[0, 0, 1, 1], [1, 1, 2, 3]],  # touching at a corner
        [[0, 0, 1, 1], [0, 0, 1, 1]],  # identical
        [[0, 0, 1, 1], [0, 0, 1, 2]],  # sharing three edges
    ]
    inverted = [
        [[0, 0, 1, 1], [0.75, 0.25, 0.5, 0.625]],  # its top is below its bottom
        # Its left and right are exchanged too.
        [[0, 0, 1, 1], [0.75, 0.875, 0.25, 0.125]],
    ]
    touching, inverted = np.swapaxes(touching, 0, 1), np.swapaxes(inverted, 0, 1)
    return {
        "few": few,
        "many": np.array([0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0, 1]),
        "lonely": np.array([0, 1, 2, 0, 1, 2, 0, 1, 3, 0, 1, 2]),
        "column": few[:, None],
        "distinct": np.arange(12),
        "one": np.zeros(12, "int64"),
        "points": points,
        "near": points * 2.0**-6,
        "spread": points * np.exp2(random.integers(-2, 4, (12, 1))),
        # Two classes are within each other's margin, and one is beyond every margin.
        "clusters": points / 4 + np.array([0, 3, 20])[few, None],
        "coincident": coincident,
        "far": points * 2.0**10,
        "large_ids": 2**24 + few,  # 25 bits; float32 holds two of the three
        "similarities": similarities,
        "memberships": memberships,
        "unlabeled": unlabeled,
        "classes": (classes[:, None] == np.arange(5)).astype("float64"),
        "shares": shares,
        "sure": sure,
        "values": values,
        "predictions": values + errors,
        "scores": scores,
        "huge_scores": np.array([[1, 2, 3, -4], [1, 1, 1, 0.5]]) * 2.0**27,
        "huge_classes": np.eye(4)[[2, 1]],
        "targets": shares[::-1].copy(),
        "boxes": boxes[0],
        "predicted_boxes": boxes[1],
        "touched": touching[0],
        "touching": touching[1],
        "upright": inverted[0],
        "inverted": inverted[1],
    }


def segmentation():
    """Labels, logits and probabilities of small images, in which no errors are equal.

    Some images lack some classes, and the first image lacks an object.
    """
    random = np.random.default_rng(1705)
    shape = (4, 5, 6)
    classes = random.integers(0, 3, shape)
    classes[1] = classes[1] % 2
    masks = random.integers(0, 2, shape)
    masks[0] = 0
    void = np.where(random.random(shape) < 0.2, 2, masks)
    count = masks.size
    # The probabilities are odd multiples of 1/4096, of which no two are equal,
    # nor are one of them and 1 minus another.
    shares = random.permutation(np.arange(count * 3)).reshape(*shape, 3)
    scores = random.permutation(np.arange(count)).reshape(shape) / 32
    return {
        "classes": classes,
        "one_hot": np.eye(3)[classes],
        "masks": masks,
        "void_masks": void,
        "logits": _normal(random, (*shape, 3), 2.0),
        "shares": (2 * shares + 1) / 1024 + 1 / 4096,
        "scores": scores - count / 64 + 1 / 128,
    }


def metric_learning():
    """Embeddings with centers of classes, and a set with ties and lone classes."""
    random = np.random.default_rng(2003)
    lone = np.arange(100, 104)
    return {
        "embeddings": _normal(random, (24, 8)),
        "classes": random.integers(0, 4, 24),  # the last of five classes is absent
        "proxies": _normal(random, (8, 5)),
        "centers": _normal(random, (8, 15)),
        "set": random.integers(-2, 3, (60, 3)).astype("float64"),
        "set_classes": np.concatenate([lone, random.integers(0, 8, 56)]),
        "batches": _normal(random, (5, 16, 8)),
        "batch_classes": random.integers(0, 4, (5, 16)),
    }


def heads():
    """Embeddings of many lengths, none of them on a center or opposite to one."""
    random = np.random.default_rng(2204)
    embeddings = _normal(random, (3, 12, 6))
    lengths = 2.0 ** random.integers(-3, 6, (3, 12, 1))
    return {
        "embeddings": embeddings * lengths,
        "classes": random.integers(0, 5, (3, 12)),
        "kernel": _normal(random, (6, 5)),
    }


def schedules():
    """The steps at which schedules are evaluated."""
    return {"steps": np.arange(201)}


def classifier():
    """The start of a linear classifier, and the batches of 30 steps."""
    random = np.random.default_rng(2010)
    return {
        "kernel": _normal(random, (4, 3)),
        "bias": _normal(random, (3,)),
        "x": _normal(random, (30, 6, 4)),
        "y": random.integers(0, 3, (30, 6)),
    }


def distributions():
    """Targets, counts, parameters of forecasts, ensembles, and times of events."""
    random = np.random.default_rng(2203)
    counts = random.integers(0, 30, 24) * random.integers(0, 2, 24)
    parameters = _normal(random, (24, 3), 2.0)
    parameters[:, 0] = np.clip(parameters[:, 0], -3, 4)
    return {
        "values": _normal(random, (24,), 4.0),
        "pairs": _normal(random, (24, 2), 2.0),
        "counts": counts.astype("float64"),
        "parameters": parameters,
        "mixtures": _normal(random, (24, 10)),
        "members": _normal(random, (24, 7), 2.0),
        "times": np.stack(
            [random.integers(1, 9, 24), random.random(24) < 0.7], -1
        ).astype("float64"),
        "risks": _normal(random, (24,)),
    }


def preference():
    """Log-probabilities of pairs of responses, rewards, sequences, and two views."""
    random = np.random.default_rng(2305)
    sums = -random.integers(1, 2**12, (16, 2)) / 64
    reference = np.minimum(sums + _normal(random, (16, 2), 8.0), -1 / 64)
    tokens = random.integers(0, 7, (6, 5))
    tokens[random.random((6, 5)) < 0.3] = -100
    tokens[:, -1] = 3
    views = _normal(random, (12, 2, 6)) * np.exp2(np.arange(-3.0, 3.0))
    views[:6, 1] = views[:6, 0] + views[:6, 1] / 16
    return {
        "sums": sums,
        "of_reference": reference,
        "means": -random.integers(1, 2**11, (16, 2)) / 512,
        "rewards": _normal(random, (16, 2), 4.0),
        "margins": random.integers(0, 128, 16) / 64,
        "tokens": tokens,
        "token_logits": _normal(random, (6, 5, 7), 4.0),
        "views": views,
    }


def self_distillation():
    """Outputs of a teacher for two views, and of a student for five: three batches."""
    random = np.random.default_rng(2104)
    return {
        "teacher": _normal(random, (3, 8, 2, 6)),
        "student": _normal(random, (3, 8, 5, 6)),
    }


def waning(a):
    """A scale for the cycles or the iterations of a schedule."""
    return 1 / (1 + a / 4)


def of(library):
    """The inputs of `library`'s golden."""
    if library == "tfa_losses":
        return more_losses()
    if library == "distributions":
        return distributions()
    if library == "lightly":
        return self_distillation()
    if library == "preference":
        return preference()
    if library == "ordinal_and_robust":
        return losses()
    if library == "sam":
        return classifier()
    if library in ("tfa_schedules", "timm_schedules"):
        return schedules()
    if library == "tfa_optimizers":
        return tfa_optimizers.given()
    if library == "segmentation":
        return segmentation()
    if library == "heads":
        return heads()
    if library == "metric_learning":
        return metric_learning()
    if library in ("authors", "timm_optimizers"):
        return optimizers() | kernels()
    if library == "pytorch_optimizer":
        return optimizers() | losses() | kernels()
    return optimizers() | losses()


def save(library, versions, cases, outputs):
    """Writes `goldens/{library}.npz`: inputs, outputs, cases and versions.

    `cases` maps the name of a case to its settings, in the words of `library`.
    `outputs` maps names to arrays, and `versions` maps packages to their versions.
    """
    arrays = {"versions": {"python": platform.python_version()} | versions}
    arrays["versions"]["numpy"] = np.__version__
    arrays["cases"] = cases
    arrays = {key: np.array(json.dumps(arrays[key])) for key in arrays}
    for key, value in of(library).items():
        arrays[f"inputs/{key}"] = value
    for name, values in outputs.items():
        for key, value in values.items():
            arrays[f"{name}/{key}"] = np.asarray(value)
    GOLDENS.mkdir(exist_ok=True)
    np.savez_compressed(GOLDENS / f"{library}.npz", **arrays)


class Golden:
    """The contents of `goldens/{library}.npz`."""

    def __init__(self, library):
        with np.load(GOLDENS / f"{library}.npz") as file:
            arrays = dict(file)
        self.versions = json.loads(arrays.pop("versions").item())
        self.cases = json.loads(arrays.pop("cases").item())
        self.inputs, self.arrays = {}, {}
        for key, value in arrays.items():
            if key.startswith("inputs/"):
                self.inputs[key.removeprefix("inputs/")] = value
            else:
                self.arrays[key] = value

    def named(self, symbol, fault=False):
        """Names of the cases of `symbol`, such as `"RAdam"`.

        With `fault`, they are the cases in which the library is wrong, otherwise the
        cases in which it is right.
        """
        return [
            name
            for name, case in self.cases.items()
            if name.split(":")[0] == symbol and ("fault" in case) is fault
        ]
