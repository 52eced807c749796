"""What every optimizer shares, so that each file holds only its formula."""

import re
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from types import MappingProxyType
from typing import Any
from typing import NamedTuple
from typing import TypedDict

import keras
import numpy as np
from keras import ops

from tfx_extras._backend import backend
from tfx_extras._checks import COUNTABLE
from tfx_extras._checks import Number
from tfx_extras._checks import require
from tfx_extras._checks import require_patterns
from tfx_extras._checks import require_steps
from tfx_extras._configuration import loaded
from tfx_extras._configuration import saved
from tfx_extras._environment import has_fast_paths
from tfx_extras._precision import wide
from tfx_extras._repr import shown
from tfx_extras._typed import require_types
from tfx_extras._typed import typechecked
from tfx_extras.optimizers._clipping import clipped_by_norm
from tfx_extras.optimizers._clipping import global_factor
from tfx_extras.optimizers._paths import matched
from tfx_extras.optimizers._paths import path_of
from tfx_extras.optimizers._paths import paths_of
from tfx_extras.optimizers._paths import required_paths
from tfx_extras.optimizers._paths import warn_of_unmatched
from tfx_extras.optimizers._rounding import add_residual
from tfx_extras.optimizers._rounding import exact
from tfx_extras.optimizers._rounding import rounded
from tfx_extras.optimizers._rounding import store
from tfx_extras.optimizers._skipping import add_counter
from tfx_extras.optimizers._skipping import apply_if_finite

__all__ = ["Optimizer", "OptimizerOptions"]

LearningRate = (
    Number | keras.optimizers.schedules.LearningRateSchedule | Callable[..., Any]
)


class OptimizerOptions(TypedDict, total=False):
    r"""Keyword arguments of every optimizer.

    They mean what they mean in Keras, except where said.

    Args:
        name: Name of the optimizer.
        weight_decay: $\lambda$, in [0, inf), or a schedule of it, which sees the
            number of updates made so far. Each update first takes
            $\eta \lambda w$ from the weights.
        independent_decay: Whether it takes $\lambda w$ instead, whatever the
            learning rate, as TensorFlow Addons does. For as much decay as before,
            multiply $\lambda$ by the learning rate.
        weight_decay_exclude: Regular expressions. A variable in whose `path`,
            such as `"sequential/dense/bias"`, one of them is found does not decay.
        clipnorm: Largest norm of the gradient of one variable. This and the next two
            are about the gradient of the whole batch: replicas of `tf.distribute` sum
            theirs before, while Keras clips what each of them has.
        clipvalue: Largest magnitude of an element of a gradient.
        global_clipnorm: Largest norm of all gradients together.
        use_ema: Whether to keep a moving average of the weights. It moves once per
            update, also when gradients are accumulated. While there has been no
            update, there is no average, and nothing replaces the weights.
        ema_momentum: Weight of the past in that average, in [0, 1].
        ema_overwrite_frequency: Number of updates after which the average
            replaces the weights; `None`: only at the end of training.
        loss_scale_factor: Factor by which the loss was scaled, in (0, inf); gradients
            are divided by it.
        gradient_accumulation_steps: Number of gradients, 2 or more, whose mean
            makes one update. They are summed in `float32`. A variable that has no
            gradient when the update is made is not updated, and keeps its sum for the
            next one.
        skip_nonfinite: Whether gradients of which any element, of any variable on any
            replica, is infinite or not a number are passed over: weights, slots,
            averages and `iterations` are then as if they had not come, and with
            `gradient_accumulation_steps` another takes their place. The variable
            `skipped` of the optimizer counts them, and `skipped_in_a_row` those since
            the last that were finite; read them with `.numpy()`.
        max_consecutive_skips: Number in [1, 2^31) of them in a row after which one more
            is an error: `FloatingPointError`, or what the backend raises from compiled
            code, with the name of this argument in its text. Where there can be none,
            in XLA on TensorFlow and in programs over several devices on JAX, such
            gradients are then applied, so that the loss shows it.
    """

    name: str | None
    weight_decay: Number | keras.optimizers.schedules.LearningRateSchedule | None
    independent_decay: bool
    weight_decay_exclude: Sequence[str]
    clipnorm: Number | None
    clipvalue: Number | None
    global_clipnorm: Number | None
    use_ema: bool
    ema_momentum: Number
    ema_overwrite_frequency: Number | None
    loss_scale_factor: Number | None
    gradient_accumulation_steps: Number | None
    skip_nonfinite: bool
    max_consecutive_skips: Number


# Of those that Keras takes as they are.
_INTERVALS = {
    "clipnorm": "[0, inf)",
    "clipvalue": "[0, inf)",
    "global_clipnorm": "[0, inf)",
    "ema_momentum": "[0, 1]",
    "loss_scale_factor": "(0, inf)",
}
_INTERVALS_OF_STEPS = {
    "ema_overwrite_frequency": f"[1, {COUNTABLE})",
    "gradient_accumulation_steps": f"[2, {COUNTABLE})",
}


class Now(NamedTuple):
    """What an update depends on that is the same for all variables of a dtype."""

    learning_rate: Any
    weight_decay: Any
    coefficients: Any


AS_IT_IS = object()


class OwnRate(NamedTuple):
    """How fast a variable learns and decays, beside the others of its optimizer."""

    factor: float = 1.0  # of the learning rate
    weight_decay: Any = AS_IT_IS  # a number, a schedule or `None`


class Update(NamedTuple):
    """What is to be done with one variable."""

    now: Now
    place: int  # of the variable among those of `build`
    gradient: Any
    kept: Sequence[Any]  # the variable, its residual or `None`, and its slots


class Optimizer(keras.optimizers.Optimizer):
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
    rate_interval: str = "[0, inf)"
    # Paths of all variables of the model, where other optimizers train some of them.
    sibling_paths: Sequence[str] = ()
    # What `ParameterGroups` has for the variables of `build`, in their order.
    own_rates: Sequence[OwnRate] | None = None
    # Whether it has clipped by the norm of all gradients what it gives to this one.
    is_clipped: bool = False
    # Arguments that hold regular expressions of paths, and the paths that the variables
    # have: those of the optimizer that was saved, if this one was loaded.
    path_arguments: Sequence[str] = ("weight_decay_exclude",)
    saved_paths: Any = None
    scalar_slots: Sequence[str] = ()
    initial_values: Mapping[str, float] = MappingProxyType({})
    decays_inside: bool = False
    is_elementwise: bool = True
    has_fast_paths: bool = has_fast_paths()
    __repr__ = shown
    # The learning rate, while an update is traced to which it will be given.
    traced_rate: Any = None
    # Variables once it is built with `skip_nonfinite`.
    skipped: Any = None
    skipped_in_a_row: Any = None

    @typechecked
    def __init__(
        self,
        learning_rate: LearningRate,
        name: str | None = None,
        weight_decay: Any = None,
        independent_decay: bool = False,
        weight_decay_exclude: Sequence[str] = (),
        skip_nonfinite: bool = False,
        max_consecutive_skips: Number = 10,
        **kwargs: Any,
    ):
        cls = type(self)
        is_base = cls.update is Optimizer.update and cls.move is Optimizer.move
        if is_base and cls.update_step is Optimizer.update_step:
            raise TypeError(
                f"`{cls.__name__}` has no formula: a subclass of `Optimizer` must "
                "define `update` or `move`."
            )
        if isinstance(learning_rate, int | Number):
            learning_rate = float(
                require("learning_rate", learning_rate, self.rate_interval)
            )
        elif not _is_schedule(learning_rate) and hasattr(learning_rate, "get_config"):
            raise ValueError(  # a layer or a loss can be called too
                "Argument `learning_rate` must be a number, a schedule or a function "
                f"without arguments. Received: learning_rate={learning_rate!r}"
            )
        if isinstance(weight_decay, int | Number):
            weight_decay = require("weight_decay", weight_decay, "[0, inf)")
        elif not (weight_decay is None or _is_schedule(weight_decay)):
            raise ValueError(
                "Argument `weight_decay` must be a number, a schedule or None. "
                f"Received: weight_decay={weight_decay!r}"
            )
        super().__init__(
            learning_rate,
            weight_decay=weight_decay,
            # Keras would count up: names would differ between two runs.
            name=name or type(self).__name__.lower(),
            **_checked(kwargs, cls.__name__),
        )
        self.independent_decay = independent_decay
        self.weight_decay_exclude = require_patterns(
            "weight_decay_exclude", weight_decay_exclude
        )
        self.skip_nonfinite = skip_nonfinite
        self.max_consecutive_skips = require_steps(
            "max_consecutive_skips", max_consecutive_skips, f"[1, {COUNTABLE})"
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

    def decay(self, variable, now: Now, index) -> Any:
        """Returns the value of a variable after the decay that precedes its move."""
        inside = self.decays_inside and not self.independent_decay
        if inside or not self._decays[index]:
            return variable
        rate = now.weight_decay
        if not self.independent_decay:
            rate = now.learning_rate * rate
        return variable - rate * variable

    def penalized(self, direction, variable, now: Now, index) -> Any:
        """Returns `direction` with the decay inside of it, unless that precedes."""
        if self.independent_decay or not self._decays[index]:
            return direction
        return direction + now.weight_decay * variable

    def traits(self, index) -> tuple:
        """Returns what the update of a variable depends on beside shapes and dtypes."""
        return (self._decays[index],)

    def now(self, learning_rate, dtype: str) -> Now:
        """Returns what this update depends on, in `dtype`."""
        rate = self._decay_now(self.weight_decay, dtype)
        step = ops.cast(self.iterations, dtype) + 1
        return Now(ops.cast(learning_rate, dtype), rate, self.coefficients(step))

    def now_of(self, now: Now, index, dtype: str) -> Now:
        """Returns what the update of one variable depends on."""
        if self.own_rates is None:
            return now
        factor, rate = self.own_rates[index]
        rate = now.weight_decay if rate is AS_IT_IS else self._decay_now(rate, dtype)
        return now._replace(learning_rate=now.learning_rate * factor, weight_decay=rate)

    def _decay_now(self, rate, dtype) -> Any:
        is_number = not _is_schedule(rate)
        return rate if is_number else ops.cast(rate(self.iterations), dtype)

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
        self.residuals = [add_residual(add, v, "residual") for v in variables]
        if self.use_ema:
            self._average_residuals = [
                add_residual(add, v, "average_residual") for v in variables
            ]
        self.saved_paths = tuple(paths_of(variables, self.saved_paths))
        self._decays = self._found_decays()
        if self.skip_nonfinite:
            self.skipped = add_counter(self, "skipped")
            self.skipped_in_a_row = add_counter(self, "skipped_in_a_row")

    def take_rates(self, own_rates: Sequence[OwnRate] | None) -> None:
        """Takes what `ParameterGroups` has for each variable."""
        self.own_rates = own_rates
        if self.built:
            self._decays = self._found_decays()

    def _found_decays(self) -> list[bool]:
        """Whether each variable decays."""
        count, rate = len(self._trainable_variables), self.weight_decay
        rates = [rate] * count
        if self.own_rates is not None:
            rates = [rate if own is AS_IT_IS else own for _, own in self.own_rates]
        if not any(rates):
            return [False] * count
        excluded = self.matches("weight_decay_exclude")
        return [bool(r) and not e for r, e in zip(rates, excluded, strict=True)]

    def matches(self, argument: str) -> list[bool]:
        """Returns for each variable whether its path is among those of `argument`."""
        patterns, paths = getattr(self, argument), self.saved_paths
        warn_of_unmatched(argument, patterns, self.sibling_paths or paths)
        return matched(patterns, paths)

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

    @property
    def learning_rate(self):
        # Not `super().learning_rate`, at which `torch.compile` would break its graph.
        rate = self.traced_rate
        return self._get_current_learning_rate() if rate is None else rate

    @learning_rate.setter
    def learning_rate(self, learning_rate):
        if isinstance(learning_rate, int | Number):
            require("learning_rate", learning_rate, self.rate_interval)
        keras.optimizers.Optimizer.learning_rate.fset(self, learning_rate)

    def apply(self, grads, trainable_variables=None) -> None:
        grads = list(grads)
        if trainable_variables is not None:
            trainable_variables = list(trainable_variables)
            if not self.built and grads:
                self.build(trainable_variables)
        known = trainable_variables or self._trainable_variables
        if len(grads) != len(known):  # Keras says what is wrong
            super().apply(grads, trainable_variables)
            return
        with backend.without_gradients():
            if self.has_fast_paths:
                backend.as_one(self, self._apply, grads, known)
            else:
                self._apply(grads, known)

    def stateless_apply(self, optimizer_variables, grads, trainable_variables):
        state = backend.to_be_changed(optimizer_variables)
        weights = backend.to_be_changed(trainable_variables)
        return super().stateless_apply(state, grads, weights)

    def _apply(self, grads, trainable_variables) -> None:
        grads = [
            None if g is None else self.prepared(g, v)
            for g, v in zip(grads, trainable_variables, strict=True)
        ]
        # Before Keras would: what is clipped, checked and accumulated is all there is.
        grads = backend.summed(grads)
        if self.skip_nonfinite:
            apply = super().apply
            changed = [*trainable_variables, *self.variables]
            apply_if_finite(
                self, lambda grads: apply(grads, trainable_variables), grads, changed
            )
        else:
            super().apply(grads, trainable_variables)

    def _backend_apply_gradients(self, grads, trainable_variables) -> None:
        # Keras's hook for one gradient of each variable, summed over replicas. Its own
        # moves averages and replaces weights also while gradients are accumulated, and
        # lets replicas meet within conditions, where they cannot.
        steps = self.gradient_accumulation_steps
        if not steps:
            self._make_update(grads, trainable_variables)
            return
        is_last = ops.equal((self._iterations + 1) % steps, 0)
        sums = [
            self._accumulated_gradients[self._get_variable_index(v)]
            for v in trainable_variables
        ]
        grads = [g + ops.cast(s, g.dtype) for g, s in zip(grads, sums, strict=True)]
        for g, s in zip(grads, sums, strict=True):
            s.assign(ops.where(is_last, ops.zeros_like(g), g))
        backend.when(
            is_last,
            lambda grads: self._make_update(grads, trainable_variables),
            [g / steps for g in grads],
            [*self._trainable_variables, *self.variables],
        )

    def _clip_gradients(self, grads) -> list:
        # Keras's own makes `float64` narrow, or fails where a model has both.
        if self.clipnorm:
            return [clipped_by_norm(g, self.clipnorm) for g in grads]
        if self.global_clipnorm:
            if self.is_clipped:  # rounding would clip it once more
                return grads
            factor = global_factor(grads, self.global_clipnorm)
            return [g * ops.cast(factor, g.dtype) for g in grads]
        return super()._clip_gradients(grads)

    def _make_update(self, grads, trainable_variables) -> None:
        grads = self._clip_gradients(grads)
        self._backend_update_step(grads, trainable_variables, self.learning_rate)
        if self.use_ema:
            self.move_average()

    def pass_by(self) -> None:
        """Does what an update without a gradient for any of the variables leaves."""
        if self.use_ema:
            steps = self.gradient_accumulation_steps or 1
            backend.when(
                ops.equal((self._iterations + 1) % steps, 0),
                lambda _: self.move_average(),
                [],
                [*self._trainable_variables, *self.variables],
            )
        self._iterations.assign_add(1)

    def move_average(self) -> None:
        """Moves the average of `use_ema` to the weights, and in its turn them to it."""
        variables = self._trainable_variables
        self._update_model_variables_moving_average(variables)
        if self.ema_overwrite_frequency:
            backend.when(
                ops.equal((self.iterations + 1) % self.ema_overwrite_frequency, 0),
                self._overwrite_model_variables_with_average_value,
                variables,
                [*variables, *self.variables],
            )

    def _all_reduce_sum_gradients(self, grads_and_vars):
        return grads_and_vars  # Keras's hook for replicas, whose sums these are already

    def prepared(self, gradient, variable) -> Any:
        """Makes a gradient dense and wide, before Keras scales, clips or sums it."""
        gradient = backend.dense(gradient, variable.shape, wide(variable.dtype))
        shapes = tuple(gradient.shape), tuple(variable.shape)
        if shapes[0] != shapes[1]:
            raise ValueError(
                f"The gradient of `{path_of(variable)}` must have its shape. "
                f"Received: gradient.shape={shapes[0]}, variable.shape={shapes[1]}"
            )
        return gradient

    def _backend_update_step(self, grads, trainable_variables, learning_rate) -> None:
        # Keras's hook for all variables at once.
        if not self.has_fast_paths:
            super()._backend_update_step(grads, trainable_variables, learning_rate)
            return
        moments, moments_of_own, updates, alone = {}, {}, [], []
        for gradient, variable in zip(grads, trainable_variables, strict=True):
            if self.goes_alone(variable):
                alone.append((gradient, variable))
                continue
            dtype = wide(variable.dtype)
            if dtype not in moments:
                moments[dtype] = self.now(learning_rate, dtype)
            index = self._get_variable_index(variable)
            now = moments[dtype]
            if self.own_rates is not None:
                own = dtype, *self.own_rates[index]
                if own not in moments_of_own:
                    moments_of_own[own] = self.now_of(now, index, dtype)
                now = moments_of_own[own]
            kept = variable, self.residuals[index], *self._slots[index]
            updates.append(Update(now, index, gradient, kept))
        if alone:
            super()._backend_update_step(*zip(*alone, strict=True), learning_rate)
        if updates:
            backend.update_all(self, updates)

    def goes_alone(self, variable) -> bool:
        """Whether only `update_step` knows how to update a variable."""
        return type(self).update_step is not Optimizer.update_step

    def update_step(self, gradient, variable, learning_rate) -> None:
        index, dtype = self._get_variable_index(variable), wide(variable.dtype)
        now = self.now_of(self.now(learning_rate, dtype), index, dtype)
        kept = variable, self.residuals[index], *self._slots[index]
        self.update_kept(Update(now, index, gradient, kept))

    def update_kept(self, update: Update) -> None:
        """Updates variables, or parts of them."""
        # Every new value is computed before the first is stored: on TensorFlow
        # and PyTorch a variable's value is a live reference.
        for kept, value in zip(update.kept, self.updated(*update), strict=True):
            if kept is not None:
                self.assign(kept, value)

    def updated(self, now: Now, index, gradient, kept) -> tuple:
        """Returns the new values of what is kept: the variable, residual and slots."""
        variable, residual, *slots = kept
        w = self.decay(exact(variable, residual), now, index)
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

    def exclude_from_weight_decay(self, var_list=None, var_names=None) -> None:
        """Adds to `weight_decay_exclude`: variables, or regular expressions."""
        if self.built:
            raise ValueError(
                "`exclude_from_weight_decay()` must be called before the optimizer is "
                "built, which the first training step does."
            )
        paths = [f"^{re.escape(path_of(variable))}$" for variable in var_list or ()]
        self.weight_decay_exclude = [
            *self.weight_decay_exclude,
            *paths,
            *(var_names or ()),
        ]

    def _apply_weight_decay(self, variables) -> None:
        # Keras calls this first; here the decay is part of the one update, so that
        # it is rounded with it.
        pass

    def _update_model_variables_moving_average(self, trainable_variables) -> None:
        # Keras's own averages in the dtype of the variables, where 0.99 of half
        # precision stands still.
        is_first = self.iterations == 0

        def move(variable, residual, average, average_residual):
            if average is not None:
                past = exact(average, average_residual)
                first, gain = (
                    ops.convert_to_tensor(x, past.dtype)
                    for x in (1.0, 1 - self.ema_momentum)
                )
                gain = ops.where(is_first, first, gain)
                new = past + gain * (exact(variable, residual) - past)
                store(new, average, average_residual)

        self._for_each_average(move, trainable_variables)

    def _overwrite_model_variables_with_average_value(
        self, trainable_variables
    ) -> None:
        def overwrite(variable, residual, average, average_residual):
            if average is not None:
                # A copy: JAX cannot train on with one buffer in two variables.
                value = ops.copy(exact(average, average_residual))
                store(value, variable, residual)

        self._for_each_average(overwrite, trainable_variables)

    def _for_each_average(self, function, variables) -> None:
        """Calls `function(variable, residual, average, average_residual)` for each."""
        indices = [self._get_variable_index(variable) for variable in variables]
        columns = (
            self.residuals,
            self._model_variables_moving_average,
            self._average_residuals,
        )
        backend.for_each(
            function, variables, *([column[i] for i in indices] for column in columns)
        )

    def finalize_variable_values(self, var_list) -> None:
        if not self.use_ema:
            return
        self._check_variables_are_known(var_list)
        iterations = ops.convert_to_numpy(ops.convert_to_tensor(self.iterations))
        if iterations > 0:  # else there is no average
            self._overwrite_model_variables_with_average_value(var_list)

    def get_config(self):
        config = super().get_config()
        if isinstance(config["learning_rate"], float):
            # The shortest number that rounds to the one stored: 0.0001 again, not
            # 9.999999747378752e-05.
            config["learning_rate"] = float(str(np.float32(config["learning_rate"])))
        # Only where it matters: which variables an expression has matched.
        is_matched = any(getattr(self, name) for name in self.path_arguments)
        paths = {"paths": list(self.saved_paths)} if self.built and is_matched else {}
        return (
            config
            | paths
            | {
                "weight_decay": saved(self.weight_decay),
                "independent_decay": self.independent_decay,
                "weight_decay_exclude": list(self.weight_decay_exclude),
                "skip_nonfinite": self.skip_nonfinite,
                "max_consecutive_skips": self.max_consecutive_skips,
            }
        )

    @classmethod
    def from_config(cls, config, custom_objects=None):
        config = dict(config)
        paths = required_paths(config.pop("paths", None))
        if isinstance(config.get("weight_decay"), dict):
            with keras.saving.custom_object_scope(custom_objects or {}):
                config["weight_decay"] = loaded(config["weight_decay"])
        optimizer = super().from_config(config, custom_objects)
        optimizer.saved_paths = paths
        return optimizer


def _checked(options: dict[str, Any], owner: str) -> dict[str, Any]:
    """Returns options of Keras, as Python numbers, if they are in their intervals."""
    known = {k: v for k, v in options.items() if k in OptimizerOptions.__annotations__}
    require_types(owner, known, OptimizerOptions.__annotations__)
    known = {name: value for name, value in known.items() if value is not None}
    for name in known.keys() & _INTERVALS.keys():
        known[name] = float(require(name, known[name], _INTERVALS[name]))
    for name in known.keys() & _INTERVALS_OF_STEPS.keys():
        known[name] = require_steps(name, known[name], _INTERVALS_OF_STEPS[name])
    return options | known


def _filled(value: float):
    # Not `Constant`, which on TensorFlow rounds to float32 for float64.
    return lambda shape, dtype: ops.zeros(shape, dtype) + value


def _is_schedule(x) -> bool:
    return isinstance(x, keras.optimizers.schedules.LearningRateSchedule)
