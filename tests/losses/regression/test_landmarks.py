"""Where the wing losses turn from one formula to the other, and at errors of 0."""

import numpy as np
import pytest

from tests.tools import array
from tests.tools import looked_at
from tests.tools import values_and_gradient
from tests.tools import wide
from tfx_extras import losses

# What follows from the formula. The contracts test values and gradients everywhere.
pytestmark = pytest.mark.only("torch")


@pytest.mark.parametrize(
    ("function", "bound"), [(losses.wing_loss, 10.0), (losses.adaptive_wing_loss, 0.5)]
)
@pytest.mark.parametrize("y", [0.0, 0.5, 1.0])
def test_the_loss_has_no_jump_and_grows_with_the_error(function, bound, y):
    errors = np.linspace(0, 4 * bound, 401)
    errors[100] = bound
    with wide():
        targets = np.full_like(errors, y)
        values, slopes = values_and_gradient(lambda x: function(targets, x), y + errors)
        mirrored = array(function(targets, y - errors))
    np.testing.assert_allclose(mirrored, values, rtol=1e-9, atol=1e-12)
    assert values[0] == slopes[0] == 0
    assert (np.diff(values) > 0).all()
    assert np.diff(values).max() < 0.1 * values[100]
    if function is losses.adaptive_wing_loss:  # its slope has no jump either
        np.testing.assert_allclose(slopes[101:], slopes[101], rtol=1e-9)
        np.testing.assert_allclose(slopes[99], slopes[101], rtol=0.05)


@pytest.mark.parametrize("alpha", [2.0, 2.1])
def test_bright_pixels_without_an_error_have_a_finite_gradient(alpha):
    y = np.float32([[1, 0, 1.0]])
    p = np.float32([[1, 0, 1 + 1e-6]])
    values, slopes = values_and_gradient(
        lambda x: losses.adaptive_wing_loss(y, x, alpha=alpha), p
    )
    assert np.isfinite(values).all()
    assert np.isfinite(slopes).all()


def test_targets_that_are_no_heatmaps_are_an_error():
    with looked_at(), pytest.raises(ValueError, match=r"heatmaps in \[0, 1\]"):
        losses.adaptive_wing_loss([[255.0]], [[0.0]])


def test_a_wing_loss_of_large_errors_is_the_absolute_error_and_a_constant():
    e = np.float32([20, 1e4, 1e30])
    values, slopes = values_and_gradient(lambda x: losses.wing_loss(0 * e, x), e)
    np.testing.assert_allclose(values, e - 10 + 10 * np.log(6), rtol=1e-6)
    np.testing.assert_array_equal(slopes, 1)
