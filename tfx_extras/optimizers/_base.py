"""What every optimizer shares, so that each file holds only its formula."""

import re
import warnings
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
from typeguard import check_type
from typeguard import typechecked

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
from tfx_extras.optimizers._rounding import add_residual
from tfx_extras.optimizers._rounding import exact
from tfx_extras.optimizers._rounding import rounded
from tfx_extras.optimizers._rounding import store
from tfx_extras.optimizers._skipping import add_counter
from tfx_extras.optimizers._skipping import apply_if_finite

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
            update, also when gradients are accumulated.
        ema_momentum: Weight of the past in that average, in [0, 1].
        ema_overwrite_frequency: Number of updates after which the average
            replaces the weights; `None`: only at the end of training.
        loss_scale_factor: Factor by which the loss was scaled, in (0, inf); gradients
            are divided by it.
        gradient_accumulation_steps: Number of gradients, 2 or more, whose mean
            makes one update. They are summed in `float32`.
        skip_nonfinite: Whether gradients of which any element, of any variable on any
            replica, is infinite or not a number are passed over: weights, slots,
            averages and `iterations` are then as if they had not come, and with
            `gradient_accumulation_steps` another takes their place. The variable
            `skipped` of the optimizer counts them, and `skipped_in_a_row` those since
            the last that were finite; read them with `.numpy()`.
        max_consecutive_skips: Number in [1, 2^31) of them in a row after which one more
            is an error: `FloatingPointError`, or what the backend raises from compiled
            code, with the name of this argument in its text. Where there can be none,
            in XLA on TensorFlow and with `keras.distribution` on JAX, such gradients
            are then applied, so that the loss shows it.
    """

    name: str | None
    weight_decay: float | keras.optimizers.schedules.LearningRateSchedule | None
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
    # Paths of all variables of the model, where other optimizers train some of them.
    sibling_paths: Sequence[str] = ()
    scalar_slots: Sequence[str] = ()
    initial_values: Mapping[str, float] = MappingProxyType({})
    decays_inside: bool = False
    is_elementwise: bool = True
    has_fast_paths: bool = has_fast_paths()
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
            learning_rate = float(require("learning_rate", learning_rate, "[0, inf)"))
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
            **_checked(kwargs),
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
        rate = self.weight_decay
        if _is_schedule(rate):
            rate = ops.cast(rate(self.iterations), dtype)
        step = ops.cast(self.iterations, dtype) + 1
        return Now(ops.cast(learning_rate, dtype), rate, self.coefficients(step))

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
        if self.weight_decay is None or self.weight_decay == 0:
            self._decays = [False] * len(variables)
        else:
            excluded = self.matches("weight_decay_exclude", variables)
            self._decays = [not found for found in excluded]
        if self.skip_nonfinite:
            self.skipped = add_counter(self, "skipped")
            self.skipped_in_a_row = add_counter(self, "skipped_in_a_row")

    def matches(self, argument: str, variables: list) -> list[bool]:
        """Returns for each variable whether its path is among those of `argument`."""
        paths = [path_of(variable) for variable in variables]
        known = self.sibling_paths or paths
        for pattern in getattr(self, argument):
            if not any(re.search(pattern, path) for path in known):
                warnings.warn(
                    f"`{argument}`: {pattern!r} is found in no path of a variable. "
                    f"The paths are: {paths}",
                    stacklevel=3,
                )
        return [
            any(re.search(pattern, path) for pattern in getattr(self, argument))
            for path in paths
        ]

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
        return super().learning_rate if self.traced_rate is None else self.traced_rate

    @learning_rate.setter
    def learning_rate(self, learning_rate):
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
        if not backend.is_distributed():
            super()._backend_apply_gradients(grads, trainable_variables)
            return
        # What Keras does in conditions, within which replicas cannot meet.
        changed = [*trainable_variables, *self.variables]

        def update(grads):
            grads = self._clip_gradients(grads)
            self._backend_update_step(grads, trainable_variables, self.learning_rate)

        steps = self.gradient_accumulation_steps
        if steps:
            is_last = ops.equal((self._iterations + 1) % steps, 0)
            sums = [
                self._accumulated_gradients[self._get_variable_index(v)]
                for v in trainable_variables
            ]
            grads = [g + ops.cast(s, g.dtype) for g, s in zip(grads, sums, strict=True)]
            for g, s in zip(grads, sums, strict=True):
                s.assign(ops.where(is_last, ops.zeros_like(g), g))
            backend.when(is_last, update, [g / steps for g in grads], changed)
        else:
            update(grads)
        if self.use_ema:
            known = self._trainable_variables
            self._update_model_variables_moving_average(known)
            if self.ema_overwrite_frequency:
                backend.when(
                    ops.equal((self.iterations + 1) % self.ema_overwrite_frequency, 0),
                    self._overwrite_model_variables_with_average_value,
                    known,
                    changed,
                )

    def _all_reduce_sum_gradients(self, grads_and_vars):
        return grads_and_vars  # Keras's hook for replicas, whose sums these are already

    def prepared(self, gradient, variable) -> Any:
        """Makes a gradient dense and wide, before Keras scales, clips or sums it."""
        gradient = backend.dense(gradient, variable.shape, wide(variable.dtype))
        shapes = tuple(gradient.shape), tuple(variable.shape)
        if None not in shapes[0] and shapes[0] != shapes[1]:
            raise ValueError(
                f"The gradient of `{path_of(variable)}` must have its shape. "
                f"Received: gradient.shape={shapes[0]}, variable.shape={shapes[1]}"
            )
        return gradient

    def _backend_update_step(self, grads, trainable_variables, learning_rate) -> None:
        # Keras's hook for all variables at once.
        if not self.has_fast_paths or backend.is_distributed():
            super()._backend_update_step(grads, trainable_variables, learning_rate)
            return
        moments, updates = {}, []
        for gradient, variable in zip(grads, trainable_variables, strict=True):
            if self.goes_alone(variable):
                self.update_step(gradient, variable, learning_rate)
                continue
            dtype = wide(variable.dtype)
            if dtype not in moments:
                moments[dtype] = self.now(learning_rate, dtype)
            index = self._get_variable_index(variable)
            kept = variable, self.residuals[index], *self._slots[index]
            updates.append(Update(moments[dtype], index, gradient, kept))
        backend.update_all(self, updates)

    def goes_alone(self, variable) -> bool:
        """Whether only `update_step` knows how to update a variable."""
        return type(self).update_step is not Optimizer.update_step

    def update_step(self, gradient, variable, learning_rate) -> None:
        index = self._get_variable_index(variable)
        now = self.now(learning_rate, wide(variable.dtype))
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
        # precision stands still, and once more for each accumulated gradient.
        moves = self._iterations + 1
        moves = moves % (self.gradient_accumulation_steps or 1) == 0
        momentum = ops.where(self.iterations == 0, 0.0, self.ema_momentum)
        momentum = ops.where(moves, momentum, 1.0)

        def move(variable, average, average_residual):
            if average is not None:
                past = exact(average, average_residual)
                change = ops.cast(variable, past.dtype) - past
                new = past + (1 - ops.cast(momentum, past.dtype)) * change
                store(new, average, average_residual)

        backend.for_each(
            move,
            trainable_variables,
            self._model_variables_moving_average,
            self._average_residuals,
        )

    def _overwrite_model_variables_with_average_value(
        self, trainable_variables
    ) -> None:
        def overwrite(variable, residual, average, average_residual):
            if average is not None:
                # A copy: JAX cannot train on with one buffer in two variables.
                value = ops.copy(exact(average, average_residual))
                store(value, variable, residual)

        backend.for_each(
            overwrite,
            trainable_variables,
            self.residuals,
            self._model_variables_moving_average,
            self._average_residuals,
        )

    def get_config(self):
        config = super().get_config()
        if isinstance(config["learning_rate"], float):
            # The shortest number that rounds to the one stored: 0.0001 again, not
            # 9.999999747378752e-05.
            config["learning_rate"] = float(str(np.float32(config["learning_rate"])))
        return config | {
            "weight_decay": saved(self.weight_decay),
            "independent_decay": self.independent_decay,
            "weight_decay_exclude": list(self.weight_decay_exclude),
            "skip_nonfinite": self.skip_nonfinite,
            "max_consecutive_skips": self.max_consecutive_skips,
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        config = dict(config)
        if isinstance(config.get("weight_decay"), dict):
            with keras.saving.custom_object_scope(custom_objects or {}):
                config["weight_decay"] = loaded(config["weight_decay"])
        return super().from_config(config, custom_objects)


def _checked(options: dict[str, Any]) -> dict[str, Any]:
    """Returns options of Keras, as Python numbers, if they are in their intervals."""
    known = {k: v for k, v in options.items() if k in OptimizerOptions.__annotations__}
    check_type(known, OptimizerOptions)
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


def path_of(variable) -> str:
    """Returns the path of a variable, also of one that is none of Keras's."""
    return getattr(variable, "path", None) or variable.name
