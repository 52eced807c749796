"""Values of the boundary loss that users rely on, and its targets."""

import itertools

import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt

from tests.losses.cases.vision.boundary import shares
from tests.references import boundary as references
from tests.tools import array
from tests.tools import gradient
from tests.tools import values_and_gradient
from tests.tools import wide
from tfx_extras import losses

# JAX has no code of its own here; the contracts test its values and gradients.
pytestmark = pytest.mark.only("tensorflow", "torch")
in_numpy = pytest.mark.only("torch")  # NumPy is the same with each backend


def disks(side=12, radius=3.0):
    """Masks of one class: disks at different places."""
    x, y = np.indices((side, side))
    places = [(5, 5), (6, 4), (3, 8), (0, 0)]
    masks = [(x - a) ** 2 + (y - b) ** 2 <= radius**2 for a, b in places]
    return np.stack(masks)[..., None] * 1.0


@in_numpy
@pytest.mark.parametrize("shape", [(1,), (9,), (6, 7), (1, 5), (4, 3, 5)])
@pytest.mark.parametrize("rate", [0.05, 0.5, 0.95])
def test_distances_are_those_of_all_pairs_of_pixels(shape, rate):
    rng = np.random.default_rng(0)
    classes = min(len(shape), 2)
    masks = rng.random((6, *shape, classes)) < rate
    for spacings in (None, 2.5, list(0.25 + rng.random(len(shape)))):
        actual = losses.signed_distances(masks, spacings)
        assert actual.dtype == "float32"
        each = np.broadcast_to(1.0 if spacings is None else spacings, len(shape))
        for image, c in itertools.product(range(6), range(classes)):
            expected = references.signed_distances(masks[image, ..., c], each)
            np.testing.assert_allclose(
                actual[image, ..., c], expected, rtol=1e-6, atol=1e-6
            )


@in_numpy
def test_distances_are_those_of_scipy():
    masks = np.random.default_rng(0).random((2, 33, 40, 3)) < (0.001, 0.3, 0.99)
    for sampling in (None, (0.5, 2.0)):
        actual = losses.signed_distances(masks, sampling)
        step = 1 if sampling is None else 0.5
        for image, c in itertools.product(range(2), range(3)):
            mask = masks[image, ..., c]
            assert 0 < mask.sum() < mask.size
            outside = distance_transform_edt(~mask, sampling)
            inside = distance_transform_edt(mask, sampling)
            expected = np.where(mask, step - inside, outside).astype("float32")
            np.testing.assert_array_equal(actual[image, ..., c], expected)


@in_numpy
def test_a_mask_without_a_boundary_has_no_distances():
    for masks in (np.zeros((1, 3, 4, 1)), np.ones((1, 3, 4, 1))):
        np.testing.assert_array_equal(losses.signed_distances(masks), 0)
    assert losses.signed_distances(np.zeros((0, 3, 4, 2))).shape == (0, 3, 4, 2)


@in_numpy
@pytest.mark.parametrize("sampling", [None, 0.25, 3])
def test_no_distance_within_a_mask_is_positive(sampling):
    masks = disks()
    distances = losses.signed_distances(masks, sampling)
    assert (distances[masks == 1] <= 0).all()
    assert (distances[masks == 0] > 0).all()


@in_numpy
def test_any_number_but_0_marks_a_mask():
    masks = disks()
    expected = losses.signed_distances(masks)
    for same in (masks > 0, 255 * masks.astype("uint8"), masks.tolist()):
        np.testing.assert_array_equal(losses.signed_distances(same), expected)


def test_the_true_mask_has_the_least_loss():
    masks = disks()
    phi = losses.signed_distances(masks)
    best = array(losses.boundary_loss(phi, masks))
    np.testing.assert_allclose(best, np.minimum(phi, 0).mean((1, 2, 3)), rtol=1e-6)
    for shift in (1, 2, 4):
        moved = array(losses.boundary_loss(phi, np.roll(masks, shift, 1)))
        assert (moved > best).all()
        best = moved  # and the farther it is moved, the larger is the loss


def test_an_image_without_an_object_costs_nothing():
    phi = losses.signed_distances(np.zeros((2, 3, 4, 1)))
    z = np.linspace(-3, 3, 24, dtype="float32").reshape(phi.shape)

    def compute(x):
        return losses.boundary_loss(phi, x, "sigmoid")

    for found in values_and_gradient(compute, z):
        np.testing.assert_array_equal(found, 0)


def test_the_gradient_is_the_distances_times_that_of_the_probabilities():
    phi, q = shares()
    z = np.log(q[:2]) - np.log1p(-q[:2])
    with wide():
        actual = gradient(lambda x: losses.boundary_loss(phi[:2], x, "sigmoid"), z)
    expected = phi[:2] * q[:2] * (1 - q[:2]) / phi[0].size
    np.testing.assert_allclose(actual, expected, rtol=1e-12)


def test_pixels_of_weight_0_are_as_if_removed_and_may_hold_anything():
    phi, q = (x.astype("float32") for x in shares())
    weights = np.ones(q.shape[:-1], "float32")
    weights[:, :, 1] = 0
    kept = [0, 2]
    expected = array(losses.boundary_loss(phi[:, :, kept], q[:, :, kept]))
    phi[:, :, 1], q[:, :, 1] = np.inf, np.nan

    def compute(x):
        return losses.boundary_loss(phi, x, sample_weight=weights)

    actual, slope = values_and_gradient(compute, q)
    np.testing.assert_allclose(actual, expected, rtol=1e-6)
    np.testing.assert_array_equal(slope[:, :, 1], 0)
    assert np.isfinite(slope).all()


def test_weights_of_pixels_are_those_of_the_reference():
    phi, q = shares()
    weights = np.random.default_rng(0).integers(0, 4, q.shape[:-1]) / 2
    with wide():
        actual = array(losses.boundary_loss(phi, q, sample_weight=weights))
    expected = references.boundary_loss(phi, q, sample_weight=weights)
    np.testing.assert_allclose(actual, expected, rtol=1e-12)


def test_nan_stays():
    phi, q = (x.astype("float32") for x in shares())
    q[1, 0, 0, 0] = phi[2, 1, 1, 1] = np.nan
    actual = np.isnan(array(losses.boundary_loss(phi, q)))
    np.testing.assert_array_equal(actual, np.isin(np.arange(8), [1, 2]))


@pytest.mark.only("torch")
def test_errors_name_the_cause_and_the_cure():
    phi, z = np.zeros((2, 3, 2)), np.zeros((2, 3, 2))
    with pytest.raises(ValueError, match=r"`tfx_extras.losses.signed_distances` makes"):
        losses.boundary_loss(phi[..., 0], z)
    with pytest.raises(ValueError, match=r'Did you mean activation="sigmoid"'):
        losses.boundary_loss(phi, z - 4)
    with pytest.raises(ValueError, match=r"softmax of one number is 1"):
        losses.boundary_loss(phi[..., :1], z[..., :1], "softmax")
    with pytest.raises(ValueError, match=r"pass masks\[None, ..., None\]"):
        losses.signed_distances(np.zeros((3, 4)))
    with pytest.raises(ValueError, match=r"a single class, pass masks\[..., None\]"):
        losses.signed_distances(z)
    z = z[..., :1]
    with pytest.raises(ValueError, match=r"one for each of the axes .* there are 1"):
        losses.signed_distances(z, [1.0, 2.0])
    for sampling in (0, [-1.0], float("nan")):
        with pytest.raises(ValueError, match=r"`sampling.*` must be in \(0, inf\)"):
            losses.signed_distances(z, sampling)
    with pytest.raises(TypeError, match="sampling"):
        losses.signed_distances(z, "1")
