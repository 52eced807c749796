"""Losses with hostile batches.

Each batch is for one configuration of a loss from `tests/losses/cases`. Its rows are
drawn from the data of the case and changed: there are none or one, or they are repeated
or all equal; labels are all equal, all different, or all -1; predictions are 0, tiny,
as large as 1e6, or 16-bit. The value, with and without weights, and its gradient must
be finite. Where float16, which ends at 65504, cannot hold the gradient, it must be
finite in float32. The only errors allowed say which label is out of range, or that
cosines are.
"""

import keras
import numpy as np
from keras import ops

from tests.losses.cases import LOSSES
from tests.tools import array
from tests.tools import gradient

SIZES = (0, 1, 2, 3, 5, 8, 16)
SCALES = (0.0, 1e-30, 1e-8, 1e-3, 1.0, 1.0, 1e3, 1e6)
DTYPES = ("float32", "float32", "float16", "bfloat16")
LARGEST = {"float16": 6e4}
REFUSED = "`y_true` must hold classes in", "`y_pred` must hold cosines, in [-1, 1]"


def settings(random, case):
    """The arguments of the case, some of them changed."""
    chosen = dict(case.kwargs)
    for name, value in case.changes.items():
        shapes = ("from_embeddings", "axis", "num_classes", "consistency")
        shapes += ("zero_inflated",)
        if name not in shapes and name != "from_logits" and random.random() < 0.3:
            chosen[name] = value
    return chosen


def labels(random, y_true):
    """Changes some labels; class labels stay in range, or all become -1."""
    if y_true.dtype.kind not in "iu" or not len(y_true):
        return y_true
    kind = random.integers(5)
    if kind == 0:
        return np.full_like(y_true, y_true.flat[0])
    if kind == 1:
        return np.full_like(y_true, -1)
    if kind == 2:
        most = max(int(y_true.max()), 0)
        return (np.arange(y_true.size) % (most + 1)).reshape(y_true.shape)
    return y_true


def numbers(random, case, y_pred, dtype):
    """Predictions of another magnitude, within the range that the loss accepts."""
    scale = random.choice(SCALES)
    y_pred = y_pred * scale
    if random.random() < 0.2:
        y_pred = np.broadcast_to(y_pred[:1], y_pred.shape).copy()
    most = LARGEST.get(dtype, 1e6)
    y_pred = np.clip(y_pred, -most, most)
    names = case.cls.__init__.__annotations__
    of_logits = "from_logits" in names and "gather" not in names
    are_logits = case.kwargs.get("from_logits") or case.kwargs.get("activation")
    if (of_logits or "activation" in names) and not are_logits:
        return np.clip(np.abs(y_pred), 0, 1)
    distant = "positive_margin" in names
    if distant and not case.kwargs.get("from_embeddings"):
        return np.abs(y_pred)
    return y_pred


def batch(random, case):
    y_true, y_pred = case.inputs()
    size = int(random.choice(SIZES))
    rows = random.integers(0, len(y_true), size)
    y_true = y_true[rows]
    y_pred = y_pred[rows][:, rows] if case.square else y_pred[rows]
    dtype = str(random.choice(DTYPES))
    y_pred = numbers(random, case, np.asarray(y_pred, "float32"), dtype)
    return labels(random, y_true), ops.cast(y_pred, dtype)


def attempt(random, i):
    """The case that a batch tests, and what is wrong with the result, or `None`."""
    case = LOSSES[i % len(LOSSES)]
    return str(case), fault(random, case)


def fault(random, case):
    y_true, y_pred = batch(random, case)
    loss = case.cls(**settings(random, case))
    weights = None
    try:
        if random.random() < 0.5 and len(loss.call(y_true, y_pred).shape) == 1:
            weights = random.integers(0, 3, len(y_true)).astype("float32")
        value = array(loss(y_true, y_pred, weights))
        slope = gradient(lambda x: loss(y_true, x, weights), y_pred)
        half = keras.backend.standardize_dtype(y_pred.dtype) == "float16"
        if half and not np.isfinite(slope).all():
            y_pred = ops.cast(y_pred, "float32")
            slope = gradient(lambda x: loss(y_true, x, weights), y_pred)
    except ValueError as error:
        return None if any(each in str(error) for each in REFUSED) else str(error)
    if not np.isfinite(value).all():
        return f"value {value}"
    if not np.isfinite(slope).all():
        return "gradient is not finite"
    return None
