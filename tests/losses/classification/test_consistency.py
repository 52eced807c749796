"""Views that agree, views that disagree, and the forms in which they are given."""

import numpy as np
import pytest
from keras import ops

from tests.losses.cases.classification.consistency import three_views
from tests.losses.cases.classification.consistency import two_views
from tests.references import consistency as references
from tests.tools import array
from tests.tools import values_and_gradient
from tfx_extras import losses

# What follows from the formula. The contracts test values and gradients everywhere.
pytestmark = pytest.mark.only("torch")
BOTH = [(losses.jensen_shannon_loss, three_views), (losses.r_drop_loss, two_views)]
each_loss = pytest.mark.parametrize(("function", "data"), BOTH)


@each_loss
def test_views_that_agree_cost_nothing(function, data):
    _, z = data()
    z[:, 1:] = z[:, :1]
    values, slopes = values_and_gradient(
        lambda x: function(None, x), z.astype("float32")
    )
    np.testing.assert_array_equal(values, 0)
    np.testing.assert_allclose(slopes, 0, atol=1e-7)


@each_loss
def test_the_order_of_views_does_not_matter_and_no_loss_is_negative(function, data):
    _, z = data()
    z = z.astype("float32")
    values = array(function(None, z))
    assert (values >= 0).all()
    turned = array(function(None, z[:, ::-1].copy()))
    np.testing.assert_allclose(turned, values, rtol=3e-6)


@each_loss
def test_views_may_be_separate_tensors(function, data):
    y, z = data()
    z = z.astype("float32")
    expected = array(function(y, z))
    views = [ops.convert_to_tensor(z[:, v]) for v in range(z.shape[1])]
    for given in (views, tuple(views)):
        np.testing.assert_array_equal(array(function(None, given)), expected)
    with pytest.raises(ValueError, match=r"`y_pred` must .* Received: "):
        function(None, views[:1])


@each_loss
def test_extreme_logits_have_a_finite_gradient(function, data):
    z = np.zeros((2, data()[1].shape[1], 3), "float32")
    z[0, 0, 0] = z[0, 1, 1] = 1e4
    z[1] = np.float32([[1e4, -1e4, 0]])
    values, slopes = values_and_gradient(lambda x: function(None, x), z)
    assert np.isfinite(values).all()
    assert np.isfinite(slopes).all()


@pytest.mark.parametrize("views", [2, 3, 7])
def test_views_without_a_common_class_cost_the_logarithm_of_their_number(views):
    z = 200 * np.eye(views, dtype="float32")[None]
    value = array(losses.jensen_shannon_loss(None, z))
    np.testing.assert_allclose(value, np.log(views), rtol=1e-6)


def test_views_that_nearly_agree_keep_digits():
    z = np.random.default_rng(0).normal(size=(4, 1, 5)).repeat(3, axis=1)
    z = (z + 1e-3 * np.random.default_rng(1).normal(size=z.shape)).astype("float32")
    expected = references.jensen_shannon_loss(None, z.astype("float64"))
    assert expected.max() < 1e-6
    actual = array(losses.jensen_shannon_loss(None, z))
    np.testing.assert_allclose(actual, expected, rtol=2e-3)


@each_loss
def test_a_class_that_no_view_has_is_left_out(function, data):
    _, z = data()
    z = z.astype("float32")
    out = np.concatenate([np.full_like(z[..., :1], -np.inf), z], axis=-1)
    values, slopes = values_and_gradient(lambda x: function(None, x), out)
    expected = values_and_gradient(lambda x: function(None, x), z)
    np.testing.assert_allclose(values, expected[0], rtol=1e-6, atol=1e-12)
    np.testing.assert_allclose(slopes[..., 1:], expected[1], rtol=1e-5, atol=1e-12)
    np.testing.assert_array_equal(slopes[..., 0], 0)
