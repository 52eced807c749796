"""Guarantees of the common backend interface that no public object fully shows."""

import numpy as np
import pytest
from keras import ops

from tests.tools import array
from tests.tools import compiled
from tests.tools import gradient
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
