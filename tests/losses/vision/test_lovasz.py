"""Values of the Lovasz losses that users rely on."""

import numpy as np
import pytest

from tests.losses.cases.vision.lovasz import regular_images
from tests.losses.cases.vision.lovasz import regular_masks
from tests.losses.cases.vision.lovasz import void_images
from tests.losses.cases.vision.lovasz import void_masks
from tests.tools import array
from tests.tools import gradient
from tests.tools import values_and_gradient
from tests.tools import wide
from tfx_extras import losses

# JAX has no code of its own here; the contracts test its values and gradients.
pytestmark = pytest.mark.only("tensorflow", "torch")


def iou(y, found):
    return (y & found).sum() / (y | found).sum()


def test_for_thresholded_probabilities_it_is_one_minus_the_iou():
    labels, z = regular_images()
    p = np.eye(3)[z.argmax(-1)]
    for classes in ("present", "all"):
        actual = array(losses.lovasz_softmax_loss(labels, p, classes))
        for value, y, found in zip(actual, labels, z.argmax(-1), strict=True):
            each = {c: (y == c, found == c) for c in range(3)}
            some = [
                1 - iou(*both) if both[0].any() else float(both[1].any())
                for both in each.values()
                if classes == "all" or both[0].any()
            ]
            np.testing.assert_allclose(value, np.mean(some), rtol=1e-6, atol=1e-7)


def test_a_mask_beyond_the_margin_costs_nothing():
    y, _ = regular_masks()
    z = 2.0 * y - 1
    np.testing.assert_array_equal(array(losses.lovasz_hinge_loss(y, z)), 0)
    wrong = losses.lovasz_hinge_loss(y, -z)
    np.testing.assert_allclose(array(wrong), 2, rtol=1e-6)


def test_without_an_object_only_the_most_wrong_pixel_matters():
    z = np.float32([[0.5, -3.0, 0.25], [-2.0, -3.0, -1.5]])
    y = np.zeros(z.shape, "int32")
    value, slope = values_and_gradient(lambda x: losses.lovasz_hinge_loss(y, x), z)
    np.testing.assert_allclose(value, [1.5, 0], rtol=1e-6)
    np.testing.assert_array_equal(slope, [[1, 0, 0], [0, 0, 0]])


@pytest.mark.parametrize("over", ["sample", "batch"])
def test_ignored_pixels_are_as_if_removed(over):

    def hinge(y, z, **kwargs):
        return losses.lovasz_hinge_loss(y, z, over=over, **kwargs)

    def softmax(y, z, **kwargs):
        return losses.lovasz_softmax_loss(y, z, from_logits=True, over=over, **kwargs)

    for loss, void, data in ((hinge, 255, void_masks), (softmax, -1, void_images)):
        y, z = data()
        with wide():
            actual = array(loss(y, z, ignore_class=void))
        rows = [slice(i, i + 1) for i in range(8)] if over == "sample" else [slice(8)]
        for row in rows:
            counts = y[row] != void
            if not counts.any():
                np.testing.assert_array_equal(actual[row], 0)
                continue
            with wide():
                expected = array(loss(y[row][counts][None], z[row][counts][None]))
            some = actual[row][counts.reshape(len(counts), -1).any(-1)]
            np.testing.assert_allclose(some, expected.repeat(len(some)), rtol=1e-12)


def test_pixels_of_weight_0_may_hold_anything():

    def hinge(y, z, **kwargs):
        return losses.lovasz_hinge_loss(y, z, **kwargs)

    def softmax(y, z, **kwargs):
        return losses.lovasz_softmax_loss(y, z, from_logits=True, **kwargs)

    for loss, data in ((hinge, regular_masks), (softmax, regular_images)):
        y, z = data()
        z = z.astype("float32")
        weights = np.ones(y.shape, "float32")
        weights[:, 1] = 0
        expected = array(loss(y, z, sample_weight=weights))
        z[::2, 1], z[1::2, 1] = np.nan, np.inf

        def compute(x, loss=loss, y=y, weights=weights):
            return loss(y, x, sample_weight=weights)

        actual, slope = values_and_gradient(compute, z)
        np.testing.assert_array_equal(actual, expected)
        np.testing.assert_array_equal(slope[:, 1], 0)
        assert np.isfinite(slope).all()


def test_a_pixel_of_weight_2_is_two_pixels():
    y, z = regular_masks()
    weights = np.ones(y.shape)
    weights[:, 1] = 2
    with wide():
        actual = losses.lovasz_hinge_loss(y, z, sample_weight=weights)
        rows = np.concatenate([y, y[:, 1:]], 1), np.concatenate([z, z[:, 1:]], 1)
        twice = losses.lovasz_hinge_loss(*rows)
    np.testing.assert_allclose(array(actual), array(twice), rtol=1e-12)


def test_the_gradient_of_a_large_image_keeps_its_digits():
    """Differences of numbers near 1 would have errors of several percent."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, (1, 2**16))
    z = (rng.permutation(2**16) / 2**13 - 4).astype("float32").reshape(y.shape)

    def slope(z):
        return gradient(lambda x: losses.lovasz_hinge_loss(y, x), z)

    with wide():
        expected = slope(z.astype("float64"))
    np.testing.assert_allclose(slope(z), expected, rtol=1e-5)


def test_the_shapes_of_masks_may_differ_by_a_last_axis_of_size_1():
    y, z = regular_masks()
    z = z.astype("float32")
    expected = array(losses.lovasz_hinge_loss(y, z))
    for labels in (y, y[..., None]):
        for logits in (z, z[..., None]):
            actual = array(losses.LovaszHingeLoss(reduction=None)(labels, logits))
            np.testing.assert_array_equal(actual, expected)
            weights = np.ones(y.shape)
            for w in (weights, weights[..., None]):
                loss = losses.LovaszHingeLoss(reduction=None)
                np.testing.assert_array_equal(array(loss(labels, logits, w)), expected)


@pytest.mark.only("torch")
def test_errors_name_the_cause_and_the_cure():
    y, z = np.zeros((2, 3), "int32"), np.zeros((2, 3))
    with pytest.raises(ValueError, match=r"must hold classes in \[0, 2\)"):
        losses.lovasz_hinge_loss(y + 255, z)
    with pytest.raises(ValueError, match=r"`y_pred` must have the shape `\(batch"):
        losses.lovasz_hinge_loss(y[0], z[0])
    with pytest.raises(ValueError, match=r"single class, use `LovaszHingeLoss`"):
        losses.lovasz_softmax_loss(y, z[..., None])
    with pytest.raises(ValueError, match=r"`classes` must be one of present, all"):
        losses.lovasz_softmax_loss(y, np.zeros((2, 3, 2)), classes="some")
    with pytest.raises(ValueError, match=r"`over` must be one of sample, batch"):
        losses.lovasz_hinge_loss(y, z, over="image")
