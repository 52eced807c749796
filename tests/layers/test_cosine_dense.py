"""Cosines of embeddings and centers, and what trains on them."""

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
from tfx_extras import optimizers

RANDOM = np.random.default_rng(3)
X = RANDOM.normal(size=(5, 4))
CENTERS = RANDOM.normal(size=(4, 3, 2))
WAYS = pytest.mark.parametrize("pooling", ["max", "soft"])


def reference(x, centers, pooling, gamma):
    """From the definition of a cosine, one at a time."""
    out = np.zeros((len(x), centers.shape[1]))
    for i, c in np.ndindex(out.shape):
        s = np.array(
            [
                x[i] @ k / np.linalg.norm(x[i]) / np.linalg.norm(k)
                for k in centers[:, c].T
            ]
        )
        p = np.exp((s - s.max()) / gamma)
        out[i, c] = s.max() if pooling == "max" else (p / p.sum()) @ s
    return out


def merging(centers):
    """The regularizer of SoftTriple as written, one pair of centers at a time."""
    _, classes, count = centers.shape
    w = centers / np.linalg.norm(centers, axis=0)
    total = sum(
        np.sqrt(2 - 2 * w[:, c, s] @ w[:, c, t])
        for c in range(classes)
        for t in range(count)
        for s in range(t + 1, count)
    )
    return total / (classes * count * (count - 1))


def layer_of(centers=CENTERS, dtype="float64", **options):
    layer = layers.CosineDense(
        centers.shape[1], centers.shape[2], dtype=dtype, **options
    )
    layer.build((None, centers.shape[0]))
    layer.kernel.assign(centers.reshape(len(centers), -1))
    return layer


def numeric(function, x, h=1e-6):
    """The gradient of the sum of a NumPy function, by central differences."""
    slope = np.zeros_like(x)
    for i in np.ndindex(x.shape):
        step = np.zeros_like(x)
        step[i] = h
        slope[i] = (function(x + step).sum() - function(x - step).sum()) / (2 * h)
    return slope


@WAYS
def test_values_and_gradients_are_those_of_the_reference(pooling):
    options = {"pooling": pooling, "gamma": 0.3}
    with wide():
        layer = layer_of(**options)
        expected = reference(X, CENTERS, **options)
        x = ops.convert_to_tensor(X, "float64")  # Keras would make it float32
        np.testing.assert_allclose(array(layer(x)), expected, atol=1e-12)
        slope = numeric(lambda x: reference(x, CENTERS, **options), X)
        np.testing.assert_allclose(gradient(layer, X), slope, atol=1e-8)


@WAYS
def test_one_center_is_a_plain_cosine(pooling):
    one = CENTERS[..., :1]
    with wide():
        x = ops.convert_to_tensor(X, "float64")
        actual = array(layer_of(one, pooling=pooling)(x))
    np.testing.assert_allclose(actual, reference(X, one, "max", 1), atol=1e-12)


def test_lengths_do_not_matter_and_zeros_have_cosine_0_and_a_finite_gradient():
    layer = layer_of(dtype="float32")
    expected = array(layer(X))
    for scale in (1e-30, 1e30):
        actual = array(layer(ops.convert_to_tensor(scale * X, "float32")))
        np.testing.assert_allclose(actual, expected, atol=1e-6)
    zeros = np.zeros((2, 4), "float32")
    assert (array(layer(zeros)) == 0).all()
    assert np.isfinite(gradient(layer, zeros)).all()
    assert np.isnan(array(layer(zeros + np.nan))).all()


def test_axes_between_batch_and_features_are_kept():
    layer = layer_of(dtype="float32")
    x = np.stack([X, 2 * X[::-1]]).astype("float32")
    actual = array(layer(x))
    assert actual.shape == (2, 5, 3)
    np.testing.assert_allclose(actual[1], array(layer(x[1])), atol=1e-6)
    assert layer.compute_output_spec(keras.KerasTensor((None, 7, 4))).shape == (
        None,
        7,
        3,
    )


@pytest.mark.parametrize(
    "policy", ["mixed_float16", "mixed_bfloat16", "bfloat16", "float16"]
)
def test_kernel_and_cosines_are_float32_whatever_the_policy(policy):
    """In 16 bits, the angle of 1 degree that this example has would be 0."""
    layer = layer_of(np.eye(2)[..., None], dtype=policy)
    assert layer.kernel.dtype == "float32"
    angle = np.radians([1.0])
    x = np.float32([[np.cos(angle[0]), np.sin(angle[0])]])
    cosines = layer(x)
    assert keras.backend.standardize_dtype(cosines.dtype) == "float32"
    np.testing.assert_allclose(np.arccos(array(cosines)[:, 0]), angle, rtol=1e-3)


@WAYS
@pytest.mark.parametrize("policy", [IN_FLOAT32, "mixed_bfloat16"])
def test_a_model_trains_is_saved_and_trains_on_bit_for_bit(pooling, policy, tmp_path):
    keras.utils.set_random_seed(1)
    y = np.arange(40) % 3
    x = (np.eye(3)[y] + 0.1 * RANDOM.normal(size=(40, 3))).astype("float32")
    model = keras.Sequential(
        [
            keras.Input((3,)),
            keras.layers.Dense(4, dtype=policy),
            layers.CosineDense(3, 2, pooling, dtype=policy),
        ]
    )
    loss = losses.ArcFaceLoss(margin=0.1, scale=8.0)
    model.compile(keras.optimizers.Adam(0.05), loss, metrics=["accuracy"])
    model.fit(x, y, epochs=15, batch_size=20, shuffle=False, verbose=0)
    assert model.evaluate(x, y, verbose=0)[1] == 1
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    for each in (model, loaded):
        each.fit(x, y, batch_size=20, shuffle=False, verbose=0)
    for one, other in zip(model.weights, loaded.weights, strict=True):
        np.testing.assert_array_equal(array(one), array(other))


@pytest.mark.parametrize("count", [2, 4])
def test_the_regularizer_is_that_of_soft_triple(count):
    centers = RANDOM.normal(size=(5, 3, count))
    with wide():
        layer = layer_of(centers, pooling="soft", merge_weight=0.3)
        (loss,) = layer.losses
        expected = 0.3 * merging(centers)
        np.testing.assert_allclose(array(loss), expected, rtol=1e-12)
        flat = centers.reshape(5, -1)
        actual = gradient(layer.kernel.regularizer, flat)
        slope = numeric(lambda k: 0.3 * merging(k.reshape(centers.shape)), flat)
        np.testing.assert_allclose(actual, slope, atol=1e-9)
    assert layer_of(centers, "float32").losses == []
    layer.trainable = False
    assert layer.losses == []


def test_equal_centers_have_a_loss_and_a_gradient_of_0():
    """From cosines in float32, the distance would be 0.0003 and its slope noise."""
    column = np.float32(RANDOM.normal(size=(7, 3, 1)))
    layer = layer_of(np.tile(column, (1, 1, 3)), "float32", merge_weight=1.0)
    assert array(layer.losses[0]) == 0
    kernel = np.tile(column, (1, 1, 3)).reshape(7, -1)
    assert (gradient(layer.kernel.regularizer, kernel) == 0).all()
    zeros = gradient(layer.kernel.regularizer, np.zeros((7, 9), "float32"))
    assert np.isfinite(zeros).all()
    assert np.isnan(array(layer.kernel.regularizer(ops.full((7, 9), np.nan)))).all()


def test_small_distances_keep_their_digits():
    centers = np.tile(RANDOM.normal(size=(6, 2, 1)), (1, 1, 2))
    centers[..., 1] += 1e-4 * RANDOM.normal(size=(6, 2))
    centers = centers.astype("float32")
    layer = layer_of(centers, "float32", merge_weight=1.0)
    w = centers / np.linalg.norm(centers.astype("float64"), axis=0)
    expected = np.linalg.norm(w[..., 0] - w[..., 1], axis=0).sum() / 4
    np.testing.assert_allclose(array(layer.losses[0]), expected, rtol=2e-3)


def test_the_regularizer_draws_centers_together_once_per_step(tmp_path):
    """The layer is called twice, and the regularizer counts once."""
    policy = "mixed_bfloat16"
    inputs = keras.Input((4,))
    layer = layers.CosineDense(3, 2, "soft", merge_weight=0.5, dtype=policy, name="c")
    hidden = keras.layers.Dense(4, dtype=policy)(inputs)
    model = keras.Model(inputs, [layer(hidden), layer(-hidden)])
    loss = losses.SoftTripleLoss(scale=1e-3, margin=0.0)
    model.compile(keras.optimizers.SGD(0.5), [loss, loss])
    kernel = array(layer.kernel).reshape(4, 3, 2)
    y = np.arange(5) % 3
    before = model.evaluate(X, [y, y], verbose=0)[0]
    expected = 2 * np.log(3) + 0.5 * merging(kernel)
    np.testing.assert_allclose(before, expected, rtol=2e-3)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.get_layer("c").merge_weight == 0.5
    for each in (model, loaded):
        each.fit(X, [y, y], epochs=3, shuffle=False, verbose=0)
    assert merging(array(layer.kernel).reshape(4, 3, 2)) < merging(kernel) - 0.01
    for one, other in zip(model.weights, loaded.weights, strict=True):
        np.testing.assert_array_equal(array(one), array(other))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"merge_weight": -1.0}, r"`merge_weight` must be in \[0, inf\)"),
        ({"merge_weight": 0.2}, "must be 0 for one center .* forget `centers`"),
        ({"classes": 0}, r"`classes` must be in \[1, inf\). Received: classes=0"),
        ({"centers": 0}, r"`centers` must be in \[1, inf\)"),
        ({"gamma": 0.0}, r"`gamma` must be in \(0, inf\)"),
        ({"pooling": "mean"}, "`pooling` must be one of max, soft"),
    ],
)
def test_wrong_arguments_are_named(arguments, said):
    with pytest.raises(ValueError, match=said):
        layers.CosineDense(**{"classes": 3, **arguments})


def test_a_rule_for_its_path_gives_the_centers_a_rate_of_their_own():
    rules = {"cosine_dense": {"learning_rate_multiplier": 100.0}, ".*": {}}
    moves = []
    for grouped in (False, True):
        keras.utils.set_random_seed(3)
        model = keras.Sequential(
            [keras.Input((4,)), keras.layers.Dense(4), layers.CosineDense(3)]
        )
        optimizer = optimizers.AdamW(1e-4, weight_decay=0.0)
        if grouped:
            optimizer = optimizers.ParameterGroups(optimizer, rules)
        model.compile(optimizer, losses.ArcFaceLoss(scale=4.0))
        before = [array(v) for v in model.trainable_variables]
        model.fit(X, np.arange(5) % 3, verbose=0)
        after = [array(v) for v in model.trainable_variables]
        moves.append([b - a for a, b in zip(before, after, strict=True)])
    for plain, ruled, factor in zip(*moves, [1, 1, 100], strict=True):
        np.testing.assert_allclose(ruled, factor * plain, rtol=1e-2, atol=1e-6)
