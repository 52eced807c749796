"""What every optimizer shares, so that each file holds only its formula.

What happens before the formula has files of its own: `_options.py`, `_weight_decay.py`,
`_averages.py` and `_gradients.py`, each a class on top of the one before.
"""

import re
from collections.abc import Mapping
from collections.abc import Sequence
from types import MappingProxyType
from typing import Any

from keras import ops

from tfx_extras._backend import backend
from tfx_extras._precision import wide
from tfx_extras.optimizers._gradients import WithGradients
from tfx_extras.optimizers._paths import path_of
from tfx_extras.optimizers._paths import paths_of
from tfx_extras.optimizers._rounding import add_residual
from tfx_extras.optimizers._rounding import exact
from tfx_extras.optimizers._rounding import rounded
from tfx_extras.optimizers._skipping import add_counter
from tfx_extras.optimizers._update import AS_IT_IS
from tfx_extras.optimizers._update import Now
from tfx_extras.optimizers._update import Update

__all__ = ["Optimizer"]


class Optimizer(WithGradients):
    r"""Base of optimizers, given by the names of their slots and by one formula.

    $$ w_t = w_{t-1} - \eta \lambda w_{t-1} - \eta\, u_t $$

    Here $u_t$ is the step that `update` returns, $w_t$ are the weights, $\eta$ is the
    learning rate and $\lambda$ the weight decay.

    A subclass names in `slots` the tensors that it keeps for each variable, and
    writes `update`, which never assigns; or `move`, if its step is not a direction
    times the learning rate. What of the formula depends on the number of the update
    alone is in `coefficients`. Slots are of the shape of the variable, but those of
    `scalar_slots`; and of zeros at first, but those of `initial_values`. One that
    takes weight decay up into its formula sets `decays_inside`, and calls
    `penalized`. One whose formula mixes the elements of a variable, as a norm does,
    sets `is_elementwise` to `False`. A formula is traced: it has no `if` of a tensor.
    Arguments of its own are in its `get_config`.

    Variables are updated all at once, where that is faster. Setting `has_fast_paths`
    to `False`, of an optimizer or of the class, updates them one by one.

    Arithmetic is done and slots are kept in `float32`, or in `float64` for
    `float64` variables, and the result is rounded once, when it is stored. What
    rounding takes from a `bfloat16` or `float16` variable is kept beside it, in
    the same dtype, and added back in the next update.

    Memory: 4 bytes per weight for each slot, and 2 for half precision weights.

    Args:
        learning_rate: $\eta$, in [0, inf): a number, a schedule, or a callable
            without arguments.
        **kwargs: Options of every optimizer: see `OptimizerOptions`.

    Raises:
        ValueError: If an argument is outside its interval.
        TypeError: If the class has no formula.

    Example:
        >>> class Momentum(tfx_extras.optimizers.Optimizer):
        ...     slots = ("momentum",)
        ...
        ...     def update(self, gradient, variable, coefficients, slots):
        ...         m = 0.9 * slots[0] + gradient
        ...         return m, (m,)
        >>> w = keras.Variable([1.0, -2.0])
        >>> Momentum(0.1).apply([2 * w], [w])
        >>> print(w.numpy().round(4))
        [ 0.8 -1.6]
    """

    slots: Sequence[str] = ()
    scalar_slots: Sequence[str] = ()
    initial_values: Mapping[str, float] = MappingProxyType({})
    is_elementwise: bool = True

    def _require_formula(self) -> None:
        cls = type(self)
        is_base = cls.update is Optimizer.update and cls.move is Optimizer.move
        if is_base and cls.update_step is Optimizer.update_step:
            raise TypeError(
                f"`{cls.__name__}` has no formula: a subclass of `Optimizer` must "
                "define `update` or `move`."
            )

    def coefficients(self, step) -> Any:
        """Returns what of the formula depends on the number of the update alone.

        Args:
            step: Number of this update, 1 for the first: a scalar.
        """
        return None

    def update(self, gradient, variable, coefficients, slots) -> tuple[Any, tuple]:
        """Returns the step to subtract, before the learning rate, and new slots.

        Args:
            gradient: Gradient of the loss, of the shape of `variable`.
            variable: The current value.
            coefficients: What `self.coefficients` returned for this update.
            slots: The tensors kept for `variable`, in the order of `self.slots`.
        """
        raise NotImplementedError

    def move(self, gradient, variable, now: Now, slots, index) -> tuple[Any, tuple]:
        """Returns the new value of a variable after its decay, and new slots.

        Args:
            gradient: As for `update`.
            variable: As for `update`.
            now: Learning rate, weight decay and coefficients of this update, in the
                dtype of `variable`.
            slots: As for `update`.
            index: The place of the variable among those of `build`.
        """
        direction, slots = self.update(gradient, variable, now.coefficients, slots)
        return variable - now.learning_rate * direction, slots

    def _traits(self, index) -> tuple:
        """Returns what the update of a variable depends on beside shapes and dtypes."""
        return (self._decays[index],)

    def _now(self, learning_rate, dtype: str) -> Now:
        """Returns what this update depends on, in `dtype`."""
        rate = self._decay_now(self.weight_decay, dtype)
        step = ops.cast(self.iterations, dtype) + 1
        return Now(ops.cast(learning_rate, dtype), rate, self.coefficients(step))

    def _now_of(self, now: Now, index, dtype: str) -> Now:
        """Returns what the update of one variable depends on."""
        if self._own_rates is None:
            return now
        factor, rate = self._own_rates[index]
        rate = now.weight_decay if rate is AS_IT_IS else self._decay_now(rate, dtype)
        return now._replace(learning_rate=now.learning_rate * factor, weight_decay=rate)

    def build(self, variables: list) -> None:
        if self.built:
            return
        unknown = {*self.scalar_slots, *self.initial_values} - {*self.slots}
        if unknown:
            raise ValueError(
                "`scalar_slots` and `initial_values` must name slots. "
                f"Received: {sorted(unknown)}, slots={self.slots}"
            )
        super().build(variables)
        kept = [
            self.add_optimizer_variables(
                variables, name, _filled(self.initial_values.get(name, 0.0))
            )
            for name in self.slots
        ]
        self._slots = [[column[i] for column in kept] for i in range(len(variables))]
        # Not the method below, which would widen them.
        add = super().add_variable_from_reference
        self._residuals = [add_residual(add, v, "residual") for v in variables]
        if self.use_ema:
            self._average_residuals = [
                add_residual(add, v, "average_residual") for v in variables
            ]
        self._saved_paths = tuple(paths_of(variables, self._saved_paths))
        self._decays = self._found_decays()
        if self.skip_nonfinite:
            self.skipped = add_counter(self, "skipped")
            self.skipped_in_a_row = add_counter(self, "skipped_in_a_row")

    def add_variable_from_reference(
        self, reference_variable, name=None, initializer="zeros"
    ):
        """As in Keras, but wide enough for sums: `float32`, or `float64`."""
        if name == "average":  # callbacks swap it with the weights: of their dtype
            return super().add_variable_from_reference(
                reference_variable, name, initializer
            )
        path = re.sub("[/:]", "_", path_of(reference_variable))
        is_scalar = name in self.scalar_slots
        layout = getattr(reference_variable, "_layout", None)
        with backend.beside(reference_variable):
            return self.add_variable(
                shape=() if is_scalar else tuple(reference_variable.shape),
                dtype=wide(reference_variable.dtype),
                initializer=initializer,
                layout=None if is_scalar else layout,
                name=f"{path}_{name or 'var'}",
            )

    def _backend_update_step(self, grads, trainable_variables, learning_rate) -> None:
        # Keras's hook for all variables at once.
        if not self.has_fast_paths:
            super()._backend_update_step(grads, trainable_variables, learning_rate)
            return
        moments, moments_of_own, updates, alone = {}, {}, [], []
        for gradient, variable in zip(grads, trainable_variables, strict=True):
            if self._goes_alone(variable):
                alone.append((gradient, variable))
                continue
            dtype = wide(variable.dtype)
            if dtype not in moments:
                moments[dtype] = self._now(learning_rate, dtype)
            index = self._get_variable_index(variable)
            now = moments[dtype]
            if self._own_rates is not None:
                own = dtype, *self._own_rates[index]
                if own not in moments_of_own:
                    moments_of_own[own] = self._now_of(now, index, dtype)
                now = moments_of_own[own]
            kept = variable, self._residuals[index], *self._slots[index]
            updates.append(Update(now, index, gradient, kept))
        if alone:
            super()._backend_update_step(*zip(*alone, strict=True), learning_rate)
        if updates:
            backend.update_all(self, updates)

    def _goes_alone(self, variable) -> bool:
        """Whether only `update_step` knows how to update a variable."""
        return type(self).update_step is not Optimizer.update_step

    def update_step(self, gradient, variable, learning_rate) -> None:
        index, dtype = self._get_variable_index(variable), wide(variable.dtype)
        now = self._now_of(self._now(learning_rate, dtype), index, dtype)
        kept = variable, self._residuals[index], *self._slots[index]
        self._update_kept(Update(now, index, gradient, kept))

    def _update_kept(self, update: Update) -> None:
        """Updates variables, or parts of them."""
        # Every new value is computed before the first is stored: on TensorFlow
        # and PyTorch a variable's value is a live reference.
        for kept, value in zip(update.kept, self._updated(*update), strict=True):
            if kept is not None:
                self.assign(kept, value)

    def _updated(self, now: Now, index, gradient, kept) -> tuple:
        """Returns the new values of what is kept: the variable, residual and slots."""
        variable, residual, *slots = kept
        w = self._after_decay(exact(variable, residual), now, index)
        # Not `ops.convert_to_tensor`, which on TensorFlow leaves a variable as it
        # is; and the `+` of Keras fails for some that are empty.
        slots = tuple(ops.cast(slot, w.dtype) for slot in slots)
        new_w, new_slots = self.move(gradient, w, now, slots, index)
        if not isinstance(new_slots, tuple | list) or len(new_slots) != len(slots):
            raise ValueError(
                f"`{type(self).__name__}` must return, after its step, a tuple of "
                f"slots={self.slots}. Received: {new_slots}"
            )
        return (*rounded(new_w, variable, residual), *new_slots)


def _filled(value: float):
    # Not `Constant`, which on TensorFlow rounds to float32 for float64.
    return lambda shape, dtype: ops.zeros(shape, dtype) + value
