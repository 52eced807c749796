"""What averages of weights share: how they come into the model and out of it."""

from keras import ops

from tfx_extras._backend import backend
from tfx_extras.optimizers.wrappers._base import OptimizerWrapper


class AverageWrapper(OptimizerWrapper):
    """A wrapper whose slot is an average of the weights."""

    slots = ("average",)

    def build(self, variables: list) -> None:
        if self.built:
            return
        super().build(variables)
        # Saved with the weights: 1 while these are the average.
        self._swapped = self.add_variable((), dtype="int32", name="swapped")

    @property
    def has_average(self) -> bool:
        """Whether there is an average yet; not for use in a compiled function."""
        raise NotImplementedError

    @property
    def is_swapped(self) -> bool:
        """Whether the weights of the model are the average now."""
        return self.built and bool(self._swapped.numpy())

    def swap(self) -> None:
        """Exchanges the weights and their average, bit for bit.

        Call it once to evaluate or save the average, and again before training goes
        on. `tfx_extras.callbacks.SwapAverage` does both.

        Raises:
            ValueError: If there is no average yet.
        """
        self._require_average()

        def exchange(variable, slots):
            if slots[0] is not None:
                weights, average = ops.copy(variable), ops.copy(slots[0])
                variable.assign(average)
                slots[0].assign(weights)

        backend.for_each(exchange, self._trainable_variables, self._slots)
        self._swapped.assign(1 - self._swapped)

    def assign_average(self) -> None:
        """Makes the weights of the model their average, for good.

        Raises:
            ValueError: If there is no average yet, or it is swapped.
        """
        self._require_average()
        if self.is_swapped:
            raise ValueError("The weights are the average already: see `swap()`.")
        self._assign(lambda variable, slots: (slots[0], slots))

    def _require_average(self) -> None:
        if not self.has_average:
            raise ValueError(f"`{self.name}` has no average of the weights yet.")
