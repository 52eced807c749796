"""What all wrappers share, so that each file holds only its formula."""

import warnings
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from tfx_extras._backend import KeptRows
from tfx_extras._backend import backend
from tfx_extras._environment import has_fast_paths
from tfx_extras._precision import wide
from tfx_extras._repr import shown
from tfx_extras.optimizers._base import Optimizer
from tfx_extras.optimizers._paths import path_of
from tfx_extras.optimizers._rounding import add_residual
from tfx_extras.optimizers._rounding import exact
from tfx_extras.optimizers._rounding import rounded
from tfx_extras.optimizers.wrappers._named import named

OfOptimizer = keras.optimizers.Optimizer | str


class OptimizerWrapper(keras.optimizers.Optimizer):
    """An optimizer that acts before and after each step of another.

    A subclass names in `slots` the state tensors that it keeps for each variable, and
    defines `after`, which never assigns. What belongs to the step itself, such as the
    learning rate, clipping, weight decay, accumulation and `skip_nonfinite`, belongs to
    `inner_optimizer`. A step that `inner_optimizer` skips does not count.
    """

    slots: Sequence[str] = ()
    has_fast_paths: bool = has_fast_paths()
    __repr__ = shown
    # Like `after`, for what must be kept of the weights before a step. Its last
    # argument tells whether this is the first step.
    before: Callable[..., tuple] | None = None
    # Whether `after` is called for all variables, or only for those with a gradient.
    _follows_all: bool = True
    # Whether rounding errors of 16-bit state are kept in `float32`.
    _has_wide_residuals: bool = False

    def __init__(self, inner_optimizer: OfOptimizer, name: str | None = None):
        inner = named(inner_optimizer)
        kind = type(self).__name__
        if isinstance(inner, keras.optimizers.LossScaleOptimizer):
            raise ValueError(
                "Argument `inner_optimizer` must not be a LossScaleOptimizer. Wrap the "
                f"other way round: LossScaleOptimizer({kind}(...)). "
                f"Received: inner_optimizer={inner_optimizer}"
            )
        steps = [each.gradient_accumulation_steps for each in leaves(inner)]
        if self.slots and len(set(steps)) > 1:
            raise ValueError(
                f"Optimizers in {kind} must agree on `gradient_accumulation_steps`, "
                "because it follows the steps of all variables at once. "
                f"Received: gradient_accumulation_steps={steps}"
            )
        taken = {optimizer.name for optimizer in chain(inner)}
        super().__init__(learning_rate=0.0, name=free_name(name or kind.lower(), taken))
        self.inner_optimizer = inner

    # The inner optimizer has the learning rate, the step count and its own state.

    @property
    def learning_rate(self):
        return self.inner_optimizer.learning_rate

    @learning_rate.setter
    def learning_rate(self, learning_rate):
        self.inner_optimizer.learning_rate = learning_rate

    @property
    def iterations(self):
        return self.inner_optimizer.iterations

    @property
    def loss_scale_factor(self):
        return self.inner_optimizer.loss_scale_factor

    @loss_scale_factor.setter
    def loss_scale_factor(self, value):
        if hasattr(self, "inner_optimizer"):  # false while Keras constructs this
            self.inner_optimizer.loss_scale_factor = value

    @property
    def variables(self):
        inner = getattr(self, "inner_optimizer", None)
        return self._variables + ([] if inner is None else inner.variables)

    @property
    def _residuals(self) -> list:
        """The rounding errors of 16-bit weights, which the inner optimizer keeps."""
        return residuals_of(self.inner_optimizer)

    @property
    def _model_variables_moving_average(self) -> list:
        # Keras's callbacks look here for the averages of `use_ema`.
        return self.inner_optimizer._model_variables_moving_average

    @property
    def skipped(self):
        """Number of steps that `skip_nonfinite` of the inner optimizer has skipped."""
        return self.inner_optimizer.skipped

    @property
    def skipped_in_a_row(self):
        """Number of skipped steps since the last finite gradient."""
        return self.inner_optimizer.skipped_in_a_row

    def scale_loss(self, loss):
        return self.inner_optimizer.scale_loss(loss)

    def exclude_from_weight_decay(self, var_list=None, var_names=None):
        self.inner_optimizer.exclude_from_weight_decay(var_list, var_names)

    def finalize_variable_values(self, var_list):
        self.inner_optimizer.finalize_variable_values(var_list)

    def set_weights(self, weights):
        for variable, weight in zip(self.variables, weights, strict=True):
            variable.assign(weight)

    def save_own_variables(self, store):
        # Keras saves the variables of the inner optimizer separately.
        for i, variable in enumerate(self._variables):
            store[str(i)] = variable.numpy()

    def load_own_variables(self, store):
        if len(store.keys()) != len(self._variables):
            warnings.warn(
                f"The state of optimizer '{self.name}' is not loaded: it has "
                f"{len(self._variables)} variables, and {len(store.keys())} were "
                "saved. If it has not been built, call `build` before loading.",
                stacklevel=2,
            )
            return
        for i, variable in enumerate(self._variables):
            variable.assign(store[str(i)])

    # The step

    def build(self, variables: list) -> None:
        if self.built:
            return
        self._build_inner(variables)
        super().build(variables)
        kept = [self.add_optimizer_variables(variables, name) for name in self.slots]
        self._slots = [list(slots) for slots in zip(*kept, strict=True)]
        self._slot_residuals = [
            [self._residual(v, f"{name}_residual") for name in self.slots]
            for v in variables
        ]

    def _residual(self, variable, name: str) -> Any:
        def add_wide(variable, name):
            path = path_of(variable).replace("/", "_")
            return self.add_variable(
                tuple(variable.shape),
                dtype=wide(variable.dtype),
                layout=getattr(variable, "_layout", None),
                name=f"{path}_{name}",
            )

        narrow = self.add_variable_from_reference
        return add_residual(
            add_wide if self._has_wide_residuals else narrow, variable, name
        )

    def _build_inner(self, variables: list) -> None:
        self.inner_optimizer.build(variables)

    def _apply_inner(self, grads: list, variables: list) -> None:
        apply_with(self.inner_optimizer, grads, variables)

    def apply(self, grads, trainable_variables=None) -> None:
        grads = list(grads)
        if trainable_variables is not None:
            trainable_variables = list(trainable_variables)
            if not self.built and grads:
                self.build(trainable_variables)
        if not self.built or not grads:  # Keras raises
            self.inner_optimizer.apply(grads, trainable_variables)
            return
        known = trainable_variables or self._trainable_variables
        with backend.without_gradients():
            if len(grads) != len(known):  # Keras raises
                self.inner_optimizer.apply(grads, trainable_variables)
                return
            try:
                if self.has_fast_paths:
                    backend.as_one(self, self._apply, grads, known)
                else:
                    self._apply(grads, known)
            except BaseException:  # too many skipped steps, or an interruption
                self._come_back()
                raise

    def stateless_apply(self, optimizer_variables, grads, trainable_variables):
        state = backend.to_be_changed(optimizer_variables)
        weights = backend.to_be_changed(trainable_variables)
        return super().stateless_apply(state, grads, weights)

    def _apply(self, grads, variables) -> None:
        self._check_variables_are_known(variables)
        pairs = zip(grads, variables, strict=True)
        learning = [variable for g, variable in pairs if g is not None]
        self._around(lambda: self._apply_inner(grads, variables), learning)

    def _come_back(self) -> None:
        """Gives the model its weights after a step that failed within."""
        for optimizer in (self.inner_optimizer, *getattr(self, "rule_optimizers", ())):
            if isinstance(optimizer, OptimizerWrapper):
                optimizer._come_back()

    def _pass_by(self) -> None:
        """Does what is left to do in a step in which no variable has a gradient."""
        self._around(lambda: pass_by(self.inner_optimizer), [])

    def _around(self, update, learning) -> None:
        """Acts before and after a step, in which `learning` have gradients."""
        if self.before is not None:
            self._assign(self.before, self._iterations == 0)
        iterations = ops.copy(self.iterations)
        update()
        # False while gradients are accumulated or skipped.
        is_update = self.iterations != iterations
        # This wrapper has its own count: the inner optimizer may have been used before.
        self._iterations.assign_add(ops.cast(is_update, self._iterations.dtype))
        if not self.slots:
            return
        followed = self._trainable_variables if self._follows_all else learning
        updates = ops.copy(self._iterations)
        self._assign(self.after, updates, is_update, variables=followed)

    def after(self, variable, slots, updates, is_update) -> tuple[Any, tuple]:
        """Returns the new value of a variable, or `None` to keep it, and its new state.

        Args:
            variable: The value that the inner optimizer gave.
            slots: The state tensors of `variable`, in the order of `self.slots`.
            updates: Number of steps so far, 1 after the first: a scalar.
            is_update: Whether this was a step. It is not if a gradient was accumulated
                or skipped.
        """
        raise NotImplementedError

    def _assign(self, function, *scalars, variables=None) -> None:
        """Stores what `function` returns for each variable, on each device."""
        variables = self._trainable_variables if variables is None else variables
        indices = [self._get_variable_index(variable) for variable in variables]
        slots, residuals = self._slots, self._slot_residuals

        def make():
            return [
                (variable, self._residuals[i], *slots[i], *residuals[i])
                for i, variable in zip(indices, variables, strict=True)
                # Keras overwrites such a variable with its gradient.
                if not any(slot is None for slot in slots[i])
            ]

        rows = self.__dict__.setdefault("_rows", KeptRows()).of(tuple(indices), make)
        count = len(self.slots)

        def compute(variable, residual, *others):
            slots, residuals = others[:count], others[count : 2 * count]
            pairs = zip(slots, residuals, strict=True)
            kept = tuple(exact(slot, rest) for slot, rest in pairs)
            value, new = function(exact(variable, residual), kept, *others[2 * count :])
            targets = [*zip(slots, residuals, strict=True)]
            if value is not None:
                new, targets = (value, *new), [(variable, residual), *targets]
            new = backend.distinct(new)
            stored = [
                rounded(x, target, rest)
                for (target, rest), x in zip(targets, new, strict=True)
            ]
            if value is None:
                stored = [(None, None), *stored]
            (main, lost), *stored = stored
            return [main, lost, *(x for x, _ in stored), *(rest for _, rest in stored)]

        compiles = getattr(innermost(self), "jit_compile", None)
        backend.assign_each(compute, rows, *scalars, compiles=compiles)

    def get_config(self):
        inner = keras.saving.serialize_keras_object(self.inner_optimizer)
        return {"name": self.name, "inner_optimizer": inner}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        inner = keras.saving.deserialize_keras_object(
            config.get("inner_optimizer"), custom_objects=custom_objects
        )
        return cls(**config | {"inner_optimizer": inner})


def residuals_of(optimizer: Any) -> list:
    """Returns the rounding errors that an optimizer keeps; Keras's keep none."""
    return getattr(
        optimizer, "_residuals", [None] * len(optimizer._trainable_variables)
    )


def apply_with(optimizer: Any, grads: Sequence[Any], variables: Sequence[Any]) -> None:
    """Applies gradients, after summing repeated rows where Keras would not."""
    if not isinstance(optimizer, Optimizer | OptimizerWrapper):
        takes_rows = getattr(optimizer, "takes_rows", False)  # sums them itself
        grads = [
            backend.dense(g, v.shape, keras.backend.standardize_dtype(g.dtype))
            if hasattr(g, "dtype") and not takes_rows
            else g
            for g, v in zip(grads, variables, strict=True)
        ]
    optimizer.apply(grads, variables)


def chain(optimizer: Any) -> Iterator[Any]:
    """Yields an optimizer, the one that it wraps, and so on."""
    while isinstance(optimizer, OptimizerWrapper):
        yield optimizer
        optimizer = optimizer.inner_optimizer
    yield optimizer


def innermost(optimizer: Any) -> Any:
    """Returns the optimizer that updates the variables."""
    *_, last = chain(optimizer)
    return last


def leaves(optimizer: Any) -> Iterator[Any]:
    """Yields the optimizers that update variables, including those that rules name."""
    if not isinstance(optimizer, OptimizerWrapper):
        yield optimizer
        return
    yield from leaves(optimizer.inner_optimizer)
    for other in getattr(optimizer, "rule_optimizers", ()):
        yield from leaves(other)


def free_name(name: str, taken: set[str]) -> str:
    """Returns a name that is not taken, because variables need unique names."""
    number, free = 0, name
    while free in taken:
        number += 1
        free = f"{name}_{number}"
    return free


def pass_by(optimizer: Any) -> None:
    """Does what is left to do in a step in which no variable has a gradient."""
    if isinstance(optimizer, Optimizer | OptimizerWrapper):
        optimizer._pass_by()
        return
    if optimizer.use_ema:
        variables = optimizer._trainable_variables
        optimizer._update_model_variables_moving_average(variables)
        if optimizer.ema_overwrite_frequency:
            updates = optimizer.iterations + 1
            backend.when(
                ops.equal(updates % optimizer.ema_overwrite_frequency, 0),
                optimizer._overwrite_model_variables_with_average_value,
                variables,
                [*variables, *optimizer.variables],
            )
    optimizer._iterations.assign_add(1)
