"""Batches without pairs, labels of every kind, and distances."""

import keras
import numpy as np
import pytest
from keras import ops

from tests.cases import each_class
from tests.losses.cases.embedding import metric_learning
from tests.references import metric_learning as references
from tests.tools import array
from tests.tools import fused
from tests.tools import gradient
from tests.tools import values_and_gradient
from tests.tools import wide
from tfx_extras import losses
from tfx_extras.losses.embedding._distances import pairwise

# JAX has no code of its own here; the contracts test its values and gradients.
pytestmark = pytest.mark.only("tensorflow", "torch")
# The losses that find pairs in a batch of labeled embeddings.
LABELLED = [
    case for case in metric_learning.CASES if case.data is metric_learning.labelled
]
EMBEDDINGS = metric_learning.embeddings((6, 3)).astype("float32")
# Without negatives, the rest of the formula of these losses is still positive.
WITHOUT_NEGATIVES = (losses.SupervisedContrastiveLoss,)


def assert_nothing(case, labels, embeddings=EMBEDDINGS):
    def value(x):
        return case.compute(np.asarray(labels), x)

    for found in values_and_gradient(value, embeddings):
        np.testing.assert_array_equal(found, 0)


@each_class(LABELLED)
def test_a_batch_without_like_samples_costs_nothing(case):
    assert_nothing(case, [0, 1, 2, 3, 4, 5])
    assert_nothing(case, [-1], EMBEDDINGS[:1])


@each_class([case for case in LABELLED if case.cls not in WITHOUT_NEGATIVES])
def test_a_batch_of_one_label_costs_nothing(case):
    assert_nothing(case, [-1] * 6)


@each_class(LABELLED)
def test_an_anchor_without_like_samples_costs_nothing(case):
    values = array(case.compute(np.array([0, 0, 1, 1, 2, 1]), EMBEDDINGS))
    assert values[4] == 0
    assert (values[[0, 1, 2, 3, 5]] > 0).any()


@each_class(LABELLED)
@pytest.mark.parametrize("scale", [0.0, 1e-20, 1e6])
def test_gradient_is_finite_where_embeddings_coincide(case, scale):
    embeddings = np.repeat(EMBEDDINGS[:2] * np.float32(scale), 3, axis=0)
    for labels in ([0, 0, 0, 1, 1, 1], [0, 1, 0, 1, 0, 1]):
        labels = np.array(labels)
        values, slopes = values_and_gradient(
            lambda x, y=labels: case.compute(y, x), embeddings
        )
        assert np.isfinite(values).all()
        assert np.isfinite(slopes).all()


@pytest.mark.only("tensorflow", "jax", "torch")  # JAX has 32-bit integers only
@each_class(LABELLED)
@pytest.mark.parametrize("dtype", ["int64", "int32", "uint8", "bool", "float32"])
def test_labels_of_any_dtype_are_compared_as_they_are(case, dtype):
    labels = np.array([0, 1, 0, 1, 1, 0])
    expected = array(case.compute(labels, EMBEDDINGS))
    actual = array(case.compute(labels.astype(dtype), EMBEDDINGS))
    np.testing.assert_array_equal(actual, expected)


@pytest.mark.only("tensorflow", "jax", "torch")  # JAX has 32-bit integers only
@each_class(LABELLED)
@pytest.mark.parametrize(("factor", "offset"), [(1, 2**24), (1, 2**40), (2**32, 0)])
def test_large_labels_do_not_fall_together(case, factor, offset):
    labels = np.array([0, 1, 2, 1, 2, 0])
    expected = array(case.compute(labels, EMBEDDINGS))
    loss = case.make(reduction=None, dtype="bfloat16")
    rounded = array(loss(labels, EMBEDDINGS))
    large = factor * labels + offset
    np.testing.assert_array_equal(array(case.compute(large, EMBEDDINGS)), expected)
    np.testing.assert_array_equal(array(loss(large, EMBEDDINGS)), rounded)


def test_the_semi_hard_negative_is_strictly_farther():
    """With negatives at 1, 2 and 3, one as far away as the positive does not count."""
    labels = np.array([0, 0, 1, 1, 1])
    points = np.array([[0.0], [2.0], [1.0], [-2.0], [3.0]], "float32")
    for margin in (1.0, 2.0):
        actual = array(losses.triplet_semi_hard_loss(labels, points, margin))
        expected = references.triplet_semi_hard_loss(labels, points, margin)
        np.testing.assert_allclose(actual, expected, rtol=1e-6)
    # The negative at -2 is as far from the anchor at 0 as the positive; that at 3 is
    # not.
    value = array(losses.triplet_semi_hard_loss(labels, points, 1.5))[0]
    np.testing.assert_allclose(value, (1.5 + 2 - 3) * 5 / 8, rtol=1e-6)


@pytest.mark.parametrize("size", [1, 2, 3, 64, 129])
def test_semi_hard_negatives_are_found_in_batches_of_any_size(size):
    random = np.random.default_rng(size)
    labels = random.integers(0, 4, size)
    points = random.integers(-9, 9, (size, 2)).astype("float64")  # with many ties

    @fused
    def loss(points):
        return losses.triplet_semi_hard_loss(labels, points, 3.0, "squared-L2")

    with wide():
        actual = array(loss(ops.convert_to_tensor(points)))
    expected = references.triplet_semi_hard_loss(labels, points, 3.0, "squared-L2")
    np.testing.assert_allclose(actual, expected, rtol=1e-12)


def test_distances_of_far_away_embeddings_keep_their_digits():
    labels, points = metric_learning.labelled()
    near = array(losses.triplet_hard_loss(labels, points))
    far = array(losses.triplet_hard_loss(labels, points.astype("float32") + 2.0**17))
    np.testing.assert_allclose(far, near, rtol=1e-5)


def test_unregistered_distances_are_rejected_by_the_class_alone():
    def distance(x, y):
        return metric_learning.manhattan(x, y)

    labels, points = metric_learning.labelled()
    losses.triplet_hard_loss(labels, points, distance_metric=distance)
    with pytest.raises(ValueError, match=r"`distance_metric` must be registered"):
        losses.TripletHardLoss(distance_metric=distance)


def test_distances_of_another_shape_are_rejected():
    labels, points = metric_learning.labelled()
    by_row = metric_learning.manhattan_by_row
    with pytest.raises(ValueError, match=r"shape \(8, 8\)\. It returned: \(8,\)"):
        losses.triplet_hard_loss(labels, points, distance_metric=by_row)


@pytest.mark.parametrize("cls", [losses.NTXentLoss, losses.CLIPLoss, losses.SigLIPLoss])
def test_without_labels_all_pairs_are_different(cls):
    _, views = metric_learning.pairs()
    loss = cls(reduction=None)
    expected = array(loss(np.arange(5), views))
    np.testing.assert_array_equal(array(loss(None, views)), expected)
    two = tuple(ops.convert_to_tensor(views[:, i]) for i in range(2))
    np.testing.assert_array_equal(array(loss(None, two)), expected)


@pytest.mark.parametrize("cls", [losses.NTXentLoss, losses.CLIPLoss, losses.SigLIPLoss])
def test_a_batch_of_one_pair_is_finite(cls):
    _, views = metric_learning.pairs()
    loss = cls(reduction=None)
    for found in values_and_gradient(lambda x: loss(None, x), views[:1]):
        assert np.isfinite(found).all()


@pytest.mark.parametrize(
    ("loss", "data"),
    [
        (losses.TripletLoss(), metric_learning.triplets),
        (losses.NTXentLoss(), metric_learning.pairs),
    ],
    ids=["triplets", "views"],
)
def test_fit_needs_no_labels_where_the_loss_needs_none(loss, data):
    _, x = data()
    model = keras.Sequential([keras.Input(x.shape[1:]), keras.layers.Dense(2)])
    model.compile("sgd", loss)
    before = model.evaluate(x, verbose=0)
    model.fit(x, epochs=3, verbose=0)
    assert model.evaluate(x, verbose=0) < before


@pytest.mark.only("tensorflow")
def test_multilabels_may_be_sparse():
    import tensorflow as tf

    labels, similarities = metric_learning.multilabels()
    expected = array(losses.n_pairs_multilabel_loss(labels, similarities))
    loss = losses.NPairsMultilabelLoss(reduction=None)
    actual = array(loss(tf.sparse.from_dense(labels), similarities))
    np.testing.assert_allclose(actual, expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("cls", "kwargs"),
    [
        (losses.NPairsLoss, {"gather": True}),
        (losses.NPairsMultilabelLoss, {"gather": True}),
        (losses.CLIPLoss, {"gather": True, "from_logits": True}),
        (losses.SigLIPLoss, {"gather": True, "from_logits": True}),
    ],
)
def test_only_embeddings_can_be_gathered(cls, kwargs):
    with pytest.raises(ValueError, match=r"`gather` needs .* gather=True"):
        cls(**kwargs)


def test_the_angular_margin_falls_all_the_way():
    """The cosine falls also beyond the angle from which it would rise."""
    cosine = np.linspace(1, -1, 201)
    predictions = np.stack([cosine, np.zeros_like(cosine)], axis=-1)
    loss = array(losses.arc_face_loss(np.zeros(201, int), predictions, 1.0, 4.0))
    assert (np.diff(loss) > 0).all()


@pytest.mark.only("tensorflow", "jax", "torch")  # JAX has 32-bit integers only
def test_python_lists_hold_labels_of_any_size():
    labels = [2**40, 2**40 + 1, 2**40]
    actual = array(losses.triplet_hard_loss(labels, EMBEDDINGS[:3]))
    expected = array(losses.triplet_hard_loss([0, 1, 0], EMBEDDINGS[:3]))
    np.testing.assert_array_equal(actual, expected)


@pytest.mark.parametrize("place", range(6))
@pytest.mark.parametrize("far", [3000.0, 1e6])
def test_an_outlier_spoils_no_other_distance_wherever_it_is(place, far):
    rng = np.random.default_rng(0)
    x = np.insert(rng.integers(-8, 9, (5, 3)) / 8, place, far, axis=0)
    x = x.astype("float32")
    expected = np.linalg.norm(x[:, None] - x[None].astype("float64"), axis=-1)
    x = ops.convert_to_tensor(x)
    np.testing.assert_allclose(array(pairwise("L2", x, x)), expected, rtol=1e-6)


@pytest.mark.parametrize("metric", ["L2", "squared-L2"])
@pytest.mark.parametrize("size", [2e19, 3e38])
def test_distances_of_large_embeddings_are_never_0(metric, size):
    x = np.float32([[0, 1], [size, 0], [-size, 0], [1, 1]])
    x = ops.convert_to_tensor(x)
    d = array(pairwise(metric, x, x))
    apart = ~np.eye(4, dtype=bool)
    assert (d[apart] >= 1).all()
    assert d[0, 3] == 1
    assert (d[1:3, [0, 3]] == np.inf).all()
    labels = np.array([0, 0, 1, 1])
    assert not array(losses.TripletHardLoss()(labels, x)) < 1
    slopes = gradient(
        lambda x: pairwise(metric, x, x)[0, 3], array(x).astype("float32")
    )
    assert np.isfinite(slopes).all()


def test_a_negative_that_is_infinitely_far_is_no_positive():
    x = np.float32([[0.0], [1.0], [1e30]])
    values = losses.triplet_semi_hard_loss(np.array([0, 0, 1]), x)
    np.testing.assert_array_equal(array(values), 0)


@each_class(LABELLED)
def test_a_label_that_is_nan_is_nan_in_the_loss(case):
    x = np.float32([[0, 1], [1, 0], [1, 1], [2, 1]])
    for dtype in ("float32", "float64"):
        labels = np.array([0, 0, float("nan"), 1], dtype)
        assert np.isnan(array(ops.mean(case.compute(labels, x))))


@pytest.mark.parametrize(
    ("loss", "y_true", "y_pred", "cure"),
    [
        (losses.ContrastiveLoss(), [0, 1], np.zeros((2, 2, 3)), "from_embeddings=True"),
        (losses.NPairsLoss(), [0, 1], np.zeros((2, 2, 3)), "from_embeddings=True"),
        (losses.NPairsMultilabelLoss(), [0, 1], np.eye(2), "use NPairsLoss"),
        (
            losses.CLIPLoss(from_logits=True),
            None,
            np.zeros((2, 2, 3)),
            "from_logits=False",
        ),
        (losses.TripletHardLoss(), np.eye(2), np.eye(2), r"ops\.argmax"),
    ],
)
def test_errors_of_shape_name_the_likely_cure(loss, y_true, y_pred, cure):
    with pytest.raises(ValueError, match=rf"{cure}.*Received: .*shape="):
        loss(y_true, y_pred)
