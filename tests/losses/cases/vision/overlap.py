"""Cases of the overlap losses of masks."""

import numpy as np

from tests.losses.cases._case import LossCase
from tests.losses.cases.classification.crossentropy import SPARSE
from tests.references import overlap as references
from tfx_extras import losses

CLASSES = 3


def masks():
    """Masks of one class: right, wrong, empty, full and soft, with logits."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, (8, 2, 3, 1)).astype("float64")
    z = rng.integers(-64, 64, y.shape) / 16
    z[0] = 40 * y[0] - 20  # right, so that the loss is small
    z[1] = 20 - 40 * y[1]
    y[2:4], z[2], z[3] = 0, -100, 17
    y[4:6], z[4], z[5] = 1, -17, 1e4
    y[7] = y[7] / 2 + 0.25
    return y, z


def flat_masks():
    """Masks without an axis for their single class."""
    y, z = masks()
    return y[..., 0], z


def images():
    """Labels of classes and logits, with as many pixels as classes."""
    rng = np.random.default_rng(1)
    labels = rng.integers(0, CLASSES, (8, 3))
    labels[:3] = [[0, 1, 2], [0, 0, 0], [2, 2, 1]]
    z = rng.integers(-64, 64, (8, 3, CLASSES)) / 16
    one_hot = np.eye(CLASSES)[labels]
    z[0] = 20 * one_hot[0]  # right, so that the loss is small
    z[1] = -17 * one_hot[1]
    z[2] = 1e4 * one_hot[2]
    return labels, z


def dense_images():
    labels, z = images()
    y = np.eye(CLASSES)[labels]
    y[7] = y[7] / 2 + 1 / 8
    return y, z


def sparse_void():
    """Some pixels, and one image, have the ignored label -1."""
    labels, z = images()
    labels[2:, 1] = -1
    labels[4] = -1
    return labels, z


def dense_void():
    """Some pixels, and one image, are mostly of class 1, which is ignored."""
    labels, z = images()
    y = np.eye(CLASSES)[np.where(labels == 1, 2, labels)]
    y[2:, 1] = [0.25, 0.5, 0.25]
    y[4] = [0, 1, 0]
    return y, z


def shares():
    """Labels and probabilities, with empty and full classes."""
    y, _ = dense_images()
    rng = np.random.default_rng(2)
    q = rng.integers(0, 17, y.shape) / 16
    q[0], q[1], q[2] = y[0], 1 - y[1], [0, 2.0**-30, 1 - 2.0**-20]
    y[3], q[3] = 0, 0
    return y, q


def sparse_shares():
    labels, _ = images()
    rng = np.random.default_rng(2)
    q = rng.integers(0, 17, (8, 3, CLASSES)) / 16
    q[0], q[2] = np.eye(CLASSES)[labels[0]], [0, 2.0**-30, 1 - 2.0**-20]
    return labels, q


def inner_shares():
    """The labels above, and probabilities at which all losses are differentiable."""
    y, q = shares()
    return y, q * 0.875 + 1 / 16


def sparse_inner_shares():
    labels, q = sparse_shares()
    return labels, q * 0.875 + 1 / 16


DENSE = (
    ((2, 3), (2, 3, 4)),
    ((2, 3, 1), (2, 3, 4)),
    ((2, 3, 4), (2, 3)),
    ((1, 3, 4), (2, 3, 4)),
    ((2, 4, 3), (2, 3, 4)),
    ((2, 3, 4, 1), (2, 3, 4)),
    ((3,), (3,)),
    ((), (2, 3)),
    ((), ()),
)
WEIGHTS = [0.5, 2.0, 0.25]
INVALID = (
    {"smooth": -1.0},
    {"ignore_class": 2**31},
    {"activation": "relu"},
    {"over": "image"},
    {"axis": 0},
)
COMMON = {
    "class_weight": WEIGHTS,
    "ignore_class": 1,
    "activation": "sigmoid",
    "over": "batch",
}
OF_TVERSKY = {"alpha": 1.5, "beta": 0.25, "gamma": 2.0, "smooth": 0.5}
INVALID_TVERSKY = ({"alpha": -0.5}, {"beta": -0.5}, {"gamma": 0.0}, *INVALID)
# Each loss: its own arguments, changed and invalid.
FAMILY = {
    "tversky_loss": (OF_TVERSKY, INVALID_TVERSKY),
    "dice_loss": ({"smooth": 0.0}, INVALID),
    "jaccard_loss": ({"smooth": 0.0}, INVALID),
    "focal_tversky_loss": (OF_TVERSKY, INVALID_TVERSKY),
    "generalized_dice_loss": (
        {"power": 1.0, "smooth": 0.5},
        ({"power": -1.0}, {"power": 2.5}, *INVALID),
    ),
}


def _form(name):
    parts = [part.capitalize() for part in name.split("_")]
    cls = getattr(losses, "".join(parts))
    return getattr(losses, name), cls, getattr(references, name)


def _shared(name):
    """Two cases of each loss, which change all arguments."""
    own, invalid = FAMILY[name.removeprefix("sparse_")]
    is_sparse = name.startswith("sparse_")
    form = _form(name)
    void = sparse_void if is_sparse else dense_void
    return [
        LossCase(
            *form,
            sparse_shares if is_sparse else shares,
            smooth=sparse_inner_shares if is_sparse else inner_shares,
            changes=own | COMMON,
            invalid=invalid,
            unequal=SPARSE if is_sparse else DENSE,
            images=True,
            activation="sigmoid",
        ),
        LossCase(
            *form,
            void,
            {
                "activation": "softmax",
                "class_weight": WEIGHTS,
                "ignore_class": -1 if is_sparse else 1,
            },
            changes={"axis": 1},
            images=True,
        ),
    ]


TVERSKY = _form("tversky_loss")
SPARSE_TVERSKY = _form("sparse_tversky_loss")
GENERALIZED = _form("generalized_dice_loss")
SIGMOID = {"activation": "sigmoid"}
SOFTMAX = {"activation": "softmax"}
BATCH = {"over": "batch"}
CASES = [
    *(case for name in FAMILY for case in _shared(name)),
    *(case for name in FAMILY for case in _shared(f"sparse_{name}")),
    LossCase(*TVERSKY, masks, SIGMOID, images=True),
    LossCase(*TVERSKY, flat_masks, SIGMOID | {"gamma": 0.5}, images=True),
    LossCase(
        *TVERSKY, shares, {"smooth": 0.0, "gamma": 2.0}, inner_shares, images=True
    ),
    LossCase(
        *TVERSKY, dense_void, SOFTMAX | BATCH | {"ignore_class": 1}, images=True,
        coupled=True,
    ),
    LossCase(*TVERSKY, dense_images, SOFTMAX | {"axis": 1}, images=True),
    LossCase(
        *SPARSE_TVERSKY, sparse_void, SOFTMAX | BATCH | {"ignore_class": -1},
        images=True, coupled=True,
    ),
    LossCase(*SPARSE_TVERSKY, images, SIGMOID | {"axis": -2}, images=True),
    LossCase(*GENERALIZED, masks, SIGMOID | {"smooth": 0.0}, images=True),
    LossCase(
        *GENERALIZED, dense_images, SOFTMAX | BATCH | {"power": 0.5}, images=True,
        coupled=True,
    ),
]  # fmt: skip
