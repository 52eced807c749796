"""What averages of weights share: how they come into the model and out of it."""

from keras import ops

from tfx_extras._backend import backend
from tfx_extras.optimizers.wrappers._base import OptimizerWrapper

LENT = 2


class AverageWrapper(OptimizerWrapper):
    """A wrapper whose slot is an average of the weights."""

    slots = ("average",)

    def build(self, variables: list) -> None:
        if self.built:
            return
        super().build(variables)
        # Saved with the weights: 1 while these are the average, or `LENT`.
        self._swapped = self.add_variable((), dtype="int32", name="swapped")

    @property
    def has_average(self) -> bool:
        """Whether there is an average yet; not for use in a compiled function."""
        raise NotImplementedError

    @property
    def is_swapped(self) -> bool:
        """Whether the weights of the model are the average now."""
        return self.built and bool(self._swapped.numpy())

    @property
    def _is_lent(self) -> bool:
        """Whether they are for one evaluation alone."""
        return self.built and int(self._swapped.numpy()) == LENT

    def _lend(self) -> None:
        """Swaps for an evaluation: if that fails, the next one knows."""
        self.swap()
        self._swapped.assign(LENT)

    def swap(self) -> None:
        """Exchanges the weights and their average, bit for bit.

        Call it once to evaluate or save the average, and again before training goes
        on. `tfx_extras.callbacks.SwapAverage` does both. An update never trains the
        average: it exchanges both first, if that was not done.

        Raises:
            ValueError: If there is no average yet.
        """
        self._require_average()
        self._exchange()

    def _exchange(self, _=()) -> None:
        def exchange(variable, slots):
            if slots[0] is not None:
                weights, average = ops.copy(variable), ops.copy(slots[0])
                variable.assign(average)
                slots[0].assign(weights)

        backend.for_each(exchange, self._trainable_variables, self._slots)
        self._swapped.assign(ops.cast(self._swapped == 0, "int32"))

    def _apply(self, grads, variables) -> None:
        # The average is in the model where an evaluation failed, or in a saved one.
        changed = [*self._trainable_variables, *self._variables]
        backend.when(self._swapped != 0, self._exchange, (), changed)
        super()._apply(grads, variables)

    def finalize_variable_values(self, var_list):
        # What `use_ema` puts into the model are weights, as those that it averages.
        lent = int(self._swapped.numpy()) if self.built else 0
        if lent:
            self._exchange()
        super().finalize_variable_values(var_list)
        if lent:
            self._exchange()
            self._swapped.assign(lent)

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
