"""The other losses, compared with TensorFlow Addons where it is right and where not.

There, a loss that couples the samples of a batch is a single number. Here, each sample
has a loss, whose mean is that number.
"""

import keras
import numpy as np
import pytest
from keras import ops

from tests import tools
from tests.parity import inputs
from tfx_extras import losses

TFA = inputs.Golden("tfa_losses")
OURS = {
    "triplet_semihard_loss": "triplet_semi_hard_loss",
    "triplet_hard_loss": "triplet_hard_loss",
    "lifted_struct_loss": "lifted_structured_loss",
    "npairs_loss": "n_pairs_loss",
    "npairs_multilabel_loss": "n_pairs_multilabel_loss",
    "pinball_loss": "pinball_loss",
    "sparsemax_loss": "sparsemax_loss",
    "weighted_kappa_loss": "weighted_kappa_loss",
    "giou_loss": "giou_loss",
}
RIGHT = [name for symbol in OURS for name in TFA.named(symbol)]
# One case of each loss on backends that compile; references test each loss there too.
IS_ALL = tools.BACKEND == "torch" or len(tools.devices()) > 1
SOME = RIGHT if IS_ALL else [TFA.named(symbol)[0] for symbol in OURS]
WRONG = [name for symbol in OURS for name in TFA.named(symbol, fault=True)]


def ours(name, device, **changed):
    """The loss of each sample, and the gradient of their sum, on `name`'s inputs."""
    case = TFA.cases[name]
    function = getattr(losses, OURS[name.split(":")[0]])
    y_true, y_pred = (TFA.inputs[case[key]] for key in ("y_true", "y_pred"))
    if y_true.dtype.kind == "f":
        y_true = y_true.astype(case["dtype"])
    y_pred = y_pred.astype(case["dtype"])
    with tools.wide(), keras.device(device):
        labels = ops.convert_to_tensor(y_true)

        def loss(y_pred):
            return function(labels, y_pred, **case["arguments"] | changed)

        return tools.values_and_gradient(loss, y_pred)


def theirs(name):
    return TFA.arrays[f"{name}/value"], TFA.arrays[f"{name}/gradient"]


def find(symbol, y_true, y_pred, names=WRONG):
    """The name of the only case with these inputs."""
    (name,) = (
        name
        for name in names
        if name.split(":")[0] == symbol
        and (TFA.cases[name]["y_true"], TFA.cases[name]["y_pred"]) == (y_true, y_pred)
    )
    return name


@tools.each_device
@pytest.mark.parametrize("name", SOME)
def test_losses_are_those_of_tensorflow_addons(name, device):
    values, slope = ours(name, device)
    value, gradient = theirs(name)
    if value.shape == ():
        values, slope = values.sum() / len(values), slope / len(values)
    assert values.shape == value.shape
    tolerance = {"float64": 1e-9, "float32": 1e-5}[TFA.cases[name]["dtype"]]
    np.testing.assert_allclose(values, value, rtol=tolerance)
    # Where box edges meet, any value between the derivatives of both sides is right.
    if TFA.cases[name]["y_pred"] != "touching":
        error = np.abs(slope - gradient).max()
        assert error <= tolerance * np.abs(gradient).max()


@tools.each_device
@pytest.mark.parametrize(
    ("symbol", "y_true"),
    [
        ("triplet_semihard_loss", "distinct"),  # NaN
        # With no negatives, their maximum distance is taken as 0.
        ("triplet_semihard_loss", "one"),
        # With no negatives, the loss is the margin, 1.0.
        ("triplet_hard_loss", "one"),
        ("lifted_struct_loss", "distinct"),  # NaN
        ("lifted_struct_loss", "one"),  # NaN
    ],
)
def test_a_batch_without_pairs_has_no_loss(symbol, y_true, device):
    name = find(symbol, y_true, "points")
    assert not theirs(name)[0] <= 0
    values, slope = ours(name, device)
    np.testing.assert_array_equal(values, np.zeros(12))
    np.testing.assert_array_equal(slope, np.zeros((12, 4)))


@tools.each_device
def test_an_anchor_without_a_positive_has_no_loss(device):
    name = find("triplet_hard_loss", "lonely", "points")
    values, _ = ours(name, device)
    anchor, points = 8, TFA.inputs["points"]
    assert values[anchor] == 0
    # TensorFlow Addons takes 0 as the distance to the anchor's farthest positive, and
    # counts the anchor in its mean.
    distances = np.linalg.norm(np.delete(points, anchor, 0) - points[anchor], axis=1)
    invented = np.maximum(0, 1 - distances.min())
    assert invented > 0
    mean = (12 * theirs(name)[0] - invented) / 11
    np.testing.assert_allclose(values.sum() / 12, mean, rtol=1e-5)


@tools.each_device
def test_the_soft_margin_of_far_points_does_not_overflow(device):
    name = find("triplet_hard_loss", "few", "far")
    assert np.isinf(theirs(name)[0])
    values, slope = ours(name, device)
    hinge, slope_of_hinge = ours(name, device, soft=False, margin=0.0)
    np.testing.assert_allclose(values, hinge, rtol=1e-5)
    np.testing.assert_allclose(slope, slope_of_hinge, atol=1e-5)
    assert hinge.max() > 88  # above this, exp is infinite in float32


@tools.each_device
@pytest.mark.parametrize("y_true", ["large_ids", "column"])
def test_n_pairs_keep_their_labels_apart_and_together(y_true, device):
    # float32 merges the ids, and labels in a column give NaN in TensorFlow Addons.
    value, _ = theirs(find("npairs_loss", "few", "similarities", RIGHT))
    name = find("npairs_loss", y_true, "similarities")
    assert not abs(theirs(name)[0] / value - 1) < 1e-2
    values, _ = ours(name, device)
    np.testing.assert_allclose(values.sum() / 12, value, rtol=1e-5)


@tools.each_device
def test_a_row_without_labels_has_no_loss(device):
    name = find("npairs_multilabel_loss", "unlabeled", "similarities")
    assert np.isnan(theirs(name)[0])
    values, slope = ours(name, device)
    row = 5
    assert values[row] == 0
    np.testing.assert_array_equal(slope[row], np.zeros(12))
    assert (np.delete(values, row) > 0).all()


@tools.each_device
def test_sparsemax_loss_of_huge_scores_is_exact(device):
    name = find("sparsemax_loss", "huge_classes", "huge_scores")
    assert np.isnan(theirs(name)[0]).all()
    values, slope = ours(name, device)
    np.testing.assert_allclose(values, [0, 1 / 3], rtol=1e-6)
    third = 1 / 3
    expected = [[0, 0, 0, 0], [third, -2 * third, third, 0]]
    np.testing.assert_allclose(slope, expected, rtol=1e-6)


@tools.each_device
def test_inverted_boxes_have_a_gradient(device):
    name = find("giou_loss", "upright", "inverted")
    assert not theirs(name)[1].any()
    values, slope = ours(name, device)
    assert np.isfinite(values).all()
    assert np.isfinite(slope).all()
    assert slope.any(-1).all()
