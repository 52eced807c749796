"""What the optimizers share: how Keras 2 called, configured and fed an optimizer."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
from keras import ops

from tfx_extras._backend import backend
from tfx_extras._checks import Number
from tfx_extras._checks import require
from tfx_extras._precision import wide
from tfx_extras._repr import shown
from tfx_extras.optimizers._base import Optimizer as OurOptimizer
from tfx_extras.optimizers.wrappers._base import residuals_of
from tfx_extras.tfa.optimizers._keras_2 import is_of_keras_2
from tfx_extras.tfa.optimizers._keras_2 import restore
from tfx_extras.tfa.optimizers._keras_2 import slots_of
from tfx_extras.tfa.optimizers._keras_2 import with_named_schedules


class Callers(keras.optimizers.Optimizer):
    """What optimizers of Keras 2 have, and those of Keras 3 do not."""

    __repr__ = shown

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        # Not as attributes of their own, which would become state that is saved.
        self._noted = SimpleNamespace(slots={}, rows={}, saved={})

    def build(self, variables):
        # With none, as Keras does when it loads `.h5` files, is not yet.
        if self.built or not variables:
            return
        super().build(variables)
        self.built = True
        if self._noted.saved:
            with backend.outside_of_compilation():
                restore(self, self._noted.saved)
            self._noted.saved = {}

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
        """Computes the gradients of a loss, and applies them; on TensorFlow.

        Args:
            loss: A function without arguments, or with `tape` a tensor.
            var_list: Variables, or a function that returns them.
            grad_loss: Gradient with respect to the loss, 1 by default.
            name: Without meaning: there is no graph to name a part of.
            tape: The `tf.GradientTape` on which the loss was computed.
        """
        pairs = backend.gradients_of(loss, var_list, grad_loss, tape)
        return self.apply_gradients(pairs, name)

    def apply_gradients(self, grads_and_vars, name=None):
        """Applies gradients, given as pairs with their variables.

        Args:
            grads_and_vars: Pairs of a gradient and a variable.
            name: Without meaning: there is no graph to name a part of.
        """
        return super().apply_gradients(grads_and_vars)

    def set_weights(self, weights):
        """Takes the values of `variables`, or what Keras 2 saved of them."""
        if not is_of_keras_2(weights):
            super().set_weights(weights)
        elif self.built:
            restore(self, slots_of(weights))
        else:  # Until it is known of which variables they are.
            self._noted.saved = slots_of(weights)


class Optimizer(Callers):
    """What comes before an optimizer of ours or of Keras, to make it one of Keras 2.

    A sparse gradient, on TensorFlow and outside of `tf.distribute`, leaves alone the
    rows that it does not name: of the weights, if `keeps_weights`, and of the slots
    named in `kept_slots`, where `None` is all of them.
    """

    # What it notes of sparse gradients is of one call, not of those to come.
    has_fast_paths = False
    keeps_weights: bool = True
    kept_slots: Sequence[str] | None = None

    def __init__(self, lr: Any = None, decay: Number = 0.0, **kwargs: Any):
        if lr is not None:
            kwargs["learning_rate"] = lr
        if "learning_rate" in kwargs:
            kwargs["learning_rate"] = _rate(kwargs["learning_rate"])
        super().__init__(**kwargs)
        self.time_decay = require("decay", decay, "[0, inf)")
        # As in Keras 2.
        if isinstance(self, keras.optimizers.Adam | keras.optimizers.Nadam):
            self.keeps_weights, self.kept_slots = False, ()
        if isinstance(self, keras.optimizers.RMSprop) and not self.momentum:
            self.kept_slots = ()

    def adjusted(self, learning_rate, step) -> Any:
        """Returns the learning rate of an update, of which the attribute is the base.

        Args:
            learning_rate: The attribute.
            step: Number of updates so far, 0 before the first.
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
        if len(grads) == len(variables):  # else Keras says what is wrong
            pairs = list(zip(grads, variables, strict=True))
            if not self.gradient_accumulation_steps:
                self._noted.rows = {
                    self._get_variable_index(v): backend.rows_of(g, v.shape)
                    for g, v in pairs
                }
            if not isinstance(self, OurOptimizer):
                # Keras's do not sum the repeated rows of a sparse one.
                grads = [
                    g if g is None else backend.dense(g, v.shape, wide(v.dtype))
                    for g, v in pairs
                ]
        try:
            super().apply(grads, trainable_variables)
        finally:  # They are of this call, and of a graph that is traced.
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

    def _kept(self, variable, index) -> list:
        """The weights and slots of which only some rows move."""
        slots, names = self._noted.slots, self.kept_slots
        kept = [slots[name][index] for name in (slots if names is None else names)]
        residual = residuals_of(self)[index]
        if self.keeps_weights:
            kept += [variable] if residual is None else [variable, residual]
        return kept

    def get_config(self):
        return super().get_config() | {"decay": self.time_decay}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        return super().from_config(with_named_schedules(config), custom_objects)


def _rate(learning_rate: Any) -> Any:
    """Returns a learning rate as Keras 3 takes it."""
    if isinstance(learning_rate, dict):
        return keras.optimizers.schedules.deserialize(learning_rate)
    if isinstance(learning_rate, int | np.number) or ops.is_tensor(learning_rate):
        return float(learning_rate)
    return learning_rate
