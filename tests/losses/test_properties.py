"""Relations that hold for any input."""

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tests.tools import array
from tests.tools import gradient
from tests.tools import wide
from tfx_extras import losses

# What follows from the formula. The contracts test values and gradients everywhere.
pytestmark = pytest.mark.only("torch")
SHAPE = (4, 3)
few = settings(max_examples=20, deadline=None, derandomize=True, database=None)
numbers = st.floats(-50, 50, width=32)
logits = arrays.arrays("float64", SHAPE, elements=numbers)
classes = arrays.arrays("int32", SHAPE[:1], elements=st.integers(0, SHAPE[1] - 1))
shares = arrays.arrays("float64", SHAPE, elements=st.floats(0, 1, width=32))
PAIRS = [
    (
        losses.categorical_focal_crossentropy,
        losses.sparse_categorical_focal_crossentropy,
        {"alpha": [0.5, 2.0, 1.0], "label_smoothing": 0.25},
    ),
    (
        losses.smoothed_categorical_crossentropy,
        losses.smoothed_sparse_categorical_crossentropy,
        {"class_weight": [0.5, 2.0, 1.0]},
    ),
    (
        losses.poly_categorical_crossentropy,
        losses.poly_sparse_categorical_crossentropy,
        {"epsilon": 2.0, "label_smoothing": 0.25},
    ),
    (
        losses.generalized_categorical_crossentropy,
        losses.generalized_sparse_categorical_crossentropy,
        {},
    ),
]
each_pair = pytest.mark.parametrize(
    ("dense", "sparse", "kwargs"),
    PAIRS,
    ids=["focal", "smoothed", "poly", "generalized"],
)


def close(actual, expected, rtol=1e-12, atol=1e-12):
    np.testing.assert_allclose(array(actual), expected, rtol=rtol, atol=atol)


def cross_entropy(y, z):
    return (y * (np.logaddexp.reduce(z, -1, keepdims=True) - z)).sum(-1)


@few
@given(shares, logits)
def test_focal_losses_without_focus_are_cross_entropy(y, z):
    arguments = {"alpha": None, "gamma": 0.0, "from_logits": True}
    with wide():
        actual = losses.categorical_focal_crossentropy(y, z, **arguments)
        close(actual, cross_entropy(y, z))
        actual = losses.sigmoid_focal_crossentropy(y, z, **arguments)
        expected = y * np.logaddexp(0, -z) + (1 - y) * np.logaddexp(0, z)
        close(actual, expected.mean(-1))


@few
@given(shares, logits)
def test_without_smoothing_it_is_cross_entropy(y, z):
    with wide():
        actual = losses.smoothed_categorical_crossentropy(y, z, 0.0, from_logits=True)
        close(actual, cross_entropy(y, z))


@few
@given(classes, logits)
def test_the_default_agrees_with_keras(y, z):
    z = z.astype("float32")
    theirs = keras.losses.CategoricalCrossentropy(
        from_logits=True, label_smoothing=0.1, reduction=None
    )(np.eye(3)[y], z)
    ours = losses.smoothed_sparse_categorical_crossentropy(y, z, from_logits=True)
    close(ours, array(theirs), rtol=1e-5, atol=1e-5)


@each_pair
@few
@given(y=classes, z=logits, from_logits=st.booleans())
def test_both_forms_of_labels_agree(dense, sparse, kwargs, y, z, from_logits):
    z = z if from_logits else np.abs(z)
    with wide():
        one = dense(np.eye(3)[y], z, from_logits=from_logits, **kwargs)
        other = sparse(y, z, from_logits=from_logits, **kwargs)
        close(one, array(other))


@each_pair
@few
@given(y=classes, z=logits, order=st.permutations(range(3)))
def test_the_order_of_the_classes_does_not_matter(dense, sparse, kwargs, y, z, order):
    order = np.array(order)
    moved = {k: np.array(v)[order] if k in ("alpha", "class_weight") else v
             for k, v in kwargs.items()}  # fmt: skip
    with wide():
        before = sparse(y, z, from_logits=True, **kwargs)
        after = sparse(np.argsort(order)[y], z[:, order], from_logits=True, **moved)
        close(after, array(before))


@each_pair
@few
@given(y=classes, z=logits, shift=st.integers(-(2**20), 2**20))
def test_a_shift_of_all_logits_does_not_matter(dense, sparse, kwargs, y, z, shift):
    z = np.round(z * 16) / 16  # so that the shift itself causes no rounding
    with wide():
        before = sparse(y, z, from_logits=True, **kwargs)
        close(sparse(y, z + shift, from_logits=True, **kwargs), array(before))


@each_pair
@few
@given(y=classes, z=logits, factor=st.sampled_from([0.25, 2.0, 64.0]))
def test_a_factor_of_all_probabilities_does_not_matter(
    dense, sparse, kwargs, y, z, factor
):
    p = np.abs(z) + 1
    with wide():
        close(sparse(y, p * factor, **kwargs), array(sparse(y, p, **kwargs)))


@few
@given(shares, logits)
def test_sigmoid_labels_and_signs_may_be_swapped(y, z):
    with wide():
        one = losses.sigmoid_focal_crossentropy(y, z, 0.25, 1.5, 0.1, from_logits=True)
        other = losses.sigmoid_focal_crossentropy(
            1 - y, -z, 0.75, 1.5, 0.1, from_logits=True
        )
        close(one, array(other))


@few
@given(logits, logits, st.sampled_from([0.25, 1.0, 8.0]))
def test_huber_losses_are_bounded_by_their_two_pieces_and_symmetric(y, p, delta):
    e = np.abs(y - p)
    with wide():
        huber, smooth, pseudo = (
            array(loss(y, p, delta))
            for loss in (losses.huber, losses.smooth_l1, losses.pseudo_huber)
        )
        mirrored = array(losses.pseudo_huber(p, y, delta))
        close(losses.huber(p, y, delta), huber)
    pieces = np.minimum(e**2 / 2, delta * e).mean(-1)
    slack = 1e-12 * (1 + pieces)
    assert (huber <= pieces + slack).all()
    assert (pseudo <= huber + slack).all()
    assert (pseudo >= (delta * e - delta**2).mean(-1) - slack).all()
    np.testing.assert_allclose(smooth, huber / delta, rtol=1e-12, atol=1e-300)
    np.testing.assert_array_equal(mirrored, pseudo)


@few
@given(shares, logits)
def test_contrastive_loss_of_embeddings_is_that_of_their_distances(y, z):
    pairs = np.stack([z, z[::-1]], axis=1)
    with wide():
        distances = np.linalg.norm(z - z[::-1], axis=-1)
        expected = array(losses.contrastive_loss(y[:, 0], distances, margin=20.0))
        arguments = {"margin": 20.0, "from_embeddings": True}
        close(losses.contrastive_loss(y[:, :1], pairs, **arguments), expected)
        for pair in ((z, z[::-1].copy()), [z, z[::-1].copy()]):
            close(losses.contrastive_loss(y[:, 0], pair, **arguments), expected)


@few
@given(shares, logits)
def test_losses_are_not_negative(y, z):
    for function in (
        losses.sigmoid_focal_crossentropy,
        losses.categorical_focal_crossentropy,
        losses.smoothed_categorical_crossentropy,
    ):
        assert (array(function(y, z.astype("float32"), from_logits=True)) >= 0).all()
        p = np.abs(z).astype("float32") / 50
        assert (array(function(y, p)) >= 0).all()


@pytest.mark.parametrize("largest", [0.0, 1e-30, 1e-8])
@each_pair
def test_rows_without_probabilities_have_a_finite_gradient(
    dense, sparse, kwargs, largest
):
    rows = np.array([[largest, 0, 0], [0, largest, largest]], "float32")
    for loss, labels in ((dense, np.eye(3)[[0, 2]]), (sparse, np.array([0, 2]))):
        values = array(loss(labels, rows, **kwargs))
        slopes = gradient(lambda x, f=loss, y=labels: 99 * f(y, x, **kwargs), rows)
        assert np.isfinite(values).all()
        assert np.isfinite(slopes).all()


class Doubled(losses.Huber):
    def function(self, y_true, y_pred, delta):
        return 2 * losses.huber(y_true, y_pred, delta)


class Chosen(losses.Huber):
    @property
    def function(self):
        return losses.pseudo_huber


def test_a_subclass_may_have_a_method_or_a_property_as_its_function():
    y_true, y_pred = np.zeros((2, 1)), np.float32([[1], [4]])
    for loss, function in [
        (Doubled(2.0), losses.huber),
        (Chosen(2), losses.pseudo_huber),
    ]:
        factor = 2 if isinstance(loss, Doubled) else 1
        expected = factor * array(function(y_true, y_pred, 2.0)).mean()
        np.testing.assert_allclose(array(loss(y_true, y_pred)), expected, rtol=1e-6)
