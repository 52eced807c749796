"""Distances of embeddings: between all pairs of two batches, or row by row."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from tfx_extras._backend import backend
from tfx_extras._checks import require_one_of
from tfx_extras._register import require_registered

ROWS = 8  # about how many rows `_center` looks at
Distance = str | Callable[[Any, Any], Any]  # a name or a registered function


def require_distance(distance_metric: Distance) -> Distance:
    """Returns a known name or a registered function, else raises."""
    if isinstance(distance_metric, str):
        _known(distance_metric)
        return distance_metric
    return require_registered("distance_metric", distance_metric)


def pairwise(distance_metric: Distance, x, y):
    """Returns the distances of all rows of `x` and all of `y`: `(rows, columns)`."""
    if isinstance(distance_metric, str):
        return _known(distance_metric)[0](x, y)
    return _given(distance_metric, x, y, (x.shape[0], y.shape[0]))


def by_row(distance_metric: Distance, x, y):
    """Returns the distance of each row of `x` and the same row of `y`: `(rows,)`."""
    if isinstance(distance_metric, str):
        return _known(distance_metric)[1](x, y)
    return _given(distance_metric, x, y, (x.shape[0],))


def unit(x):
    """Scales rows to length 1; a row of zeros is unchanged and has gradient 0."""
    # Divide by the largest value first, so that squares neither underflow nor overflow.
    largest = ops.stop_gradient(backend.largest(ops.abs(x), 0.0))
    x = x / ops.where(largest > 0, largest, ops.ones_like(largest))
    square = ops.sum(x * x, axis=-1, keepdims=True)
    return x / ops.sqrt(ops.where(square > 0, square, ops.ones_like(square)))


def angular_of_units(x, y):
    """Returns 1 minus the cosines of all rows of `x` and `y`, of length 1."""
    return _positive(1 - backend.products(x, y))


def root(square):
    """The square root, with gradient 0 instead of infinity at 0."""
    is_zero = square <= 0
    length = ops.sqrt(ops.where(is_zero, ops.ones_like(square), square))
    return ops.where(is_zero, ops.zeros_like(length), length)


def _squared(x, y):
    # x**2 + y**2 - 2 x y cancels least if the embeddings are centered at 0.
    center = _center(y)
    rows, of_rows = _finite(x - center)
    columns, of_columns = (rows, of_rows) if y is x else _finite(y - center)
    lengths = of_rows[:, None] + of_columns[None, :]
    return _positive(lengths - 2 * backend.products(rows, columns))


def _center(x):
    """Returns a point near most rows, even if there are outliers.

    It is the median of each feature over a few rows, since sorting all rows would take
    longer than the matrix product. The median is always a value of the data, so that
    differences between numbers on a grid stay exact.
    """
    x = ops.stop_gradient(x)
    rows, features = ops.shape(x)
    # TensorFlow forgets the number of features in such a slice.
    some = ops.reshape(x[:: rows // ROWS + 1], (-1, features))
    some = ops.transpose(some)
    middle = ops.shape(some)[-1] // 2
    middle = ops.sort(some, axis=-1)[:, middle : middle + 1]
    return ops.sum(middle, axis=-1)  # 0 for an empty batch


def _finite(x):
    """Returns rows and their squared lengths.

    If the squared length overflows, the row becomes 0 and its squared length infinity:
    otherwise the distance would be infinity minus infinity, which is NaN.
    """
    square = ops.sum(x * x, axis=-1)
    most = np.finfo(keras.backend.standardize_dtype(x.dtype)).max / 4
    is_huge = square > float(most)
    infinity = ops.full_like(square, float("inf"))
    rows = ops.where(is_huge[:, None], ops.zeros_like(x), x)
    return rows, ops.where(is_huge, infinity, square)


def _squared_by_row(x, y):
    return ops.sum(ops.square(x - y), axis=-1)


def _positive(x):
    return ops.where(x <= 0, ops.zeros_like(x), x)


_KNOWN = {
    "L2": (
        lambda x, y: root(_squared(x, y)),
        lambda x, y: root(_squared_by_row(x, y)),
    ),
    "squared-L2": (_squared, _squared_by_row),
    "angular": (
        lambda x, y: angular_of_units(unit(x), unit(y)),
        lambda x, y: _positive(1 - ops.sum(unit(x) * unit(y), axis=-1)),
    ),
}


def _known(name: str) -> tuple[Callable, Callable]:
    return _KNOWN[require_one_of("distance_metric", name, _KNOWN, ", or a function")]


def _given(distance_metric, x, y, shape):
    with backend.full_precision(x):
        distances = ops.cast(distance_metric(x, y), x.dtype)
    got = tuple(distances.shape)
    if len(got) != len(shape) or any(
        None not in pair and pair[0] != pair[1] for pair in zip(got, shape, strict=True)
    ):
        raise ValueError(
            "The function given as `distance_metric` must return distances of shape "
            f"{shape}. It returned: {got}"
        )
    return distances
