"""What the optimizers share: the calls, configurations and gradients of Keras 2."""

import warnings
from collections.abc import Mapping
from collections.abc import Sequence
from types import MappingProxyType
from types import SimpleNamespace
from typing import Any

import keras
from keras import ops

from tfx_extras._backend import backend
from tfx_extras._checks import Number
from tfx_extras._checks import require
from tfx_extras._checks import require_patterns
from tfx_extras._precision import wide
from tfx_extras._repr import shown
from tfx_extras.optimizers._base import Optimizer as OurOptimizer
from tfx_extras.optimizers._paths import required_paths
from tfx_extras.optimizers.wrappers._base import residuals_of
from tfx_extras.tfa._typed import as_argument
from tfx_extras.tfa._typed import number_now
from tfx_extras.tfa.optimizers._hyper import Hyper
from tfx_extras.tfa.optimizers._hyper import Hypers
from tfx_extras.tfa.optimizers._hyper import is_function
from tfx_extras.tfa.optimizers._hyper import saved_hyper
from tfx_extras.tfa.optimizers._hyper import with_functions
from tfx_extras.tfa.optimizers._keras_2 import is_of_keras_2
from tfx_extras.tfa.optimizers._keras_2 import restore
from tfx_extras.tfa.optimizers._keras_2 import slots_of
from tfx_extras.tfa.optimizers._keras_2 import with_named_schedules
from tfx_extras.tfa.optimizers.utils import is_found


class Callers(keras.optimizers.Optimizer):
    """Methods that optimizers have in Keras 2 but not in Keras 3."""

    __repr__ = shown

    def __init__(self, *args: Any, **kwargs: Any):
        # In one namespace, since attributes would become part of the saved state.
        self.__dict__["_noted"] = SimpleNamespace(
            slots={},
            rows={},
            saved={},
            hypers={},
            numbers={},
            excluded=[],
            warned=set(),
        )
        super().__init__(*args, **kwargs)

    def build(self, variables):
        # Keras builds without variables when it loads `.h5` files, which is too early.
        if self.built or not variables:
            return
        super().build(variables)
        self.built = True
        if self._noted.saved:
            with backend.outside_of_compilation():
                restore(self, self._noted.saved)
            self._noted.saved = {}

    def index_of(self, variable) -> int | None:
        """Returns the index of a variable among those of `build`, or `None`."""
        try:  # not by path, which variables may share
            return self._get_variable_index(variable)
        except KeyError:
            return None

    @property
    def lr(self):
        """The learning rate."""
        return self.learning_rate

    @lr.setter
    def lr(self, learning_rate):
        self.learning_rate = learning_rate

    @property
    def weights(self) -> list:
        """The variables of the optimizer."""
        return self.variables

    def minimize(self, loss, var_list, grad_loss=None, name=None, tape=None):
        """Computes the gradients of a loss and applies them. Only on TensorFlow.

        Args:
            loss: A function without arguments, or a tensor if `tape` is given.
            var_list: Variables, or a function that returns them.
            grad_loss: Gradient with respect to the loss, 1 by default.
            name: Has no effect, because there is no graph.
            tape: The `tf.GradientTape` on which the loss was computed.
        """
        pairs = backend.gradients_of(loss, var_list, grad_loss, tape)
        return self.apply_gradients(pairs, name)

    def apply_gradients(self, grads_and_vars, name=None):
        """Applies gradients that are given in pairs with their variables.

        Args:
            grads_and_vars: Pairs of a gradient and a variable.
            name: Has no effect, because there is no graph.
        """
        return super().apply_gradients(grads_and_vars)

    def set_weights(self, weights):
        """Sets `variables` to values, as of Keras 3 or as Keras 2 saved them."""
        if not is_of_keras_2(weights):
            super().set_weights(weights)
        elif self.built:
            restore(self, slots_of(weights))
        else:  # Wait until `build` gives the variables.
            self._noted.saved = slots_of(weights)


class Exclusions(list):
    """A list of regular expressions; calling it adds to them, as in Keras 3."""

    def __init__(self, patterns: Sequence[str], add: Any):
        super().__init__(patterns)
        self._add = add

    def __call__(self, var_list=None, var_names=None) -> None:
        self._add(var_list, var_names)


class Optimizer(Hypers, Callers):
    """Mixin that makes an optimizer of this package or of Keras behave as in Keras 2.

    On TensorFlow and outside of `tf.distribute`, a sparse gradient does not change the
    rows that do not occur in it. This holds for the weights if `keeps_weights`, and for
    the slots named in `kept_slots`, where `None` means all.
    """

    # The rows of sparse gradients are noted for one call only.
    has_fast_paths = False
    keeps_weights: bool = True
    kept_slots: Sequence[str] | None = None
    weight_decay: Any = Hyper("[0, inf)", is_live=True, is_fixed_at_0=True)
    _saved_paths: Any = None  # the paths of variables when it was saved
    decides_when_built: bool = True  # which variables are excluded
    # The names of arguments that the native class names differently.
    called: Mapping[str, str] = MappingProxyType(
        {"weight_decay_exclude": "exclude_from_weight_decay"}
    )

    def __init__(self, lr: Any = None, decay: Number = 0.0, **kwargs: Any):
        if lr is not None:
            kwargs["learning_rate"] = lr
        if "learning_rate" in kwargs:
            kwargs["learning_rate"] = _rate(kwargs["learning_rate"])
        super().__init__(**kwargs)
        self.time_decay = require("decay", decay, "[0, inf)")
        # Sparse gradients as in Keras 2.
        if isinstance(self, keras.optimizers.Adam | keras.optimizers.Nadam):
            self.keeps_weights, self.kept_slots = False, ()
        if isinstance(self, keras.optimizers.RMSprop) and not self.momentum:
            self.kept_slots = ()

    def build(self, variables):
        if self.built or not variables:
            return
        super().build(variables)
        self.add_hypers()

    def _now(self, learning_rate, dtype):
        now = super()._now(learning_rate, dtype)
        if self.weight_decay is None:
            return now
        return now._replace(weight_decay=self.current("weight_decay", dtype))

    @property
    def exclude_from_weight_decay(self) -> Any:
        """Regular expressions of variables that are excluded from weight decay.

        They are matched against the `path` of a variable. The attribute can be set, or
        called as in Keras 3 to add variables or expressions. A step that is already
        compiled does not change.
        """
        return Exclusions(self.weight_decay_exclude, self._exclude)

    @exclude_from_weight_decay.setter
    def exclude_from_weight_decay(self, patterns):
        self.weight_decay_exclude = self.new_patterns(
            "exclude_from_weight_decay", patterns
        )

    def new_patterns(self, name: str, patterns: list[str] | None) -> list[str]:
        """Returns the regular expressions that an attribute is set to, or raises."""
        if self.built and self.decides_when_built:
            raise ValueError(
                f"Attribute `{name}` must be set before the optimizer is built, which "
                f"the first training step does. Received: {name}={patterns}"
            )
        return require_patterns(name, patterns or ())

    def _exclude(self, var_list, var_names) -> None:
        super().exclude_from_weight_decay(var_list, var_names)

    def _matches(self, argument: str) -> list[bool]:
        """Returns for each variable whether its path matches one of `argument`.

        A warning names expressions that match no variable, once per argument.
        """
        patterns, name = getattr(self, argument), self.called[argument]
        own: Any = self._saved_paths
        paths = getattr(self, "_sibling_paths", ()) or own
        lost = [p for p in patterns if not any(is_found([p], path) for path in paths)]
        if lost and name not in self._noted.warned:
            self._noted.warned.add(name)
            warnings.warn(
                f"Argument `{name}` of `{self.name}`: {lost} match no variable. There "
                f"are {len(paths)}, such as {', '.join(map(repr, paths[:3]))}.",
                stacklevel=3,
            )
        return [is_found(patterns, path) for path in own]

    def _found_decays(self):
        # A function may return 0 now and another number later.
        decays = super()._found_decays()
        if not is_function(vars(self)["weight_decay"]):
            return decays
        return [not excluded for excluded in self._matches("weight_decay_exclude")]

    def save_own_variables(self, store):
        saved = {}
        super().save_own_variables(saved)
        for i in range(len(saved) - len(self._noted.hypers)):
            store[str(i)] = saved[str(i)]

    def load_own_variables(self, store):
        # Variables of hyperparameters are last. The configuration has their values.
        given = {key: store[key] for key in store.keys()}  # noqa: SIM118
        if self.built and given:
            for variable in self._noted.hypers.values():
                given[str(len(given))] = variable.numpy()
        super().load_own_variables(given)

    def adjusted(self, learning_rate, step) -> Any:
        """Returns the learning rate of a step, which is based on the attribute.

        Args:
            learning_rate: The attribute.
            step: The number of steps made so far.
        """
        return learning_rate / (1 + self.time_decay * step)

    def add_variable_from_reference(
        self, reference_variable, name=None, initializer="zeros"
    ):
        slot = super().add_variable_from_reference(
            reference_variable, name, initializer
        )
        self._noted.slots.setdefault(name, []).append(slot)
        return slot

    def apply(self, grads, trainable_variables=None):
        grads = list(grads)
        if trainable_variables is not None:
            trainable_variables = list(trainable_variables)
            if not self.built and grads:
                self.build(trainable_variables)
        variables = trainable_variables or self._trainable_variables
        if len(grads) == len(variables):  # else Keras raises
            pairs = list(zip(grads, variables, strict=True))
            if not self.gradient_accumulation_steps:
                self._noted.rows = {
                    self._get_variable_index(v): backend.rows_of(g, v.shape)
                    for g, v in pairs
                }
            if not isinstance(self, OurOptimizer):
                # Keras's optimizers do not sum repeated rows of a sparse gradient.
                grads = [
                    g if g is None else backend.dense(g, v.shape, wide(v.dtype))
                    for g, v in pairs
                ]
        try:
            super().apply(grads, trainable_variables)
        finally:  # The rows belong to this call, and perhaps to a traced graph.
            self._noted.rows = {}

    def update_step(self, gradient, variable, learning_rate):
        index = self._get_variable_index(variable)
        step = ops.cast(self.iterations, wide(variable.dtype))
        learning_rate = self.adjusted(ops.cast(learning_rate, step.dtype), step)
        rows = self._noted.rows.get(index)
        kept = [] if rows is None else self._kept(variable, index)
        before = [ops.copy(tensor) for tensor in kept]
        super().update_step(gradient, variable, learning_rate)
        for tensor, past in zip(kept, before, strict=True):
            self.assign(tensor, ops.where(rows, tensor, past))

    def slots_of(self, variable) -> dict[str, Any]:
        """The slots of a variable, by name."""
        index = self._get_variable_index(variable)
        return {name: slots[index] for name, slots in self._noted.slots.items()}

    def _kept(self, variable, index) -> list:
        """The weights and slots of which only some rows change."""
        slots, names = self.slots_of(variable), self.kept_slots
        kept = [slots[name] for name in (slots if names is None else names)]
        residual = residuals_of(self)[index]
        if self.keeps_weights:
            kept += [variable] if residual is None else [variable, residual]
        return kept

    def get_config(self):
        with warnings.catch_warnings():  # `saved_hypers` has its own for a `lambda`
            warnings.filterwarnings("ignore", ".*includes a `lambda`")
            config = self.saved_hypers(super().get_config())
        if is_function(self._learning_rate):
            config["learning_rate"] = saved_hyper(
                "learning_rate", self._learning_rate, number_now(self._learning_rate)
            )
        return config | {"decay": self.time_decay}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        with keras.saving.custom_object_scope(custom_objects or {}):
            config = with_functions(cls, with_named_schedules(config))
        paths = required_paths(config.pop("paths", None))
        optimizer = super().from_config(config, custom_objects)
        optimizer._saved_paths = paths
        return optimizer


def _rate(learning_rate: Any) -> Any:
    """Returns a learning rate in a form that Keras 3 accepts."""
    if isinstance(learning_rate, dict):
        return keras.optimizers.schedules.deserialize(learning_rate)
    learning_rate = as_argument(learning_rate)
    if isinstance(learning_rate, int | Number) and not isinstance(learning_rate, bool):
        return float(learning_rate)
    return learning_rate
