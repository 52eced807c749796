"""Schedules the weight of unlabeled samples during training."""

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
    r"""Weights unlabeled samples by a schedule, such as a ramp-up, during training.

    Use it to raise the weight of unlabeled samples in semi-supervised training with
    `SemiSupervisedCrossentropy`, as the pi-model does. It wraps the data, because a
    loss does not know the step, but sample weights reach it in `fit` on every backend.
    Each step makes one pass over the labels of the batch, in NumPy. Keras has no
    equivalent.

    $$ w_i = \begin{cases}
        \eta(t)\, w'_i & y_i = \text{ignore\_label} \\
        w'_i & \text{otherwise}
    \end{cases} $$

    $t$ counts the batches, through all epochs, and $\eta$ is the schedule. $w'$ are the
    sample weights that come with the data, or 1. The schedule of the pi-model is
    `Warmup(1.0, steps, "gaussian", start_factor=math.exp(-5))`.

    The iterator starts the data over and never ends: `fit` needs `steps_per_epoch`, and
    `shuffle=False` to avoid a warning that it cannot shuffle. Create a new iterator for
    each `fit`, because Keras reads ahead. To resume training, pass the number of steps
    that have been made, `int(optimizer.iterations)`, as `start_step`.

    Args:
        data: An iterable of batches `(x, y)` or `(x, y, sample_weight)`: a
            `tf.data.Dataset`, a `keras.utils.PyDataset`, a `DataLoader`, a list or a
            generator. Data that cannot be started over, such as a generator, ends the
            iterator.
        schedule: $\eta$: a schedule of this package, of Keras or your own, or a number
            in [0, inf).
        ignore_label: The label of unlabeled samples, as given to the loss.
        start_step: The first $t$, a whole number in [0, inf).

    Returns:
        An iterator over batches `(x, y, sample_weight)`, with weights of shape
        `(batch,)`, in `float32`.

    Raises:
        ValueError: If an argument is outside its interval, or a batch has no labels.
        TypeError: If an argument has the wrong type or an unknown name.

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
            "Batches must be `(x, y)` or `(x, y, sample_weight)`. `weigh_unlabeled` "
            f"needs the labels `y`. Received: a batch of type {type(batch)}"
        )
    x, y, weights = (*batch, None)[:3]
    if weights is None:
        return x, y, np.float32(1)
    return x, y, ops.convert_to_numpy(weights).reshape(-1).astype("float32")
