"""Losses of masks have the values and gradients of MONAI and of the authors' code."""

import numpy as np
import pytest

from tests import tools
from tests.parity import inputs
from tfx_extras import losses

GOLDEN = inputs.Golden("segmentation")
# The formulas are the same on all backends, and references test each backend.
pytestmark = pytest.mark.only("torch")
each_dtype = pytest.mark.parametrize(
    ("dtype", "tolerance"), [("float64", 1e-10), ("float32", 1e-5)]
)
POWERS = {"square": 2, "simple": 1, "uniform": 0}


def assert_alike(name, function, y_true, y_pred, dtype, tolerance):
    value, gradient = (GOLDEN.arrays[f"{name}/{k}"] for k in ("value", "gradient"))
    given = inputs.segmentation()
    y_pred = given[y_pred].astype(dtype)

    def loss(x):
        found = function(given[y_true], x)
        return found if len(value) > 1 else found[:1]

    actual, slope = tools.values_and_gradient(loss, y_pred)
    np.testing.assert_allclose(actual, value, rtol=tolerance)
    least = tolerance * np.abs(gradient).max()
    np.testing.assert_allclose(slope, gradient, rtol=tolerance, atol=least)


def activation(case):
    (found,) = [k for k in ("sigmoid", "softmax") if case.get(k)] or [None]
    return found


@each_dtype
@pytest.mark.parametrize("name", GOLDEN.named("DiceLoss"))
def test_dice_and_jaccard_losses_are_those_of_monai(name, dtype, tolerance):
    case = GOLDEN.cases[name]["arguments"]
    function = losses.jaccard_loss if "jaccard" in case else losses.dice_loss
    has = activation(case)

    def loss(y_true, y_pred):
        return function(
            y_true,
            y_pred,
            smooth=case["smooth_nr"] / 2,
            activation=has,
            over="batch" if "batch" in case else "sample",
        )

    assert_alike(name, loss, "one_hot", "logits" if has else "shares", dtype, tolerance)


@each_dtype
@pytest.mark.parametrize("name", GOLDEN.named("TverskyLoss"))
def test_the_tversky_loss_is_that_of_monai(name, dtype, tolerance):
    case = GOLDEN.cases[name]["arguments"]

    def loss(y_true, y_pred):
        return losses.tversky_loss(
            y_true,
            y_pred,
            case["alpha"],
            case["beta"],
            smooth=case["smooth_nr"],
            activation=activation(case),
            over="batch" if "batch" in case else "sample",
        )

    assert_alike(name, loss, "one_hot", "logits", dtype, tolerance)


@each_dtype
@pytest.mark.parametrize("name", GOLDEN.named("GeneralizedDiceLoss"))
def test_the_generalized_dice_loss_is_that_of_monai(name, dtype, tolerance):
    case = GOLDEN.cases[name]["arguments"]

    def loss(y_true, y_pred):
        return losses.generalized_dice_loss(
            y_true,
            y_pred,
            POWERS[case.get("w_type", "square")],
            case.get("smooth_nr", 1e-5),
            activation=activation(case),
            over="batch" if "batch" in case else "sample",
        )

    # MONAI computes the weights in float32.
    tolerance = max(tolerance, 1e-7)
    assert_alike(name, loss, "one_hot", "logits", dtype, tolerance)


@each_dtype
@pytest.mark.parametrize("name", GOLDEN.named("lovasz_hinge"))
def test_the_lovasz_hinge_loss_is_that_of_the_authors(name, dtype, tolerance):
    case = GOLDEN.cases[name]["arguments"]

    def loss(y_true, y_pred):
        return losses.lovasz_hinge_loss(
            y_true,
            y_pred,
            case.get("ignore"),
            over="sample" if case["per_image"] else "batch",
        )

    y_true = "void_masks" if "ignore" in case else "masks"
    assert_alike(name, loss, y_true, "scores", dtype, tolerance)


@each_dtype
@pytest.mark.parametrize("name", GOLDEN.named("lovasz_softmax"))
def test_the_lovasz_softmax_loss_is_that_of_the_authors(name, dtype, tolerance):
    case = GOLDEN.cases[name]["arguments"]

    def loss(y_true, y_pred):
        return losses.lovasz_softmax_loss(
            y_true,
            y_pred,
            case["classes"],
            case.get("ignore"),
            over="sample" if case["per_image"] else "batch",
        )

    assert_alike(name, loss, "classes", "shares", dtype, tolerance)
