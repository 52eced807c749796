"""Gradient tapes and sparse gradients, which only TensorFlow has."""

import keras
import numpy as np
import pytest

from tests.parity import test_tfa_optimizers as parity
from tests.parity import tfa_optimizers
from tfx_extras import tfa

pytestmark = pytest.mark.only("tensorflow")


@pytest.mark.parametrize("given", ["function", "tape"])
def test_minimize_takes_a_function_or_a_tape(given):
    import tensorflow as tf

    w = keras.Variable([1.0, -2.0])
    optimizer = tfa.optimizers.SGDW(0.5, 0.125)
    loss = lambda: tf.reduce_sum(w.value**2)  # noqa: E731
    if given == "function":
        optimizer.minimize(loss, lambda: [w], decay_var_list=[])
    else:
        with tf.GradientTape() as tape:
            value = loss()
        optimizer.minimize(value, [w], tape=tape, decay_var_list=[])
        with pytest.raises(ValueError, match="loss"):
            optimizer.minimize(value, [w])
    np.testing.assert_allclose(w.numpy(), [0.75, -1.5])


def test_a_sparse_gradient_is_clipped_as_the_dense_one():
    # Keras 2 clipped it before it summed repeated rows.
    import tensorflow as tf

    start = np.arange(6, dtype="float32").reshape(3, 2)
    slices = tf.IndexedSlices([[3.0, 0.0], [3.0, 4.0]], [1, 1], (3, 2))
    dense = tf.convert_to_tensor([[0.0, 0.0], [6.0, 4.0], [0.0, 0.0]])
    weights = []
    for gradient in (slices, dense):
        for cls in (tfa.optimizers.LazyAdam, tfa.optimizers.RectifiedAdam):
            w = keras.Variable(start)
            cls(0.5, clipnorm=1.0, epsilon=0.25).apply([gradient], [w])
            weights.append(w.numpy())
    np.testing.assert_allclose(weights[:2], weights[2:], rtol=1e-6)
    assert not np.array_equal(weights[0], start)


@pytest.mark.parametrize("name", ["SGDW:sparse", "LazyAdam:sparse"])
def test_sparse_gradients_are_not_forgotten(name):
    # TensorFlow Addons ignores decay in SGDW without momentum, and amsgrad in LazyAdam.
    golden = parity.TFA
    case = golden.cases[name]
    ours = parity.trajectory(case, "sparse", "float64")
    theirs = golden.arrays[f"{name}/sparse, float64"]
    assert np.abs(ours - theirs).max() > 1e-3
    symbol, arguments = case["build"]
    forgotten = {"weight_decay": 0.0} if symbol == "SGDW" else {"amsgrad": False}
    case = case | {"build": [symbol, arguments | forgotten]}
    ours = parity.trajectory(case, "sparse", "float64")
    bias = slice(12, 15)  # the bias has a dense gradient
    ours[:, bias] = theirs[:, bias]
    np.testing.assert_allclose(ours, theirs, rtol=1e-6)


def test_a_row_decays_when_it_is_seen():
    import tensorflow as tf

    for momentum in (0.0, 0.5):
        w = keras.Variable(np.ones((3, 2), "float32"))
        slices = tf.IndexedSlices(tf.zeros((2, 2)), [1, 1], (3, 2))
        tfa.optimizers.SGDW(0.5, 0.1, momentum).apply([slices], [w])
        np.testing.assert_array_equal(w.numpy()[:, 0], [1, 0.5, 1])


def test_lookahead_trains_an_embedding_with_plain_descent():
    # TensorFlow Addons raised a KeyError.
    model = keras.Sequential([keras.Input((1,)), keras.layers.Embedding(4, 2)])
    optimizer = tfa.optimizers.Lookahead(keras.optimizers.SGD(0.5), sync_period=2)
    model.compile(optimizer, "mse")
    before = model.get_weights()[0]
    x = np.array([[1], [1], [3]])
    model.fit(x, np.ones((3, 1, 2)), epochs=2, verbose=0)
    changed = (model.get_weights()[0] != before).all(-1)
    assert changed.tolist() == [False, True, False, True]


@pytest.mark.parametrize("name", ["Lookahead", "MovingAverage", "SWA"])
def test_a_wrapper_sums_repeated_rows_for_an_optimizer_of_keras(name):
    import tensorflow as tf

    start = np.arange(6, dtype="float32").reshape(3, 2)
    rows = tf.constant([[3.0, 0.0], [1.0, 4.0]])
    slices = tf.IndexedSlices(rows, tf.constant([1, 1]), tf.constant([3, 2]))
    dense = tf.convert_to_tensor([[0.0, 0.0], [4.0, 4.0], [0.0, 0.0]])
    weights = []
    for gradient in (slices, dense):
        w = keras.Variable(start)
        optimizer = getattr(tfa.optimizers, name)(keras.optimizers.Adam(0.5))
        for _ in range(2):
            optimizer.apply([gradient], [w])
        weights.append(w.numpy())
    np.testing.assert_array_equal(*weights)


def test_every_fault_has_a_test():
    faults = {name for name, case in parity.TFA.cases.items() if "fault" in case}
    tested = {"SGDW:sparse", "LazyAdam:sparse"}
    assert faults == tested | {"extended:LAMB", "MultiOptimizer:overlap"}
    assert faults == set(tfa_optimizers.FAULTS)
