"""Class labels stay integers, and no wrong label is taken for another class."""

import keras
import numpy as np
import pytest
from keras import ops

from tests.cases import each_class as first_of_each
from tests.losses.cases import LOSSES
from tests.tools import BACKEND
from tests.tools import array
from tests.tools import compiled
from tests.tools import devices
from tests.tools import each_device
from tests.tools import looked_at
from tests.tools import wide
from tfx_extras import losses
from tfx_extras import tfa
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
each_class_of_losses = first_of_each(LOSSES)
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
    """Shows the labels as they were given to the loss."""
    offset = ops.cast(y_true - 2**24, "float32")
    return ops.sum(0 * y_pred, axis=-1) + ops.reshape(offset, (-1,))


@keras.saving.register_keras_serializable(package="tests")
class DistanceOfLabels(FunctionLoss):
    function = staticmethod(distance_of_labels)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("jit_compile", [False, True])
def test_labels_do_not_collide_in_fit(dtype, jit_compile):
    if BACKEND == "torch":
        jit_compile = False  # compiling takes long, and is PyTorch's own work
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
            # Checking values is free here.
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
    said = r"classes in \[0, 3\)\. Do labels start at 1\?"
    with pytest.raises(tf.errors.InvalidArgumentError, match=said):
        function(labels, LOGITS)


@each_class
@pytest.mark.parametrize(
    ("labels", "shown"),
    [
        ([1, 2, 3, 4], "3"),
        ([[2], [0], [-100], [5]], "-100"),
        ([2, 2**40, 0, 0], str(2**40)),
        ([2.0, 0.5, 1.0, 7.0], "0.5"),
    ],
)
def test_a_label_that_is_no_class_is_named_with_the_likely_cause(cls, labels, shown):
    said = (
        r"`y_true` must hold classes in \[0, 3\)\. Do labels start at 1\?.*padding\?"
        rf".*`ignore_class`.* Received: y_true=\[\.\.\., {shown}, \.\.\.\]"
    )
    with looked_at(), pytest.raises(ValueError, match=said):
        cls(from_logits=True)(np.array(labels), LOGITS)


@pytest.mark.only("torch")
def test_a_label_that_is_no_class_is_an_error_in_transforms_too():
    import torch

    loss = losses.SmoothedSparseCategoricalCrossentropy(from_logits=True)
    labels = torch.tensor([[2], [3]])
    mapped = torch.func.vmap(loss)
    with pytest.raises(ValueError, match=r"classes in \[0, 3\)"):
        mapped(labels, torch.tensor(LOGITS)[:2, None])


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
    """No one-hot labels are made: nothing has the shape of the predictions."""
    labels, _ = sparse_labels(LABELS, LOGITS, None, -1)
    assert all(part is None or tuple(part.shape) == (4,) for part in labels[:3])


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


@pytest.mark.parametrize("dtype", ["int64", "uint32", "uint64"])
@pytest.mark.parametrize("ignore_class", [None, -1])
def test_large_labels_wrap_neither_into_classes_nor_into_what_is_ignored(
    dtype, ignore_class, monkeypatch
):
    monkeypatch.setattr(backend, "check", lambda condition, message: None)
    large = {"int64": [2**32, -(2**32) - 1], "uint32": [2**32 - 1, 2**31]}
    labels = np.array([*large.get(dtype, [2**64 - 1, 2**32]), 1, 0], dtype)
    given = [labels]
    with wide():
        try:
            given.append(ops.convert_to_tensor(labels))
        except (RuntimeError, TypeError, ValueError):
            assert BACKEND == "torch"  # PyTorch lacks some of these dtypes
        for y in given:
            values = losses.sparse_categorical_focal_crossentropy(
                y, LOGITS, ignore_class=ignore_class, from_logits=True
            )
            nan = np.isnan(array(values))
            np.testing.assert_array_equal(nan, [True, True, False, False])
    if dtype == "int64":
        values = losses.smoothed_sparse_categorical_crossentropy(
            labels.tolist(), LOGITS, ignore_class=ignore_class, from_logits=True
        )
        np.testing.assert_array_equal(np.isnan(array(values)), nan)


@pytest.mark.parametrize("dtype", ["int64", "uint32", "uint64"])
def test_large_labels_of_embeddings_stay_apart(dtype):
    x = np.float32([[0, 1], [1, 0], [3, 1], [2, 1]])
    large = np.array([2**32 - 1, 2**32 - 2] * 2, "uint64")
    large = large + (2**32 if dtype == "uint64" else 0)
    labels = large.astype(dtype)
    expected = array(losses.triplet_hard_loss(np.array([0, 1, 0, 1]), x))
    np.testing.assert_array_equal(array(losses.triplet_hard_loss(labels, x)), expected)


@pytest.mark.only("tensorflow")
@first_of_each([c for c in LOSSES if c.kwargs.get("axis") == 1 or "tau" in c.kwargs])
@pytest.mark.parametrize("jit_compile", [False, True])
def test_the_number_of_classes_may_be_unknown_wherever_it_is(case, jit_compile):
    assert_works_where_sizes_are_unknown(case, jit_compile)


def assert_works_where_sizes_are_unknown(case, jit_compile=False):
    import tensorflow as tf

    y_true, y_pred = case.inputs()
    shapes = [[None] * a.ndim for a in (y_true, y_pred)]
    if case.last_is_known:
        shapes[1][-1] = y_pred.shape[-1]
    signature = [
        tf.TensorSpec(shape, a.dtype)
        for shape, a in zip(shapes, (y_true, y_pred), strict=True)
    ]
    function = tf.function(
        case.compute,
        autograph=False,
        input_signature=signature,
        jit_compile=jit_compile,
    )
    actual = array(function(tf.constant(y_true), tf.constant(y_pred)))
    expected = array(case.compute(y_true, y_pred))
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-6)


IGNORE_LABELS = {
    losses.BarlowTwinsLoss,
    losses.JensenShannonLoss,
    losses.ORPOLoss,
    losses.RDropLoss,
    losses.SimPOLoss,
    losses.TotalVariationLoss,
    losses.TripletLoss,
    losses.VICRegLoss,
}


@pytest.mark.only("tensorflow")
@each_class_of_losses
def test_ragged_targets_are_an_error_that_names_the_cure(case):
    import tensorflow as tf

    y_true, y_pred = case.inputs()
    ragged = tf.RaggedTensor.from_row_lengths(tf.zeros(3), [2, 1])
    for arguments in ((ragged, y_pred), (y_true, ragged)):
        if arguments[0] is ragged and case.cls in IGNORE_LABELS:
            continue
        for loss in (case.compute, case.make()):
            with pytest.raises(ValueError, match=r"`y_\w+\.to_tensor\(\)`"):
                loss(*arguments)


@each_class_of_losses
def test_labels_that_are_strings_are_an_error_that_names_the_cure(case):
    y_true, y_pred = case.inputs()
    if case.cls in IGNORE_LABELS:
        return
    names = np.full(y_true.shape, "cat")
    for labels in (names, names.tolist(), names.astype(object)):
        with pytest.raises(ValueError, match="StringLookup"):
            case.compute(labels, y_pred)


ONE_HOT = np.eye(3, dtype="float32")


@pytest.mark.parametrize(
    ("loss", "labels", "cure"),
    [
        (losses.SparseCategoricalFocalCrossentropy, ONE_HOT, "`CategoricalFocalCross"),
        (losses.SmoothedSparseCategoricalCrossentropy, ONE_HOT, "`SmoothedCategorical"),
        (losses.CategoricalFocalCrossentropy, [0, 1, 2], "`SparseCategoricalFocalCro"),
        (losses.SmoothedCategoricalCrossentropy, [[0], [1], [2]], "`SmoothedSparseCat"),
        (losses.SigmoidFocalCrossentropy, [0, 1, 2], "`SparseCategoricalFocalCro"),
        (losses.SparsemaxLoss, [0, 1, 2], "one_hot"),
        (losses.ArcFaceLoss, ONE_HOT, "argmax"),
    ],
)
def test_labels_of_the_other_form_are_an_error_that_names_their_loss(
    loss, labels, cure
):
    for y_true in (labels, np.asarray(labels).tolist()):
        with pytest.raises(ValueError, match=f"use {cure}|use `keras.ops.{cure}"):
            loss()(y_true, ONE_HOT)


@pytest.mark.parametrize(
    "loss", [losses.ArcFaceLoss(), losses.CosFaceLoss(), losses.ProxyAnchorLoss()]
)
def test_logits_that_are_no_cosines_are_an_error_that_says_so(loss):
    message = r"must hold cosines, in \[-1, 1\].*CosineDense"
    with looked_at(), pytest.raises(ValueError, match=message):
        loss([2, 0, 1, 1], LOGITS)
    loss([0], np.float32([[1 + 1e-6, -1.001]]))  # only rounding exceeds [-1, 1]


# The shape of the losses, shapes of weights that fit, and shapes that do not.
WEIGHTS = [
    ((8,), [(8,), (8, 1), (1,), ()], [(7,), (8, 5), (2, 8), (1, 8), (8, 5, 1)]),
    ((1,), [(1,), (1, 1)], [(4,), (4, 1)]),
    ((8, 5), [(8, 5), (8, 1), (), (8, 5, 1)], [(8,), (5,), (1,), (8, 2), (4, 5)]),
]


@pytest.mark.parametrize(("shape", "right", "wrong"), WEIGHTS)
def test_sample_weights_that_do_not_fit_are_refused(shape, right, wrong):
    y = np.ones((*shape, 2), "float32")
    loss = losses.Huber()
    for weights in right:
        assert float(loss(y, y + 1, sample_weight=np.ones(weights))) == 0.5
    for weights in wrong:
        for given in (np.ones(weights), np.ones(weights).tolist()):
            with pytest.raises(ValueError, match="`sample_weight` must have one weig"):
                loss(y, y + 1, sample_weight=given)


def test_sample_weights_within_a_formula_are_refused_if_they_do_not_fit():
    loss, y = losses.WeightedKappaLoss(num_classes=3), np.eye(3, dtype="float32")
    for weights in (np.ones(2), [1.0, 1.0]):
        with pytest.raises(ValueError, match="`sample_weight` must have one weight"):
            loss(y, y, sample_weight=weights)


def test_a_loss_per_batch_is_multiplied_by_each_weight():
    loss = tfa.losses.TripletHardLoss()
    embeddings, weights = np.eye(3, dtype="float32"), np.array([0.5, 1.0, 1.5])
    labels = np.array([0, 0, 1])
    values = array(loss(labels, embeddings, sample_weight=weights))
    np.testing.assert_allclose(values, weights * float(loss(labels, embeddings)))


MASKS = np.zeros((2, 4, 4, 1), "float32")


@pytest.mark.parametrize(
    "loss",
    [
        *(losses.DiceLoss(), losses.JaccardLoss(), losses.TverskyLoss()),
        *(losses.CLDiceLoss(), losses.AsymmetricLoss(), losses.ZLPRLoss()),
        losses.SigmoidFocalCrossentropy(),
        losses.PolySigmoidCrossentropy(),
    ],
    ids=lambda loss: type(loss).__name__,
)
def test_labels_outside_of_0_and_1_are_an_error_that_names_the_cure(loss):
    for wrong, value in ((255.0, "255"), (-1.0, "-1")):
        y_true = MASKS.copy()
        y_true[0, 1, 2] = wrong
        with pytest.raises(ValueError, match=rf"in \[0, 1\]\. .*y_true .*{value}"):
            loss(y_true, MASKS)


@pytest.mark.parametrize(
    "cls", [losses.DiceLoss, losses.JaccardLoss, losses.TverskyLoss]
)
def test_pixels_of_one_class_are_ignored_by_their_label(cls):
    loss = cls(ignore_class=255)
    y_true = np.float32([[[1.0], [0.0], [255.0]]])
    values = [array(loss(y_true, np.float32([[[0.9], [0.2], [q]]]))) for q in (0, 0.9)]
    expected = array(cls()(y_true[:, :2], np.float32([[[0.9], [0.2]]])))
    np.testing.assert_allclose(values, [expected, expected], rtol=1e-6)


@pytest.mark.parametrize("ignore_class", [-1, 3, 255])
def test_an_ignored_class_that_labels_cannot_have_is_an_error(ignore_class):
    y_true = np.eye(3, dtype="float32")
    for cls in (losses.DiceLoss, losses.PolyCategoricalCrossentropy):
        with pytest.raises(ValueError, match="one of the 3 classes"):
            cls(ignore_class=ignore_class)(y_true[None], y_true[None])


@pytest.mark.parametrize("events", [[1, 2], [-1, 1], [0.5, 1], [3.5, 2.25]])
def test_events_must_be_0_or_1(events):
    y_true = np.stack([[1.0, 2.0], events], -1)
    with pytest.raises(ValueError, match="event, which is 0 or 1"):
        losses.CoxLoss()(ops.convert_to_tensor(y_true, "float32"), np.zeros((2, 1)))


@pytest.mark.parametrize("cls", [losses.DPOLoss, losses.IPOLoss, losses.SimPOLoss])
def test_losses_in_place_of_log_probabilities_are_an_error(cls):
    with pytest.raises(ValueError, match="Did you pass losses"):
        cls()(np.zeros((1, 2)), np.float32([[2.0, 3.0]]))


def test_functions_without_a_class_check_their_options():
    with pytest.raises(TypeError, match="conditional"):
        losses.ordinal_probabilities(np.zeros((1, 2)), "coral")
    with pytest.raises(TypeError, match="ignore_class"):
        losses.sequence_log_probabilities([0], np.zeros((1, 2)), ignore_class=[-1])
