"""The exponential moving average (EMA) of the weights, for `use_ema`."""

from keras import ops

from tfx_extras._backend import KeptRows
from tfx_extras._backend import backend
from tfx_extras.optimizers._rounding import exact
from tfx_extras.optimizers._rounding import rounded
from tfx_extras.optimizers._weight_decay import WithDecay


class WithAverages(WithDecay):
    """An optimizer that averages unrounded weights, once per step."""

    def _move_average(self) -> None:
        """Updates the EMA, and overwrites the weights with it when that is due."""
        variables = self._trainable_variables
        self._update_model_variables_moving_average(variables)
        if self.ema_overwrite_frequency:
            backend.when(
                ops.equal((self.iterations + 1) % self.ema_overwrite_frequency, 0),
                self._overwrite_model_variables_with_average_value,
                variables,
                [*variables, *self.variables],
            )

    def _update_model_variables_moving_average(self, trainable_variables) -> None:
        # Keras averages in the dtype of the variables. In 16 bits, an average with a
        # momentum of 0.99 stands still.
        is_first, momentum = self.iterations == 0, self.ema_momentum

        def move(variable, residual, average, average_residual, is_first):
            past = exact(average, average_residual)
            first, gain = (
                ops.convert_to_tensor(x, past.dtype) for x in (1.0, 1 - momentum)
            )
            gain = ops.where(is_first, first, gain)
            new = past + gain * (exact(variable, residual) - past)
            return None, None, *rounded(new, average, average_residual)

        self._for_each_average(move, trainable_variables, is_first)

    def _overwrite_model_variables_with_average_value(
        self, trainable_variables
    ) -> None:
        def overwrite(variable, residual, average, average_residual):
            # JAX cannot train on if two variables share one buffer.
            value = ops.copy(exact(average, average_residual))
            return *rounded(value, variable, residual), None, None

        self._for_each_average(overwrite, trainable_variables)

    def _for_each_average(self, function, variables, *scalars) -> None:
        """Stores what `function` returns for a variable, its average, and residuals."""
        indices = [self._get_variable_index(variable) for variable in variables]
        averages, residuals = self._model_variables_moving_average, self._residuals

        def make():
            return [
                (variable, residuals[i], averages[i], self._average_residuals[i])
                for i, variable in zip(indices, variables, strict=True)
                if averages[i] is not None
            ]

        kept = self.__dict__.setdefault("_rows_of_averages", KeptRows())
        rows = kept.of(tuple(indices), make)
        backend.assign_each(function, rows, *scalars, compiles=self.jit_compile)

    def finalize_variable_values(self, var_list) -> None:
        if not self.use_ema:
            return
        self._check_variables_are_known(var_list)
        iterations = ops.convert_to_numpy(ops.convert_to_tensor(self.iterations))
        if iterations > 0:  # else there is no average yet
            self._overwrite_model_variables_with_average_value(var_list)
