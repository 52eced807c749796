"""Cases of the Poly-1 losses."""

from tests.losses.cases._case import ELEMENTS
from tests.losses.cases._case import LossCase
from tests.losses.cases._case import binary
from tests.losses.cases.classification._of_classes import of_classes
from tests.losses.cases.classification.crossentropy import binary_logits
from tests.losses.cases.classification.crossentropy import binary_probabilities
from tests.references import classification as references
from tfx_extras import losses

DENSE = (
    losses.poly_categorical_crossentropy,
    losses.PolyCategoricalCrossentropy,
    references.poly_categorical_crossentropy,
)
SPARSE = (
    losses.poly_sparse_categorical_crossentropy,
    losses.PolySparseCategoricalCrossentropy,
    references.poly_sparse_categorical_crossentropy,
)
SIGMOID = (
    losses.poly_sigmoid_crossentropy,
    losses.PolySigmoidCrossentropy,
    references.poly_sigmoid_crossentropy,
)
CHANGES = {"epsilon": 3.0, "label_smoothing": 0.25}
INVALID = ({"epsilon": -1.5}, {"epsilon": float("inf")}, {"label_smoothing": 1.5})
OTHERS = (
    {"epsilon": 0.0},
    {"epsilon": -1.0},
    {"epsilon": -0.5, "label_smoothing": 0.25},
)


def inner_probabilities():
    return binary([0.0625, 0.2, 0.5, 0.9])


CASES = [
    *of_classes(DENSE, CHANGES, INVALID, OTHERS),
    *of_classes(SPARSE, CHANGES, INVALID, OTHERS),
    LossCase(
        *SIGMOID,
        binary_logits,
        {"from_logits": True},
        changes={"gamma": 2.0, "alpha": 0.25} | CHANGES,
        invalid=(*INVALID, {"gamma": -1.0}, {"alpha": 1.5}),
        unequal=ELEMENTS,
    ),
    LossCase(
        *SIGMOID,
        binary_probabilities,
        smooth=inner_probabilities,
        changes={"from_logits": True},
        unequal=ELEMENTS,
    ),
    LossCase(
        *SIGMOID,
        binary_logits,
        {"epsilon": -1.0, "gamma": 2.0, "alpha": 0.25, "from_logits": True},
    ),
    LossCase(*SIGMOID, binary_logits, {"epsilon": -1.0, "from_logits": True}),
    LossCase(
        *SIGMOID,
        binary_probabilities,
        {"gamma": 0.5, "label_smoothing": 0.25},
        smooth=inner_probabilities,
    ),
]
