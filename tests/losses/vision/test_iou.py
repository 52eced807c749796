"""Boxes with corners in any order, of any size, and degenerate boxes."""

import numpy as np
import pytest
from keras import ops

from tests.losses.cases.vision.iou import DEGENERATE
from tests.losses.cases.vision.iou import TRUE
from tests.losses.cases.vision.iou import boxes
from tests.losses.cases.vision.iou import regular_boxes
from tests.references import iou as references
from tests.tools import array
from tests.tools import fused
from tests.tools import gradient
from tests.tools import values_and_gradient
from tests.tools import wide
from tfx_extras import losses
from tfx_extras.losses.vision.iou import MODES

# JAX has no code of its own here; the contracts test its values and gradients.
pytestmark = pytest.mark.only("tensorflow", "torch")
each_mode = pytest.mark.parametrize("mode", MODES)


@each_mode
@pytest.mark.parametrize(
    ("dtype", "tolerance"), [("float32", 3e-6), ("float64", 1e-12)]
)
def test_every_mode_is_its_formula(mode, dtype, tolerance):
    y_true, y_pred = (a.astype("float32").astype(dtype) for a in boxes())
    loss = fused(lambda x: losses.giou_loss(y_true, x, mode))
    with wide():
        actual = array(loss(ops.convert_to_tensor(y_pred)))
    expected = references.giou_loss(y_true, y_pred, mode)
    np.testing.assert_allclose(actual, expected, rtol=tolerance)


def test_alpha_is_a_constant_to_the_gradient():
    y_true, y_pred = regular_boxes()
    with wide():
        actual = gradient(lambda x: losses.giou_loss(y_true, x, "ciou"), y_pred)
    alpha = references.alpha(y_true, y_pred)
    for i in range(4):
        step = np.eye(4)[i] * 1e-6 * np.maximum(1, np.abs(y_pred[:, i : i + 1]))
        above, below = (
            references.giou_loss(y_true, y_pred + s, "ciou", alpha)
            for s in (step, -step)
        )
        expected = (above - below) / (2 * step[:, i])
        np.testing.assert_allclose(actual[:, i], expected, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("mode", ["giou", "ciou"])
@pytest.mark.parametrize("factor", [2.0**20, 2.0**-20, -(2.0**90), 2.0**-90])
def test_the_unit_does_not_matter(mode, factor):
    y_true, y_pred = (a.astype("float32") for a in regular_boxes())

    def loss(y_true, x):
        return losses.giou_loss(y_true, x, mode)

    expected, slope = values_and_gradient(lambda x: loss(y_true, x), y_pred)
    scaled = y_true * np.float32(factor), y_pred * np.float32(factor)
    actual, scaled_slope = values_and_gradient(lambda x: loss(scaled[0], x), scaled[1])
    np.testing.assert_allclose(actual, expected, rtol=1e-6)
    expected, actual = slope, scaled_slope * factor
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-7)


@each_mode
def test_a_small_error_keeps_its_digits(mode):
    """One minus a quotient near 1 would lose all digits."""
    y_true = np.float32([[0.0, 0.0, 3.0, 1.0]])
    y_pred = np.float32([[0.0, 0.0, 3.0 + 2.0**-21, 1.0]])
    actual = array(losses.giou_loss(y_true, y_pred, mode))
    expected = references.giou_loss(*(np.float64(a) for a in (y_true, y_pred)), mode)
    np.testing.assert_allclose(actual, expected, rtol=1e-5)


@each_mode
def test_the_order_of_coordinates_and_corners_does_not_matter(mode):
    y_true, y_pred = boxes()
    expected = array(losses.giou_loss(y_true, y_pred, mode))
    for order in ([1, 0, 3, 2], [2, 3, 0, 1], [0, 3, 2, 1]):
        actual = array(losses.giou_loss(y_true[:, order], y_pred[:, order], mode))
        np.testing.assert_allclose(actual, expected, rtol=1e-6)
        actual = array(losses.giou_loss(y_true, y_pred[:, [2, 1, 0, 3]], mode))
        np.testing.assert_allclose(actual, expected, rtol=1e-6)


@pytest.mark.parametrize("mode", ["giou", "diou", "ciou"])
def test_boxes_inside_out_or_without_area_are_moved(mode):
    y_pred = np.float32(
        [
            [1.5, 3.5, 0.5, 1.5],  # inverted, within
            [5.0, 6.0, 4.0, 5.0],  # inverted, beside
            *DEGENERATE[:2],  # a line, within
            [3.0, 2.0, 3.0, 5.0],  # a line, beside
            [3.0, 5.0, 3.0, 5.0],  # a point, beside
        ]
    )
    y_true = np.tile(np.float32(TRUE), (len(y_pred), 1))
    slopes = gradient(lambda x: losses.giou_loss(y_true, x, mode), y_pred)
    assert np.isfinite(slopes).all()
    assert (np.abs(slopes).max(-1) > 1e-2).all()


@each_mode
def test_a_line_grows_into_the_box_around_it(mode):
    y_true, y_pred = np.float32([TRUE]), np.float32([[0.5, 2.0, 0.5, 3.0]])
    slopes = gradient(lambda x: losses.giou_loss(y_true, x, mode), y_pred)
    assert slopes[0, 0] > 0 > slopes[0, 2]


@each_mode
def test_all_is_finite_also_where_nothing_has_an_area(mode):
    points = np.float32([[1, 2, 1, 2], [1, 2, 1, 4], [1, 2, 1, 2], TRUE, [0, 0, 0, 0]])
    y_true, y_pred = (
        np.float32([[1, 2, 1, 2], [1, 3, 1, 5], [3, 3, 3, 3], TRUE, TRUE]),
        points,
    )
    expected = references.giou_loss(y_true, y_pred, mode)
    actual = array(losses.giou_loss(y_true, y_pred, mode))
    np.testing.assert_allclose(actual, expected, rtol=1e-6)
    slopes = gradient(lambda x: losses.giou_loss(y_true, x, mode), y_pred)
    assert np.isfinite(slopes).all()
    np.testing.assert_array_equal(slopes[3], 0)  # the box is predicted exactly


def test_no_axis_is_squeezed():
    for shape in ((1, 4), (2, 1, 4), (0, 4)):
        boxes = ops.zeros(shape)
        loss = fused(losses.giou_loss)(boxes, boxes)
        assert tuple(loss.shape) == shape[:-1]


def test_whole_numbers_are_taken_for_what_they_are():
    y_true, y_pred = np.array([TRUE], "int32"), np.array([[0, 1, 1, 4]])
    loss = array(losses.giou_loss(y_true, y_pred))
    np.testing.assert_array_equal(loss, [0.5])


@pytest.mark.parametrize("function", [losses.giou_loss, losses.GIoULoss])
def test_an_unknown_mode_is_named(function):
    given = () if function is losses.GIoULoss else (np.zeros((1, 4)), np.zeros((1, 4)))
    with pytest.raises(
        ValueError, match=r"`mode` .* iou, giou, diou, ciou.* mode=wide"
    ):
        function(*given, mode="wide")
