"""Cases of the losses for noisy labels."""

from tests.losses.cases.classification._of_classes import of_classes
from tests.references import classification as references
from tfx_extras import losses

GENERALIZED = (
    losses.generalized_categorical_crossentropy,
    losses.GeneralizedCategoricalCrossentropy,
    references.generalized_categorical_crossentropy,
)
SPARSE_GENERALIZED = (
    losses.generalized_sparse_categorical_crossentropy,
    losses.GeneralizedSparseCategoricalCrossentropy,
    references.generalized_sparse_categorical_crossentropy,
)
SYMMETRIC = (
    losses.symmetric_categorical_crossentropy,
    losses.SymmetricCategoricalCrossentropy,
    references.symmetric_categorical_crossentropy,
)
SPARSE_SYMMETRIC = (
    losses.symmetric_sparse_categorical_crossentropy,
    losses.SymmetricSparseCategoricalCrossentropy,
    references.symmetric_sparse_categorical_crossentropy,
)
GENERALIZED_CASES = (
    {"q": 0.25},
    ({"q": -0.1}, {"q": 1.5}, {"q": float("nan")}),
    ({"q": 0.0}, {"q": 1.0}, {"q": 1e-3}),
)
SYMMETRIC_CASES = (
    {"alpha": 6.0, "beta": 0.1, "log_zero": -1.0},
    ({"alpha": -0.1}, {"beta": float("inf")}, {"log_zero": 1.0}),
    ({"alpha": 0.0}, {"beta": 0.0}, {"log_zero": -0.5}),
)
CASES = [
    *of_classes(GENERALIZED, *GENERALIZED_CASES),
    *of_classes(SPARSE_GENERALIZED, *GENERALIZED_CASES),
    *of_classes(SYMMETRIC, *SYMMETRIC_CASES),
    *of_classes(SPARSE_SYMMETRIC, *SYMMETRIC_CASES),
]
