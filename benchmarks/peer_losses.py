"""Time of the losses on PyTorch, forward and backward, beside those of other packages.

    python benchmarks/peer_losses.py [--losses NAME ...]

Prints a table in Markdown. Each loss is compared with PyTorch's own function, with a
package that is known for it, or with its formula in a few lines of plain PyTorch. Both
contenders run eagerly in one process, take turns, and the table has their medians.
Packages that are not installed are left out. To measure all of them, install

    pip install torchvision timm trl coral-pytorch lightly monai
    pip install segmentation-models-pytorch

A loss is compared by adding an entry to `PEERS`; those of images and numbers are in
`_peer_entries.py`.
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
from _peer_entries import ENTRIES
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
    "torchvision": ("torchvision", "torchvision"),
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


def views(*size):
    """No labels, and logits of several views of each sample."""
    return np.zeros(size[0], "float32"), sparse(*size)[1]


def cosines(*size):
    y, x = sparse(*size)
    return y, np.tanh(x)


def counts(classes):
    """The training samples of each class, from few to many."""
    return np.geomspace(5, 5000, classes).round().tolist()


def plain_smoothed(y, x):
    return functional.cross_entropy(x, y, label_smoothing=0.1, reduction="none")


def plain_of_own(y, x):
    return functional.log_softmax(x, -1).gather(-1, y[..., None])[..., 0]


def plain_poly(y, x):
    surprise = functional.cross_entropy(x, y, reduction="none")
    return surprise + 1 - torch.exp(-surprise)


def plain_adjusted(y, x):
    n = torch.tensor(counts(x.shape[-1]))
    return functional.cross_entropy(x + torch.log(n / n.sum()), y, reduction="none")


def plain_ldam(y, x):
    n = torch.tensor(counts(x.shape[-1]))
    margins = 0.5 * (n.min() / n) ** 0.25
    is_own = functional.one_hot(y, x.shape[-1]).bool()
    x = torch.where(is_own, x - margins, x)
    return functional.cross_entropy(30 * x, y, reduction="none")


def plain_bi_tempered(y, x, t1=0.8, t2=1.4):
    """With the fixed-point iteration of the paper, which is less exact."""
    with torch.no_grad():
        largest = x.amax(-1, keepdim=True)
        start = z = x - largest
        for _ in range(5):
            total = (1 + (1 - t2) * z).pow(1 / (1 - t2)).sum(-1, keepdim=True)
            z = start * total ** (1 - t2)
        total = (1 + (1 - t2) * z).pow(1 / (1 - t2)).sum(-1, keepdim=True)
        shift = largest - (total ** (t2 - 1) - 1) / (1 - t2)

    class Probabilities(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            p = (1 + (1 - t2) * (x - shift)).pow(1 / (1 - t2))
            ctx.save_for_backward(p)
            return p

        @staticmethod
        def backward(ctx, upstream):
            (p,) = ctx.saved_tensors
            power = p**t2
            share = power / power.sum(-1, keepdim=True)
            return power * (upstream - (share * upstream).sum(-1, keepdim=True))

    p = Probabilities.apply(x)
    y = functional.one_hot(y, x.shape[-1]) if y.ndim < x.ndim else y
    log_y = ((y + 1e-10) ** (1 - t1) - 1) / (1 - t1)
    log_p = (p ** (1 - t1) - 1) / (1 - t1)
    terms = y * (log_y - log_p) - (y ** (2 - t1) - p ** (2 - t1)) / (2 - t1)
    return terms.sum(-1)


def plain_focal(y, x, alpha=0.25, gamma=2.0):
    surprise = functional.cross_entropy(x, y, reduction="none")
    return alpha * (1 - torch.exp(-surprise)) ** gamma * surprise


def plain_generalized(y, x, q=0.7):
    p = functional.softmax(x, -1).gather(-1, y[..., None])[..., 0]
    return (1 - p**q) / q


def plain_symmetric(y, x):
    surprise = functional.cross_entropy(x, y, reduction="none")
    return 0.1 * surprise + 4 * (1 - torch.exp(-surprise))


def plain_jensen_shannon(y, x):
    p = functional.softmax(x, -1)
    log_mean = p.mean(1, keepdim=True).log().expand_as(p)
    return functional.kl_div(log_mean, p, reduction="none").sum(-1).mean(1)


def timm(name, **arguments):
    """A loss of timm, which takes the predictions first."""

    def make():
        from timm import loss

        of = getattr(loss, name)(**arguments)
        return lambda y, x: of(x, y)

    return make


def torchvision_focal():
    from torchvision.ops import sigmoid_focal_loss

    return lambda y, x: sigmoid_focal_loss(x, y)


def trl_sequence():
    from trl.trainer.utils import selective_log_softmax

    return lambda y, x: selective_log_softmax(x, y).sum(-1)


def coral():
    from coral_pytorch.dataset import levels_from_labelbatch
    from coral_pytorch.losses import coral_loss

    def loss(y, x):
        return coral_loss(x, levels_from_labelbatch(y, x.shape[-1] + 1))

    return loss


def corn():
    from coral_pytorch.losses import corn_loss

    return lambda y, x: corn_loss(x, y, x.shape[-1] + 1)


LOGITS = {"from_logits": True}
PEERS = [
    *(
        Peer(
            "smoothed_sparse_categorical_crossentropy",
            size,
            sparse,
            LOGITS,
            {
                "torch": lambda: plain_smoothed,
                "timm": timm("LabelSmoothingCrossEntropy"),
            },
        )
        for size in ((256, 1000), (1024, 1000), (512, 32_000))
    ),
    Peer(
        "smoothed_categorical_crossentropy",
        (256, 1000),
        one_hot,
        LOGITS | {"label_smoothing": 0.0},
        {
            "torch": lambda: lambda y, x: functional.cross_entropy(x, y),
            "timm": timm("SoftTargetCrossEntropy"),
        },
    ),
    *(
        Peer(
            "sequence_log_probabilities",
            size,
            sparse,
            {},
            {
                "trl": trl_sequence,
                "plain": lambda: lambda y, x: plain_of_own(y, x).sum(-1),
            },
        )
        for size in ((16, 64, 1000), (4, 128, 32_000))
    ),
    *(
        Peer(
            "poly_sparse_categorical_crossentropy",
            size,
            sparse,
            LOGITS,
            {
                "timm": timm("PolyCrossEntropy", epsilon=1.0),
                "plain": lambda: plain_poly,
            },
        )
        for size in ((256, 1000), (512, 32_000))
    ),
    Peer(
        "poly_categorical_crossentropy",
        (256, 1000),
        one_hot,
        LOGITS,
        {"timm": timm("PolyCrossEntropy", epsilon=1.0)},
    ),
    Peer(
        "poly_sigmoid_crossentropy",
        (256, 1000),
        multi_hot,
        LOGITS,
        {"timm": timm("PolyBinaryCrossEntropy", epsilon=1.0)},
    ),
    *(
        Peer(
            "logit_adjusted_crossentropy",
            size,
            sparse,
            {"class_counts": counts(size[-1])},
            {"plain": lambda: plain_adjusted},
        )
        for size in ((256, 1000), (512, 32_000))
    ),
    Peer(
        "ldam_loss",
        (256, 1000),
        cosines,
        {"class_counts": counts(1000)},
        {"plain": lambda: plain_ldam},
    ),
    Peer(
        "bi_tempered_loss",
        (256, 1000),
        one_hot,
        {},
        {"plain": lambda: plain_bi_tempered},
    ),
    Peer(
        "sparse_bi_tempered_loss",
        (256, 1000),
        sparse,
        {},
        {"plain": lambda: plain_bi_tempered},
    ),
    *(
        Peer(
            "sparse_categorical_focal_crossentropy",
            size,
            sparse,
            LOGITS,
            {"plain": lambda: plain_focal},
        )
        for size in ((256, 1000), (512, 32_000))
    ),
    Peer(
        "sigmoid_focal_crossentropy",
        (256, 1000),
        multi_hot,
        LOGITS,
        {"torchvision": torchvision_focal},
    ),
    Peer(
        "generalized_sparse_categorical_crossentropy",
        (256, 1000),
        sparse,
        LOGITS,
        {"plain": lambda: plain_generalized},
    ),
    Peer(
        "symmetric_sparse_categorical_crossentropy",
        (256, 1000),
        sparse,
        LOGITS,
        {"plain": lambda: plain_symmetric},
    ),
    Peer(
        "asymmetric_loss",
        (256, 1000),
        multi_hot,
        {},
        {"timm": timm("AsymmetricLossMultiLabel", reduction="mean")},
    ),
    Peer("zlpr_loss", (256, 1000), multi_hot, {}, {"timm": timm("ZlprLoss")}),
    Peer("coral_loss", (1024, 99), sparse, {}, {"coral_pytorch": coral}),
    Peer("corn_loss", (1024, 99), sparse, {}, {"coral_pytorch": corn}),
    Peer(
        "jensen_shannon_loss",
        (128, 3, 1000),
        views,
        {},
        {"plain": lambda: plain_jensen_shannon},
    ),
]
PEERS += [Peer(**entry) for entry in ENTRIES]


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
