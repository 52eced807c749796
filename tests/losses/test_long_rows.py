"""The compiled way of long rows of logits is that of short ones."""

import keras
import numpy as np
import pytest

from tests.tools import array
from tfx_extras import losses

pytestmark = pytest.mark.only("tensorflow")
ROWS, CLASSES = 5, 4096
RANDOM = np.random.default_rng(0)
LOGITS = RANDOM.normal(size=(ROWS, CLASSES)) * 4
LOGITS[0] = 0  # all tie
LOGITS[1, 7] = 300  # sure, and right
LOGITS[2, 8] = 300  # sure, and wrong
LABELS = np.array([0, 7, 9, 4095, -1])
DIRECTION = RANDOM.normal(size=(ROWS, CLASSES))
SETTINGS = {
    "plain": {"label_smoothing": 0.0},
    "smoothed": {},
    "drift": {"z_loss": 0.25},
    "weighted": {
        "class_weight": (np.arange(CLASSES) % 5 / 2).tolist(),
        "z_loss": 1e-4,
        "label_smoothing": 0.5,
    },
}


def three_derivatives(dtype, **settings):
    """Values, slopes, and the slope of the slope in one direction."""
    import tensorflow as tf

    z = tf.constant(LOGITS, dtype)
    with tf.GradientTape() as outer:
        outer.watch(z)
        with tf.GradientTape() as inner:
            inner.watch(z)
            values = losses.smoothed_sparse_categorical_crossentropy(
                LABELS, z, ignore_class=-1, from_logits=True, **settings
            )
            total = tf.reduce_sum(values * tf.range(1.0, ROWS + 1)[:ROWS])
        slope = inner.gradient(total, z)
        along = tf.reduce_sum(slope * tf.constant(DIRECTION, dtype))
    return values, slope, outer.gradient(along, z)


@pytest.mark.parametrize("title", SETTINGS)
@pytest.mark.parametrize("jit_compile", [None, False, True])
def test_both_ways_agree(monkeypatch, title, jit_compile):
    import tensorflow as tf

    from tfx_extras._backend import tensorflow as fast

    def compute():
        if jit_compile is None:
            return three_derivatives("float32", **SETTINGS[title])
        function = tf.function(three_derivatives, jit_compile=jit_compile)
        return function("float32", **SETTINGS[title])

    actual = [array(x) for x in compute()]
    monkeypatch.setattr(fast, "_LONG", CLASSES + 1)
    expected = [array(x) for x in compute()]
    for ours, plain in zip(actual, expected, strict=True):
        np.testing.assert_allclose(ours, plain, rtol=1e-4, atol=3e-6)
    assert np.abs(expected[0]).max() > 1


@pytest.mark.parametrize("title", ["plain", "weighted"])
@pytest.mark.parametrize("jit_compile", [None, False, True])
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_both_ways_agree_in_low_precision(monkeypatch, dtype, title, jit_compile):
    import tensorflow as tf

    from tfx_extras._backend import tensorflow as fast

    def compute():
        if jit_compile is None:
            return three_derivatives(dtype, **SETTINGS[title])
        function = tf.function(three_derivatives, jit_compile=jit_compile)
        return function(dtype, **SETTINGS[title])

    values, slope, curvature = compute()
    assert (values.dtype, slope.dtype, curvature.dtype) == ("float32", dtype, dtype)
    monkeypatch.setattr(fast, "_LONG", CLASSES + 1)
    expected = [array(tf.cast(x, "float32")) for x in compute()]
    np.testing.assert_allclose(array(values), expected[0], rtol=1e-6)
    step, smallest = {"float16": (2**-10, 2**-14), "bfloat16": (2**-7, 2**-126)}[dtype]
    slope = array(tf.cast(slope, "float32"))
    np.testing.assert_allclose(slope, expected[1], rtol=step, atol=smallest)
    # The slope of the slope is a sum of two parts, each rounded to the type of what is
    # given, where the plain way rounds the sum. So it errs by a share of the parts, of
    # which little is left where a class is sure: those rows are left out.
    for row in (0, 3, 4):
        actual = array(tf.cast(curvature[row], "float32"))
        largest = np.abs(expected[2][row]).max()
        np.testing.assert_allclose(actual, expected[2][row], atol=3 * step * largest)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_sizes_may_be_unknown(dtype):
    import tensorflow as tf

    @tf.function(input_signature=[tf.TensorSpec((None, None, CLASSES), dtype)])
    def slope(z):
        with tf.GradientTape() as tape:
            tape.watch(z)
            loss = losses.smoothed_sparse_categorical_crossentropy(
                [[3, 4]], z, from_logits=True
            )
        return tape.gradient(loss, z)

    assert slope(tf.zeros((1, 2, CLASSES), dtype)).shape == (1, 2, CLASSES)


def test_logits_are_not_copied_to_be_made_wide(monkeypatch):
    import tensorflow as tf

    from tfx_extras.losses import smoothed

    given = []
    way = smoothed.backend.with_slope
    monkeypatch.setattr(
        smoothed.backend,
        "with_slope",
        lambda *a, **k: given.extend(x.dtype for x in a[2]) or way(*a, **k),
    )
    z = tf.zeros((1, CLASSES), "bfloat16")
    losses.smoothed_sparse_categorical_crossentropy([1], z, from_logits=True)
    assert given == ["bfloat16"]


def test_the_way_is_taken(monkeypatch):
    from tfx_extras.losses import smoothed

    taken = []
    way = smoothed.backend.with_slope
    monkeypatch.setattr(
        smoothed.backend, "with_slope", lambda *a, **k: taken.append(1) or way(*a, **k)
    )
    loss = losses.SmoothedSparseCategoricalCrossentropy(from_logits=True)
    loss([1], np.zeros((1, CLASSES), "float32"))
    loss([1], np.zeros((1, 10), "float32"))
    assert taken == [1]


def test_it_trains_in_fit():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(CLASSES)])
    loss = losses.SmoothedSparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss)
    x = RANDOM.normal(size=(8, 3)).astype("float32")
    history = model.fit(x, np.arange(8), epochs=3, verbose=0)
    assert history.history["loss"][-1] < history.history["loss"][0]
