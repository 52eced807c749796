"""Warms the learning rate up, and then reduces it on plateaus."""

from typing import Any

import keras

from tfx_extras._checks import Number
from tfx_extras._checks import require
from tfx_extras._checks import require_one_of
from tfx_extras._checks import require_steps
from tfx_extras._typed import typechecked
from tfx_extras.schedules._rates import leaves
from tfx_extras.schedules._rates import rate_variable
from tfx_extras.schedules._rates import value_of


class WarmupThenPlateau(keras.callbacks.ReduceLROnPlateau):
    """Warm-up, then reduce on plateau: linear warm-up before `ReduceLROnPlateau`.

    Use it when the length of the training is open, and validation decides when to
    reduce the learning rate. If the number of steps is known, a schedule such as
    `WarmupCosine` needs no validation. `keras.callbacks.ReduceLROnPlateau` is the same
    without warm-up.

    Step $t$ (0 for the first) of $W$ warm-up steps has the learning rate
    $P (t + 1) / W$, where $P$ is the learning rate after the warm-up. Then the learning
    rate is reduced as Keras does. Epochs that end in the warm-up do not count as epochs
    without improvement. `warmup_steps` counts the steps of the optimizer, not epochs
    and not the batches of gradient accumulation.

    The learning rate must be a number, because a schedule cannot be set. In a wrapper,
    it is the rate of the inner optimizer. The rates of several optimizers, as in
    `ParameterGroups` and `keras.optimizers.MultiOptimizer`, are warmed up together.

    A saved model contains what matters most: the learning rate and the step count of
    its optimizer. Training that is resumed after the warm-up continues at the reduced
    learning rate, without another warm-up. Training that is resumed in the warm-up
    continues it, if `learning_rate` is given; if not, the rate that was reached is
    taken for $P$. The best value of the metric, the epochs without improvement and the
    cooldown are not saved: they start anew with each `fit`, as those of Keras do.

    With `steps_per_execution`, the learning rate is set once per execution.

    Args:
        warmup_steps: $W$, in [0, inf): the number of warm-up steps, a whole number.
        learning_rate: $P$, in (0, inf), or `None` for the learning rate that the
            optimizer has when training starts.
        monitor: Name of the metric to watch.
        factor: In (0, 1): the factor by which the learning rate is reduced.
        patience: The number of epochs without improvement before a reduction, a whole
            number in [0, inf).
        verbose: 1 prints a message at each reduction, 0 does not.
        mode: `"min"`, `"max"`, or `"auto"`, which infers it from the metric.
        min_delta: In [0, inf): a smaller change is no improvement.
        cooldown: The number of epochs to wait after a reduction, a whole number in
            [0, inf).
        min_lr: In [0, inf): the minimum learning rate.

    Raises:
        ValueError: If an argument is outside its interval; in `fit`, if the learning
            rate is a schedule or a function.
        TypeError: If an argument has the wrong type or an unknown name.

    Example:
        >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
        >>> model.compile(keras.optimizers.SGD(0.1), "mse")
        >>> callback = tfx_extras.callbacks.WarmupThenPlateau(
        ...     warmup_steps=4, monitor="loss", factor=0.5, patience=1, min_delta=100)
        >>> history = model.fit(
        ...     np.ones((2, 1)), np.ones((2, 1)), batch_size=1, epochs=4, verbose=0,
        ...     callbacks=[callback])
        >>> print(np.round(history.history["learning_rate"], 3))
        [0.05 0.1  0.1  0.05]
    """

    @typechecked
    def __init__(
        self,
        warmup_steps: Number,
        learning_rate: Number | None = None,
        monitor: str = "val_loss",
        factor: Number = 0.1,
        patience: Number = 10,
        verbose: bool | int = 0,
        mode: str = "auto",
        min_delta: Number = 1e-4,
        cooldown: Number = 0,
        min_lr: Number = 0.0,
    ):
        super().__init__(
            monitor=monitor,
            factor=require("factor", factor, "(0, 1)"),
            patience=require_steps("patience", patience),
            verbose=int(verbose),
            mode=require_one_of("mode", mode, ["auto", "min", "max"]),
            min_delta=require("min_delta", min_delta, "[0, inf)"),
            cooldown=require_steps("cooldown", cooldown),
            min_lr=require("min_lr", min_lr, "[0, inf)"),
        )
        self.warmup_steps = require_steps("warmup_steps", warmup_steps)
        if learning_rate is not None:
            require("learning_rate", learning_rate, "(0, inf)")
        self.learning_rate = learning_rate
        self._is_warming_up = False
        self._peaks: list[float] = []
        self._reached: list[float] = []  # what the warm-up has set last

    def _rates(self) -> list[Any]:
        """Returns the variables of all learning rates."""
        rates = [rate_variable(each) for each in leaves(self.model.optimizer)]
        if any(rate is None for rate in rates):
            raise ValueError(
                "`WarmupThenPlateau` sets the learning rate, so it must be a number, "
                "not a schedule or a function. Create the optimizer with a number, as "
                "in `Adam(1e-3)`, or use the schedule without this callback. Received: "
                f"optimizer={self.model.optimizer}"
            )
        return rates

    def _set(self, share: float) -> None:
        rates = self._rates()
        for rate, peak in zip(rates, self._peaks, strict=True):
            rate.assign(peak * share)
        self._reached = [value_of(rate) for rate in rates]

    def on_train_begin(self, logs=None):
        super().on_train_begin(logs)
        now = [value_of(rate) for rate in self._rates()]
        done = int(self.model.optimizer.iterations)
        self._is_warming_up = done < self.warmup_steps
        if not self._is_warming_up or now == self._reached:
            return  # in the second case, an earlier `fit` has begun the warm-up
        self._peaks = now
        if self.learning_rate is not None:
            if len(now) > 1 and not now[0]:
                raise ValueError(
                    "The rates of several optimizers are scaled by one factor, so the "
                    f"first must not be 0. Received: learning rates {now}"
                )
            ratios = [rate / now[0] for rate in now[1:]]
            peak = float(self.learning_rate)
            self._peaks = [peak, *(peak * ratio for ratio in ratios)]

    def on_train_batch_begin(self, batch, logs=None):
        # On JAX, reading the model takes time, so it is not read after the warm-up.
        if self._is_warming_up:
            done = int(self.model.optimizer.iterations)
            self._is_warming_up = done < self.warmup_steps
            self._set(min((done + 1) / self.warmup_steps, 1.0))

    def in_cooldown(self):
        return self._is_warming_up or super().in_cooldown()
