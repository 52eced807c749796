"""Metrics of retrieval over a whole set of embeddings: recall@k and MAP@R."""

from typing import Any

import keras
import numpy as np
from keras import ops

from tfx_extras._backend import backend
from tfx_extras._checks import require
from tfx_extras._checks import require_dtype
from tfx_extras._precision import wide
from tfx_extras._register import register
from tfx_extras._typed import typechecked
from tfx_extras.losses._base import weights_of
from tfx_extras.losses._labels import integers
from tfx_extras.losses.embedding._distances import Distance
from tfx_extras.losses.embedding._distances import require_distance
from tfx_extras.utils.neighbors import neighbors
from tfx_extras.utils.neighbors import rows_of


class _Retrieval(keras.metrics.Metric):
    """Collects a set of embeddings, and averages a score over its queries.

    With `size`, the set is in variables of fixed shape, which compiled steps can
    update. Without it, the batches are in a list, as NumPy arrays.
    """

    def __init__(self, distance_metric, size, name, dtype):
        if dtype is not None:
            require_dtype("dtype", dtype)
        super().__init__(name=name, dtype=dtype)
        self.distance_metric = require_distance(distance_metric)
        self.size: Any = None if size is None else require("size", size, "[1, inf)")
        self._wide = wide(self.dtype)
        self._seen = self.add_variable((), "zeros", "int32", name="seen")
        self._batches: list[Any] = []
        self._buffers: Any = None

    def _neighbors_of(self, positives: np.ndarray) -> int:
        """Returns how many neighbors the score needs."""
        raise NotImplementedError

    def _scores(self, hits: np.ndarray, positives: np.ndarray) -> np.ndarray:
        """Returns the score of each query.

        Args:
            hits: Whether each neighbor, nearest first, has the class of the query.
            positives: The number of other examples of the class of each query.
        """
        raise NotImplementedError

    def update_state(self, y_true, y_pred, sample_weight=None):
        if backend.is_distributed():
            raise ValueError(
                f"`{type(self).__name__}` compares all examples with each other, but "
                "each replica of a `tf.distribute` strategy has only some of them. "
                "Call the metric with the outputs of `model.predict` instead."
            )
        weights = weights_of(y_pred, sample_weight, self._wide)
        embeddings = ops.cast(rows_of("y_pred", y_pred), self._wide)
        labels, is_valid = self._labels(y_true, embeddings)
        parts = [embeddings, labels, weights]
        if self.size is None:
            self._append(parts, is_valid)
        else:
            self._write(parts, is_valid)

    def _labels(self, y_true, embeddings) -> tuple[Any, Any]:
        """Returns classes as `int32`, and which of them are integers that fit."""
        labels, is_valid = integers(y_true)
        if len(labels.shape) == 2 and labels.shape[1] == 1:
            labels = labels[:, 0]
            is_valid = is_valid if is_valid is True else ops.reshape(is_valid, (-1,))
        count, given = embeddings.shape[0], tuple(labels.shape)
        if len(given) != 1 or (None not in (count, given[0]) and given[0] != count):
            raise ValueError(
                "`y_true` must hold the class of each example, of shape (batch,) or "
                "(batch, 1). For one-hot labels, pass `y_true.argmax(axis=-1)`. "
                f"Received: y_true of shape {given}, y_pred of shape "
                f"{tuple(embeddings.shape)}"
            )
        narrow = ops.cast(labels, "int32")
        return narrow, is_valid & (ops.cast(narrow, labels.dtype) == labels)

    def _append(self, parts, is_valid) -> None:
        arrays = [_read(part) for part in parts]
        valid, seen = _read(is_valid), _read(self._seen)
        if valid is None or seen is None or any(part is None for part in arrays):
            raise ValueError(
                f"`{type(self).__name__}` needs `size` in a compiled step: the number "
                "of examples in the evaluation set, as in "
                f"`{type(self).__name__}(size=len(x_val))`. Received: size=None"
            )
        _require_valid(valid, arrays[1])
        # Keras calls metrics with made-up batches first, and drops their variables.
        while sum(len(batch[1]) for batch in self._batches) > int(seen):
            self._batches.pop()
        if self._batches:
            _require_alike(arrays[0], self._batches[0][0])
        self._batches.append(arrays)
        self._seen.assign(int(seen) + len(arrays[1]))

    def _write(self, parts, is_valid) -> None:
        valid = _read(is_valid)
        if valid is not None:
            _require_valid(valid, _read(parts[1]))
        embeddings, labels, weights = parts
        weights = ops.where(is_valid, weights, ops.full_like(weights, float("nan")))
        features = embeddings.shape[1]
        if self._buffers is None:
            shape = (self.size,)
            self._buffers = [
                self.add_variable((*shape, features), "zeros", self._wide, name="x"),
                self.add_variable(shape, "zeros", "int32", name="labels"),
                self.add_variable(shape, "zeros", self._wide, name="weights"),
            ]
        _require_alike(embeddings, self._buffers[0])
        seen = ops.convert_to_tensor(self._seen)
        count = ops.cast(ops.shape(embeddings)[0], "int32")
        slots = seen + ops.arange(ops.shape(embeddings)[0], dtype="int32")
        # What overflows is written to the last slot: the result is NaN then.
        slots = ops.minimum(slots, self.size - 1)[:, None]
        for buffer, part in zip(
            self._buffers, [embeddings, labels, weights], strict=True
        ):
            buffer.assign(ops.scatter_update(buffer, slots, part))
        self._seen.assign(seen + count)

    def result(self):
        return ops.convert_to_tensor(self._value(), self.dtype)

    def _value(self) -> float:
        seen = _read(self._seen)
        if self.size is None:
            if seen is None or not seen:
                return float("nan")
            while sum(len(batch[1]) for batch in self._batches) > int(seen):
                self._batches.pop()
            parts = [np.concatenate(part) for part in zip(*self._batches, strict=True)]
        else:
            # A compiled step has no numbers yet. Keras calls `result` again after it.
            if seen is None or int(seen) != self.size or self._buffers is None:
                return float("nan")
            parts = [_read(buffer) for buffer in self._buffers]
        return self._mean_over(*parts)

    def _mean_over(self, embeddings, labels, weights) -> float:
        """Returns the weighted mean of the scores of all queries."""
        kept = weights != 0
        embeddings, labels, weights = embeddings[kept], labels[kept], weights[kept]
        _, classes, counts = np.unique(labels, return_inverse=True, return_counts=True)
        (queries,) = np.nonzero(counts[classes] > 1)
        if not queries.size or not np.isfinite(embeddings).all():
            return float("nan")
        positives = counts[classes[queries]] - 1
        k = min(self._neighbors_of(positives), len(labels) - 1)
        references = ops.convert_to_tensor(embeddings, self._wide)
        asked = references
        if len(queries) < len(labels):
            asked = ops.convert_to_tensor(embeddings[queries], self._wide)
        scores, start = [], 0
        for found, _ in neighbors(asked, references, k, self.distance_metric, queries):
            rows = slice(start, start + len(found))
            hits = classes[found] == classes[queries[rows], None]
            scores.append(self._scores(hits, positives[rows]))
            start += len(found)
        shares = weights[queries].astype("float64")
        return float(shares @ np.concatenate(scores) / shares.sum())

    def reset_state(self):
        self._seen.assign(0)
        self._batches.clear()

    def get_config(self):
        distance_metric = self.distance_metric
        if not isinstance(distance_metric, str):
            distance_metric = keras.saving.serialize_keras_object(distance_metric)
        own = {"distance_metric": distance_metric, "size": self.size}
        return super().get_config() | own

    @classmethod
    def from_config(cls, config):
        distance_metric = config.get("distance_metric")
        if isinstance(distance_metric, dict):
            function = keras.saving.deserialize_keras_object(distance_metric)
            config = config | {"distance_metric": function}
        return cls(**config)


def _read(x) -> Any:
    """Returns a tensor as a NumPy array, or `None` in a function that is compiled."""
    try:
        return ops.convert_to_numpy(x)
    except (NotImplementedError, RuntimeError, TypeError):  # TensorFlow, PyTorch, JAX
        return None


def _require_alike(embeddings, earlier) -> None:
    if embeddings.shape[1] != earlier.shape[1]:
        raise ValueError(
            f"`y_pred` must have {earlier.shape[1]} features, as in earlier batches. "
            f"Received: y_pred of shape {tuple(embeddings.shape)}"
        )


def _require_valid(is_valid: np.ndarray, labels: np.ndarray) -> None:
    if not is_valid.all():
        raise ValueError(
            "`y_true` must hold the class of each example as a whole number that fits "
            "`int32`. To number other labels, use "
            "`np.unique(y_true, return_inverse=True)[1]`. Received: a label that does "
            f"not, at index {is_valid.argmin()} of the batch"
        )


@register
class RecallAtK(_Retrieval):
    r"""Recall at k (recall@k): how often the `k` nearest neighbors include the class.

    Use it to evaluate embeddings for retrieval, over a whole evaluation set: give it
    class labels and embeddings. With `size`, it works in `compile` and `evaluate`, on
    every backend. `keras.metrics.Recall` is another quantity: it counts the predictions
    of binary labels.

    $$ \text{recall@}k = \frac{\sum_{i \in Q} w_i \,
        \max_{j \in N_k(i)} [y_j = y_i]}{\sum_{i \in Q} w_i} $$

    $y_i$ is the class of example $i$, $w_i$ its weight, and $N_k(i)$ its $k$ nearest
    neighbors among all other examples. Among equal distances, the lower index is the
    nearer neighbor. $Q$ are the examples whose class has at least two examples. The
    others cannot be found, so they are no queries, but they are neighbors of the
    queries, as in PyTorch Metric Learning. An example of weight 0 is left out of all.

    In `compile`, set `size` to the number of examples in the evaluation set. The
    metric has a value when exactly `size` examples have been seen since it was reset,
    as at the end of `evaluate`. Until then, and if there are more examples, it is NaN:
    the training set of `fit` and the logs of single batches usually show NaN. Pass it
    in `metrics`, or in `weighted_metrics` if there are sample weights. To evaluate
    embeddings outside of a model, leave out `size`: the set grows with each call of
    `update_state`, and `result` is its value at any time.

    The value is NaN too if an embedding is not finite, or if no class has two examples.

    Time is proportional to the square of the number of examples. Memory is that of the
    embeddings, and of a chunk of at most $2^{22}$ distances, or one row of them.

    Args:
        k: $k$, in [1, inf): the number of neighbors.
        distance_metric: `"angular"` (1 minus the cosine), `"L2"`, `"squared-L2"`, or a
            registered function that takes embeddings of shape `(rows, features)` and
            `(columns, features)` and returns distances of shape `(rows, columns)`.
        size: In [1, inf): the number of examples in the evaluation set. `None` is for
            use outside of `compile`.
        name: Name of the metric. `None` stands for `recall_at_1` if `k` is 1.
        dtype: Dtype of the result. The embeddings are kept in `float32` or wider.

    Call arguments:
        y_true: Classes $y$, integers of shape `(batch,)` or `(batch, 1)`.
        y_pred: Embeddings, of shape `(batch, features)`.
        sample_weight: Weights $w$, of shape `(batch,)`.

    Raises:
        ValueError: If an argument is outside its interval or unknown, or a shape is
            wrong; in a compiled step without `size`; in a `tf.distribute` strategy.
        TypeError: If an argument has the wrong type or an unknown name.

    Example:
        >>> metric = tfx_extras.metrics.RecallAtK()
        >>> metric.update_state([0, 0, 1, 1], [[1, 0], [5, 1], [0, 1], [4, 3]])
        >>> print(f"{float(metric.result()):.2f}")
        0.75

        In a model:

        >>> x, y = np.random.normal(size=(32, 4)), np.arange(32) % 4
        >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
        >>> model.compile(
        ...     loss=tfx_extras.losses.MultiSimilarityLoss(),
        ...     metrics=[tfx_extras.metrics.RecallAtK(k=2, size=len(x))])
        >>> sorted(model.evaluate(x, y, verbose=0, return_dict=True))
        ['loss', 'recall_at_2']

    Reference:
        - Musgrave et al., 2020. https://arxiv.org/abs/2003.08505
    """

    @typechecked
    def __init__(
        self,
        k: int | np.integer = 1,
        distance_metric: Distance = "angular",
        size: int | np.integer | None = None,
        name: str | None = None,
        dtype: Any = None,
    ):
        self.k = require("k", k, "[1, inf)")
        super().__init__(distance_metric, size, name or f"recall_at_{k}", dtype)

    def _neighbors_of(self, positives):
        return self.k

    def _scores(self, hits, positives):
        return np.any(hits, axis=1, keepdims=True)[:, 0]

    def get_config(self):
        return super().get_config() | {"k": self.k}


@register
class MeanAveragePrecisionAtR(_Retrieval):
    r"""Mean average precision at R (MAP@R): how early neighbors have the right class.

    Use it to evaluate embeddings for retrieval, over a whole evaluation set. It looks
    at as many neighbors as the class has other examples, and so tells apart embeddings
    that `RecallAtK` rates equally. With `size`, it works in `compile` and `evaluate`,
    on every backend. Keras has no equivalent.

    $$ \text{MAP@R} = \frac{\sum_{i \in Q} w_i m_i}{\sum_{i \in Q} w_i}, \qquad
        m_i = \frac{1}{R_i} \sum_{r=1}^{R_i} h_{ir} P_{ir}, \qquad
        P_{ir} = \frac{1}{r} \sum_{s=1}^{r} h_{is} $$

    $R_i$ is the number of other examples in the class of example $i$, and $w_i$ its
    weight. $h_{ir}$ is 1 if the $r$-th nearest neighbor of the example has its class,
    else 0, and $P_{ir}$ is the precision of the first $r$ neighbors. Among equal
    distances, the lower index is the nearer neighbor. $Q$ are the examples with
    $R_i > 0$. The others cannot be found, so they are no queries, but they are
    neighbors of the queries, as in PyTorch Metric Learning. An example of weight 0 is
    left out of all.

    In `compile`, set `size` to the number of examples in the evaluation set. The
    metric has a value when exactly `size` examples have been seen since it was reset,
    as at the end of `evaluate`. Until then, and if there are more examples, it is NaN:
    the training set of `fit` and the logs of single batches usually show NaN. Pass it
    in `metrics`, or in `weighted_metrics` if there are sample weights. To evaluate
    embeddings outside of a model, leave out `size`: the set grows with each call of
    `update_state`, and `result` is its value at any time.

    The value is NaN too if an embedding is not finite, or if no class has two examples.

    Time is proportional to the square of the number of examples. Memory is that of the
    embeddings, and of a chunk of at most $2^{22}$ distances, or one row of them.

    Args:
        distance_metric: `"angular"` (1 minus the cosine), `"L2"`, `"squared-L2"`, or a
            registered function that takes embeddings of shape `(rows, features)` and
            `(columns, features)` and returns distances of shape `(rows, columns)`.
        size: In [1, inf): the number of examples in the evaluation set. `None` is for
            use outside of `compile`.
        name: Name of the metric. `None` stands for `map_at_r`.
        dtype: Dtype of the result. The embeddings are kept in `float32` or wider.

    Call arguments:
        y_true: Classes $y$, integers of shape `(batch,)` or `(batch, 1)`.
        y_pred: Embeddings, of shape `(batch, features)`.
        sample_weight: Weights $w$, of shape `(batch,)`.

    Raises:
        ValueError: If an argument is outside its interval or unknown, or a shape is
            wrong; in a compiled step without `size`; in a `tf.distribute` strategy.
        TypeError: If an argument has the wrong type or an unknown name.

    Example:
        >>> metric = tfx_extras.metrics.MeanAveragePrecisionAtR()
        >>> metric.update_state([0, 0, 0, 1], [[4, 0], [4, 1], [4, 4], [4, 2]])
        >>> print(f"{float(metric.result()):.2f}")
        0.33

    Reference:
        - Musgrave et al., 2020, section 3.2. https://arxiv.org/abs/2003.08505
    """

    @typechecked
    def __init__(
        self,
        distance_metric: Distance = "angular",
        size: int | np.integer | None = None,
        name: str | None = None,
        dtype: Any = None,
    ):
        super().__init__(distance_metric, size, name or "map_at_r", dtype)

    def _neighbors_of(self, positives):
        return int(positives.max())

    def _scores(self, hits, positives):
        rank = np.arange(1, hits.shape[1] + 1)
        hits = hits & (rank <= positives[:, None])
        precision = np.cumsum(hits, axis=1) / rank
        return np.sum(precision * hits, axis=1) / positives
