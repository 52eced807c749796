"""What all optimizers share, so that each file holds only its formula.

What happens before the formula has files of its own: `_options.py`, `_weight_decay.py`,
`_averages.py` and `_gradients.py`, each a class on top of the one before.
"""

import re
from collections.abc import Mapping
from collections.abc import Sequence
from types import MappingProxyType
from typing import Any

import keras
from keras import ops

from tfx_extras._backend import backend
from tfx_extras._precision import wide
from tfx_extras.optimizers._gradients import WithGradients
from tfx_extras.optimizers._layouts import found_layouts
from tfx_extras.optimizers._paths import path_of
from tfx_extras.optimizers._paths import paths_of
from tfx_extras.optimizers._rounding import add_residual
from tfx_extras.optimizers._rounding import exact
from tfx_extras.optimizers._rounding import rounded
from tfx_extras.optimizers._skipping import add_counter
from tfx_extras.optimizers._update import AS_IT_IS
from tfx_extras.optimizers._update import Now
from tfx_extras.optimizers._update import Update
from tfx_extras.optimizers._variants import adaptively_clipped
from tfx_extras.optimizers._variants import cautious
from tfx_extras.optimizers._variants import centralized

__all__ = ["Optimizer"]


class Optimizer(WithGradients):
    r"""Optimizer: base class to write your own optimizer as one formula.

    Use it to write an optimizer that has all options of `OptimizerOptions`, and that
    trains 16-bit weights without losing small steps. Its methods must be pure: they
    return new values and never assign. `keras.optimizers.Optimizer` has fewer options,
    and a subclass creates and assigns its variables itself.

    $$ w_t = w_{t-1} - \eta \lambda w_{t-1} - \eta\, u_t $$

    $w_t$ are the weights, $\eta$ is the learning rate, $\lambda$ is the weight decay,
    and $u_t$ is the direction of the step, which `update` returns.

    A subclass names in `slots` the state tensors that it keeps for each variable, and
    defines `update`. If its step is not a direction times the learning rate, it defines
    `move` instead. `coefficients` returns the parts of the formula that depend only on
    the number of the step. State tensors have the shape of the variable, except those
    in `scalar_slots`, and begin as zeros, except those in `initial_values`. For other
    shapes, a subclass defines `slot_shape` and sets `is_elementwise` to `False`. An
    optimizer whose formula contains the weight decay sets `decays_inside`, and calls
    `penalized`. One whose formula needs norms over a variable sets `has_norms`, and
    calls `squared_norms`. One that uses a shape, or mixes the elements of a variable in
    another way, sets `is_elementwise` to `False`. One that depends on the gradients of
    all variables defines `totals`. It may keep numbers of the whole optimizer, which it
    names in `shared_values`. Arguments of a subclass must be in its `get_config`.

    Where it is faster, all variables are updated at once. A formula may then be
    compiled, recorded, called several times in a step, and receive a part of a
    variable, or several variables as one vector or as the rows of a matrix. So it must
    not use `if` on a tensor, random numbers, or attributes that it changes.
    Hyperparameters are attributes that are numbers, strings, or flat lists of them.
    Other attributes, such as dictionaries, are taken for constants. To update variables
    one by one, set `has_fast_paths` to `False`, on an optimizer or on the class.

    Computations and state are in `float32`, or in `float64` for `float64` variables.
    The result is rounded once, when it is stored. For 16-bit weights
    (bfloat16, float16), the rounding error is stored beside the weights, in the same
    dtype, and added to the next step. This is compensated (Kahan) summation.

    Memory: 4 bytes per weight for each state tensor, and 2 more per 16-bit weight.

    Args:
        learning_rate: $\eta$, in [0, inf): a number, a schedule, or a function without
            arguments that returns it.
        **kwargs: Options of every optimizer, such as `weight_decay`,
            `weight_decay_exclude`, `clipnorm`, `use_ema` and
            `gradient_accumulation_steps`: see `OptimizerOptions`.

    Raises:
        ValueError: If an argument is outside its interval.
        TypeError: If an argument has the wrong type or an unknown name, or if the class
            has no formula.

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
    has_norms: bool = False
    # Whether rounding errors of 16-bit weights are kept in `float32`.
    _has_wide_residuals: bool = False
    shared_values: Mapping[str, float] = MappingProxyType({})  # and where they begin
    # Computes `squared_norms` while the formula sees parts of a variable, or several.
    _norms_in_parts: Any = None

    def _require_formula(self) -> None:
        cls = type(self)
        is_base = cls.update is Optimizer.update and cls.move is Optimizer.move
        if is_base and cls.update_step is Optimizer.update_step:
            raise TypeError(
                f"`{cls.__name__}` has no formula: a subclass of `Optimizer` must "
                "define `update` or `move`."
            )

    def coefficients(self, step) -> Any:
        """Returns the parts of the formula that depend only on the number of the step.

        They are numbers, tensors, strings or `None`, also in tuples, lists and
        dictionaries. In the formula, numbers may be tensors.

        Args:
            step: Number of this step, 1 for the first: a scalar.
        """
        return None

    def update(self, gradient, variable, coefficients, slots) -> tuple[Any, tuple]:
        """Returns the step, without the learning rate, and the new state.

        Args:
            gradient: Gradient of the loss, of the shape of `variable`.
            variable: The current value.
            coefficients: What `self.coefficients` returned for this step.
            slots: The state tensors of `variable`, in the order of `self.slots`.
        """
        raise NotImplementedError

    def move(self, gradient, variable, now: Now, slots, index) -> tuple[Any, tuple]:
        """Returns the new value of a variable, after its decay, and the new state.

        Args:
            gradient: As for `update`.
            variable: As for `update`.
            now: Learning rate, weight decay and coefficients of this step, in the dtype
                of `variable`.
            slots: As for `update`.
            index: Index of the variable among those of `build`, for `penalized`. It may
                be that of another variable of the same kind.
        """
        direction, slots = self.update(gradient, variable, now.coefficients, slots)
        return variable - now.learning_rate * direction, slots

    def _rate_factor(self, step) -> Any:
        """Returns the factor of the learning rate that the formula itself has.

        It is 0 in a step that the formula replaces by another, for `ScheduleFree`.
        """
        return 1.0

    def totals(self, gradients, now: Now, slots, shared) -> tuple[Now, tuple]:
        """Returns what the whole step depends on, before any variable moves.

        It is called once in each step if a subclass defines it. All its numbers have
        the same dtype: `float64` if any variable has it, else `float32`.

        Args:
            gradients: Those of all variables that have one in this step, except those
                whose learning rate is multiplied by 0 in `ParameterGroups`.
            now: Learning rate, weight decay and coefficients of this step.
            slots: For each gradient, the state tensors of its variable.
            shared: The values of `self.shared_values`, in this order.

        Returns:
            `now` as all variables receive it, perhaps with another learning rate or
            other coefficients, and the new values of `shared`.
        """
        raise NotImplementedError

    def slot_shape(self, name: str, variable) -> tuple[int, ...]:
        """Returns the shape of a state tensor, which `build` creates.

        Args:
            name: Its name, one of `self.slots`.
            variable: The variable whose state it is. It has a shape and a path.
        """
        return () if name in self.scalar_slots else tuple(variable.shape)

    def squared_norms(self, *tensors) -> Sequence[Any]:
        """Returns the sum of the squares of each tensor over the whole variable.

        The formula may see only a part of the variable, or several variables at once.
        Then this knows the sum over the variable, in a shape that fits the tensors.

        Args:
            *tensors: Tensors of the shape of the variable.
        """
        if not self.has_norms:
            raise TypeError(
                f"`{type(self).__name__}` calls `squared_norms`, so it must set "
                "`has_norms = True`. Received: has_norms=False"
            )
        return self._squared_norms(*tensors)

    def _squared_norms(self, *tensors) -> Sequence[Any]:
        if self._norms_in_parts is not None:
            return self._norms_in_parts(*tensors)
        return [ops.sum(ops.square(x)) for x in tensors]

    @property
    def _is_elementwise(self) -> bool:
        """Whether the formula and the options treat each element alike."""
        mixes = self.centralize_gradient or self.adaptive_clip is not None
        return self.is_elementwise and not mixes

    @property
    def _has_norms(self) -> bool:
        """Whether the formula or an option needs norms."""
        return self.has_norms or self.cautious

    @property
    def _has_totals(self) -> bool:
        """Whether each step depends on the gradients of all variables."""
        return type(self).totals is not Optimizer.totals

    def _own_factor(self, index) -> float:
        """Returns the factor of the learning rate that a variable always has."""
        return 1.0

    def _traits(self, index) -> tuple:
        """Returns what decides the update of a variable, beside its shape and dtype."""
        return self._decays[index], self._layouts[index], self._clips[index]

    def _now(self, learning_rate, dtype: str) -> Now:
        """Returns the values that this step depends on, in `dtype`."""
        rate = self._decay_now(self.weight_decay, learning_rate, dtype)
        step = ops.cast(self.iterations, dtype) + 1
        return Now(ops.cast(learning_rate, dtype), rate, self.coefficients(step))

    def _now_of(self, now: Now, learning_rate, index, dtype: str) -> Now:
        """Returns the values that the update of one variable depends on."""
        if self._own_rates is None:
            return now
        factor, rate = self._own_rates[index]
        if rate is AS_IT_IS:
            rate = now.weight_decay
        else:
            # Not that of `now`, which `totals` may have changed.
            rate = self._decay_now(rate, learning_rate, dtype)
        return now._replace(learning_rate=now.learning_rate * factor, weight_decay=rate)

    def build(self, variables: list) -> None:
        if self.built:
            return
        unknown = {*self.scalar_slots, *self.initial_values} - {*self.slots}
        if unknown:
            raise ValueError(
                "`scalar_slots` and `initial_values` must name slots. "
                f"Received: {sorted(unknown)}, not among slots={self.slots}"
            )
        super().build(variables)
        self._saved_paths = tuple(paths_of(variables, self._saved_paths))
        self._decays = self._found_decays()
        self._layouts = self._found_layouts()
        clips = self.adaptive_clip is not None
        not_clipped = self._matches("adaptive_clip_exclude") if clips else []
        self._clips = [not x for x in not_clipped] or [False] * len(variables)
        self._require_shapes(variables)
        kept = [
            self.add_optimizer_variables(
                variables, name, _filled(self.initial_values.get(name, 0.0))
            )
            for name in self.slots
        ]
        self._slots = [[column[i] for column in kept] for i in range(len(variables))]
        self._shared = [
            self.add_variable(
                (),
                dtype=_widest(variables),
                initializer=_filled(value),
                aggregation="only_first_replica",
                name=name,
            )
            for name, value in self.shared_values.items()
        ]
        # The method below widens the rounding errors.
        narrow, widened = (
            super().add_variable_from_reference,
            self.add_variable_from_reference,
        )
        add = widened if self._has_wide_residuals else narrow
        self._residuals = [add_residual(add, v, "residual") for v in variables]
        if self.use_ema:
            self._average_residuals = [
                add_residual(narrow, v, "average_residual") for v in variables
            ]
        if self.corrected_decay:
            self._largest_rate = self.add_variable(
                (),
                dtype="float32",
                aggregation="only_first_replica",
                name="largest_learning_rate",
            )
        if self.skip_nonfinite:
            self.skipped = add_counter(self, "skipped")
            self.skipped_in_a_row = add_counter(self, "skipped_in_a_row")

    def _require_shapes(self, variables) -> None:
        for name in self.slots:
            for variable in variables:
                shape = tuple(self.slot_shape(name, variable))
                usual = Optimizer.slot_shape(self, name, variable)
                if shape != usual and (self.is_elementwise or self.has_norms):
                    raise TypeError(
                        f"`{type(self).__name__}` must set `is_elementwise = False` "
                        "and `has_norms = False`, because `slot_shape` returns another "
                        "shape than that of the variable. Received: "
                        f"slot_shape({name!r}, variable)={shape}, of a variable of "
                        f"shape {tuple(variable.shape)}"
                    )

    def add_variable_from_reference(
        self, reference_variable, name=None, initializer="zeros"
    ):
        """Adds a variable as Keras does, but wide: in `float32` or `float64`."""
        if name == "average":  # callbacks swap it with the weights, so of their dtype
            return super().add_variable_from_reference(
                reference_variable, name, initializer
            )
        path = re.sub("[/:]", "_", path_of(reference_variable))
        shape = own = tuple(reference_variable.shape)
        if name is not None and name in self.slots:
            shape = tuple(self.slot_shape(name, reference_variable))
        layout = getattr(reference_variable, "_layout", None)
        with backend.beside(reference_variable):
            return self.add_variable(
                shape=shape,
                dtype=wide(reference_variable.dtype),
                initializer=initializer,
                layout=layout if shape == own else None,
                name=f"{path}_{name or 'var'}",
            )

    def _found_layouts(self) -> Sequence[str | None]:
        """Returns the layout of each variable, if the formula or an option needs it."""
        variables, paths = self._trainable_variables, self._saved_paths
        is_used = self._has_layouts or self.centralize_gradient
        if not is_used and self.adaptive_clip is None:
            return [None] * len(variables)
        everywhere = self._sibling_paths or paths
        return found_layouts(self.layouts or {}, variables, paths, everywhere)

    def _backend_update_step(self, grads, trainable_variables, learning_rate) -> None:
        # Keras calls this for all variables at once.
        self._note_rate(learning_rate)
        has_totals = self._has_totals
        if not self.has_fast_paths and not has_totals:
            super()._backend_update_step(grads, trainable_variables, learning_rate)
            return
        moments, moments_of_own, updates, alone = {}, {}, [], []
        shared: tuple = ()
        if has_totals:
            pairs = list(zip(grads, trainable_variables, strict=True))
            moments, shared = self._moments_of_all(pairs, learning_rate)
        for gradient, variable in zip(grads, trainable_variables, strict=True):
            if self._goes_alone(variable):
                alone.append((gradient, variable))
                continue
            dtype = wide(gradient.dtype)  # that of a Keras variable takes longer
            if dtype not in moments:
                moments[dtype] = self._now(learning_rate, dtype)
            index = self._get_variable_index(variable)
            now = moments[dtype]
            if self._own_rates is not None:
                own = dtype, *self._own_rates[index]
                if own not in moments_of_own:
                    moments_of_own[own] = self._now_of(now, learning_rate, index, dtype)
                now = moments_of_own[own]
            kept = variable, self._residuals[index], *self._slots[index]
            updates.append(Update(now, index, gradient, kept))
        if alone:
            super()._backend_update_step(*zip(*alone, strict=True), learning_rate)
        if updates and self.has_fast_paths:
            backend.update_all(self, updates)
        elif updates:
            variables = [update.kept[0] for update in updates]
            backend.for_each(lambda _, u: self._update_kept(u), variables, updates)
        for variable, value in zip(self._shared, shared, strict=has_totals):
            variable.assign(value)

    def _moments_of_all(self, pairs, learning_rate) -> tuple[dict[str, Now], tuple]:
        """Returns what `totals` returns, the former for each dtype."""
        dtype = _widest([gradient for gradient, _ in pairs])
        gradients, slots = [], []
        for gradient, variable in pairs:
            index = self._get_variable_index(variable)
            if self._own_rates is None or self._own_rates[index].factor != 0:
                own = wide(gradient.dtype)
                w = exact(variable, self._residuals[index])
                gradients.append(self._conditioned(gradient, w, index))
                slots.append([ops.cast(slot, own) for slot in self._slots[index]])
        shared = tuple(ops.cast(value, dtype) for value in self._shared)
        now, shared = self.totals(
            gradients, self._now(learning_rate, dtype), slots, shared
        )
        if len(shared) != len(self._shared):
            raise ValueError(
                f"`totals` of `{type(self).__name__}` must return `now` and a tuple of "
                f"shared_values={tuple(self.shared_values)}. Received: {shared}"
            )
        dtypes = {wide(gradient.dtype) for gradient, _ in pairs}
        moments = {own: now if own == dtype else _cast(now, own) for own in dtypes}
        return moments, backend.apart(tuple(shared), self._shared)

    def _goes_alone(self, variable) -> bool:
        """Whether the variable must be updated by `update_step`."""
        return type(self).update_step is not Optimizer.update_step

    def update_step(self, gradient, variable, learning_rate) -> None:
        if self._has_totals:
            raise TypeError(
                f"`{type(self).__name__}` cannot update one variable by `update_step`, "
                "because each step depends on the gradients of all variables."
            )
        index, dtype = self._get_variable_index(variable), wide(variable.dtype)
        now = self._now(learning_rate, dtype)
        now = self._now_of(now, learning_rate, index, dtype)
        kept = variable, self._residuals[index], *self._slots[index]
        self._update_kept(Update(now, index, gradient, kept))

    def _update_kept(self, update: Update) -> None:
        """Updates a variable and its state, or parts of them."""
        # All new values are computed before the first is stored, because the value of
        # a variable is a live reference on TensorFlow and PyTorch.
        for kept, value in zip(update.kept, self._updated(*update), strict=True):
            if kept is not None:
                self.assign(kept, value)

    def _updated(self, now: Now, index, gradient, kept) -> tuple:
        """Returns new values of the variable, its rounding error and its slots."""
        variable, residual, *slots = kept
        before = exact(variable, residual)
        w = before if self.cautious_decay else self._after_decay(before, now, index)
        # Not `ops.convert_to_tensor`, which returns the variable itself on TensorFlow.
        # The `+` of Keras fails for some empty variables.
        slots = tuple(ops.cast(slot, w.dtype) for slot in slots)
        gradient = self._conditioned(gradient, before, index)
        is_cautious = self.cautious or self.cautious_decay
        move = self._move_cautiously if is_cautious else self.move
        new_w, new_slots = move(gradient, w, now, slots, index)
        if not isinstance(new_slots, tuple | list) or len(new_slots) != len(slots):
            raise ValueError(
                f"`update` or `move` of `{type(self).__name__}` must return a tensor "
                f"and a tuple of slots={self.slots}. Received: slots={new_slots}"
            )
        values = *rounded(new_w, variable, residual), *new_slots
        return backend.apart(values, kept)

    def _conditioned(self, gradient, w, index) -> Any:
        """Returns the gradient of a variable that the formula sees."""
        if self._clips[index]:
            limit = self.adaptive_clip
            gradient = adaptively_clipped(gradient, w, self._layouts[index], limit)
        if self.centralize_gradient:
            gradient = centralized(gradient, self._layouts[index])
        return gradient

    def _move_cautiously(self, gradient, w, now, slots, index) -> tuple[Any, tuple]:
        """Returns what `move` does, after masks of the step and of the decay."""
        if type(self).move is Optimizer.move:
            # Not the difference of weights, in which small steps are lost.
            direction, slots = self.update(gradient, w, now.coefficients, slots)
            step = now.learning_rate * direction
        else:
            new_w, slots = self.move(gradient, w, now, slots, index)
            step = w - new_w
        masked = step
        if self.cautious:
            masked = cautious(step, gradient, self._squared_norms)
        new_w = w - masked
        if self.cautious_decay and self._decays[index]:
            new_w = new_w - (w - self._after_decay(w, now, index, step))
        return new_w, slots


def _filled(value: float):
    # Not `Constant`, which rounds `float64` values to `float32` on TensorFlow.
    return lambda shape, dtype: ops.zeros(shape, dtype) + value


def _widest(tensors) -> str:
    """Returns `"float64"` if any tensor or variable has it, else `"float32"`."""
    return max([wide(x.dtype) for x in tensors], default="float32")


def _cast(now: Now, dtype: str) -> Now:
    """Converts the tensors among the values of a step."""
    return keras.tree.map_structure(
        lambda x: ops.cast(x, dtype) if ops.is_tensor(x) else x, now
    )
