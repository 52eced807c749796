"""What averages of weights share: how they are swapped into the model and back."""

from keras import ops

from tfx_extras._backend import backend
from tfx_extras.optimizers.wrappers._base import OptimizerWrapper

LENT = 2


class AverageWrapper(OptimizerWrapper):
    """A wrapper whose state is an average of the weights."""

    slots = ("average",)

    def build(self, variables: list) -> None:
        if self.built:
            return
        super().build(variables)
        # Saved with the weights. 0 is not swapped, `LENT` is for one evaluation.
        self._swapped = self.add_variable((), dtype="int32", name="swapped")

    @property
    def has_average(self) -> bool:
        """Whether there is an average yet. Not for use in a compiled function."""
        raise NotImplementedError

    @property
    def is_swapped(self) -> bool:
        """Whether the weights of the model are the average now."""
        return self.built and bool(self._swapped.numpy())

    @property
    def _is_lent(self) -> bool:
        """Whether the average is in the model for one evaluation only."""
        return self.built and int(self._swapped.numpy()) == LENT

    def _lend(self) -> None:
        """Swaps for one evaluation. If that fails, the next one knows."""
        self.swap()
        self._swapped.assign(LENT)

    def swap(self) -> None:
        """Swaps the weights and their average, bit for bit.

        Call it once to evaluate or save the average, and again before training
        continues. `tfx_extras.callbacks.SwapAverage` does both. The average is never
        trained: a training step first swaps back, if that was not done.

        Raises:
            ValueError: If there is no average yet.
        """
        self._require_average()
        if not self.is_swapped:
            self._settle()
        self._exchange()

    def _settle(self) -> None:
        """Prepares the average to be read, if weights were assigned meanwhile."""

    def _exchange(self, _=()) -> None:
        def exchange(variable, slots):
            if slots[0] is not None:
                weights, average = ops.copy(variable), ops.copy(slots[0])
                variable.assign(average)
                slots[0].assign(weights)

        backend.for_each(exchange, self._trainable_variables, self._slots)
        self._swapped.assign(ops.cast(self._swapped == 0, "int32"))

    def _apply(self, grads, variables) -> None:
        # A failed evaluation or a saved model leaves the average in the model.
        changed = [*self._trainable_variables, *self._variables]
        backend.when(self._swapped != 0, self._exchange, (), changed)
        super()._apply(grads, variables)

    def finalize_variable_values(self, var_list):
        # `use_ema` of the inner optimizer puts its own average in place of the weights.
        lent = int(self._swapped.numpy()) if self.built else 0
        if lent:
            self._exchange()
        super().finalize_variable_values(var_list)
        if self.built:
            self._settle()
        if lent:
            self._exchange()
            self._swapped.assign(lent)

    def assign_average(self) -> None:
        """Replaces the weights of the model by their average, for good.

        Raises:
            ValueError: If there is no average yet, or it is swapped into the model.
        """
        self._require_average()
        if self.is_swapped:
            raise ValueError(
                "The weights are the average already. To swap back, call `swap()`."
            )
        self._settle()
        self._assign(lambda variable, slots: (slots[0], slots))

    def _require_average(self) -> None:
        if not self.has_average:
            raise ValueError(
                f"`{self.name}` has no average of the weights yet. First train the "
                "model, up to the step at which averaging starts."
            )
