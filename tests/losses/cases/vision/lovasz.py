"""Cases of the Lovasz losses of masks."""

import numpy as np

from tests.losses.cases._case import LossCase
from tests.losses.cases.classification.crossentropy import SPARSE
from tests.references import lovasz as references
from tfx_extras import losses

CLASSES = 3


def regular_masks():
    """Masks and logits whose errors all differ."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, (8, 2, 3))
    y[1], y[2] = 0, 1
    z = rng.permutation(np.arange(-24, 24)).reshape(y.shape) / 8 + 1 / 32
    return y, z


def masks():
    """The masks above, and some that are right or wrong with certainty."""
    y, z = regular_masks()
    z[3] = 40 * y[3] - 20
    z[4] = 20 - 40 * y[4]
    z[5] = 1e4 * z[5]
    return y, z


def void_masks():
    """Some pixels, and one image, have the ignored label 255."""
    y, z = regular_masks()
    y[3:, 1, :2] = 255
    y[4] = 255
    return y, z


def regular_images():
    """Labels and logits, with as many pixels as classes."""
    rng = np.random.default_rng(1)
    labels = rng.integers(0, CLASSES, (8, 3))
    labels[:3] = [[0, 1, 2], [0, 0, 0], [2, 2, 1]]
    return labels, rng.permutation(np.arange(-36, 36)).reshape(8, 3, CLASSES) / 16


def images():
    """The images above, and some that are right or wrong with certainty."""
    labels, z = regular_images()
    one_hot = np.eye(CLASSES)[labels]
    z[3], z[4], z[5] = 20 * one_hot[3], -17 * one_hot[4], 1e4 * one_hot[5]
    return labels, z


def void_images():
    """Some pixels, and one image, have the ignored label -1."""
    labels, z = regular_images()
    labels[3:, 1] = -1
    labels[4] = -1
    return labels, z


def regular_shares():
    """Labels and probabilities whose errors all differ."""
    labels, z = regular_images()
    return labels, z / 8 + 0.5


def shares():
    """The probabilities above, and some at the bounds."""
    labels, q = regular_shares()
    q[3], q[4] = np.eye(CLASSES)[labels[3]], [0, 2.0**-30, 1 - 2.0**-20]
    return labels, q


HINGE = (
    losses.lovasz_hinge_loss,
    losses.LovaszHingeLoss,
    references.lovasz_hinge_loss,
)
SOFTMAX = (
    losses.lovasz_softmax_loss,
    losses.LovaszSoftmaxLoss,
    references.lovasz_softmax_loss,
)
BINARY = (
    ((3,), (3, 2)),
    ((3, 1), (3, 2)),
    ((1, 2), (3, 2)),
    ((2, 3), (3, 2)),
    ((3, 2), (3, 1, 2)),
    ((3, 2, 2), (3, 2)),
    ((3,), (3,)),
    ((), (3, 2)),
    ((), ()),
)
LOGITS = {"from_logits": True}
CASES = [
    LossCase(
        *HINGE,
        masks,
        smooth=regular_masks,
        changes={"ignore_class": 1, "over": "batch"},
        invalid=({"ignore_class": 2**31}, {"over": "image"}),
        unequal=BINARY,
        images=True,
        has_classes=False,
    ),
    LossCase(*HINGE, void_masks, {"ignore_class": 255}, images=True, has_classes=False),
    LossCase(
        *HINGE,
        void_masks,
        {"ignore_class": 255, "over": "batch"},
        images=True,
        has_classes=False,
        coupled=True,
    ),
    LossCase(
        *SOFTMAX,
        shares,
        smooth=regular_shares,
        changes={
            "classes": "all",
            "ignore_class": 1,
            "from_logits": True,
            "over": "batch",
        },
        invalid=(
            {"classes": "some"},
            {"ignore_class": 2**31},
            {"over": "image"},
            {"axis": 0},
        ),
        unequal=SPARSE,
        images=True,
        activation="softmax",
    ),
    LossCase(
        *SOFTMAX,
        images,
        LOGITS,
        smooth=regular_images,
        changes={"axis": 1},
        images=True,
    ),
    LossCase(
        *SOFTMAX,
        void_images,
        LOGITS | {"classes": "all", "ignore_class": -1},
        images=True,
    ),
    LossCase(
        *SOFTMAX,
        void_images,
        LOGITS | {"over": "batch", "ignore_class": -1},
        images=True,
        coupled=True,
    ),
    LossCase(*SOFTMAX, regular_images, LOGITS | {"axis": 1}, images=True),
]
