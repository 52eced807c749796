"""Labels of classes stay integers, and a wrong one is never taken for another."""

import keras
import numpy as np
import pytest
from keras import ops

from tests.tools import BACKEND
from tests.tools import array
from tests.tools import compiled
from tests.tools import devices
from tests.tools import each_device
from tests.tools import wide
from tfx_extras import losses
from tfx_extras._backend import backend
from tfx_extras.losses._base import FunctionLoss
from tfx_extras.losses._labels import integers
from tfx_extras.losses._labels import sparse_labels

LOGITS = np.array([[1, 2, 3], [0, -1, 1], [4, 0, 0], [1, 1, 0]], "float32")
LABELS = np.array([2, 0, 1, 1])
each_loss = pytest.mark.parametrize(
    "function",
    [
        losses.sparse_categorical_focal_crossentropy,
        losses.smoothed_sparse_categorical_crossentropy,
    ],
)
each_class = pytest.mark.parametrize(
    "cls",
    [
        losses.SparseCategoricalFocalCrossentropy,
        losses.SmoothedSparseCategoricalCrossentropy,
    ],
)
TYPES = ["uint8", "uint16", "uint32", "int8", "int16", "int32", "int64"]
FLOATS = ["float16", "bfloat16", "float32"]


@pytest.mark.parametrize("dtype", TYPES + FLOATS)
def test_every_type_of_label_means_the_same(dtype):
    function = losses.sparse_categorical_focal_crossentropy
    expected = array(function(LABELS, LOGITS, from_logits=True))
    given = LABELS
    if dtype != "int64":
        given = ops.cast(LABELS.astype("int32"), dtype)
    for labels in (given, ops.expand_dims(given, -1)):
        actual = array(function(labels, LOGITS, from_logits=True))
        np.testing.assert_array_equal(actual, expected)


@each_loss
def test_bool_labels_are_two_classes(function):
    given = array(function(LABELS == 1, LOGITS[:, :2], from_logits=True))
    expected = function((LABELS == 1).astype("int32"), LOGITS[:, :2], from_logits=True)
    np.testing.assert_array_equal(given, array(expected))


@pytest.mark.parametrize("dtype", ["int32", "int64", "uint32"])
def test_labels_above_the_integers_of_float32_stay_apart(dtype):
    labels = np.array([2**24, 2**24 + 1], dtype)
    found, whole = integers(labels)
    np.testing.assert_array_equal(array(found), labels)
    assert array(whole).all()


@keras.saving.register_keras_serializable(package="tests")
def distance_of_labels(y_true, y_pred):
    """Sees the labels as they were given to the loss."""
    offset = ops.cast(y_true - 2**24, "float32")
    return ops.sum(0 * y_pred, axis=-1) + ops.reshape(offset, (-1,))


@keras.saving.register_keras_serializable(package="tests")
class DistanceOfLabels(FunctionLoss):
    function = staticmethod(distance_of_labels)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("jit_compile", [False, True])
def test_labels_do_not_collide_in_fit(dtype, jit_compile):
    if BACKEND == "torch":
        jit_compile = False  # takes long, and is none of ours
    labels = np.array([2**24, 2**24 + 1, 2**24 + 1, 2**24 + 1], "int32")
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
    loss = DistanceOfLabels(dtype=dtype)
    model.compile("sgd", loss=loss, jit_compile=jit_compile)
    history = model.fit(np.ones((4, 2)), labels, batch_size=4, verbose=0)
    assert history.history["loss"] == [0.75]


@each_class
@pytest.mark.parametrize("ignored", [-1, 255])
@pytest.mark.parametrize("dtype", ["int32", "uint8", "float32"])
def test_an_ignored_label_need_not_be_a_class(cls, ignored, dtype):
    if ignored == -1 and dtype == "uint8":
        ignored = 250
    labels = LABELS.copy()
    labels[[1, 3]] = ignored
    loss = cls(ignore_class=ignored, from_logits=True)
    expected = cls(from_logits=True)(LABELS[::2], LOGITS[::2])
    actual = loss(labels.astype(dtype), LOGITS)
    np.testing.assert_allclose(array(actual), array(expected), rtol=1e-6)


@each_loss
def test_an_ignored_class_that_the_type_cannot_hold_ignores_nothing(function):
    labels = LABELS.astype("uint8")
    actual = function(labels, LOGITS, ignore_class=-1, from_logits=True)
    expected = function(labels, LOGITS, from_logits=True)
    np.testing.assert_array_equal(array(actual), array(expected))


BAD = [3, -1, 2**31 - 1, -(2**31), 0.5, float("nan"), float("inf"), 2.0**32]
each_bad = pytest.mark.parametrize("bad", BAD)


@each_loss
@each_bad
@each_device
@pytest.mark.parametrize("ignore_class", [None, 1])
def test_a_label_that_is_no_class_is_an_error_or_nan(
    function, bad, device, ignore_class
):
    labels = np.array([2, bad, 1, 0])
    labels = labels.astype("float32") if labels.dtype.kind == "f" else labels

    def compute():
        return function(labels, LOGITS, ignore_class=ignore_class, from_logits=True)

    with keras.device(device):
        if len(devices()) == 1 or BACKEND == "jax" or device == "cpu":
            # Looking is free.
            with pytest.raises(ValueError, match=r"`y_true` must hold .* in \[0, 3\)"):
                compute()
        else:
            nan = np.isnan(array(compute()))
            np.testing.assert_array_equal(nan, [False, True, False, False])


@each_loss
@each_bad
def test_a_label_that_is_no_class_is_nan_where_it_is_not_looked_at(
    function, bad, monkeypatch
):
    monkeypatch.setattr(backend, "check", lambda condition, message: None)
    labels = np.array([2, bad, 1, 0])
    labels = labels.astype("float32") if labels.dtype.kind == "f" else labels
    values = array(function(labels, LOGITS, from_logits=True))
    np.testing.assert_array_equal(np.isnan(values), [False, True, False, False])
    assert np.isnan(array(function(labels, LOGITS, ignore_class=0)[1]))


@each_loss
def test_int64_labels_do_not_wrap_into_classes(function, monkeypatch):
    monkeypatch.setattr(backend, "check", lambda condition, message: None)
    with wide():
        labels = np.array([2**32, 0, -(2**32) + 1, 1])
        values = array(function(labels, LOGITS, from_logits=True))
    np.testing.assert_array_equal(np.isnan(values), [True, False, True, False])


@pytest.mark.only("tensorflow", "jax")
@each_class
def test_a_label_that_is_no_class_is_nan_in_compiled_code(cls):
    loss = cls(from_logits=True, reduction=None)
    labels = ops.convert_to_tensor(np.array([2, 3, 1, 0]))
    values = array(compiled(loss)(labels, ops.convert_to_tensor(LOGITS)))
    np.testing.assert_array_equal(np.isnan(values), [False, True, False, False])


@pytest.mark.only("tensorflow")
@each_class
def test_a_label_that_is_no_class_is_an_error_in_a_graph(cls):
    import tensorflow as tf

    function = tf.function(cls(from_logits=True))
    labels = tf.constant([2, 3, 1, 0])
    if len(devices()) > 1:
        assert np.isnan(function(labels, LOGITS))
        return
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"classes in \[0, 3\)"):
        function(labels, LOGITS)


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (losses.categorical_focal_crossentropy, "alpha"),
        (losses.sparse_categorical_focal_crossentropy, "alpha"),
        (losses.smoothed_categorical_crossentropy, "class_weight"),
        (losses.smoothed_sparse_categorical_crossentropy, "class_weight"),
    ],
)
@pytest.mark.parametrize("weights", [[1.0, 2.0], [1.0], [[1.0], [2.0], [3.0]]])
def test_weights_must_be_one_per_class(function, name, weights):
    labels = LABELS if "sparse" in function.__name__ else np.eye(3)[LABELS]
    shape = np.shape(weights)
    with pytest.raises(ValueError, match=f"`{name}` .* 3 classes.*{name}.shape=") as e:
        function(labels, LOGITS, from_logits=True, **{name: weights})
    assert f"{name}.shape={shape}" in str(e.value)


@pytest.mark.parametrize("axis", [0, -3, 3, -4])
def test_the_axis_of_the_classes_must_exist_and_not_be_the_batch(axis):
    labels, predictions = np.zeros((2, 3, 4)), np.zeros((2, 3, 4))
    with pytest.raises(ValueError, match=rf"`axis` .* axis={axis}"):
        losses.categorical_focal_crossentropy(labels, predictions, axis=axis)


def test_the_sparse_form_holds_no_more_than_the_predictions():
    """No one-hot labels: nothing of the shape of the predictions is made of labels."""
    labels, _ = sparse_labels(LABELS, LOGITS, None, -1)
    assert all(part is None or tuple(part.shape) == (4,) for part in labels)


@pytest.mark.parametrize(
    "cls",
    [
        losses.SmoothedCategoricalCrossentropy,
        losses.SmoothedSparseCategoricalCrossentropy,
    ],
)
def test_z_loss_needs_logits(cls):
    with pytest.raises(ValueError, match=r"`z_loss` needs .* z_loss=0\.1"):
        cls(z_loss=0.1)
    labels = LABELS if "Sparse" in cls.__name__ else np.eye(3)[LABELS]
    with pytest.raises(ValueError, match=r"`z_loss` needs .* z_loss=0\.1"):
        cls.function(labels, LOGITS, z_loss=0.1)


@each_class
def test_padding_that_an_embedding_masks_is_left_out(cls):
    tokens = np.array([[1, 2, 0, 0], [3, 1, 2, 0]])
    labels = np.array([[2, 0, 1, 1], [0, 1, 2, 2]])
    model = keras.Sequential(
        [
            keras.Input((4,), dtype="int32"),
            keras.layers.Embedding(4, 3, mask_zero=True),
            keras.layers.Dense(3),
        ]
    )
    loss = cls(from_logits=True)
    model.compile("sgd", loss=loss)
    seen = tokens != 0
    expected = loss(labels[seen], array(model(tokens)).astype("float32")[seen])
    history = model.fit(tokens, labels, batch_size=2, verbose=0)
    np.testing.assert_allclose(history.history["loss"], array(expected), rtol=1e-5)
