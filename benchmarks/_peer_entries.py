"""Vision and regression losses beside those of others, for `peer_losses.py`.

Each entry has the fields of `Peer` by name.
"""

import numpy as np
import torch
from torch import distributions
from torch.nn import functional

IMAGES = (4, 8, 256, 256)  # batch, classes, height, width
MASKS = (16, 1, 256, 256)
VALUES = (4096, 256)


def one_hot_masks(*size):
    """One-hot masks and logits, with the classes on axis 1."""
    random = np.random.default_rng(0)
    logits = random.standard_normal(size, "float32")
    classes = random.integers(0, size[1], (size[0], *size[2:]))
    masks = np.moveaxis(np.eye(size[1], dtype="float32")[classes], -1, 1)
    return np.ascontiguousarray(masks), logits


def integer_masks(*size):
    """Classes of pixels and logits, with the classes on axis 1."""
    masks, logits = one_hot_masks(*size)
    return masks.argmax(1), logits


def binary_masks(*size):
    """Masks of zeros and ones, and logits."""
    random = np.random.default_rng(0)
    masks = (random.random(size) < 0.3).astype("float32")
    return masks, random.standard_normal(size, "float32")


def probable_masks(*size):
    """Masks of zeros and ones, and probabilities."""
    masks, logits = binary_masks(*size)
    return masks, 1 / (1 + np.exp(-logits))


def values(*size):
    """Real numbers, and predictions of them."""
    random = np.random.default_rng(0)
    y, x = random.standard_normal((2, *size), "float32")
    return y, x


def counts(*size):
    """Counts, and the logarithms of their predicted rates."""
    random = np.random.default_rng(0)
    y, x = values(*size)
    return random.poisson(np.exp(y)).astype("float32"), x


def dispersed_counts(*size):
    """Counts, log means and log dispersions."""
    y, x = counts(*size)
    random = np.random.default_rng(1)
    a = random.standard_normal(size, "float32") / 2
    return y, np.stack([x, a], -1)


def images(*size):
    """Two batches of images with values in [0, 1]."""
    random = np.random.default_rng(0)
    y, x = random.random((2, *size), "float32")
    return y, x


def monai(name, **arguments):
    def of_package():
        from monai import losses

        loss = getattr(losses, name)(**arguments)
        return lambda y, x: loss(x, y)

    return of_package


def monai_of_integers(name, **arguments):
    def of_package():
        loss = monai(name, to_onehot_y=True, **arguments)()
        return lambda y, x: loss(y[:, None], x)

    return of_package


def smp(name, **arguments):
    """Losses of one batch; `over="batch"` is the same."""

    def of_package():
        from segmentation_models_pytorch import losses

        loss = getattr(losses, name)(**arguments)
        return lambda y, x: loss(x, y)

    return of_package


def plain(function):
    return {"plain": lambda: function}


def torch_function(function):
    return {"torch": lambda: function}


def poisson(y, x):
    return -distributions.Poisson(x.exp(), validate_args=False).log_prob(y)


def negative_binomial(y, x):
    m, a = x.unbind(-1)
    family = distributions.NegativeBinomial(
        torch.exp(-a), logits=m + a, validate_args=False
    )
    return -family.log_prob(y)


def total_variation(_, x):
    down, right = x[:, 1:] - x[:, :-1], x[:, :, 1:] - x[:, :, :-1]
    return down.abs().sum((1, 2, 3)) + right.abs().sum((1, 2, 3))


SOFTMAX = {"activation": "softmax", "axis": 1}
SIGMOID = {"activation": "sigmoid", "axis": 1}
DICE = {"smooth": 0.5e-5}
OTHERS = {"smooth": 1e-5}
WEIGHTS = {"alpha": 0.3, "beta": 0.7}

ENTRIES = [
    {
        "loss": "dice_loss",
        "size": IMAGES,
        "inputs": one_hot_masks,
        "ours": SOFTMAX | DICE,
        "theirs": {"monai": monai("DiceLoss", softmax=True)},
        "note": "softmax",
    },
    {
        "loss": "sparse_dice_loss",
        "size": IMAGES,
        "inputs": integer_masks,
        "ours": SOFTMAX | DICE,
        "theirs": {"monai": monai_of_integers("DiceLoss", softmax=True)},
        "note": "softmax",
    },
    {
        "loss": "dice_loss",
        "size": MASKS,
        "inputs": binary_masks,
        "ours": SIGMOID | DICE,
        "theirs": {"monai": monai("DiceLoss", sigmoid=True)},
        "note": "sigmoid",
    },
    {
        "loss": "dice_loss",
        "size": MASKS,
        "inputs": binary_masks,
        "ours": SIGMOID | {"smooth": 0.0, "over": "batch"},
        "theirs": {"segmentation_models_pytorch": smp("DiceLoss", mode="multilabel")},
        "note": "of the batch",
    },
    {
        "loss": "dice_loss",
        "size": MASKS,
        "inputs": probable_masks,
        "ours": {"axis": 1} | DICE,
        "theirs": {"monai": monai("DiceLoss")},
        "note": "probabilities",
    },
    {
        "loss": "jaccard_loss",
        "size": IMAGES,
        "inputs": one_hot_masks,
        "ours": SOFTMAX | OTHERS,
        "theirs": {"monai": monai("DiceLoss", softmax=True, jaccard=True)},
        "note": "softmax",
    },
    {
        "loss": "tversky_loss",
        "size": IMAGES,
        "inputs": one_hot_masks,
        "ours": SOFTMAX | OTHERS | WEIGHTS,
        "theirs": {"monai": monai("TverskyLoss", softmax=True, **WEIGHTS)},
        "note": "softmax",
    },
    {
        "loss": "huber",
        "size": VALUES,
        "inputs": values,
        "ours": {},
        "theirs": torch_function(
            lambda y, x: functional.huber_loss(x, y, reduction="none")
        ),
    },
    {
        "loss": "smooth_l1",
        "size": VALUES,
        "inputs": values,
        "ours": {},
        "theirs": torch_function(
            lambda y, x: functional.smooth_l1_loss(x, y, reduction="none")
        ),
    },
    {
        "loss": "pseudo_huber",
        "size": VALUES,
        "inputs": values,
        "ours": {},
        "theirs": plain(lambda y, x: torch.sqrt(1 + (y - x) ** 2) - 1),
    },
    {
        "loss": "charbonnier_loss",
        "size": VALUES,
        "inputs": values,
        "ours": {},
        "theirs": plain(lambda y, x: torch.sqrt((y - x) ** 2 + 1e-6)),
    },
    {
        "loss": "poisson_nll",
        "size": VALUES,
        "inputs": counts,
        "ours": {},
        "theirs": torch_function(poisson),
        "note": "with its constant",
    },
    {
        "loss": "negative_binomial_nll",
        "size": (VALUES[0] * VALUES[1] // 4,),
        "inputs": dispersed_counts,
        "ours": {},
        "theirs": torch_function(negative_binomial),
    },
    {
        "loss": "tweedie_loss",
        "size": VALUES,
        "inputs": counts,
        "ours": {"power": 1.5},
        "theirs": plain(lambda y, x: 2 * torch.exp(x / 2) + 2 * y * torch.exp(-x / 2)),
    },
    {
        "loss": "total_variation_loss",
        "size": (4, 256, 256, 3),
        "inputs": images,
        "ours": {},
        "theirs": plain(total_variation),
    },
]
