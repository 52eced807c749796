"""Nearest neighbors equal those of a sorted list."""

import numpy as np
import pytest

from tests.references.retrieval import distances
from tests.references.retrieval import ranked
from tfx_extras import utils
from tfx_extras.utils import neighbors

RANDOM = np.random.default_rng(4)
# Whole numbers, and lengths of 1 or 5: distances are exact, and many are equal.
GRID = np.array([[1, 0], [0, 1], [3, 4], [4, 3], [-1, 0], [0, 1], [1, 0], [3, 4]])
EACH = pytest.mark.parametrize("metric", ["angular", "L2", "squared-L2"])


def expected(queries, embeddings, k, metric):
    d = distances(queries, embeddings, metric)
    indices = np.array([ranked(row)[:k] for row in d])
    return indices, np.take_along_axis(d, indices, axis=1)


@EACH
def test_neighbors_and_distances_are_those_of_the_reference(metric, monkeypatch):
    embeddings = RANDOM.normal(size=(23, 3)).astype("float32")
    queries = RANDOM.normal(size=(7, 3)).astype("float32")
    monkeypatch.setattr(neighbors, "ELEMENTS", 50)  # chunks of two queries
    for k in (1, 5, 23):
        actual = utils.nearest(embeddings, queries, k, metric)
        wanted = expected(queries.astype("float64"), embeddings, k, metric)
        np.testing.assert_array_equal(actual[0], wanted[0])
        np.testing.assert_allclose(actual[1], wanted[1], atol=1e-5)


@EACH
@pytest.mark.parametrize("k", range(1, 8))
def test_among_equal_distances_the_lower_index_is_first(metric, k):
    x = GRID.astype("float64")
    if metric == "angular":
        x = x[[0, 1, 4, 5, 6, 0, 1, 4]]  # cosines of -1, 0 and 1 are not rounded
    d = distances(x, x, metric)
    wanted = [ranked(row, i)[:k] for i, row in enumerate(d)]
    np.testing.assert_array_equal(
        utils.nearest(x, k=k, distance_metric=metric)[0], wanted
    )


def test_neighbors_of_equal_embeddings_are_the_first_ones():
    indices, found = utils.nearest(np.ones((40, 3), "float32"), k=3)
    np.testing.assert_array_equal(indices[5:], np.tile([0, 1, 2], (35, 1)))
    np.testing.assert_array_equal(indices[1], [0, 2, 3])
    np.testing.assert_allclose(found, 0, atol=1e-6)


def test_embeddings_of_nan_come_last_by_index():
    x = np.float32([[1, 0], [np.nan, 0], [0, 1], [np.nan, 1], [1, 0]])
    indices, found = utils.nearest(x, k=4)
    np.testing.assert_array_equal(indices[0], [4, 2, 1, 3])
    np.testing.assert_array_equal(indices[1], [0, 2, 3, 4])
    assert np.isnan(found[0, 2:]).all()
    assert np.isnan(found[1]).all()


def test_no_queries_have_no_neighbors():
    indices, found = utils.nearest(GRID, np.zeros((0, 2), "float32"), k=2)
    assert indices.shape == found.shape == (0, 2)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"k": 0}, r"`k` must be in \[1, inf\). Received: k=0"),
        ({"k": 8}, "`k` must be at most the number of other embeddings, which is 7"),
        ({"queries": GRID, "k": 9}, "`k` must be at most the number of embeddings"),
        ({"queries": GRID[:, :1]}, "as many features as `embeddings`"),
        ({"queries": GRID[0]}, r"`queries` must have shape \(batch, features\)"),
        ({"embeddings": GRID[None]}, r"`embeddings` must have shape"),
        ({"distance_metric": "cosine"}, "must be one of L2, squared-L2, angular"),
    ],
)
def test_wrong_arguments_are_named(arguments, said):
    with pytest.raises(ValueError, match=said):
        utils.nearest(**{"embeddings": GRID, **arguments})
