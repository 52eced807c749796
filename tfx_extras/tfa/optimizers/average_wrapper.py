"""What wrappers that average weights share."""

from typing import Any

from keras import ops

from tfx_extras._backend import backend
from tfx_extras.optimizers.wrappers._average import AverageWrapper
from tfx_extras.tfa._typed import typechecked
from tfx_extras.tfa.optimizers._wrapper import Wrapper


class AveragedOptimizerWrapper(Wrapper, AverageWrapper):
    """A wrapper that keeps an average of the weights: `MovingAverage` and `SWA` are.

    A subclass of your own writes `after` and `has_average`, as those of
    `tfx_extras.optimizers` do, where TensorFlow Addons had `average_op`.

    Args:
        optimizer: An optimizer, or the name of one of `keras.optimizers` or
            `tfx_extras.optimizers`.
        name: Name of the optimizer.
        **kwargs: `clipnorm`, `clipvalue` or `global_clipnorm`, of `optimizer`.
    """

    @typechecked
    def __init__(
        self,
        optimizer: Any,
        name: str | None = "AverageOptimizer",
        **kwargs: Any,
    ):
        if hasattr(self, "average_op"):
            raise TypeError(
                f"`{type(self).__name__}` has a method `average_op`, which is never "
                "called here: write `after` and `has_average` in its place, as those "
                "of `tfx_extras.optimizers.MovingAverage`."
            )
        super().__init__(optimizer, name=name, **kwargs)

    def assign_average_vars(self, var_list) -> None:
        """Gives variables their average, for good.

        Args:
            var_list: The variables, such as `model.variables`. Those that are not
                trained have no average, and stay as they are.

        Raises:
            ValueError: If there is no average yet.
        """
        self._require_average()
        chosen = [self.index_of(variable) for variable in var_list]
        chosen = [index for index in chosen if index is not None]

        def give(variable, slots):
            if slots[0] is not None:
                variable.assign(ops.cast(ops.copy(slots[0]), variable.dtype))

        backend.for_each(
            give,
            [self._trainable_variables[index] for index in chosen],
            [self._slots[index] for index in chosen],
        )
