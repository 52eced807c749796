"""A memory of earlier batches, with which losses of pairs compare."""

import json

import keras
import numpy as np
import pytest
from keras import ops

from tests.tools import IN_FLOAT32
from tests.tools import array
from tests.tools import gradient
from tests.tools import wide
from tfx_extras import layers
from tfx_extras import losses

RANDOM = np.random.default_rng(6)
BATCHES = RANDOM.normal(size=(6, 5, 3))
LABELS = RANDOM.integers(-2, 2, (6, 5))


def supervised_contrastive(x, y, columns, their, temperature=0.5):
    x = x / np.linalg.norm(x, axis=-1, keepdims=True)
    columns = columns / np.linalg.norm(columns, axis=-1, keepdims=True)
    values = []
    for i, label in enumerate(y):
        others = np.arange(len(columns)) != i
        s = columns @ x[i] / temperature
        if (others & (their == label)).any():
            own = s[others & (their == label)]
            values.append(np.log(np.exp(s[others]).sum()) - own.mean())
        else:
            values.append(0.0)
    return np.array(values) * len(x) / max(np.count_nonzero(values), 1)


def multi_similarity(x, y, columns, their, alpha=2.0, beta=5.0, base=0.5, epsilon=0.1):
    x = x / np.linalg.norm(x, axis=-1, keepdims=True)
    columns = columns / np.linalg.norm(columns, axis=-1, keepdims=True)
    values = []
    for i, label in enumerate(y):
        others = np.arange(len(columns)) != i
        s = columns @ x[i]
        own, far = s[others & (their == label)], s[their != label]
        value = 0.0
        if len(own) and len(far):
            hard, near = own[own - epsilon < far.max()], far[far + epsilon > own.min()]
            value = np.log1p(np.exp(-alpha * (hard - base)).sum()) / alpha
            value += np.log1p(np.exp(beta * (near - base)).sum()) / beta
        values.append(value)
    return np.array(values)


def triplets(x, y, columns, their, choose):
    values, terms = [], []
    for i, label in enumerate(y):
        others = np.arange(len(columns)) != i
        d = np.linalg.norm(columns - x[i], axis=-1)
        own, far = d[others & (their == label)], d[their != label]
        values.append(choose(own, far) if len(own) and len(far) else [])
        terms.append(len(values[-1]))
    return np.array([sum(v) for v in values]) * len(x) / max(sum(terms), 1)


def semi_hard(own, far):
    chosen = [min((f for f in far if f > p), default=far.max()) for p in own]
    return [max(1 + p - n, 0) for p, n in zip(own, chosen, strict=True)]


def hard(own, far):
    return [max(1 + own.max() - far.min(), 0)]


CASES = {
    "supcon": (losses.SupervisedContrastiveLoss(0.5), supervised_contrastive),
    "multi_similarity": (losses.MultiSimilarityLoss(beta=5.0), multi_similarity),
    "semi_hard": (losses.TripletSemiHardLoss(), lambda *a: triplets(*a, semi_hard)),
    "hard": (losses.TripletHardLoss(), lambda *a: triplets(*a, hard)),
}
each_loss = pytest.mark.parametrize("case", CASES)
two_losses = pytest.mark.parametrize("case", ["supcon", "semi_hard"])


def build(case="supcon", size=12, **options):
    layer = layers.CrossBatchMemory(CASES[case][0], size=size, **options)
    layer.build((None, 3))
    return layer


@each_loss
def test_anchors_are_compared_with_the_newest_samples(case):
    _, reference = CASES[case]
    with wide():
        layer = build(case, dtype="float64")
        memory, labels = np.zeros((0, 3)), np.zeros(0)
        for x, y in zip(BATCHES, LABELS, strict=True):
            memory = np.concatenate([x, memory])[:12]
            labels = np.concatenate([y, labels])[:12]
            inputs = ops.convert_to_tensor(x, "float64")
            actual = array(layer(inputs, y, training=True))
            exact = reference(x, y, memory, labels)
            np.testing.assert_allclose(actual, exact, rtol=1e-9, atol=1e-12)
            # On PyTorch, Keras takes the mean in float32.
            np.testing.assert_allclose(array(layer.losses[0]), exact.mean(), rtol=1e-5)
        np.testing.assert_array_equal(array(layer.memory), memory)
        np.testing.assert_array_equal(array(layer.labels), labels)


@each_loss
def test_gradients_flow_through_the_anchors_only(case):
    _, reference = CASES[case]
    x, y = BATCHES[1], LABELS[1]
    memory = np.concatenate([x, BATCHES[0]])
    labels = np.concatenate([y, LABELS[0]])
    with wide():
        layer = build(case, dtype="float64")

        def loss(inputs):
            layer.memory.assign(np.concatenate([BATCHES[0], np.zeros((7, 3))]))
            layer.labels.assign(np.concatenate([LABELS[0], np.zeros(7, "int32")]))
            layer.is_known.assign(np.arange(12) < 5)
            return layer(inputs, y, training=True)

        actual = gradient(loss, x)
    slope = np.zeros_like(x)
    for i in np.ndindex(x.shape):
        step = np.zeros_like(x)
        step[i] = 1e-6
        far, near = (reference(x + s, y, memory, labels).sum() for s in (step, -step))
        slope[i] = (far - near) / 2e-6
    np.testing.assert_allclose(actual, slope, rtol=1e-5, atol=1e-7)


def steps(layer, batches, training=True):
    pairs = zip(batches.astype("float32"), LABELS, strict=False)
    return [array(layer(x, y, training=training)) for x, y in pairs]


def test_before_the_memory_is_used_the_loss_is_that_of_the_batch():
    loss = losses.SupervisedContrastiveLoss(0.5)
    plain = losses.SupervisedContrastiveLoss(0.5, reduction=None)
    expected = [array(plain(y, x)) for x, y in zip(BATCHES, LABELS, strict=True)]
    late, now = build(warmup=2), build()
    values = steps(late, BATCHES[:4])
    np.testing.assert_allclose(values[:2], expected[:2], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(values[2:], steps(now, BATCHES[:4])[2:], rtol=1e-6)
    assert np.abs(values[2] - expected[2]).max() > 0.1
    slope = gradient(lambda x: build(warmup=1)(x, LABELS[0], training=True), BATCHES[0])
    exact = gradient(lambda x: plain(LABELS[0], x), BATCHES[0])
    np.testing.assert_allclose(slope, exact, rtol=1e-4, atol=1e-5)
    assert loss.get_config() == late.loss.get_config()


def test_evaluation_and_a_frozen_layer_leave_the_memory():
    layer = build()
    steps(layer, BATCHES[:2])
    before = [array(each) for each in layer.weights]
    plain = losses.SupervisedContrastiveLoss(0.5, reduction=None)
    expected = array(plain(LABELS[0], BATCHES[0].astype("float32")))
    found = steps(layer, BATCHES[:1], training=False)
    layer.trainable = False
    found += steps(layer, BATCHES[:1])
    np.testing.assert_allclose(found, [expected] * 2, rtol=1e-6)
    for weight, value in zip(layer.weights, before, strict=True):
        np.testing.assert_array_equal(array(weight), value)
    x = BATCHES[0].astype("float32")
    np.testing.assert_array_equal(array(layer(x)), x)


def test_a_batch_larger_than_the_memory_is_compared_with_itself():
    layer = build(size=3)
    values = steps(layer, BATCHES[:2])
    exact = supervised_contrastive(BATCHES[1], LABELS[1], BATCHES[1], LABELS[1])
    np.testing.assert_allclose(values[1], exact, rtol=1e-5)
    np.testing.assert_allclose(array(layer.memory), BATCHES[1][:3], rtol=1e-6)


@two_losses
def test_samples_that_do_not_count_are_neither_compared_nor_stored(case):
    few, layer = build(case), build(case)
    x, y = np.concatenate(BATCHES[:2]).astype("float32"), np.concatenate(LABELS[:2])
    wrong, mask = x.copy(), np.arange(10) < 5
    wrong[5:] = [[np.nan] * 3, [np.inf] * 3, [7.0] * 3, [0.0] * 3, [1e38] * 3]
    expected = array(few(x[:5], y[:5], training=True))
    for each in (wrong, x):
        layer = build(case)
        mask_tensor = ops.convert_to_tensor(mask)
        values = array(layer(each, y, mask=mask_tensor, training=True))
        mean = array(layer.losses[0])
        # Mean losses count their terms, but not the anchors.
        np.testing.assert_allclose(mean, values[:5].mean(), rtol=1e-5)
        scale = values[:5].sum() / expected.sum()
        np.testing.assert_allclose(values[:5], scale * expected, rtol=1e-4, atol=1e-5)
        assert (values[5:] == 0).all()
        assert array(layer.is_known).sum() == 5
        assert np.isfinite(array(layer.memory)).all()
    slope = gradient(lambda x: layer(x, y, mask=ops.convert_to_tensor(mask)), wrong)
    assert np.isfinite(slope).all()


def test_numbers_that_are_not_finite_stay_in_their_batch():
    layer = build()
    x = BATCHES[0].astype("float32").copy()
    x[1, 0] = np.nan
    values = array(layer(x, LABELS[0], training=True))
    assert np.isnan(values).tolist() == [False, True, False, False, False]
    assert np.isnan(array(layer.losses[0]))
    assert np.isfinite(steps(layer, BATCHES[1:2])[0]).all()
    labels = LABELS[0].astype("float32")
    labels[2] = np.nan
    layer = build()
    values = array(layer(BATCHES[0].astype("float32"), labels, training=True))
    assert np.isnan(values).tolist() == [False, False, True, False, False]
    assert array(layer.is_known).sum() == 4
    assert np.isfinite(steps(layer, BATCHES[1:2])[0]).all()
    mask = ops.convert_to_tensor(np.isfinite(labels))
    assert array(layer(BATCHES[0].astype("float32"), labels, mask=mask))[2] == 0


@two_losses
def test_no_pairs_and_no_samples_give_zero(case):
    layer = build(case)
    empty = np.zeros((0, 3), "float32")
    assert layer(empty, np.zeros(0, "int32"), training=True).shape == (0,)
    assert float(layer.losses[0]) == 0
    one = BATCHES[0, :1].astype("float32")
    assert array(layer(one, LABELS[0, :1], training=True)) == [0]
    slope = gradient(lambda x: build(case)(x, np.arange(1), training=True), one)
    assert (slope == 0).all()
    zeros = np.zeros((4, 3), "float32")
    slope = gradient(lambda x: build(case)(x, np.arange(4) // 2, training=True), zeros)
    assert np.isfinite(slope).all()


@pytest.mark.parametrize("policy", [IN_FLOAT32, "mixed_float16"])
def test_a_model_trains_is_saved_and_trains_on_bit_for_bit(policy, tmp_path):
    keras.utils.set_random_seed(1)
    y = np.arange(30) % 3
    x = (np.eye(3)[y] + 0.1 * RANDOM.normal(size=(30, 3))).astype("float32")
    inputs, labels = keras.Input((3,)), keras.Input((), dtype="int32")
    hidden = keras.layers.Dense(4, dtype=policy)(inputs)
    loss = losses.MultiSimilarityLoss()
    layer = layers.CrossBatchMemory(loss, 20, 2, dtype=policy, name="memory")
    model = keras.Model([inputs, labels], layer(hidden, labels))
    assert model.output.dtype == "float32"
    assert model.output.shape == (None,)
    model.compile(keras.optimizers.Adam(0.05))
    # 12, 12 and 6 samples: the batch size is unknown.
    model.fit([x, y], epochs=8, batch_size=12, shuffle=False, verbose=0)
    assert layer.memory.dtype == "float32"
    assert array(layer.is_known).all()
    assert array(layer.batches) == 24
    np.testing.assert_array_equal(array(layer.labels), [*y[24:], *y[12:24], *y[:2]])
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    for one, other in zip(
        layer.weights, loaded.get_layer("memory").weights, strict=True
    ):
        np.testing.assert_array_equal(array(one), array(other))
    for each in (model, loaded):
        each.fit([x, y], batch_size=12, shuffle=False, verbose=0)
    for one, other in zip(model.weights, loaded.weights, strict=True):
        np.testing.assert_array_equal(array(one), array(other))


def test_the_configuration_survives_json():
    loss = losses.TripletHardLoss(0.3, distance_metric="angular")
    layer = layers.CrossBatchMemory(loss, np.int64(7), warmup=3, name="mine")
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(layer)))
    copy = keras.saving.deserialize_keras_object(config)
    assert copy.get_config() == layer.get_config()
    assert (copy.size, copy.warmup, copy.loss.margin) == (7, 3, 0.3)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"size": 0}, r"`size` must be in \[1, inf\). Received: size=0"),
        ({"warmup": -1}, r"`warmup` must be in \[0, inf\)"),
        ({"loss": losses.ProxyAnchorLoss()}, "`loss` must be one of `MultiSimilarity"),
        ({"loss": losses.LiftedStructuredLoss()}, "`loss` must be one of"),
        ({"loss": losses.TripletHardLoss(gather=True)}, "must have gather=False"),
        ({"loss": losses.TripletHardLoss(reduction="sum")}, "must have the reduction"),
        ({"dtype": "nonsense"}, "`dtype` must be a dtype"),
    ],
)
def test_wrong_arguments_are_named(arguments, said):
    with pytest.raises(ValueError, match=said):
        layers.CrossBatchMemory(**{"loss": losses.TripletHardLoss(), **arguments})


def test_labels_that_are_not_integers_are_refused():
    layer, x = build(), BATCHES[0].astype("float32")
    with pytest.raises(ValueError, match="must hold integers"):
        layer(x, LABELS[0] + 0.5)
    with pytest.raises(ValueError, match="one label for each sample"):
        layer(x, LABELS[0, :3])
    with pytest.raises(ValueError, match="argmax"):
        layer(x, np.eye(5))
    with pytest.raises(ValueError, match="must hold integers"):
        layer(x, np.array([2.0**70] * 5))


@pytest.mark.only("tensorflow", "torch")  # on JAX, Keras cuts them to 32 bits
def test_large_labels_are_told_apart():
    layer = build()
    x = BATCHES[0].astype("float32")
    layer(x, np.arange(5) + 2**40, training=True)
    layer(x, np.arange(5), training=True)
    assert len(set(array(layer.labels)[:10].tolist())) == 10


def test_labels_of_a_list_are_kept_as_they_are():
    layer, x = build(size=4), np.eye(2, 3, dtype="float32")
    layer(x, y_true=[10, 20], training=True)
    layer(x, y_true=[20, 30], training=True)
    np.testing.assert_array_equal(array(layer.labels), [20, 30, 10, 20])


def test_embeddings_of_another_shape_are_refused():
    with pytest.raises(ValueError, match="ndim"):
        layers.CrossBatchMemory(losses.TripletHardLoss())(np.arange(5), BATCHES[0])
    with pytest.raises(ValueError, match="expected axis -1"):
        build()(np.zeros((5, 4), "float32"), LABELS[0])
