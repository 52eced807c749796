"""Time of the losses on PyTorch, forward and backward, beside those of other packages.

    python benchmarks/peer_losses.py [--losses NAME ...]

Prints a table in Markdown. Each loss is compared with PyTorch's own function, with a
package that is known for it, or with its formula in a few lines of plain PyTorch. Both
contenders run eagerly in one process, take turns, and the table has their medians.
Packages that are not installed are left out. To measure all of them, install

    pip install timm trl coral-pytorch lightly monai segmentation-models-pytorch

A loss is compared by adding an entry to `PEERS`.
"""

import argparse
import importlib.util
import os
import sys
from collections.abc import Callable
from typing import Any
from typing import NamedTuple

import numpy as np
import torch
from _report import print_about
from _report import print_head
from _report import print_row
from _report import versions
from _timing import in_turns
from _timing import median
from _timing import milliseconds
from _timing import ratio
from _timing import timed
from torch.nn import functional

os.environ["KERAS_BACKEND"] = "torch"  # before `tfx_extras` imports Keras

PACKAGES = {  # by module: the name in the table, and on PyPI
    "torch": ("PyTorch", "torch"),
    "plain": ("plain PyTorch", "torch"),
    "timm": ("timm", "timm"),
    "trl": ("TRL", "trl"),
    "coral_pytorch": ("coral-pytorch", "coral-pytorch"),
    "lightly": ("Lightly", "lightly"),
    "monai": ("MONAI", "monai"),
    "segmentation_models_pytorch": ("SMP", "segmentation-models-pytorch"),
}


class Peer(NamedTuple):
    """A loss of ours and the same loss of others.

    `inputs(*size)` returns the labels and the predictions as NumPy arrays. Each of
    `theirs` is a function without arguments that imports its package and returns the
    loss, a function of labels and predictions. Both contenders return
    losses whose means are equal.
    """

    loss: str
    size: tuple[int, ...]
    inputs: Callable[..., tuple[np.ndarray, np.ndarray]]
    ours: dict[str, Any]  # arguments
    theirs: dict[str, Callable[[], Callable]]
    note: str = ""  # what the arguments change, for the table


def sparse(*size):
    """Integer labels and logits."""
    random = np.random.default_rng(0)
    logits = random.standard_normal(size, "float32")
    return random.integers(0, size[-1], size[:-1]), logits


def one_hot(*size):
    """One-hot labels and logits."""
    y, x = sparse(*size)
    return np.eye(size[-1], dtype="float32")[y], x


def multi_hot(*size):
    """Independent labels, of which a fifth are 1, and logits."""
    random = np.random.default_rng(0)
    labels = (random.random(size) < 0.2).astype("float32")
    return labels, random.standard_normal(size, "float32")


def plain_poly(y, x):
    surprise = functional.cross_entropy(x, y, reduction="none")
    return surprise + 1 - torch.exp(-surprise)


PEERS = [
    Peer(
        "poly_sparse_categorical_crossentropy",
        (256, 1000),
        sparse,
        {"from_logits": True},
        {"plain": lambda: plain_poly},
    ),
]


def stepper(loss, arrays):
    """A function to the mean of a loss and its gradient, on tensors of its own."""
    y, x = (torch.tensor(array) for array in arrays)
    x.requires_grad_()

    def step():
        x.grad = None
        mean = loss(y, x).mean()
        mean.backward()
        return mean.detach(), x.grad

    return step


def is_same(ours, theirs):
    """Whether both computed the same mean loss and the same gradient."""
    pairs = zip(ours, theirs, strict=True)
    return all((a - b).abs().max() <= 1e-4 * b.abs().max() for a, b in pairs)


def compare(peer, package, options):
    """Prints a row of the table."""
    from tfx_extras import losses

    arrays = peer.inputs(*peer.size)
    own = getattr(losses, peer.loss)
    steps = [
        stepper(lambda y, x: own(y, x, **peer.ours), arrays),
        stepper(peer.theirs[package](), arrays),
    ]
    same = is_same(*(step() for step in steps))
    results = in_turns([*map(timed, steps)], options.rounds, options.seconds)
    ours, theirs = map(median, results)
    print_row(
        f"`{peer.loss}`" + (f", {peer.note}" if peer.note else ""),
        PACKAGES[package][0],
        " x ".join(map(str, peer.size)),
        milliseconds(ours),
        milliseconds(theirs),
        ratio(theirs, ours),
        "yes" if same else "no",
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    names = list(dict.fromkeys(peer.loss for peer in PEERS))
    parser.add_argument("--losses", nargs="*", default=names)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=2.0, help="for each row")
    options = parser.parse_args()
    there = [
        package
        for package in PACKAGES
        if package == "plain" or importlib.util.find_spec(package)
    ]
    print_about()
    others = [
        name for p, (_, name) in PACKAGES.items() if p in there and name != "torch"
    ]
    print(versions(sys.executable, *others) + "  ")
    print(f"PyTorch with {torch.get_num_threads()} threads  ")
    for package, (name, _) in PACKAGES.items():
        if package not in there:
            print(f"Not installed, so not compared: {name}  ")
    columns = ("loss", "beside", "size", "ours, ms", "theirs, ms", "ratio")
    title = "### On PyTorch: beside its own functions and other packages"
    print_head(title, *columns, "same value", left=3)
    for peer in PEERS:
        for package in peer.theirs:
            if peer.loss in options.losses and package in there:
                compare(peer, package, options)


if __name__ == "__main__":
    main()
