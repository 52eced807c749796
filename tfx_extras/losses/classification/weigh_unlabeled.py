"""Raises the weight of unlabelled rows while a model trains."""

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
from keras import ops
from keras.optimizers.schedules import LearningRateSchedule

from tfx_extras._checks import Number
from tfx_extras._checks import require_steps
from tfx_extras._typed import typechecked
from tfx_extras.schedules._base import evaluate
from tfx_extras.schedules._base import require_schedule

__all__ = ["weigh_unlabeled"]


@typechecked
def weigh_unlabeled(
    data: Any,
    schedule: LearningRateSchedule | Number,
    ignore_label: int | np.integer = -1,
    start_step: Number = 0,
) -> Iterator[tuple]:
    r"""Yields batches whose unlabelled rows weigh what a schedule says at that step.

    $$ w_i = \begin{cases}
        \eta(t)\, w'_i & y_i = \text{ignore\_label} \\
        w'_i & \text{otherwise}
    \end{cases} $$

    Here $t$ counts batches, through all epochs, and $w'$ are the weights that come
    with the data, or 1. A loss has no step of its own, but weights of samples reach
    it in `fit` on every backend. The pi-model's schedule is
    `Warmup(1.0, steps, "gaussian", start_factor=math.exp(-5))`.

    It has no end, as it starts the data over: `fit` needs `steps_per_epoch`, and
    `shuffle=False`, or else it warns that it cannot. Each `fit` needs a new one,
    because Keras reads ahead: one that resumes is given the number of updates that
    have been made, `int(optimizer.iterations)`, as `start_step`.

    Time: one pass over the labels of a batch, in NumPy.

    Args:
        data: Batches `(x, y)` or `(x, y, sample_weight)` that can be iterated over:
            a `tf.data.Dataset`, a `keras.utils.PyDataset`, a `DataLoader`, a list or
            a generator. One that cannot be started over ends with its data.
        schedule: $\eta$, a schedule of this package, of Keras or your own, or a
            number in [0, inf).
        ignore_label: The label of rows that have none, as given to the loss.
        start_step: The first $t$, a whole number in [0, inf).

    Returns:
        An iterator over batches `(x, y, sample_weight)`, with weights of shape
        `(batch,)`, in `float32`.

    Raises:
        ValueError: If an argument is outside its interval, or a batch has no
            labels.

    Example:
        >>> data = [("images", np.array([3, -1, -1]))]
        >>> ramp = tfx_extras.schedules.Warmup(1.0, warmup_steps=4)
        >>> batches = tfx_extras.losses.weigh_unlabeled(data, ramp, start_step=1)
        >>> print(next(batches)[2], next(batches)[2])
        [1.   0.25 0.25] [1.  0.5 0.5]

    Reference: Laine and Aila, 2016. https://arxiv.org/abs/1610.02242
    """
    require_schedule("schedule", schedule)
    start_step = require_steps("start_step", start_step)
    return _weighed(data, schedule, ignore_label, start_step)


def _weighed(data, schedule, ignore_label, step) -> Iterator[tuple]:
    found = True
    while found:
        found = False
        for x, y, weights in map(_unpacked, data):
            found = True
            weight = float(ops.convert_to_numpy(evaluate(schedule, step)))
            is_labeled = ops.convert_to_numpy(y).reshape(-1) != ignore_label
            yield x, y, np.where(is_labeled, 1, weight).astype("float32") * weights
            step += 1
        if isinstance(data, keras.utils.PyDataset):
            data.on_epoch_end()


def _unpacked(batch) -> tuple:
    if not isinstance(batch, tuple | list) or len(batch) not in (2, 3):
        raise ValueError(
            "Batches must be `(x, y)` or `(x, y, sample_weight)`. "
            f"Received: {type(batch)}"
        )
    x, y, weights = (*batch, None)[:3]
    if weights is None:
        return x, y, np.float32(1)
    return x, y, ops.convert_to_numpy(weights).reshape(-1).astype("float32")
