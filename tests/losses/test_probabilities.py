"""Probabilities from logits, even if a compiler rounds the logits again."""

import numpy as np
import pytest
from keras import ops

from tests.tools import array
from tests.tools import compiled
from tests.tools import fused
from tests.tools import gradient
from tests.tools import looked_at
from tests.tools import values_and_gradient
from tests.tools import wide
from tfx_extras import losses
from tfx_extras._backend import backend
from tfx_extras.losses._probabilities import probabilities
from tfx_extras.losses._probabilities import sum_of_others

# Made inside the compiled function, where the compiler may recompute them for each use.
MADE = {
    "scaled": lambda a, b: a / 0.4,
    "distance": lambda a, b: -0.3 * (a - b) ** 2,
    "temperature": lambda a, b: (
        (a * b - ops.logsumexp(a * b, -1, keepdims=True)) / 0.07
    ),
}


@pytest.mark.parametrize("make", MADE.values(), ids=MADE)
@pytest.mark.parametrize(
    ("dtype", "tolerance"), [("float32", 1e-4), ("float64", 1e-12)]
)
def test_they_sum_to_1_with_the_logits_made_on_the_way(make, dtype, tolerance):
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 64, 10)).astype(dtype)

    def total(a, b):
        p = probabilities(make(a, b), from_logits=True)
        return ops.sum(p.share(p.values), axis=-1)

    with wide():
        a, b = map(ops.convert_to_tensor, (a, b))
        np.testing.assert_allclose(array(compiled(total)(a, b)), 1, rtol=tolerance)


@pytest.mark.parametrize("place", [0, 2, None])
def test_one_of_the_largest_is_left_out_also_if_none_is_seen(place):
    seen = [[place is not None and i in (place, 2) for i in range(4)]]
    values = np.array([[0.0, -1.0, 0.0, -2.0]], "float32")
    rest = array(sum_of_others(ops.convert_to_tensor(values), ops.array(seen)))
    np.testing.assert_allclose(rest, [[1 + np.exp(-1.0) + np.exp(-2.0)]], rtol=1e-6)


@pytest.mark.parametrize(
    "function",
    [losses.categorical_focal_crossentropy, losses.smoothed_categorical_crossentropy],
)
def test_a_class_without_a_share_may_have_a_logit_of_minus_infinity(function):
    y_true, some = np.eye(3, 4)[1:], np.float32([[1, 2, 0], [0, 1, np.nan]])
    y_pred = np.insert(some, 3, -np.inf, axis=1)
    options = {"from_logits": True, "label_smoothing": 0.0}
    actual, slopes = values_and_gradient(
        lambda x: function(y_true, x, **options), y_pred
    )
    expected = array(function(y_true[:, :3], some, **options))
    assert np.isnan(expected).tolist() == [False, True]
    np.testing.assert_allclose(actual, expected, rtol=1e-6)
    assert np.isfinite(slopes[0]).all()
    assert slopes[0, 3] == 0


@pytest.mark.only("torch")
def test_shapes_are_found_without_numbers():
    from torch._subclasses import FakeTensorMode

    with FakeTensorMode():
        y = ops.ones((2, 3))
        found = losses.smoothed_categorical_crossentropy(y, y, from_logits=True)
    assert tuple(found.shape) == (2,)


def test_small_terms_keep_their_digits():
    p = probabilities(ops.convert_to_tensor([[0.0, 30.0, -10.0]]), from_logits=True)
    expected = np.exp(-30.0) + np.exp(-40.0)
    np.testing.assert_allclose(array(p.rest), [[expected]], rtol=1e-6)


LOGITS = np.float32([[2.0, -1.0, 0.5], [-3.0, 1.0, 4.0], [-1.0, -2.0, -3.0]])
OF_PROBABILITIES = [
    losses.SigmoidFocalCrossentropy(),
    losses.CategoricalFocalCrossentropy(),
    losses.SparseCategoricalFocalCrossentropy(),
    losses.SmoothedCategoricalCrossentropy(),
    losses.SmoothedSparseCategoricalCrossentropy(),
    losses.SemiSupervisedCrossentropy("entropy", ignore_label=1),
    losses.WeightedKappaLoss(),
]
each_loss = pytest.mark.parametrize(
    "loss", OF_PROBABILITIES, ids=[loss.name for loss in OF_PROBABILITIES]
)


def labels_for(loss):
    """Labels of three samples, one of each class."""
    is_dense = "categorical" in loss.name and "sparse" not in loss.name
    return (
        np.eye(3, dtype="float32") if is_dense or "sigmoid" in loss.name else [0, 1, 2]
    )


@each_loss
def test_logits_given_for_probabilities_are_an_error_that_says_so(loss):
    message = r"probabilities.*Did you mean from_logits=True.* values from -?\d"
    with looked_at(), pytest.raises(ValueError, match=message):
        loss(labels_for(loss), LOGITS)


@pytest.mark.only("tensorflow")
@each_loss
def test_logits_given_for_probabilities_are_an_error_in_a_graph(loss):
    import tensorflow as tf

    with pytest.raises(tf.errors.InvalidArgumentError, match="from_logits=True"):
        tf.function(lambda x: loss(labels_for(loss), x))(tf.constant(LOGITS))


@each_loss
def test_logits_given_for_probabilities_stay_harmless_where_none_looks(
    loss, monkeypatch
):
    monkeypatch.setattr(backend, "check", lambda condition, message: None)
    compute = fused(lambda x: loss(labels_for(loss), x))
    for scale in (1, 1e4):
        value = array(compute(ops.convert_to_tensor(scale * LOGITS)))
        assert np.isfinite(value)
        assert value < 20  # nats; probabilities are clipped at epsilon
        assert value >= 0 or "kappa" in loss.name
        slopes = gradient(compute, scale * LOGITS)
        assert np.isfinite(slopes).all()
        assert slopes.any() or scale > 1  # it still learns


@each_loss
def test_rounding_makes_no_logits_of_probabilities(loss):
    p = np.float32([[1 + 1e-6, -1e-6, 0], [0, 1.0078, 0], [-1e-3, 0.25, 0.75]])
    expected = array(loss(labels_for(loss), np.clip(p, 0, 1)))
    np.testing.assert_allclose(array(loss(labels_for(loss), p)), expected, 1e-6, 1e-12)
