"""Metrics of retrieval, alone and in compiled models."""

import keras
import numpy as np
import pytest

from tests.references import retrieval
from tfx_extras import metrics
from tfx_extras.utils import neighbors

RANDOM = np.random.default_rng(5)
Y = np.array([0, 0, 0, 0, 1, 1, 2, 2, 2, 7, 8, 3, 3, 1, 0])  # 7 and 8 are singletons
# Embeddings on a grid, some of them equal: many distances are ties.
GRID = RANDOM.integers(-1, 2, size=(len(Y), 2)).astype("float32")
X = RANDOM.normal(size=(len(Y), 4)).astype("float32")
W = np.arange(len(Y)) % 4 / 2  # every fourth example has weight 0
KINDS = {
    "recall_at_1": (metrics.RecallAtK, retrieval.recall_at_k, {}),
    "recall_at_3": (metrics.RecallAtK, retrieval.recall_at_k, {"k": 3}),
    "map_at_r": (metrics.MeanAveragePrecisionAtR, retrieval.map_at_r, {}),
}
EACH = pytest.mark.parametrize("kind", KINDS)


def value(metric, y, x, *weights, batch=4):
    metric.reset_state()
    for i in range(0, len(y), batch):
        metric.update_state(*(part[i : i + batch] for part in (y, x, *weights)))
    return float(metric.result())


@EACH
@pytest.mark.parametrize("size", [None, len(Y)])
def test_values_are_those_of_the_reference(kind, size, monkeypatch):
    cls, reference, options = KINDS[kind]
    monkeypatch.setattr(neighbors, "ELEMENTS", 40)  # chunks of few queries
    metric = cls(size=size, **options)
    assert metric.name == kind
    assert value(metric, Y, X) == pytest.approx(reference(Y, X, **options))
    weighted = reference(Y, X, W, **options)
    assert weighted != pytest.approx(reference(Y, X, **options))
    assert value(metric, Y, X, W) == pytest.approx(weighted)
    for distance in ("L2", "squared-L2"):
        for x in (X, GRID):
            metric = cls(size=size, distance_metric=distance, **options)
            wanted = reference(Y, x, metric=distance, **options)
            assert value(metric, Y, x) == pytest.approx(wanted)


@EACH
def test_equal_distances_rank_by_index(kind):
    cls, reference, options = KINDS[kind]
    metric = cls(distance_metric="squared-L2", **options)
    for order in (np.arange(len(Y)), np.arange(len(Y))[::-1], RANDOM.permutation(15)):
        x = np.repeat(GRID[order][:5], 3, axis=0)  # each embedding three times
        wanted = reference(Y, x, metric="squared-L2", **options)
        assert value(metric, Y, x) == pytest.approx(wanted)


@EACH
def test_values_of_special_sets(kind):
    cls, reference, options = KINDS[kind]
    metric = cls(**options)
    assert np.isnan(float(metric.result()))  # nothing has been seen
    assert np.isnan(value(metric, np.arange(5), X[:5]))  # singletons only
    assert np.isnan(value(metric, Y, X, 0 * W))
    assert value(metric, 0 * Y, X) == 1
    assert value(metric, [4, 4], X[:2]) == 1  # fewer neighbors than k
    assert value(metric, Y[:, None], X) == pytest.approx(reference(Y, X, **options))
    for wrong in (np.nan, np.inf):
        broken = X.copy()
        broken[9, 1] = wrong
        assert np.isnan(value(metric, Y, broken))
    # What weight 0 leaves out may be anything.
    weights = np.arange(len(Y)) != 9
    wanted = reference(Y[weights], X[weights], **options)
    assert value(metric, Y, broken, weights) == pytest.approx(wanted)


def test_examples_that_a_mask_excludes_are_left_out():
    mask = np.arange(len(Y)) % 3 > 0
    x = np.where(mask[:, None], X, 0.0).astype("float32")
    masked = keras.layers.Masking()(x)  # masks the rows of zeros
    metric = metrics.RecallAtK()
    metric.update_state(Y, masked)
    wanted = retrieval.recall_at_k(Y[mask], X[mask])
    assert float(metric.result()) == pytest.approx(wanted)


@keras.saving.register_keras_serializable("tests")
def mean_square(y_true, y_pred):
    return keras.ops.mean(y_pred**2)


def model_of(outputs=1, **options):
    keras.utils.set_random_seed(2)
    x = keras.Input((4,))
    names = ["one", "two"][:outputs]
    made = [keras.layers.Dense(3, name=name)(x) for name in names]
    model = keras.Model(x, dict(zip(names, made, strict=True)) if outputs > 1 else made)
    model.compile("sgd", mean_square, **options)
    return model


@EACH
@pytest.mark.parametrize("batch_size", [4, 15])
def test_evaluate_gives_the_value_of_the_whole_set(kind, batch_size):
    cls, reference, options = KINDS[kind]
    model = model_of(metrics=[cls(size=len(Y), **options)])
    embeddings = model.predict(X, verbose=0)
    wanted = reference(Y, embeddings, **options)
    for _ in range(2):
        found = model.evaluate(X, Y, batch_size, verbose=0, return_dict=True)
        assert found[kind] == pytest.approx(wanted)


@pytest.mark.parametrize("train", [8, 15, 19])
def test_fit_gives_the_value_of_validation_data(train):
    model = model_of(
        metrics=[metrics.RecallAtK(k=2, size=len(Y))],
        weighted_metrics=[metrics.MeanAveragePrecisionAtR(size=len(Y))],
    )
    x, y = np.tile(X, (2, 1))[:train], np.tile(Y, 2)[:train]
    weights = np.random.default_rng(1).integers(0, 3, len(Y))
    history = model.fit(
        x, y, 4, 2, validation_data=(X, Y, weights), validation_batch_size=6, verbose=0
    ).history
    embeddings = model.predict(X, verbose=0)
    wanted = retrieval.recall_at_k(Y, embeddings, k=2)
    assert history["val_recall_at_2"][-1] == pytest.approx(wanted)
    wanted = retrieval.map_at_r(Y, embeddings, weights)
    assert history["val_map_at_r"][-1] == pytest.approx(wanted)
    # The training set has another number of examples, or as many by chance.
    assert np.isnan(history["recall_at_2"][-1]) == (train != len(Y))


def test_each_output_has_its_metric():
    size = len(Y)
    model = model_of(
        2,
        metrics={
            "one": metrics.RecallAtK(size=size),
            "two": metrics.MeanAveragePrecisionAtR(size=size),
        },
    )
    embeddings = model.predict(X, verbose=0)
    labels = {"one": Y, "two": Y[::-1].copy()}
    found = model.evaluate(X, labels, 4, verbose=0, return_dict=True)
    wanted = retrieval.recall_at_k(Y, embeddings["one"])
    assert found["one_recall_at_1"] == pytest.approx(wanted)
    wanted = retrieval.map_at_r(Y[::-1], embeddings["two"])
    assert found["two_map_at_r"] == pytest.approx(wanted)


@keras.saving.register_keras_serializable("tests")
def minus_product(x, y):
    return 1.0 - x @ keras.ops.transpose(y)


def test_a_loaded_model_has_its_metrics(tmp_path):
    size = len(Y)
    model = model_of(
        metrics=[
            metrics.RecallAtK(3, "L2", size),
            metrics.RecallAtK(2, minus_product, size, name="mine", dtype="float32"),
            metrics.MeanAveragePrecisionAtR("squared-L2", size),
        ]
    )
    before = model.evaluate(X, Y, 5, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.evaluate(X, Y, 5, verbose=0) == before
    assert np.isfinite(before).all()


@EACH
def test_a_configuration_restores_the_metric(kind):
    cls, _, options = KINDS[kind]
    for metric in (
        cls(**options),
        cls(
            size=7, distance_metric=minus_product, name="a", dtype="float64", **options
        ),
    ):
        config = keras.saving.serialize_keras_object(metric)
        again = keras.saving.deserialize_keras_object(config)
        assert type(again) is cls
        assert again.get_config() == metric.get_config()
        assert again.distance_metric == metric.distance_metric


@EACH
def test_a_set_that_has_not_exactly_size_examples_has_no_value(kind):
    cls, reference, options = KINDS[kind]
    metric = cls(size=len(Y), **options)
    assert np.isnan(value(metric, Y[:-1], X[:-1]))
    metric.update_state(Y[-1:], X[-1:])
    assert float(metric.result()) == pytest.approx(reference(Y, X, **options))
    metric.update_state(Y[-1:], X[-1:])
    assert np.isnan(float(metric.result()))
    assert np.isnan(value(metric, np.tile(Y, 3), np.tile(X, (3, 1)), batch=45))
    assert value(metric, Y, X) == pytest.approx(reference(Y, X, **options))


def test_large_classes_and_half_precision_are_exact():
    large = (2**24 + Y).astype("int64")  # in float32, pairs of these would be equal
    wanted = retrieval.map_at_r(Y, X.astype("float16"))
    for size in (None, len(Y)):
        metric = metrics.MeanAveragePrecisionAtR(size=size, dtype="float16")
        found = value(metric, large, X.astype("float16"))
        assert found == pytest.approx(wanted, rel=1e-3)  # the result is rounded


def test_a_call_with_a_made_up_batch_leaves_no_trace():
    model = model_of(metrics=[metrics.RecallAtK(size=len(Y))])
    model.test_on_batch(X, Y)
    wanted = retrieval.recall_at_k(Y, model.predict(X, verbose=0))
    found = model.get_metrics_result()["recall_at_1"]
    assert float(found) == pytest.approx(wanted)


@pytest.mark.only("tensorflow", "jax")
def test_a_compiled_step_without_size_is_an_error_that_says_so():
    model = model_of(metrics=[metrics.RecallAtK()])
    with pytest.raises(
        ValueError, match=r"needs `size` in a compiled step.*len\(x_val\)"
    ):
        model.evaluate(X, Y, verbose=0)


@pytest.mark.only("torch")
def test_without_size_a_model_evaluates_the_examples_it_has():
    model = model_of(metrics=[metrics.RecallAtK()])
    embeddings = model.predict(X, verbose=0)
    wanted = retrieval.recall_at_k(Y, embeddings)
    # Before its first step, Keras calls metrics with 83 and 89 examples of its own.
    found = model.test_on_batch(X, Y, return_dict=True)
    assert found["recall_at_1"] == pytest.approx(wanted)


@pytest.mark.only("tensorflow")
def test_a_strategy_is_an_error_that_names_the_cure():
    import tensorflow as tf

    with tf.distribute.MirroredStrategy(["CPU:0"]).scope():
        metric = metrics.RecallAtK(size=4)
        with pytest.raises(ValueError, match=r"outputs of `model\.predict`"):
            metric.update_state(Y, X)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"k": 0}, r"`k` must be in \[1, inf\). Received: k=0"),
        ({"size": 0}, r"`size` must be in \[1, inf\)"),
        ({"distance_metric": "cosine"}, "must be one of L2, squared-L2, angular"),
        ({"distance_metric": lambda x, y: x}, "must be registered"),
        ({"dtype": "floaty"}, "`dtype` must be a dtype"),
    ],
)
def test_wrong_arguments_are_named(arguments, said):
    with pytest.raises(ValueError, match=said):
        metrics.RecallAtK(**arguments)


@pytest.mark.parametrize("size", [None, len(Y)])
@pytest.mark.parametrize(
    ("y", "x", "said"),
    [
        (np.eye(15)[Y], X, r"argmax\(axis=-1\).*y_true of shape \(15, 15\)"),
        (Y[:-1], X, "y_true of shape"),
        (Y, X[:, :, None], r"`y_pred` must have shape \(batch, features\)"),
        (Y + 0.5, X, "must hold the class of each example as a whole number"),
        (Y + 2**33, X, "must hold the class of each example as a whole number"),
        (None, X, "`y_true` must hold numbers"),
        ([str(y) for y in Y], X, "`y_true` must hold numbers"),
    ],
)
def test_wrong_batches_are_named(size, y, x, said):
    with pytest.raises(ValueError, match=said):
        metrics.RecallAtK(size=size).update_state(y, x)


@pytest.mark.parametrize("size", [None, 30])
def test_a_change_of_features_is_an_error(size):
    metric = metrics.RecallAtK(size=size)
    metric.update_state(Y, X)
    with pytest.raises(ValueError, match="must have 4 features, as in earlier"):
        metric.update_state(Y, X[:, :3])
