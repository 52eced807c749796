"""What holds for every loss with NaN predictions, label dtypes and `fit`."""

import copy
import json
import pickle

import keras
import numpy as np
import pytest
from keras import ops

from tests.cases import each
from tests.cases import each_class
from tests.losses.cases import LOSSES
from tests.tools import BACKEND
from tests.tools import array
from tests.tools import fused
from tests.tools import wide

TYPES = ["int32", "bool", "uint8", "int8", "int64", "uint32", "float32"]
# Labels are numbers here. With `ignore_class` they go through argmax, and TensorFlow's
# argmax ignores NaN.
OF_NUMBERS = [
    case
    for case in LOSSES
    if case.inputs()[0].dtype.kind == "f" and "ignore_class" not in case.kwargs
]
# Compiling each loss would take longer than all other tests. Backends that compile use
# one case of each class; JAX uses one class of each kind of label.
KINDS = ("Huber", "NPairsLoss", "SmoothedSparseCategoricalCrossentropy", "GIoULoss")
each_of = each if BACKEND == "torch" else each_class
OF_EACH_KIND = [case for case in LOSSES if case.cls.__name__ in KINDS]
each_kind = each_class(OF_EACH_KIND if BACKEND == "jax" else LOSSES)


def spoiled(x, rows):
    """A copy of `x` with NaN in some rows."""
    x = x.copy()
    x[rows] = float("nan")
    return x


def assert_spoiled(case, loss, y_true, rows):
    """These rows have loss NaN unless they are ignored; a coupled loss has a NaN."""
    is_nan = np.isnan(loss)
    if case.coupled:
        assert is_nan.any()
        return
    valid = case.valid(y_true)
    valid = np.ones(loss.shape, bool) if valid is None else valid
    expected = np.zeros(loss.shape, bool)
    expected[rows] = True
    np.testing.assert_array_equal(is_nan & valid, expected & valid)


@each_of(LOSSES)
def test_nan_in_predictions_is_nan_in_the_loss(case):
    y_true, y_pred = case.inputs()
    compute = fused(lambda x: case.compute(y_true, x))
    for row in (1, 2, 6, None):
        rows = slice(None) if row is None else [row % len(y_pred)]
        loss = array(compute(ops.convert_to_tensor(spoiled(y_pred, rows))))
        assert_spoiled(case, loss, y_true, rows)
    if case.coupled:
        return
    valid = case.valid(y_true)
    for place in (0, -1):  # one NaN among the predictions of each sample
        one = y_pred.copy()
        one.reshape(len(one), -1)[:, place] = float("nan")
        is_nan = np.isnan(array(compute(ops.convert_to_tensor(one))))
        is_nan = is_nan if valid is None else is_nan | ~valid
        assert is_nan.reshape(len(one), -1).any(-1).all()


@each_of(OF_NUMBERS)
def test_nan_in_labels_that_are_numbers_is_nan_in_the_loss(case):
    y_true, y_pred = case.inputs()
    compute = fused(lambda y: case.compute(y, y_pred))
    for rows in ([1], slice(None)):
        loss = array(compute(ops.convert_to_tensor(spoiled(y_true, rows))))
        assert_spoiled(case, loss, y_true, rows)


@each_kind
def test_labels_of_every_type_mean_the_same(case):
    y_true, y_pred = case.inputs()
    labels = y_true % 2 >= 0.5  # every dtype holds 0 and 1

    def compute(x):
        return ops.stack([case.compute(labels.astype(t), x) for t in TYPES])

    values = array(fused(compute)(ops.convert_to_tensor(y_pred)))
    assert np.isfinite(values).all(), "`data` of the case overflows with labels 0 and 1"
    np.testing.assert_array_equal(values, values[:1].repeat(len(TYPES), axis=0))


@each_class(LOSSES if BACKEND == "torch" else OF_EACH_KIND)
def test_copies_have_the_same_values(case):
    y_true, y_pred = case.inputs()
    loss = case.make()
    config = json.loads(json.dumps(keras.losses.serialize(loss)))
    same = [
        loss,
        copy.copy(loss),
        copy.deepcopy(loss),
        pickle.loads(pickle.dumps(loss)),
        keras.losses.deserialize(config),
    ]
    assert {type(each) for each in same} == {case.cls}

    def compute(x):
        return ops.stack([each(y_true, x) for each in same])

    values = array(fused(compute)(ops.convert_to_tensor(y_pred)))
    np.testing.assert_array_equal(values, values[0])


@each_class(OF_EACH_KIND)
def test_float64_holds_that_is_set_after_the_import(case):
    y_true, y_pred = case.inputs("float64")
    before = keras.config.floatx()
    keras.config.set_floatx("float64")
    try:
        with wide():
            loss = fused(lambda x: case.make()(y_true, x))
            loss = loss(ops.convert_to_tensor(y_pred))
            assert keras.backend.standardize_dtype(loss.dtype) == "float64"
    finally:
        keras.config.set_floatx(before)


@pytest.mark.only("jax")
@each_class(LOSSES)
def test_it_can_be_vectorized(case):
    import jax

    y_true, y_pred = case.inputs()
    rows = [slice(0, 4), slice(1, 5)]
    labels = np.stack([y_true[some] for some in rows])
    each = [y_pred[some, some] if case.square else y_pred[some] for some in rows]
    predictions = np.stack(each)
    actual = jax.jit(jax.vmap(case.compute))(labels, predictions)
    expected = list(map(case.expected, labels, predictions, predictions))
    least = 3e-6 * np.abs(expected).max() if case.coupled else 1e-30
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=least)
