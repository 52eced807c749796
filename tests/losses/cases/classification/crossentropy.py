"""Cases of the focal and smoothed cross-entropies."""

import numpy as np

from tests.losses.cases._case import ELEMENTS
from tests.losses.cases._case import LossCase
from tests.losses.cases._case import binary
from tests.references import losses as references
from tfx_extras import losses

Z = [-1e4, -100.0, -20.0, -1.0, -1e-3, 0.0, 0.5, 3.0, 17.0, 50.0, 1e4]
P = [0.0, 1e-9, 1e-3, 0.2, 0.5, 0.9, 1 - 2.0**-20, 1.0]


def binary_logits():
    return binary(Z)


def binary_probabilities():
    return binary(P)


def binary_rows():
    y, z = binary([-3.0, -1.0, 0.0, 0.5, 2.0, 7.0])
    return y.reshape(-1, 3), z.reshape(-1, 3)


ROWS = np.array(
    [
        [0, 0, 0, 0],
        [1, -2, 0.5, 3],
        [1e-3, 0, -1e-3, 2e-3],
        [15, 0, 17, 16],
        [20, -20, 3, 0],
        [100, -100, 50, 0],
        [1e4, -1e4, 0, 1],
        [-1e4, -1e4, -1e4, 1e4],
        [1e4, 1e4, 0, -1e4],
    ]
)
SHARES = np.array(
    [[1, 0, 0, 0], [0, 0, 0, 1], [0, 0.25, 0.75, 0], [0.125, 0.5, 0.125, 0.25]]
)
CHANCES = np.array(
    [
        [1, 0, 0, 0],
        [0, 0, 1, 0],
        [0.5, 0.5, 0, 0],
        [1e-9, 0.25, 0.75, 0],
        [0.1, 0.2, 0.3, 0.4],
        [2, 4, 6, 8],
    ]
)


def sparse(rows=ROWS):
    """Every row with every class as its label."""
    classes = rows.shape[-1]
    return np.tile(np.arange(classes), len(rows)), np.repeat(rows, classes, axis=0)


def dense(rows=ROWS):
    """Every row with several distributions as its label."""
    return np.tile(SHARES, (len(rows), 1)), np.repeat(rows, len(SHARES), axis=0)


def sparse_chances():
    return sparse(CHANCES)


def dense_chances():
    return dense(CHANCES)


def sparse_inner_chances():
    return sparse(CHANCES[-2:])


def dense_inner_chances():
    return dense(CHANCES[-2:])


def sparse_images():
    """Images in which axis 1 could be the class axis as well as axis 2."""
    rng = np.random.default_rng(0)
    return rng.integers(0, 3, (4, 3)), rng.integers(-64, 64, (4, 3, 3)) / 16


def dense_images():
    labels, z = sparse_images()
    return np.eye(3)[np.roll(labels, 1)], z


def sparse_void():
    """Some labels are -1, the ignored class."""
    labels, z = sparse()
    return np.where(np.arange(len(labels)) % 3 == 1, -1, labels), z


DENSE = (
    ((3,), (3, 4)),
    ((3, 1), (3, 4)),
    ((1, 4), (3, 4)),
    ((4, 3), (3, 4)),
    ((3, 4), (3, 4, 1)),
    ((4,), (4,)),
    ((), (3, 4)),
)
SPARSE = (
    ((1,), (3, 4)),
    ((1, 1), (3, 4)),
    ((3, 2), (3, 4)),
    ((3, 4), (3, 4)),
    ((2,), (3, 4)),
    ((3, 1, 1), (3, 4)),
    ((3, 2), (3, 5, 4)),
    ((3, 1), (3, 5, 4)),
    ((), (3, 4)),
    ((), (4,)),
    ((4,), (4,)),
)
SIGMOID = (
    losses.sigmoid_focal_crossentropy,
    losses.SigmoidFocalCrossentropy,
    references.sigmoid_focal_crossentropy,
)
FOCAL = (
    losses.categorical_focal_crossentropy,
    losses.CategoricalFocalCrossentropy,
    references.categorical_focal_crossentropy,
)
SPARSE_FOCAL = (
    losses.sparse_categorical_focal_crossentropy,
    losses.SparseCategoricalFocalCrossentropy,
    references.sparse_categorical_focal_crossentropy,
)
SMOOTHED = (
    losses.smoothed_categorical_crossentropy,
    losses.SmoothedCategoricalCrossentropy,
    references.smoothed_categorical_crossentropy,
)
SPARSE_SMOOTHED = (
    losses.smoothed_sparse_categorical_crossentropy,
    losses.SmoothedSparseCategoricalCrossentropy,
    references.smoothed_sparse_categorical_crossentropy,
)
FOCAL_INVALID = (
    {"alpha": -0.1},
    {"gamma": -1.0},
    {"gamma": float("nan")},
    {"label_smoothing": 1.5},
    {"ignore_class": 2**31},
    {"axis": 0},
)
SMOOTHED_INVALID = (
    {"label_smoothing": -0.1},
    {"label_smoothing": 1.1},
    {"z_loss": -1e-4},
    {"z_loss": float("inf")},
    {"ignore_class": -(2**31) - 1},
    {"axis": 0},
)
WEIGHTS = [0.5, 2.0, 0.0, 1.0]


def _classes(form, data, images, chances, inner, void, unequal, invalid, focal):
    """The cases that the dense and the sparse form of a loss share."""
    shared = {"from_logits": True}
    weights = "alpha" if focal else "class_weight"
    own = {"gamma": 3.0, "alpha": 0.5} if focal else {"z_loss": 0.5}
    return [
        LossCase(
            *form,
            data,
            shared,
            changes={"label_smoothing": 0.25, weights: WEIGHTS} | own,
            invalid=invalid,
            unequal=unequal,
        ),
        LossCase(
            *form,
            chances,
            smooth=inner,
            changes={"from_logits": True},
            unequal=unequal,
        ),
        LossCase(*form, data, shared | {weights: WEIGHTS, "label_smoothing": 0.25}),
        LossCase(*form, void, shared | {"ignore_class": 2}, changes={"ignore_class": 1})
        if void is data
        else LossCase(
            *form, void, shared | {"ignore_class": -1}, changes={"label_smoothing": 1.0}
        ),
        LossCase(*form, images, shared | {"axis": 1}, changes={"axis": 2}),
        LossCase(
            *form,
            images,
            shared | {"axis": -2, "ignore_class": 1, "label_smoothing": 0.5},
            changes={"ignore_class": None, "axis": -1},
        ),
    ]


SPARSE_COMMON = (sparse, sparse_images, sparse_chances, sparse_inner_chances)
DENSE_COMMON = (dense, dense_images, dense_chances, dense_inner_chances)
CASES = [
    LossCase(
        *SIGMOID,
        binary_logits,
        {"from_logits": True},
        changes={"alpha": 0.5, "gamma": 1.0, "label_smoothing": 0.2},
        invalid=(
            {"alpha": 1.5},
            {"alpha": -0.5},
            {"gamma": -1.0},
            {"label_smoothing": 2.0},
        ),
        unequal=ELEMENTS,
    ),
    LossCase(
        *SIGMOID,
        binary_probabilities,
        smooth=lambda: binary([0.0625, 0.2, 0.5, 0.9]),
        changes={"from_logits": True},
        unequal=ELEMENTS,
    ),
    LossCase(
        *SIGMOID,
        binary_probabilities,
        {"gamma": 0.5, "label_smoothing": 0.25},
        smooth=lambda: binary([0.0625, 0.2, 0.5, 0.9]),
    ),
    LossCase(
        *SIGMOID, binary_logits, {"alpha": None, "gamma": 0.0, "from_logits": True}
    ),
    LossCase(*SIGMOID, binary_logits, {"gamma": 0.5, "from_logits": True}),
    LossCase(
        *SIGMOID,
        binary_rows,
        {"alpha": 1.0, "label_smoothing": 1.0, "from_logits": True},
        changes={"alpha": 0.0},
    ),
    *_classes(FOCAL, *DENSE_COMMON, dense, DENSE, FOCAL_INVALID, focal=True),
    LossCase(*FOCAL, dense, {"gamma": 0.5, "from_logits": True}),
    LossCase(*FOCAL, dense, {"alpha": None, "gamma": 0.0, "from_logits": True}),
    LossCase(*FOCAL, dense_chances, {"gamma": 0.5}, dense_inner_chances),
    *_classes(
        SPARSE_FOCAL, *SPARSE_COMMON, sparse_void, SPARSE, FOCAL_INVALID, focal=True
    ),
    LossCase(*SPARSE_FOCAL, sparse, {"gamma": 0.5, "from_logits": True}),
    LossCase(*SPARSE_FOCAL, sparse, {"alpha": None, "gamma": 0, "from_logits": True}),
    LossCase(*SPARSE_FOCAL, sparse_chances, {"gamma": 0.5}, sparse_inner_chances),
    *_classes(SMOOTHED, *DENSE_COMMON, dense, DENSE, SMOOTHED_INVALID, focal=False),
    LossCase(
        *SMOOTHED,
        dense,
        {"z_loss": 1e-4, "class_weight": WEIGHTS, "from_logits": True},
    ),
    LossCase(*SMOOTHED, dense_chances, {"class_weight": WEIGHTS}, dense_inner_chances),
    *_classes(
        SPARSE_SMOOTHED,
        *SPARSE_COMMON,
        sparse_void,
        SPARSE,
        SMOOTHED_INVALID,
        focal=False,
    ),
    LossCase(
        *SPARSE_SMOOTHED,
        sparse,
        {"z_loss": 1e-4, "class_weight": WEIGHTS, "from_logits": True},
    ),
    LossCase(*SPARSE_SMOOTHED, sparse, {"label_smoothing": 0.0, "from_logits": True}),
]
