"""Tests of the semi-supervised losses beyond the contracts."""

import math

import keras
import numpy as np
import pytest

from tests.tools import array
from tests.tools import gradient
from tests.tools import looked_at
from tests.tools import values_and_gradient
from tfx_extras import losses
from tfx_extras._backend import backend
from tfx_extras.losses import semi_supervised_crossentropy as loss_of

# JAX has no code of its own here; the contracts test its values and gradients.
pytestmark = pytest.mark.only("tensorflow", "torch")
TWO = ["fixmatch", "uda", "mse"]
ONE = ["pseudo_label", "entropy", None]
LABELS = np.array([1, -1, 0, -1, -1])
RNG = np.random.default_rng(0)
Z = RNG.normal(0, 3, (5, 2, 4)).astype("float32")
each_two = pytest.mark.parametrize("consistency", TWO)
each = pytest.mark.parametrize("consistency", TWO + ONE)


def logits(consistency):
    return Z if consistency in TWO else Z[:, 1]


@each
def test_the_mean_is_that_of_labelled_rows_plus_that_of_the_others(consistency):
    z, labeled = logits(consistency), LABELS >= 0
    options = {"consistency": consistency, "from_logits": True}
    total = losses.SemiSupervisedCrossentropy(unlabeled_weight=3.0, **options)
    part = losses.SemiSupervisedCrossentropy(**options)
    expected = array(part(LABELS[labeled], z[labeled])) + 3 * array(
        part(LABELS[~labeled], z[~labeled])
    )
    np.testing.assert_allclose(array(total(LABELS, z)), expected, rtol=1e-6)


@each
def test_labelled_rows_are_those_of_cross_entropy(consistency):
    z = logits(consistency)
    view = z if z.ndim == 2 else z[:, 1 if consistency == "mse" else 0]
    labels = np.arange(5) % 4
    expected = keras.losses.sparse_categorical_crossentropy(labels, view, True)
    actual = loss_of(labels, z, consistency, from_logits=True)
    np.testing.assert_allclose(array(actual), array(expected), rtol=1e-5)


@each
def test_weights_multiply_rows_within_their_means(consistency):
    z = logits(consistency)
    loss = losses.SemiSupervisedCrossentropy(consistency, from_logits=True)
    half = losses.SemiSupervisedCrossentropy(consistency, 0.5, from_logits=True)
    weights = np.where(LABELS == -1, 0.5, 1).astype("float32")
    expected = array(half(LABELS, z))
    np.testing.assert_allclose(array(loss(LABELS, z, weights)), expected, rtol=1e-6)


@each_two
def test_the_target_learns_nothing_from_being_one(consistency):
    z = np.concatenate([Z, [[[9.0, 0, 0, 0], [0, 1, 0, 0]]]]).astype("float32")
    labels = np.full(6, -1)
    slopes = gradient(lambda x: loss_of(labels, x, consistency, from_logits=True), z)
    np.testing.assert_array_equal(slopes[:, 0], 0)
    assert np.abs(slopes[-1, 1]).max() > 0.01


@each
@pytest.mark.parametrize("label", [-1, 1])
def test_a_part_without_rows_is_zero_and_has_no_slope(consistency, label):
    labels, z = np.full(5, label), logits(consistency)
    loss = losses.SemiSupervisedCrossentropy(consistency, 0.0, from_logits=True)
    slopes = gradient(lambda x: loss(labels, x), z)
    if label == -1:  # no sample is labeled, and unlabeled samples have weight 0
        assert array(loss(labels, z)) == 0
        np.testing.assert_array_equal(slopes, 0)
    else:
        heavy = losses.SemiSupervisedCrossentropy(consistency, 1e6, from_logits=True)
        assert array(heavy(labels, z)) == array(loss(labels, z)) > 0
        assert np.isfinite(slopes).all()
        np.testing.assert_array_equal(gradient(lambda x: heavy(labels, x), z), slopes)


def test_the_entropy_of_a_sure_row_keeps_its_digits():
    z = np.array([[0.0, -14.0]], "float32")
    p = 1 / (1 + math.exp(14))
    expected = -p * math.log(p) - (1 - p) * math.log1p(-p)
    actual = loss_of([-1], z, "entropy", from_logits=True)
    np.testing.assert_allclose(array(actual), [expected], rtol=3e-6)


def test_the_entropy_leaves_out_a_class_with_a_logit_of_minus_infinity():
    z = np.float32([[1, 0, 2], [0, 3, 1]])
    out = np.insert(z, 1, -np.inf, axis=1)
    unlabeled = np.int32([-1, -1])

    def compute(x):
        return loss_of(unlabeled, x, "entropy", from_logits=True)

    (value, slope), (expected, slopes) = (
        values_and_gradient(compute, x) for x in (out, z)
    )
    np.testing.assert_allclose(value, expected, rtol=1e-6)
    np.testing.assert_allclose(slope, np.insert(slopes, 1, 0, axis=1), rtol=1e-5)


def test_rows_that_are_not_confident_count_in_the_mean():
    z = np.zeros((4, 2, 2), "float32")
    z[0, 0, 0] = 10
    labels = np.full(4, -1)
    loss = losses.SemiSupervisedCrossentropy(from_logits=True)
    np.testing.assert_allclose(array(loss(labels, z)), math.log(2) / 4, rtol=1e-6)


def test_confidence_is_that_of_the_target_before_it_is_sharpened():
    z = np.array([[[1.0, 0.0], [0.0, 0.0]]])  # probability 0.73, sharpened to 0.92
    for threshold, expected in ((0.72, math.log(2)), (0.74, 0)):
        actual = loss_of([-1], z, "uda", threshold=threshold, from_logits=True)
        np.testing.assert_allclose(array(actual), [expected], rtol=1e-6)


@pytest.mark.parametrize(
    ("consistency", "threshold", "temperature"),
    [
        ("fixmatch", 0.95, None),
        ("pseudo_label", 0.95, None),
        ("uda", 0.8, None),
        ("uda", None, 0.4),
    ],
)
def test_defaults_are_those_of_each_method(consistency, threshold, temperature):
    z = np.linspace(0, 4, 40)[:, None, None] * [[1.0, 0.0], [0.5, 0.0]]
    z = z if consistency in TWO else z[:, 0]
    labels = np.full(len(z), -1)
    default = array(loss_of(labels, z, consistency, from_logits=True))
    given = loss_of(
        labels,
        z,
        consistency,
        threshold=threshold,
        temperature=temperature,
        from_logits=True,
    )
    np.testing.assert_array_equal(array(given), default)
    assert 0 < (default > 0).sum() < len(z)


@pytest.mark.parametrize(
    ("consistency", "option"),
    [
        ("fixmatch", {"temperature": 0.5}),
        ("pseudo_label", {"temperature": 0.5}),
        ("mse", {"temperature": 0.5}),
        ("mse", {"threshold": 0.5}),
        ("entropy", {"threshold": 0.5}),
        (None, {"threshold": 0.5}),
    ],
)
def test_an_option_without_use_is_refused(consistency, option):
    ((name, value),) = option.items()
    message = f"`{name}` must be None for consistency={consistency}.*{name}={value}"
    with pytest.raises(ValueError, match=message):
        losses.SemiSupervisedCrossentropy(consistency, **option)
    with pytest.raises(ValueError, match=message):
        loss_of(LABELS, logits(consistency), consistency, **option)


def test_a_temperature_is_positive():
    with pytest.raises(ValueError, match=r"`temperature` must be in \(0, inf\)"):
        losses.SemiSupervisedCrossentropy("uda", temperature=0.0)


@each
def test_the_other_number_of_views_is_refused(consistency):
    other = Z[:, 1] if consistency in TWO else Z
    form = r"\(batch, 2, classes\)" if consistency in TWO else r"\(batch, classes\)"
    with pytest.raises(ValueError, match=f"consistency={consistency}.*{form}"):
        loss_of(LABELS, other, consistency, from_logits=True)


def test_a_label_that_is_no_class_is_an_error_that_names_the_mark():
    with looked_at(), pytest.raises(ValueError, match=r"classes in \[0, 4\), or -1"):
        loss_of(np.array([1, -2, 0, 4, -1]), Z, from_logits=True)


def test_a_label_that_is_no_class_is_nan_where_it_is_not_looked_at(monkeypatch):
    monkeypatch.setattr(backend, "check", lambda condition, message: None)
    values = array(loss_of(np.array([1, -2, 0, 4, -1]), Z, from_logits=True))
    np.testing.assert_array_equal(np.isnan(values), [False, True, False, True, False])
