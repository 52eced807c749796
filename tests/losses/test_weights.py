"""Weights with an axis of size 1, and single weights, count as if repeated."""

import numpy as np
import pytest

from tests.contracts.test_losses import REDUCTIONS
from tests.contracts.test_losses import Marked
from tests.tools import array
from tfx_extras import losses

# JAX has no code of its own here, and is as TensorFlow.
pytestmark = pytest.mark.only("tensorflow", "torch")
RANDOM = np.random.default_rng(7)
LABELS = RANDOM.integers(0, 3, (4, 5))
Z = RANDOM.normal(size=(4, 5, 3)).astype("float32")
WEIGHTS = np.float32([[1], [0], [3], [2]])


@pytest.mark.parametrize("reduction", [*REDUCTIONS, "none"])
@pytest.mark.parametrize("is_masked", [False, True])
@pytest.mark.parametrize("ignore_class", [None, 0])
def test_weights_of_sequences(reduction, is_masked, ignore_class):
    """On PyTorch, Keras multiplies them by the mask in place, which failed."""
    z = Marked(RANDOM.random((4, 5)) < 0.7)(Z) if is_masked else Z
    loss = losses.PolySparseCategoricalCrossentropy(
        ignore_class=ignore_class, from_logits=True, reduction=reduction
    )
    expected = array(loss(LABELS, z, np.repeat(WEIGHTS, 5, axis=1)))
    for weights in (WEIGHTS, WEIGHTS[..., None]):
        actual = array(loss(LABELS, z, weights))
        np.testing.assert_allclose(actual, expected, rtol=1e-6)


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_a_single_weight(reduction):
    loss = losses.PolySparseCategoricalCrossentropy(
        from_logits=True, reduction=reduction
    )
    expected = array(loss(LABELS, Z, np.full((4, 5), 2.0)))
    np.testing.assert_allclose(array(loss(LABELS, Z, 2.0)), expected, rtol=1e-6)


@pytest.mark.parametrize("is_masked", [False, True])
def test_weights_of_the_pixels_of_an_image(is_masked):
    z = Marked(RANDOM.random((4, 5)) < 0.7)(Z) if is_masked else Z
    loss = losses.SparseDiceLoss(activation="softmax")
    expected = array(loss(LABELS, z, np.ones((4, 5))))
    columns = np.ones((1, 5), "float32")
    np.testing.assert_allclose(array(loss(LABELS, z, columns)), expected, rtol=1e-6)


@pytest.mark.parametrize("loss", [losses.Huber(), losses.DiceLoss()])
@pytest.mark.parametrize("weights", [["a", "b"], "mean", np.full(2, "a")])
def test_weights_that_are_words_are_an_error(loss, weights):
    with pytest.raises(ValueError, match="`sample_weight` must hold numbers"):
        loss(np.zeros((2, 3)), np.zeros((2, 3)), weights)


def test_a_list_without_images_is_an_error_that_says_so():
    with pytest.raises(ValueError, match="axis of `y_pred`"):
        losses.DiceLoss()([], [])
