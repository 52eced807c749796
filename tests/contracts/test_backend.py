"""Guarantees of the common backend interface that no public object fully shows."""

import keras
import numpy as np
import pytest
from keras import ops

from tests.tools import BACKEND
from tests.tools import array
from tests.tools import compiled
from tests.tools import gradient
from tfx_extras._backend import KeptRows
from tfx_extras._backend import backend

VALUES = np.array([[1, -3, 2], [-1, -2, -3], [np.nan, 1, 0], [np.nan, -3, -2]])


def test_the_largest_of_each_row_is_no_less_than_the_least_and_nan_stays_nan():
    expected = [[2], [0], [np.nan], [np.nan]]
    for dtype in ("float32", "bfloat16"):
        x = ops.convert_to_tensor(VALUES.astype("float32"), dtype)
        largest = backend.largest(x, 0.0)
        assert largest.dtype == x.dtype
        np.testing.assert_array_equal(array(largest), expected)
    whole = ops.convert_to_tensor([[1, 3], [-2, -1]], "int32")
    assert array(backend.largest(whole, 0)).tolist() == [[3], [0]]
    assert backend.largest(whole, 0).dtype == whole.dtype


@pytest.mark.parametrize("shape", [(0,), (0, 3), (2, 0), (2, 0, 3), (0, 0)])
@pytest.mark.parametrize("least", [0.0, -1e30, float("-inf")])
def test_the_largest_of_nothing_is_the_least_with_a_gradient(shape, least):
    x = np.zeros(shape, "float32")
    for function in (backend.largest, compiled(backend.largest)):
        largest = array(function(ops.convert_to_tensor(x), least))
        assert largest.shape == (*shape[:-1], 1)
        np.testing.assert_allclose(largest, np.full_like(largest, least), rtol=1e-7)
    assert gradient(lambda x: backend.largest(x, least), x).shape == shape


@pytest.mark.only("torch")
def test_the_largest_in_transforms_and_compiled():
    import torch

    x = torch.tensor(VALUES)

    def largest(x):
        return backend.largest(x, 0.0)

    expected = largest(x)
    whole = torch.compile(largest, backend="eager", fullgraph=True)
    for way in (torch.func.vmap(largest), whole):
        np.testing.assert_array_equal(array(way(x)), array(expected))
    slope = torch.func.grad(lambda x: largest(x).sum())(x[:2])
    assert slope.tolist() == [[0, 0, 1], [0, 0, 0]]
    empty = torch.func.vmap(largest)(torch.zeros(2, 3, 0))
    assert empty.tolist() == [[[0], [0], [0]]] * 2


SIZES = [(), (3,), (0,), (5, 7), (70, 1000), (300, 300), (2, 3), (4,)]


def rows(kept=None):
    """Small and large variables, and their state. Some have 16 bits and residuals."""
    rng = np.random.default_rng(0)
    found = []
    for i, shape in enumerate(SIZES):
        dtype = "bfloat16" if i % 3 == 1 else "float32"
        dtypes = dtype, (dtype if i % 3 == 1 else None), dtype, "float32"
        values = [rng.normal(size=shape) for _ in dtypes]
        found.append(
            [
                d and keras.Variable(v.astype("float32"), dtype=d, trainable=not j)
                for j, (d, v) in enumerate(zip(dtypes, values, strict=True))
            ]
        )
    return (kept or KeptRows()).of("all", lambda: found)


def exchange(weights, residual, slot, other, gain):
    """The slot takes the weights as they are, and the weights those of a state."""
    wide = ops.cast(weights, "float32")
    new = other + ops.cast(gain, "float32") * (wide - other)
    kept = None if residual is None else ops.cast(0 * wide + 1, residual.dtype)
    return ops.cast(new, weights.dtype), kept, weights, new


def scaled_by(factor):
    return lambda weights, residual, *_: (factor * weights, residual, None, None)


@pytest.mark.parametrize(
    "step", ["eager", "graph"] if BACKEND == "tensorflow" else ["eager", "compiled"]
)
@pytest.mark.only("torch", "tensorflow")  # JAX assigns one by one
def test_rows_are_assigned_as_if_one_by_one(step, monkeypatch):
    together, alone = rows(), rows()
    gain = ops.convert_to_tensor(0.25)
    if step == "compiled":
        monkeypatch.setattr("tfx_extras._backend._updates._COMPILER", "eager")

    def assign():
        with backend.without_gradients():
            backend.assign_each(exchange, together, gain, compiles=step == "compiled")

    if step == "graph":
        import tensorflow as tf

        assign = tf.function(assign)
    for number in range(3):
        if number == 1:  # an assignment counts
            for row in (*together, *alone):
                row[0].assign(row[0] + 1)
        assign()
        for row in alone:
            weights, residual, slot, other = map(kept_value, row)
            values = exchange(weights, residual, slot, other, gain)
            values = [x if x is None else array(x) for x in values]
            for variable, value in zip(row, values, strict=True):
                if value is not None:
                    variable.assign(ops.cast(value, variable.dtype))
        for a, b in zip(together, alone, strict=True):
            for x, y in zip(a, b, strict=True):
                if x is not None:
                    np.testing.assert_allclose(array(x), array(y), rtol=1e-6)


@pytest.mark.only("torch")
@pytest.mark.parametrize("compiles", [False, True])
def test_programs_of_rows_know_what_a_function_depends_on(compiles, monkeypatch):
    from tfx_extras._backend import _assigned
    from tfx_extras._backend import _updates

    monkeypatch.setattr(_updates, "_COMPILER", "eager")
    make = "_compiled" if compiles else "_recorded"
    real, made = getattr(_assigned, make), []
    monkeypatch.setattr(_assigned, make, lambda *a: made.append(a) or real(*a))
    kept = KeptRows()
    some, other = rows(kept), kept.of("other", lambda: rows()[1:])
    before = [array(row[0]) for row in (*some, *other)]
    with backend.without_gradients():
        for factor in (2.0, 0.5, 0.5, 0.25):
            for each in (some, other):
                backend.assign_each(scaled_by(factor), each, compiles=compiles)
    for row, value in zip((*some, *other), before, strict=True):
        np.testing.assert_array_equal(array(row[0]), 0.125 * value)
    # Both share programs: for both dtypes, and lengths of 1 and others.
    assert len(made) <= 3 * 4


@pytest.mark.only("torch")
def test_without_a_compiler_rows_are_assigned_all_the_same(monkeypatch, caplog):
    monkeypatch.setattr("tfx_extras._backend._updates._COMPILER", "none such")
    some = rows()
    before = [array(row[0]) for row in some]
    with backend.without_gradients():
        for _ in range(2):
            backend.assign_each(scaled_by(2.0), some, compiles=True)
    for row, value in zip(some, before, strict=True):
        np.testing.assert_array_equal(array(row[0]), 4 * value)
    assert caplog.text.count("slower, because of") == 1


def kept_value(variable):
    return None if variable is None else ops.copy(ops.convert_to_tensor(variable))
