"""Evaluates and saves averaged weights."""

from collections.abc import Iterator
from typing import Any

import keras

from tfx_extras._repr import shown
from tfx_extras._typed import typechecked
from tfx_extras.optimizers.wrappers._average import AverageWrapper


class SwapAverage(keras.callbacks.Callback):
    """Swap average: evaluates and saves the averaged weights (EMA or SWA) of a model.

    Use it with `MovingAverage` (EMA, Polyak averaging), `SWA` or `ScheduleFree`, so
    that validation, prediction and checkpoints use the average while training goes on
    with the weights.
    It does not update the statistics of batch normalization;
    `tfx_extras.optimizers.update_batch_norm` does. `keras.callbacks.SwapEMAWeights`
    does the same for optimizers with `use_ema=True`, but on TensorFlow it swaps by
    additions and subtractions, which round.

    Before each evaluation, including that of `validation_data`, and before each
    `predict`, the callback swaps the weights of the model with their average.
    Afterwards it swaps them back, bit for bit. As long as there is no average, it does
    nothing. If an evaluation fails, the model keeps the average until the next
    evaluation ends, training continues, or you call `optimizer.swap()`.

    With `swap_on_epoch`, the callback also swaps at the end of each epoch, and back
    before the next one begins. Callbacks after it in the list, such as
    `ModelCheckpoint` and `BackupAndRestore`, then see and save the average. In a model
    saved in this state, the optimizer holds the weights. To resume training exactly,
    give `fit` this callback again.

    Put this callback before `ModelCheckpoint` and `EarlyStopping` in the list. With
    `EarlyStopping(restore_best_weights=True)`, also set `swap_on_epoch` if the model
    should end with the average of the best epoch. `EarlyStopping` before this callback
    leaves other weights in the model.

    If a wrapper wraps another one that keeps an average, the average of the outermost
    one is used. In `ParameterGroups`, each optimizer that keeps an average provides it
    for its own variables.

    Args:
        swap_on_epoch: Whether callbacks at the end of an epoch see the average.
        keep_average: Whether the model keeps the average when training has ended. The
            optimizer then holds the weights, and this callback swaps them back if
            training continues.

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
        """The outermost optimizers that keep an average, for all variables together."""
        averages = list(_outermost(self.model.optimizer))
        if not averages:
            cure = "Wrap it, as in `MovingAverage(optimizer)`."
            if getattr(self.model.optimizer, "use_ema", False):
                cure = "For `use_ema=True`, use `keras.callbacks.SwapEMAWeights`."
            raise ValueError(
                "`SwapAverage` needs an optimizer that keeps an average, such as "
                f"`MovingAverage`, `SWA` or `ScheduleFree`. {cure} "
                f"Received: optimizer={shown(self.model.optimizer)}"
            )
        return averages

    def _make(self, swapped: bool) -> None:
        """Puts the averages into the model, or the weights."""
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
