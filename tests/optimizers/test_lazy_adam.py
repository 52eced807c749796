"""Tests of LazyAdam with sparse gradients, which only TensorFlow has."""

import keras
import numpy as np
import pytest

from tests.references.optimizers import adam
from tfx_extras.optimizers import LazyAdam

pytestmark = pytest.mark.only("tensorflow")
START = np.linspace(-1, 1, 12).reshape(6, 2)
RATE = 2.0**-6


def batches(count=8, size=5):
    """Ids, most of them repeated; values; and their sum as a dense gradient."""
    rng = np.random.default_rng(0)
    for _ in range(count):
        ids = rng.choice([0, 2, 3, 5], size=size)
        values = rng.normal(size=(size, 2))
        dense = np.zeros((6, 2))
        np.add.at(dense, ids, values)
        yield ids, values, dense


def train(optimizer, dtype="float32", jit=None, size=5):
    import tensorflow as tf

    variable = keras.Variable(START, dtype=dtype, name="table")
    optimizer.build([variable])

    def step(values, ids):
        optimizer.apply([tf.IndexedSlices(values, ids, tf.constant([6, 2]))])

    step = step if jit is None else tf.function(step, jit_compile=jit)
    for ids, values, _ in batches(size=size):
        step(tf.constant(values, dtype), tf.constant(ids))
    return keras.ops.convert_to_numpy(keras.ops.cast(variable, "float64"))


def expected(clip=lambda g: g, **kwargs):
    rows = [np.unique(ids) for ids, *_ in batches()]
    return adam(START, [clip(g) for *_, g in batches()], RATE, rows=rows, **kwargs)


@pytest.mark.parametrize("jit", [None, False, True])
@pytest.mark.parametrize("amsgrad", [False, True])
def test_only_the_rows_named_move_and_as_in_adam(jit, amsgrad):
    options = {"amsgrad": amsgrad, "beta_2": 0.9}
    actual = train(LazyAdam(RATE, **options), jit=jit)
    np.testing.assert_allclose(actual, expected(**options), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(actual[[1, 4]], START.astype("float32")[[1, 4]])


@pytest.mark.parametrize(
    ("options", "clip"),
    [
        ({"clipvalue": 0.1}, lambda g: np.clip(g, -0.1, 0.1)),
        ({"clipnorm": 0.1}, lambda g: g * min(1, 0.1 / np.linalg.norm(g))),
        ({"global_clipnorm": 0.1}, lambda g: g * min(1, 0.1 / np.linalg.norm(g))),
        ({"loss_scale_factor": 8.0}, lambda g: g / 8),
        ({"use_ema": True}, lambda g: g),
    ],
    ids=["clipvalue", "clipnorm", "global_clipnorm", "loss_scale_factor", "use_ema"],
)
def test_options_see_the_summed_rows(options, clip):
    # With an epsilon near the gradients, Adam is sensitive to their scale.
    actual = train(LazyAdam(RATE, epsilon=0.1, **options), jit=False)
    np.testing.assert_allclose(actual, expected(clip, epsilon=0.1), rtol=1e-5)


def test_weight_decay_is_of_the_whole_table():
    actual = train(LazyAdam(RATE, weight_decay=0.5))
    np.testing.assert_allclose(actual, expected(weight_decay=0.5), rtol=1e-5)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float64"])
def test_other_precisions_follow_the_reference(dtype):
    unit = {"bfloat16": 2.0**-8, "float16": 2.0**-11, "float64": 1e-12}[dtype]
    actual = train(LazyAdam(RATE), dtype)
    # Each gradient is rounded once, too.
    np.testing.assert_allclose(actual, expected(), rtol=3 * unit, atol=3 * unit)


def test_accumulated_rows_are_those_of_all_micro_steps():
    few = {"size": 2}  # so that rows with moments are sometimes not named
    _, _, dense = zip(*batches(**few), strict=True)
    means = np.reshape(dense, (4, 2, 6, 2)).mean(axis=1)
    rows = [np.abs(mean).sum(axis=1) > 0 for mean in means]
    actual = train(LazyAdam(RATE, gradient_accumulation_steps=2), jit=False, **few)
    np.testing.assert_allclose(actual, adam(START, means, RATE, rows=rows), rtol=1e-5)


def test_an_embedding_trains_lazily_in_fit_and_other_layers_do_not():
    """The head trains as with Adam; rows that no batch uses stay unchanged."""
    x = np.array([[1, 1], [3, 1], [0, 3], [3, 3]])
    heads = []
    for make in (LazyAdam, keras.optimizers.Adam):
        keras.utils.set_random_seed(0)
        embedding = keras.layers.Embedding(5, 4, trainable=make is LazyAdam)
        flat = [keras.layers.Flatten(), keras.layers.Dense(1)]
        model = keras.Sequential([keras.Input((2,), dtype="int32"), embedding, *flat])
        before = embedding.embeddings.numpy()
        model.compile(make(0.01), loss="mse")
        model.fit(x, np.ones(4), batch_size=4, verbose=0)
        heads.append(model.layers[-1].kernel.numpy())
        moved = (embedding.embeddings.numpy() != before).any(axis=1)
        named = [True, True, False, True, False]
        assert moved.tolist() == (named if make is LazyAdam else [False] * 5)
    np.testing.assert_allclose(*heads, rtol=1e-5)


def test_an_empty_batch_moves_nothing():
    import tensorflow as tf

    variable = keras.Variable(START, dtype="float32", name="table")
    none = tf.IndexedSlices(tf.zeros((0, 2)), tf.zeros(0, "int32"), tf.constant([6, 2]))
    LazyAdam().apply([none], [variable])
    np.testing.assert_array_equal(variable.numpy(), START.astype("float32"))
