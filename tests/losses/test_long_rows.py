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
