"""Moving averages of weights."""

from typing import Any

from tfx_extras import optimizers
from tfx_extras._checks import Number
from tfx_extras._checks import require
from tfx_extras._checks import require_steps
from tfx_extras.tfa._register import register
from tfx_extras.tfa._typed import number_now
from tfx_extras.tfa._typed import typechecked
from tfx_extras.tfa.optimizers._hyper import Hyper
from tfx_extras.tfa.optimizers._hyper import OrFunction
from tfx_extras.tfa.optimizers.average_wrapper import AveragedOptimizerWrapper


@register
class MovingAverage(AveragedOptimizerWrapper, optimizers.MovingAverage):
    """`tfx_extras.optimizers.MovingAverage` (EMA), with the names of TensorFlow Addons.

    Differs from TensorFlow Addons: `swap_weights` is exact and needs no strategy scope,
    and the inner optimizer clips gradients as configured.

    Args:
        optimizer: An optimizer, or the name of one in `keras.optimizers` or
            `tfx_extras.optimizers`.
        average_decay: The decay rate of the average, in [0, 1).
        num_updates: $n$, a whole number in [0, inf), which limits the decay rate to
            $(1 + n) / (10 + n)$. A variable is read once, in the constructor.
        start_step: The number of steps during which the average equals the weights.
        dynamic_decay: Whether the decay rate grows gradually to `average_decay`.
        name: Name of the optimizer.
        **kwargs: `clipnorm`, `clipvalue` or `global_clipnorm`, which are set on
            `optimizer`.

    Raises:
        ValueError: If an argument is outside its interval.

    Example:
        >>> w = keras.Variable([1.0, -2.0])
        >>> optimizer = tfx_extras.tfa.optimizers.MovingAverage(
        ...     keras.optimizers.SGD(0.1), average_decay=0.5)
        >>> optimizer.apply([2 * w], [w])
        >>> optimizer.assign_average_vars([w])
        >>> print(w.numpy().round(4))
        [ 0.9 -1.8]

    Reference: Polyak and Juditsky, 1992. https://doi.org/10.1137/0330046
    """

    average_decay: Any = Hyper("[0, 1)")

    @typechecked
    def __init__(
        self,
        optimizer: Any,
        average_decay: OrFunction = 0.99,
        num_updates: OrFunction | None = None,
        start_step: Number = 0,
        dynamic_decay: bool = False,
        name: str | None = "MovingAverage",
        **kwargs: Any,
    ):
        if num_updates is not None:
            num_updates = require_steps("num_updates", number_now(num_updates))
        decay = require("average_decay", number_now(average_decay), "[0, 1)")
        super().__init__(
            optimizer,
            name,
            decay=decay,
            start_step=start_step,
            warmup=dynamic_decay,
            **kwargs,
        )
        self.num_updates = num_updates
        self.average_decay = average_decay
        if self.has_functions:
            self.has_fast_paths = False

    @property
    def decay(self) -> float:
        """The decay rate that steps use."""
        decay, n = self.average_decay, self.num_updates
        return decay if n is None else min(decay, (1 + n) / (10 + n))

    @decay.setter
    def decay(self, decay):
        self.average_decay = decay

    @property
    def has_shadow_copy(self) -> bool:
        """Whether `swap_weights` can be called, which needs a built optimizer."""
        return self.built

    def shadow_copy(self, model_weights) -> None:
        """Builds the optimizer, including the averages.

        Args:
            model_weights: The variables of the model.
        """
        self.build([variable for variable in model_weights if variable.trainable])

    def swap_weights(self) -> None:
        """Swaps weights and averages. Call it again before training continues."""
        self.swap()

    def get_config(self):
        config = super().get_config()
        del config["decay"]
        return config | {
            **self.saved_hypers({"average_decay": self.average_decay}),
            "num_updates": self.num_updates,
            "dynamic_decay": config.pop("warmup"),
        }
