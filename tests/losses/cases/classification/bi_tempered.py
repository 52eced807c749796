"""Cases of the bi-tempered logistic loss."""

import numpy as np

from tests.losses.cases._case import LossCase
from tests.losses.cases.classification import crossentropy as data
from tests.references import classification as references
from tfx_extras import losses

# In float32, powers of probabilities below 1e-20 lose digits.
MILD = np.array([[0, 0, 0, 0], [1, -2, 0.5, 3], [4, 0, 5, 4.5], [8, -8, 3, 0]])


def mild():
    return data.dense(MILD)


def sparse_mild():
    return data.sparse(MILD)


def of_labels(form, rows, mild, void, images, unequal):
    """The cases that the dense and the sparse form share."""
    return [
        LossCase(
            *form,
            rows,
            changes={"t1": 0.5, "t2": 2.0, "label_smoothing": 0.25},
            invalid=(
                {"t1": -0.1},
                {"t1": 1.1},
                {"t2": 0.9},
                {"t2": 6.0},
                {"label_smoothing": 1.5},
                {"ignore_class": 2**31},
                {"axis": 0},
            ),
            unequal=unequal,
            last_is_known=True,
        ),
        LossCase(*form, mild, {"t1": 1.0, "t2": 1.0}),
        LossCase(*form, mild, {"t1": 0.0, "t2": 4.0}),
        LossCase(*form, mild, {"t1": 0.5, "t2": 1.0, "label_smoothing": 0.25}),
        LossCase(*form, mild, {"t1": 1.0, "label_smoothing": 0.5}),
        void,
        LossCase(*form, images, {"axis": 1}, changes={"axis": 2}),
        LossCase(
            *form,
            images,
            {"axis": -2, "ignore_class": 1, "label_smoothing": 0.5},
            changes={"ignore_class": None},
        ),
    ]


DENSE = (
    losses.bi_tempered_loss,
    losses.BiTemperedLoss,
    references.bi_tempered_loss,
)
SPARSE = (
    losses.sparse_bi_tempered_loss,
    losses.SparseBiTemperedLoss,
    references.sparse_bi_tempered_loss,
)
CASES = [
    *of_labels(
        DENSE,
        data.dense,
        mild,
        LossCase(*DENSE, data.dense, {"ignore_class": 2}, changes={"ignore_class": 1}),
        data.dense_images,
        data.DENSE,
    ),
    *of_labels(
        SPARSE,
        data.sparse,
        sparse_mild,
        LossCase(*SPARSE, data.sparse_void, {"ignore_class": -1}),
        data.sparse_images,
        data.SPARSE,
    ),
]
