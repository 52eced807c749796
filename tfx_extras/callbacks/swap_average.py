"""Evaluation and checkpoints of averaged weights."""

from collections.abc import Iterator
from typing import Any

import keras

from tfx_extras._typed import typechecked
from tfx_extras.optimizers.wrappers._average import AverageWrapper


class SwapAverage(keras.callbacks.Callback):
    """Puts the average of `MovingAverage` or `SWA` into the model, to evaluate it.

    Before an evaluation, also that of `validation_data`, and before `predict`, the
    weights and their average change places, and after it they change back, bit for
    bit. While there is no average yet, nothing happens. If one of them fails in
    between, the weights come back after the next, when training goes on, or by
    `optimizer.swap()`.

    With `swap_on_epoch`, they also change places when an epoch ends, and back before
    the next begins, so that the callbacks after this one in the list, such as
    `ModelCheckpoint` and `BackupAndRestore`, see and save the average. A model saved
    so has its weights in the optimizer: to train on exactly, give `fit` this callback
    again.

    Of optimizers in one another the outermost average counts; of the optimizers in
    `ParameterGroups` that of each, for its variables.

    Args:
        swap_on_epoch: Whether callbacks at the end of an epoch see the average.
        keep_average: Whether the model keeps the average when training has ended.
            The optimizer then has the weights: this callback brings them back if
            training goes on.

    Raises:
        ValueError: In `fit`, `evaluate` or `predict`, if no optimizer of the model
            keeps an average.

    Example:
        >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
        >>> optimizer = tfx_extras.optimizers.MovingAverage("adam", decay=0.9)
        >>> model.compile(optimizer, loss="mse")
        >>> swap = tfx_extras.callbacks.SwapAverage(keep_average=True)
        >>> x, y = np.ones((8, 3)), np.zeros((8, 1))
        >>> history = model.fit(
        ...     x, y, validation_data=(x, y), callbacks=[swap], verbose=0)
        >>> print(model.optimizer.is_swapped)
        True
    """

    @typechecked
    def __init__(self, swap_on_epoch: bool = False, keep_average: bool = False):
        super().__init__()
        self.swap_on_epoch = swap_on_epoch
        self.keep_average = keep_average

    def _averages(self) -> list[AverageWrapper]:
        """The outermost optimizers that keep an average, each of its variables."""
        averages = list(_outermost(self.model.optimizer))
        if not averages:
            raise ValueError(
                "SwapAverage needs an optimizer that keeps an average: "
                "MovingAverage or SWA. "
                f"Received: optimizer={self.model.optimizer}"
            )
        return averages

    def _make(self, swapped: bool) -> None:
        """Sees to it that the model has the averages, or the weights."""
        for optimizer in self._averages():
            if optimizer.is_swapped != swapped and optimizer.has_average:
                optimizer.swap()

    def on_epoch_begin(self, epoch, logs=None):
        self._make(swapped=False)

    def on_epoch_end(self, epoch, logs=None):
        self._make(swapped=self.swap_on_epoch)

    def on_train_end(self, logs=None):
        self._make(swapped=self.keep_average)

    def on_test_begin(self, logs=None):
        for optimizer in self._averages():
            if optimizer.has_average and not optimizer.is_swapped:
                optimizer._lend()

    def on_test_end(self, logs=None):
        for optimizer in self._averages():
            if optimizer._is_lent:
                optimizer.swap()

    on_predict_begin = on_test_begin
    on_predict_end = on_test_end


def _outermost(optimizer: Any) -> Iterator[AverageWrapper]:
    if isinstance(optimizer, AverageWrapper):
        yield optimizer
        return
    inner = getattr(optimizer, "inner_optimizer", None)
    for each in (inner, *getattr(optimizer, "rule_optimizers", ())):
        if each is not None:
            yield from _outermost(each)
