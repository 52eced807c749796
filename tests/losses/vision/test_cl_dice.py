"""Values of the clDice loss that users rely on."""

import numpy as np
import pytest

from tests.losses.cases.vision.cl_dice import lines
from tests.losses.cases.vision.cl_dice import regular_logits
from tests.losses.cases.vision.cl_dice import regular_shares
from tests.references import cl_dice as references
from tests.tools import array
from tests.tools import gradient
from tests.tools import values_and_gradient
from tests.tools import wide
from tfx_extras import losses

# What follows from the formula. The contracts test values and gradients everywhere.
pytestmark = pytest.mark.only("torch")


def tube(gap=0, width=3, shift=0):
    """A tube of odd width across an image of one class, with a gap."""
    y = np.zeros((1, 11, 24, 1))
    middle, half = 5 + shift, width // 2
    y[:, middle - half : middle + half + 1] = 1
    y[:, :, 10 : 10 + gap] = 0
    return y


def test_a_gap_costs_more_than_another_width():
    y = tube()
    loss = {gap: array(losses.cl_dice_loss(y, tube(gap))).item() for gap in (0, 2, 4)}
    assert loss[0] == 0 < loss[2] < loss[4]
    wider = array(losses.cl_dice_loss(y, tube(width=5))).item()
    assert wider == 0
    assert array(losses.dice_loss(y, tube(width=5))).item() > 0.2
    # The skeleton of a tube that is moved by more than its width is all wrong.
    assert array(losses.cl_dice_loss(y, tube(shift=3))).item() > 0.9


def test_the_loss_of_masks_is_symmetric_and_in_the_unit_interval():
    y, q = lines(5, 6), np.roll(lines(5, 6), 1, axis=0)
    loss = array(losses.cl_dice_loss(y, q))
    np.testing.assert_allclose(loss, array(losses.cl_dice_loss(q, y)), rtol=1e-6)
    assert ((loss >= 0) & (loss <= 1)).all()
    np.testing.assert_array_equal(array(losses.cl_dice_loss(y, y)), 0)


def test_masks_without_a_skeleton_cost_nothing():
    """Two empty masks, and a full prediction for an empty mask."""
    y = np.zeros((2, 5, 6, 1), "float32")
    q = y.copy()
    q[1] = 1
    value, slope = values_and_gradient(lambda x: losses.cl_dice_loss(y, x), q)
    np.testing.assert_array_equal(value, 0)
    assert np.isfinite(slope).all()


def test_iterations_must_reach_half_of_the_width():
    """Before that, the skeleton of a wide tube is empty."""
    y, q = tube(width=7), tube(gap=4, width=7)
    few, enough, more = (
        array(losses.cl_dice_loss(y, q, iterations=n)).item() for n in (1, 3, 6)
    )
    assert enough > 10 * few
    np.testing.assert_allclose(more, enough, rtol=1e-6)


def test_a_small_loss_keeps_its_digits():
    y = lines(5, 6)[:6]
    z = 60 * y - 30
    actual = array(losses.cl_dice_loss(y, z.astype("float32"), activation="sigmoid"))
    expected = references.cl_dice_loss(y, z, activation="sigmoid")
    assert (expected < 1e-12).all()
    np.testing.assert_allclose(actual, expected, rtol=1e-5)


def test_weights_of_pixels_are_those_of_the_reference():
    for data, activation in ((regular_shares, None), (regular_logits, "softmax")):
        y, q = data()
        weights = np.random.default_rng(0).integers(0, 4, q.shape[:-1]) / 2
        some = {"activation": activation, "sample_weight": weights}
        with wide():
            actual = array(losses.cl_dice_loss(y, q, **some))
        expected = references.cl_dice_loss(y, q, **some)
        np.testing.assert_allclose(actual, expected, rtol=1e-12)


@pytest.mark.parametrize("activation", [None, "sigmoid", "softmax"])
def test_pixels_of_weight_0_may_hold_anything(activation):
    y, q = (x.astype("float32") for x in regular_shares())
    weights = np.ones(q.shape[:-1], "float32")
    weights[:, 1:3, 2] = 0
    some = {"activation": activation, "sample_weight": weights}
    expected = array(losses.cl_dice_loss(y, q, **some))
    q[::2, 1:3, 2], q[1::2, 1:3, 2] = np.nan, np.inf

    def compute(x):
        return losses.cl_dice_loss(y, x, **some)

    actual, slope = values_and_gradient(compute, q)
    np.testing.assert_array_equal(actual, expected)
    np.testing.assert_array_equal(slope[:, 1:3, 2], 0)
    assert np.isfinite(slope).all()


def test_nan_stays():
    y, q = (x.astype("float32") for x in regular_shares())
    q[1, 2, 2, 0] = np.nan
    actual = np.isnan(array(losses.cl_dice_loss(y, q)))
    np.testing.assert_array_equal(actual, np.arange(8) == 1)


def test_extreme_logits_have_a_finite_gradient():
    y, z = regular_logits()
    z = np.where(np.arange(8)[:, None, None, None] % 2, 1e4, -1e4) * np.sign(z)
    for activation in ("sigmoid", "softmax"):

        def compute(x, activation=activation):
            return losses.cl_dice_loss(y, x, activation=activation)

        assert np.isfinite(gradient(compute, z.astype("float32"))).all()


def test_errors_name_the_cause_and_the_cure():
    y, z = np.zeros((2, 4, 4, 2)), np.zeros((2, 4, 4, 2))
    with pytest.raises(ValueError, match=r"For a single class, use `keras.ops.expand"):
        losses.cl_dice_loss(y[..., 0], z[..., 0])
    with pytest.raises(ValueError, match=r"For integer labels, use `keras.ops.one_hot"):
        losses.cl_dice_loss(y[..., 0], z)
    with pytest.raises(ValueError, match=r'Did you mean activation="sigmoid"'):
        losses.cl_dice_loss(y, z - 4)
    with pytest.raises(ValueError, match=r"softmax of one number is 1"):
        losses.cl_dice_loss(y[..., :1], z[..., :1], activation="softmax")
