"""Pairs of the samples of a batch: masks of positives and negatives."""

from typing import Any
from typing import NamedTuple

import keras
import numpy as np
from keras import ops

from tfx_extras._backend import backend
from tfx_extras.losses._base import aligned
from tfx_extras.losses._base import predictions
from tfx_extras.losses._base import require_numbers
from tfx_extras.losses._base import require_one_shape
from tfx_extras.losses._base import without_last
from tfx_extras.losses._batch import collected
from tfx_extras.losses._batch import own
from tfx_extras.losses.embedding._distances import Distance
from tfx_extras.losses.embedding._distances import pairwise


class Pairs(NamedTuple):
    """Embeddings with masks of their pairs; no sample is paired with itself."""

    anchors: Any
    samples: Any
    positives: Any  # (anchors, samples): another sample with the same label
    negatives: Any  # (anchors, samples): with another label

    def distances(self, metric: Distance):
        return pairwise(metric, self.anchors, self.samples)


class Compared(NamedTuple):
    """Embeddings `(batch, features)`, given with the samples to compare them with.

    The first samples are those of the batch.
    """

    anchors: Any
    samples: Any
    labels: Any  # of the samples: integers
    is_known: Any  # which samples are compared

    def pairs(self, y_true) -> Pairs:
        same = y_true[:, None] == self.labels[None, :]
        is_own = own(self.anchors, self.samples, 0)
        known = self.is_known[None, :]
        return Pairs(self.anchors, self.samples, same & known & ~is_own, ~same & known)


def pairs(y_true, y_pred, gather: bool) -> Pairs:
    """Returns the pairs of embeddings `(batch, features)` with one label each."""
    if isinstance(y_pred, Compared):
        return y_pred.pairs(y_true)
    labels, anchors = labelled(y_true, embeddings(y_pred))
    samples, before = collected(anchors, gather)
    same, own = equal_labels(labels, gather, before)
    return Pairs(anchors, samples, same & ~own, ~same)


def embeddings(y_pred):
    """Returns predictions if they have shape `(batch, features)`, else raises."""
    y_pred = predictions(y_pred)
    if len(y_pred.shape) != 2:
        raise ValueError(
            "`y_pred` must hold one embedding per sample, of shape `(batch, features)`."
            f" Received: y_pred.shape={tuple(y_pred.shape)}"
        )
    return y_pred


def views(y_pred, count: int) -> list:
    """Returns `count` tensors of shape `(batch, features)`.

    `y_pred` holds these tensors, or is one tensor of shape `(batch, count, features)`.
    """
    message = (
        f"`y_pred` must have shape `(batch, {count}, features)`, or be a tuple or list "
        f"of {count} tensors of shape `(batch, features)`. Received: "
    )
    if isinstance(y_pred, tuple | list) and all(hasattr(x, "shape") for x in y_pred):
        shapes = [tuple(x.shape) for x in y_pred]
        if len(y_pred) != count or any(len(shape) != 2 for shape in shapes):
            raise ValueError(message + f"tensors of shapes {shapes}")
        first = predictions(y_pred[0])
        return [first, *(aligned(other, first)[0] for other in y_pred[1:])]
    y_pred = predictions(y_pred)
    if len(y_pred.shape) != 3 or y_pred.shape[1] not in (count, None):
        raise ValueError(message + f"y_pred.shape={tuple(y_pred.shape)}")
    return ops.unstack(y_pred, count, axis=1)


def square(y_pred, cure: str):
    """Returns similarities of shape `(batch, batch)`, else raises with the cure."""
    y_pred = predictions(y_pred)
    shape = tuple(y_pred.shape)
    if len(shape) != 2 or (None not in shape and shape[0] != shape[1]):
        raise ValueError(
            "`y_pred` must hold the similarities of all pairs of samples, of shape "
            f"`(batch, batch)`. {cure} Received: y_pred.shape={shape}"
        )
    return backend.same_shape(y_pred, ops.transpose(y_pred))[0]


def labelled(y_true, rows) -> tuple[Any, Any]:
    """Returns labels as a tensor of shape `(batch,)`, and the rows of their samples.

    Rows whose label is NaN become NaN, since their positives are unknown.
    """
    labels = one_per_sample(y_true, rows)
    if "float" in keras.backend.standardize_dtype(labels.dtype):
        is_nan = ops.isnan(labels)[:, None]
        rows = ops.where(is_nan, ops.full_like(rows, float("nan")), rows)
    return labels, rows


def one_per_sample(y_true, y_pred):
    """Returns labels as a tensor of shape `(batch,)`, without changing their dtype."""
    require_numbers("y_true", y_true)
    if not ops.is_tensor(y_true):
        y_true = np.asarray(y_true)
        if y_true.dtype.kind == "u":  # PyTorch has few operations for these
            y_true = y_true.astype("int64")
    labels = ops.convert_to_tensor(y_true)
    if isinstance(y_true, np.ndarray) and _bytes(labels) < y_true.itemsize:
        # JAX truncates integers to 32 bits, which could make two labels equal.
        places = np.unique(y_true, return_inverse=True)[1].reshape(y_true.shape)
        if y_true.dtype.kind == "f":
            places = np.where(np.isnan(y_true), np.nan, places).astype("float32")
        labels = ops.convert_to_tensor(places)
    shape = tuple(labels.shape)
    if len(shape) == 2 and shape[1] in (1, None):
        labels = without_last(labels)
    is_one_hot = len(shape) == 2 and shape[1] not in (1, None)
    cure = " For one-hot labels use `keras.ops.argmax(y_true, axis=-1)`." * is_one_hot
    samples = ops.sum(y_pred, axis=-1)  # for its shape
    require_one_shape(
        labels,
        samples,
        "`y_true` must have one label for each sample, of shape `(batch,)` or "
        f"`(batch, 1)`.{cure} Received: y_true.shape={shape}, "
        f"y_pred.shape={tuple(y_pred.shape)}",
    )
    return backend.same_shape(labels, samples)[0]


def _bytes(labels) -> int:
    return np.dtype(keras.backend.standardize_dtype(labels.dtype)).itemsize


def equal_labels(labels, gather: bool, before) -> tuple[Any, Any]:
    """Returns which pairs have equal labels, and which pair a sample with itself."""
    columns, _ = collected(labels, gather)
    return labels[:, None] == columns[None, :], own(labels, columns, before)
