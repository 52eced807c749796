"""The learning rate among the logs."""

from typing import Any

import keras
from keras import ops

from tfx_extras._typed import typechecked


class LearningRateLogger(keras.callbacks.Callback):
    """Logs the learning rate at the end of each epoch, beside loss and metrics.

    So it is in the progress bar of the epoch and in the `History` that `fit` returns.
    Callbacks that come after this one in `callbacks` see it too, such as `CSVLogger`
    and `TensorBoard`: put it first.

    The log is `learning_rate`: a number, or what a schedule or a function says after
    the updates made so far, that is for the next one. Of a wrapper it is that of the
    optimizer within. `keras.optimizers.MultiOptimizer` has none of its own: there each
    optimizer has a log by its name, `learning_rate_adam`, and the second of a name is
    `learning_rate_adam_1`.

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
        return {"learning_rate": optimizer.learning_rate}
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


def _number(rate: Any) -> float:
    return float(ops.convert_to_numpy(rate))
