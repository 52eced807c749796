"""Nearest neighbors by brute force, in chunks of queries."""

import functools
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
from keras import ops

from tfx_extras._backend import backend
from tfx_extras._checks import require
from tfx_extras._register import register
from tfx_extras._typed import typechecked
from tfx_extras.losses._base import predictions
from tfx_extras.losses._base import require_numbers
from tfx_extras.losses.embedding._distances import Distance
from tfx_extras.losses.embedding._distances import angular_of_units
from tfx_extras.losses.embedding._distances import pairwise
from tfx_extras.losses.embedding._distances import require_distance
from tfx_extras.losses.embedding._distances import unit

ELEMENTS = 2**22  # of the matrix of distances of a chunk: 16 MiB in `float32`


@register
@typechecked
def nearest(
    embeddings: Any,
    queries: Any = None,
    k: int | np.integer = 1,
    distance_metric: Distance = "angular",
) -> tuple[np.ndarray, np.ndarray]:
    r"""Nearest neighbors: finds the `k` embeddings with the least distance to queries.

    Use it for retrieval, or to look at the neighbors of an embedding, with up to some
    100,000 embeddings. It compares each query with each embedding and so is exact. For
    more, use a library for approximate neighbors. Keras has no equivalent.

    $$ n_i = (j_1, \dots, j_k), \qquad
        d(q_i, e_{j_1}) \le \dots \le d(q_i, e_{j_k}) \le d(q_i, e_j)
        \text{ for every other } j $$

    $q_i$ is query $i$, $e_j$ embedding $j$ and $d$ the distance. Among equal distances,
    the lower index comes first. Infinite and NaN distances come last, by index.

    The distances of a chunk of queries are in memory at a time, at most $2^{22}$ of
    them, or those of one query, never those of all queries. Time is proportional to
    queries times embeddings.

    Args:
        embeddings: $e$, of shape `(embeddings, features)`.
        queries: $q$, of shape `(queries, features)`. `None` takes each embedding as a
            query for the other embeddings, without itself.
        k: The number of neighbors of each query, in [1, inf), at most the number of
            embeddings, or one less without `queries`.
        distance_metric: $d$: `"L2"`, `"squared-L2"`, `"angular"` (1 minus the cosine),
            or a registered function that takes embeddings of shape `(rows, features)`
            and `(columns, features)` and returns distances of shape `(rows, columns)`.

    Returns:
        Two NumPy arrays of shape `(queries, k)`: the indices of the neighbors, nearest
        first, and their distances, in `float32` or wider.

    Raises:
        ValueError: If an argument is outside its interval, a shape is wrong, or the
            distance is unknown.
        TypeError: If an argument has the wrong type or an unknown name.

    Example:
        >>> embeddings = [[1.0, 0.0], [0.0, 1.0], [3.0, 1.0]]
        >>> indices, distances = tfx_extras.utils.nearest(embeddings, [[2.0, 0.0]], k=2)
        >>> print(indices, np.round(distances, 3))
        [[0 2]] [[0.    0.051]]
    """
    require_distance(distance_metric)
    embeddings = rows_of("embeddings", embeddings)
    is_same = queries is None
    queries = embeddings if queries is None else rows_of("queries", queries)
    if queries.shape[1] != embeddings.shape[1]:
        raise ValueError(
            "`queries` must have as many features as `embeddings`. Received: "
            f"queries of shape {tuple(queries.shape)}, "
            f"embeddings of shape {tuple(embeddings.shape)}"
        )
    most = embeddings.shape[0] - is_same
    require("k", k, "[1, inf)")
    if k > most:
        others = "other embeddings" if is_same else "embeddings"
        raise ValueError(
            f"Argument `k` must be at most the number of {others}, which is {most}. "
            f"Received: k={k}"
        )
    if queries.shape[0] == 0:
        dtype = keras.backend.standardize_dtype(embeddings.dtype)
        return np.zeros((0, k), "int64"), np.zeros((0, k), dtype)
    own = np.arange(most + 1) if is_same else None
    found = neighbors(queries, embeddings, int(k), distance_metric, own)
    indices, distances = zip(*found, strict=True)
    return np.concatenate(indices), np.concatenate(distances)


def rows_of(name: str, values: Any) -> Any:
    """Returns embeddings as a tensor of rank 2 in `float32` or wider, else raises."""
    require_numbers(name, values)
    values = predictions(values)
    if len(values.shape) != 2 or values.shape[1] == 0:
        raise ValueError(
            f"`{name}` must have shape (batch, features). To flatten other shapes, use "
            f"`keras.layers.Flatten`. Received: {name} of shape {tuple(values.shape)}"
        )
    return ops.stop_gradient(values)


def neighbors(
    queries: Any,
    references: Any,
    k: int,
    distance_metric: Distance,
    own: np.ndarray | None,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yields indices and distances of the nearest references, in chunks of queries.

    Args:
        queries: Tensor of shape `(queries, features)`.
        references: Tensor of shape `(references, features)`.
        k: The number of neighbors.
        distance_metric: The distance.
        own: For each query, the index of the reference that is the query itself and is
            left out, or `None`.
    """
    count = references.shape[0]
    chunk = max(1, ELEMENTS // count)
    compare = functools.partial(pairwise, distance_metric)
    if distance_metric == "angular":  # normalize once, not in each chunk
        same = queries is references
        references = unit(references)
        queries = references if same else unit(queries)
        compare = angular_of_units
    for start in range(0, queries.shape[0], chunk):
        rows = slice(start, start + chunk)
        with backend.without_gradients():
            distances = compare(queries[rows], references)
            yield _least(distances, k, None if own is None else own[rows])


def _least(distances, k: int, own: np.ndarray | None):
    """Returns the indices and values of the `k` least numbers of each row."""
    dtype = keras.backend.standardize_dtype(distances.dtype)
    largest = ops.convert_to_tensor(float(np.finfo(dtype).max), dtype)
    ranks = ops.where(distances < largest, distances, largest)  # also where it is NaN
    if own is not None:
        columns = ops.arange(distances.shape[1], dtype="int32")
        is_own = ops.convert_to_tensor(own.astype("int32"))[:, None] == columns[None]
        ranks = ops.where(is_own, ops.convert_to_tensor(float("inf"), dtype), ranks)
    # One more than `k` shows whether there are more numbers that equal the last one.
    most = min(k + 1, distances.shape[1])
    top, indices = (ops.convert_to_numpy(x) for x in ops.top_k(-ranks, most))
    last = -top[:, k - 1 : k]
    indices = indices[:, :k].astype("int64")
    # PyTorch takes any of these numbers, not the first of them.
    (unclear,) = np.nonzero((-top[:, k:] == last).any(axis=1))
    if unclear.size:
        some = ops.convert_to_tensor(unclear.astype("int32"))
        number = ops.convert_to_numpy(ops.take(ranks, some, axis=0))
        bound = last[unclear]
        is_less, is_last = number < bound, number == bound
        free = k - is_less.sum(axis=1, keepdims=True)
        is_first = np.cumsum(is_last, axis=1, dtype="int32") <= free
        indices[unclear] = np.nonzero(is_less | (is_last & is_first))[1].reshape(-1, k)
    indices.sort(axis=1)
    ranks = _at(ranks, indices)
    order = np.argsort(ranks, axis=1, kind="stable")
    indices = np.take_along_axis(indices, order, axis=1)
    return indices, _at(distances, indices)


def _at(values, indices: np.ndarray) -> np.ndarray:
    indices = ops.convert_to_tensor(indices.astype("int32"))
    return ops.convert_to_numpy(ops.take_along_axis(values, indices, axis=1))
