"""Classification losses have the values and gradients of other libraries."""

import math

import numpy as np
import pytest

from tests import tools
from tests.parity import inputs
from tests.parity.test_losses import assert_alike
from tests.parity.test_losses import each_dtype
from tfx_extras import losses

GOLDEN = inputs.Golden("classification")
COUNTS = [500, 20, 3, 120, 7]
# The formulas are the same on all backends, and references test each backend.
HAS_GPU = len(tools.devices()) > 1
pytestmark = pytest.mark.only("torch", *([tools.BACKEND] if HAS_GPU else []))
NAMES = {
    "gamma_neg": "gamma_negative",
    "gamma_pos": "gamma_positive",
    "clip": "margin",
    "smoothing": "label_smoothing",
    "s": "scale",
}
OF_TIMM = {"epsilon": 2.0}  # its default
LOGITS = {"from_logits": True}
# Our function, the arguments that are not in the case, and whether theirs has one value
# per class, or their sum.
OURS = {
    "AsymmetricLossMultiLabel": (losses.asymmetric_loss, {}, True),
    "ZlprLoss": (losses.zlpr_loss, {}, False),
    "PolyCrossEntropy": (
        losses.poly_sparse_categorical_crossentropy,
        OF_TIMM | LOGITS,
        False,
    ),
    "PolyBinaryCrossEntropy": (
        losses.poly_sigmoid_crossentropy,
        OF_TIMM | LOGITS,
        True,
    ),
    "poly_loss_cross_entropy": (losses.poly_categorical_crossentropy, LOGITS, False),
    "GeneralizedCrossEntropy": (
        losses.generalized_sparse_categorical_crossentropy,
        LOGITS,
        False,
    ),
    "SCELoss": (
        losses.symmetric_sparse_categorical_crossentropy,
        {"log_zero": math.log(1e-4)} | LOGITS,
        False,
    ),
    "LDAMLoss": (losses.ldam_loss, {"class_counts": COUNTS}, False),
    "bi_tempered_logistic_loss": (losses.sparse_bi_tempered_loss, {}, False),
    "cross_entropy": (
        losses.logit_adjusted_crossentropy,
        {"class_counts": COUNTS},
        False,
    ),
}


@tools.each_device
@each_dtype
@pytest.mark.parametrize(
    "name", [name for symbol in OURS for name in GOLDEN.named(symbol)]
)
def test_losses_are_those_of_other_libraries(name, dtype, tolerance, device):
    ours, also, mean = OURS[name.split(":")[0]]

    def function(y_true, y_pred, **arguments):
        arguments = {NAMES.get(k, k): v for k, v in arguments.items()}
        if ours is losses.sparse_bi_tempered_loss and "label_smoothing" in arguments:
            # They spread it over the other classes only.
            arguments["label_smoothing"] *= 5 / 4
        return ours(y_true, y_pred, **(also | arguments))

    assert_alike(GOLDEN, name, function, dtype, device, tolerance, mean)


@pytest.mark.parametrize("name", GOLDEN.named("compute_class_weights"))
def test_class_balanced_weights_are_those_of_timm(name):
    beta = GOLDEN.cases[name]["arguments"]["beta"]
    weights = losses.effective_number_weights(COUNTS, beta)
    expected = GOLDEN.arrays[f"{name}/weights"]  # in `float32`
    np.testing.assert_allclose(weights, expected, rtol=1e-6)
