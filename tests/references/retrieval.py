"""Metrics of retrieval, from their definitions, one query at a time."""

import numpy as np


def distances(q, e, metric="angular"):
    """All distances of queries and embeddings."""
    d = np.zeros((len(q), len(e)))
    for i, j in np.ndindex(d.shape):
        if metric == "angular":
            lengths = np.linalg.norm(q[i]) * np.linalg.norm(e[j])
            d[i, j] = 1 - (q[i] @ e[j] / lengths if lengths else 0)
        else:
            square = np.sum((q[i] - e[j]) ** 2)
            d[i, j] = square if metric == "squared-L2" else np.sqrt(square)
    return d


def ranked(d, i=None):
    """The indices of one row of distances, nearest first; ties by the lower index."""
    return [j for _, j in sorted((x, j) for j, x in enumerate(d) if j != i)]


def recall_at_k(y, e, w=None, k=1, metric="angular"):
    """The share of queries with one of their class among the k nearest."""
    return _mean(y, e, w, metric, lambda h, r: float(any(h[:k])))


def map_at_r(y, e, w=None, metric="angular"):
    """Musgrave et al., 2020, section 3.2."""

    def score(h, r):
        precisions = [sum(h[: i + 1]) / (i + 1) for i in range(r)]
        return sum(h[i] * precisions[i] for i in range(r)) / r

    return _mean(y, e, w, metric, score)


def _mean(y, e, w, metric, score):
    y, e = np.asarray(y), np.asarray(e, "float64")
    w = np.ones(len(y)) if w is None else np.asarray(w, "float64")
    y, e, w = y[w > 0], e[w > 0], w[w > 0]
    if not np.isfinite(e).all():
        return np.nan
    d = distances(e, e, metric)
    total = weight = 0.0
    for i in range(len(y)):
        r = int(np.sum(y == y[i])) - 1
        if r:
            h = [int(y[j] == y[i]) for j in ranked(d[i], i)]
            total += w[i] * score(h, r)
            weight += w[i]
    return total / weight if weight else np.nan
