"""Logs the learning rate."""

from typing import Any

import keras
from keras import ops

from tfx_extras._typed import typechecked


class LearningRateLogger(keras.callbacks.Callback):
    """Learning-rate logger: adds the learning rate to the logs of each epoch.

    Use it to see the learning rate of a schedule in the progress bar and in the
    `History` that `fit` returns. Put it first in `callbacks`, so that those after it,
    such as `CSVLogger` and `TensorBoard`, see it too.
    `keras.callbacks.LearningRateScheduler` also logs the learning rate, but it sets it
    as well and cannot be combined with a schedule.

    The logs get the key `learning_rate` at the end of each epoch. If the learning rate
    is a schedule or a function, its value is that of the next step. If the optimizer is
    a wrapper, it is the learning rate of the inner optimizer.

    An optimizer that estimates its learning rate, such as
    `tfx_extras.optimizers.Prodigy`, adds the keys `estimate` and
    `estimated_learning_rate`, which is the learning rate times the estimate.

    `keras.optimizers.MultiOptimizer` has no learning rate of its own. Each of its
    optimizers is logged with its name, such as `learning_rate_adam`. A second optimizer
    of the same name is logged as `learning_rate_adam_1`.

    Raises:
        AttributeError: If the optimizer has no learning rate.

    Example:
        >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
        >>> schedule = tfx_extras.schedules.PiecewiseLinear([0, 4], [0.1, 0.02])
        >>> model.compile(keras.optimizers.SGD(schedule), "mse")
        >>> history = model.fit(
        ...     np.ones((2, 1)), np.ones((2, 1)), batch_size=1, epochs=2, verbose=0,
        ...     callbacks=[tfx_extras.callbacks.LearningRateLogger()])
        >>> print(np.round(history.history["learning_rate"], 3))
        [0.06 0.02]
    """

    @typechecked
    def __init__(self):
        super().__init__()

    def on_epoch_end(self, epoch, logs=None):
        if logs is not None:
            rates = _learning_rates(self.model.optimizer)
            logs.update((key, _number(rate)) for key, rate in rates.items())


def _learning_rates(optimizer: Any) -> dict[str, Any]:
    try:
        return {"learning_rate": optimizer.learning_rate} | _estimated(optimizer)
    except AttributeError:
        while hasattr(optimizer, "inner_optimizer"):
            optimizer = optimizer.inner_optimizer
        if not hasattr(optimizer, "optimizers"):
            raise
    rates = {}
    for inner in optimizer.optimizers:
        key = name = f"learning_rate_{inner.name}"
        count = 0
        while key in rates:
            count += 1
            key = f"{name}_{count}"
        rates[key] = inner.learning_rate
    return rates


def _estimated(optimizer: Any) -> dict[str, Any]:
    while hasattr(optimizer, "inner_optimizer"):
        optimizer = optimizer.inner_optimizer
    names = "estimate", "estimated_learning_rate"
    return {n: getattr(optimizer, n) for n in names if hasattr(optimizer, n)}


def _number(rate: Any) -> float:
    return float(ops.convert_to_numpy(rate))
