"""Adam and SGD of Keras, with the hyperparameters of Keras 2.

Keras 2 rounds the betas and their powers to `float32`. Keras 3 rounds only the powers,
which makes a difference of 7e-6 in `float64`.
"""

from typing import Any

import keras
from keras import ops

from tfx_extras.tfa.optimizers._hyper import Hyper
from tfx_extras.tfa.optimizers._hyper import is_function


class Adam(keras.optimizers.Adam):
    """The formula of `keras.optimizers.Adam`."""

    beta_1: Any = Hyper("[0, 1)", is_live=True)
    beta_2: Any = Hyper("[0, 1)", is_live=True)

    def update_step(self: Any, gradient, variable, learning_rate):
        dtype, slots = variable.dtype, self.slots_of(variable)
        g, lr = ops.cast(gradient, dtype), ops.cast(learning_rate, dtype)
        t = ops.cast(self.iterations + 1, dtype)
        beta_1, beta_2 = (self.current(name, dtype) for name in ("beta_1", "beta_2"))
        m = slots["momentum"] + (1 - beta_1) * (g - slots["momentum"])
        v = slots["velocity"] + (1 - beta_2) * (ops.square(g) - slots["velocity"])
        largest = v
        if self.amsgrad:
            largest = ops.maximum(slots["velocity_hat"], v)
            self.assign(slots["velocity_hat"], largest)
        self.assign(slots["momentum"], m)
        self.assign(slots["velocity"], v)
        alpha = lr * ops.sqrt(1 - beta_2**t) / (1 - beta_1**t)
        self.assign_sub(variable, alpha * m / (ops.sqrt(largest) + self.epsilon))


class SGD(keras.optimizers.SGD):
    """The formula of `keras.optimizers.SGD`."""

    momentum: Any = Hyper("[0, 1]", is_live=True, is_fixed_at_0=True)

    def build(self: Any, variables):
        if self.built:
            return
        super().build(variables)
        # A function may return 0 now and another number later.
        if is_function(vars(self)["momentum"]) and not self.momentums:
            self.momentums = self.add_optimizer_variables(variables, "momentum")

    def update_step(self: Any, gradient, variable, learning_rate):
        dtype, slots = variable.dtype, self.slots_of(variable)
        step = ops.cast(learning_rate, dtype) * ops.cast(gradient, dtype)
        if not slots:
            self.assign_sub(variable, step)
            return
        momentum = self.current("momentum", dtype)
        m = momentum * slots["momentum"] - step
        self.assign(slots["momentum"], m)
        self.assign_add(variable, momentum * m - step if self.nesterov else m)
