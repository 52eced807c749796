"""The actual objects of a life: variables, and the optimizer that trains them."""

import itertools
import math
import tempfile
from contextlib import contextmanager
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from keras import ops

from tests.lives.life import BACKEND
from tests.lives.life import VARIABLES
from tests.tools import array
from tfx_extras import optimizers
from tfx_extras.optimizers.wrappers.schedule_free import GradientDescent
from tfx_extras.schedules import Warmup

# Where in the input the gradient of each variable is, and how long the input is. Both
# are the same in all lives, so that less is compiled.
SIZES = [math.prod(shape) for shape in VARIABLES.values()]
PLACES = dict(zip(VARIABLES, [0, *itertools.accumulate(SIZES)], strict=False))
WIDTH = sum(SIZES) + 1
PRESET = ("beta_1", "sma_threshold", "weight_decay")  # in the optimizer of a preset
SCHEDULE = keras.optimizers.schedules.PiecewiseConstantDecay


@keras.saving.register_keras_serializable("lives")
class Part(keras.Layer):
    """A weight whose gradient is its part of the input."""

    def __init__(self, weight, shape, weight_dtype, start, name):
        super().__init__(name=name)
        self.weight, self.shape = weight, tuple(shape)
        self.weight_dtype, self.start = weight_dtype, start

    def build(self, input_shape=None):
        # Zeros, because JAX would compile random numbers for each shape.
        self.w = self.add_weight(
            self.shape, "zeros", self.weight_dtype, name=self.weight
        )

    def call(self, x):
        stop = self.start + math.prod(self.shape)
        w = ops.cast(ops.reshape(self.w, (1, -1)), x.dtype)
        total = ops.sum(x[:, self.start : stop] * w, axis=1)
        return ops.concatenate([x[:, :-1], x[:, -1:] + total[:, None]], axis=1)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {
            "weight": self.weight,
            "shape": list(self.shape),
            "weight_dtype": self.weight_dtype,
            "start": self.start,
            "name": self.name,
        }


@keras.saving.register_keras_serializable("lives")
def last_column(y_true, y_pred):
    return y_pred[:, -1]


class World:
    """The weights, layers and optimizer of a life, and its model if it needs one."""

    def __init__(self, life, values):
        self.life = life
        self.names = list(life["variables"])
        self.model = None
        self.make_layers()
        for variable, value in zip(self.variables, values, strict=True):
            variable.assign(ops.convert_to_tensor(value, variable.dtype))
        self.optimizer = self.made(life["optimizer"])
        if life["called"]:
            named = [
                v
                for name, v in zip(self.names, self.variables, strict=True)
                if name in life["called"]
            ]
            others = [name for name in life["called"] if name not in self.names]
            self.optimizer.exclude_from_weight_decay(named, others)

    def make_layers(self):
        self.layers = []
        for name in self.names:
            layer, weight = name.split("/")
            shape, dtype = VARIABLES[name], self.life["variables"][name]["dtype"]
            self.layers.append(Part(weight, shape, dtype, PLACES[name], layer))
        self.model = None
        if self.life["sequential"]:
            inputs = keras.Input((WIDTH,))
            self.model = keras.Sequential([inputs, *self.layers], name="model")
        else:
            for layer in self.layers:
                layer.build()
                layer.built = True

    def made(self, node):
        """Makes the optimizer of a node."""
        kind = node["kind"]
        own = {**node.get("hyper", {}), **node.get("options", {})}
        if "preset" in node:
            leaf = node["inner"]
            rest = {**leaf["hyper"], **leaf["options"]}
            if kind == "ScheduleFree":  # the preset sets these
                rest = {k: v for k, v in rest.items() if k not in PRESET}
            if isinstance(leaf["rate"], dict) and "warmup" in leaf["rate"]:
                rest["warmup_steps"] = leaf["rate"]["warmup"]
                leaf = {"rate": leaf["rate"]["value"]}
            own = {key: scheduled(value) for key, value in (own | rest).items()}
            return getattr(optimizers, node["preset"])(scheduled(leaf["rate"]), **own)
        if kind == "GradientDescent":
            return GradientDescent(scheduled(node["rate"]), **own)
        cls = getattr(optimizers, kind, None) or getattr(keras.optimizers, kind)
        if "inner" not in node:
            own = {key: scheduled(value) for key, value in own.items()}
            return cls(scheduled(node["rate"]), **own)
        if kind == "ParameterGroups":
            own["groups"] = {}
            for pattern, rule in node["rules"]:
                if "layer_wise_decay" in rule:
                    own["groups"] |= self.layer_wise(**rule)
                    continue
                rule = {key: scheduled(value) for key, value in rule.items()}
                if "optimizer" in rule:
                    rule["optimizer"] = self.made(rule["optimizer"])
                own["groups"][pattern] = rule
        return cls(self.made(node["inner"]), **own)

    def layer_wise(self, layer_wise_decay):
        decayed = optimizers.layer_wise_decay
        if self.model is not None:
            return decayed(self.model, layer_wise_decay)
        return decayed(self.layers[0], layer_wise_decay, self.layers)

    @property
    def variables(self):
        return [layer.w for layer in self.layers]

    def compile(self, run_eagerly=True):
        if self.model is None:
            x = y = keras.Input((WIDTH,))
            for layer in self.layers:
                y = layer(y)
            self.model = keras.Model(x, y, name="model")
        self.model.compile(self.optimizer, last_column, run_eagerly=run_eagerly)

    def build(self):
        self.optimizer.build(self.variables)

    # Events

    def apply(self, grads, which, has_all):
        if has_all:
            self.optimizer.apply(grads, self.variables)
        else:
            self.optimizer.apply(grads, [self.variables[i] for i in which])

    def stateless(self, grads, apply=None):
        self.build()
        apply = apply or self.optimizer.stateless_apply
        weights = [v.value for v in self.variables]
        state = [v.value for v in self.optimizer.variables]
        new = apply(state, grads, weights)
        kept = self.variables, self.optimizer.variables
        for variables, values in zip(kept, new, strict=True):
            for variable, value in zip(variables, values, strict=True):
                variable.assign(value)

    def compiled(self, grads):
        """Like `apply` and `stateless`, in a compiled program."""
        self.build()
        if BACKEND == "jax":
            import jax

            self.stateless(grads, jax.jit(self.optimizer.stateless_apply))
        else:
            import tensorflow as tf

            apply, variables = self.optimizer.apply, self.variables
            tf.function(lambda: apply(grads, variables), autograph=False)()

    def fit(self, values, which, run_eagerly=True):
        """Trains on one sample whose loss has these gradients."""
        for i, layer in enumerate(self.layers):
            layer.trainable = i in which
        self.compile(run_eagerly)
        x = np.zeros((1, WIDTH), "float32")
        for name, value in zip(self.names, values, strict=True):
            x[0, PLACES[name] : PLACES[name] + value.size] = np.ravel(value)
        try:
            self.model.fit(x, x[:, -1:], verbose=0, shuffle=False)
        finally:
            for layer in self.layers:
                layer.trainable = True

    def callback(self, callback, losses):
        callback.set_model(SimpleNamespace(optimizer=self.optimizer))
        callback.on_train_begin()
        for epoch, loss in enumerate(losses):
            callback.on_epoch_begin(epoch, {})
            callback.on_epoch_end(epoch, {"loss": loss})

    def plateau(self):
        callback = keras.callbacks.ReduceLROnPlateau("loss", 0.5, patience=1)
        self.callback(callback, [1.0, 1.0])

    def scheduler(self, rate):
        self.callback(keras.callbacks.LearningRateScheduler(lambda _: rate), [1.0])

    def save(self):
        self.compile()
        with tempfile.TemporaryDirectory() as folder:
            self.model.save(f"{folder}/model.keras")
            self.model = keras.models.load_model(f"{folder}/model.keras")
        self.layers = [self.model.get_layer(layer.name) for layer in self.layers]
        self.optimizer = self.model.optimizer

    def renewed(self):
        """Makes new layers with the same weights, and a new optimizer."""
        before = [array(variable) for variable in self.variables]
        self.make_layers()
        for variable, value in zip(self.variables, before, strict=True):
            variable.assign(ops.convert_to_tensor(value, variable.dtype))
        config = self.optimizer.get_config()
        self.optimizer = type(self.optimizer).from_config(config)

    def recreate(self, with_state):
        state = [variable.numpy() for variable in self.optimizer.variables]
        self.renewed()
        if with_state:
            self.build()
            for variable, value in zip(self.optimizer.variables, state, strict=True):
                variable.assign(value)

    def checkpoint(self, after_build):
        import tensorflow as tf

        def contents():
            raws = {str(i): v.value for i, v in enumerate(self.variables)}
            return tf.train.Checkpoint(optimizer=self.optimizer, **raws)

        with tempfile.TemporaryDirectory() as folder:
            path = contents().write(f"{folder}/checkpoint")
            self.renewed()
            if after_build:
                self.build()
            for variable in self.variables:
                variable.assign(ops.zeros_like(variable))
            contents().restore(path)
            self.build()

    def average(self):
        """The outermost wrapper that keeps an average."""
        optimizer = self.optimizer
        while optimizer is not None and not hasattr(optimizer, "swap"):
            optimizer = getattr(optimizer, "inner_optimizer", None)
        return optimizer


def gradient(value, rows, dtype, random):
    """A gradient tensor; if it is sparse, it names some rows twice."""
    if rows is None or BACKEND != "tensorflow":
        return ops.convert_to_tensor(value, dtype)
    import tensorflow as tf

    named = np.flatnonzero(rows)
    # The first row is split into halves, which 16 bits hold.
    numbers = np.concatenate([named, named[:1]])
    values = value[numbers]
    values[0], values[-1] = values[0] / 2, values[-1] / 2
    order = random.permutation(len(numbers))
    return tf.IndexedSlices(
        tf.constant(values[order], dtype),
        tf.constant(numbers[order]),
        tf.constant(value.shape),
    )


def scheduled(value):
    """A value, or the schedule that it describes."""
    if isinstance(value, dict) and "boundaries" in value:
        return SCHEDULE(value["boundaries"], value["values"])
    if isinstance(value, dict) and "warmup" in value:
        return Warmup(value["value"], value["warmup"], first_step_nonzero=True)
    return value


@contextmanager
def paths(fast):
    """Enables or disables fast paths in its scope, or lets PyTorch compile them."""
    with pytest.MonkeyPatch.context() as patch:
        for cls in (optimizers.Optimizer, optimizers.Lookahead.__mro__[1]):
            patch.setattr(cls, "has_fast_paths", bool(fast))
        if fast and keras.backend.backend() == "torch":
            for module in ("_assigned", "_updates"):
                patch.setattr(f"tfx_extras._backend.{module}._LARGE", {"cpu": 8})
            patch.setattr("tfx_extras._backend._recorded._PART", 3)
        if fast == "compiled":
            for module in ("_assigned", "_updates"):
                patch.setattr(f"tfx_extras._backend.{module}.WORTH_COMPILING", 0)
            patch.setattr("tfx_extras._backend._updates._COMPILER", "eager")
        yield
