"""What the wrappers that average weights share."""

from typing import Any

from keras import ops

from tfx_extras._backend import backend
from tfx_extras.optimizers.wrappers._average import AverageWrapper
from tfx_extras.tfa._typed import typechecked
from tfx_extras.tfa.optimizers._wrapper import Wrapper


class AveragedOptimizerWrapper(Wrapper, AverageWrapper):
    """Averaged optimizer wrapper: the base class of `MovingAverage` and `SWA`.

    To write a subclass, define `after` and `has_average`, as the wrappers of
    `tfx_extras.optimizers` do. In TensorFlow Addons, subclasses defined `average_op`.

    Args:
        optimizer: An optimizer, or the name of one in `keras.optimizers` or
            `tfx_extras.optimizers`.
        name: Name of the optimizer.
        **kwargs: `clipnorm`, `clipvalue` or `global_clipnorm`, which are set on
            `optimizer`.
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
                "called. Define `after` and `has_average` instead, as in "
                "`tfx_extras.optimizers.MovingAverage`."
            )
        super().__init__(optimizer, name=name, **kwargs)

    def assign_average_vars(self, var_list) -> None:
        """Replaces variables by their averages, permanently.

        Args:
            var_list: The variables, such as `model.variables`. Variables that are not
                trained have no average and do not change.

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
