"""What the wrappers share: the constructor and the configuration of Keras 2."""

from types import MappingProxyType
from typing import Any

import keras

from tfx_extras.optimizers.wrappers._base import OptimizerWrapper
from tfx_extras.optimizers.wrappers._named import named
from tfx_extras.tfa.optimizers._base import Callers
from tfx_extras.tfa.optimizers._hyper import Hypers
from tfx_extras.tfa.optimizers._hyper import with_functions
from tfx_extras.tfa.optimizers._keras_2 import with_named_schedules

CLIPPING = ("clipnorm", "clipvalue", "global_clipnorm")


class Wrapper(Hypers, Callers, OptimizerWrapper):
    """Mixin that makes a wrapper of this package one of TensorFlow Addons."""

    _held_as = MappingProxyType({"optimizer": "inner_optimizer"})

    def __init__(self, optimizer: Any, *args: Any, **kwargs: Any):
        if not isinstance(optimizer, str | dict | keras.optimizers.Optimizer):
            raise TypeError(
                f"Argument `optimizer` of `{type(self).__name__}` must be an optimizer "
                f"or the name of one. Received: optimizer={optimizer!r}"
            )
        optimizer = named(optimizer, "optimizer")
        if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
            raise ValueError(
                "Argument `optimizer` must not be a LossScaleOptimizer. Wrap the other "
                f"way round: LossScaleOptimizer({type(self).__name__}(...)). "
                f"Received: optimizer={optimizer!r}"
            )
        clipping = {name: kwargs.pop(name, None) for name in CLIPPING}
        super().__init__(optimizer, *args, **kwargs)
        if self.has_functions:  # a compiled step would call them once
            self.has_fast_paths = False
        for name, value in clipping.items():
            if value is not None:
                clip(self.inner_optimizer, name, value)

    def get_config(self):
        config = self.saved_hypers(super().get_config())
        return {"optimizer": config.pop("inner_optimizer")} | config

    @classmethod
    def from_config(cls, config, custom_objects=None):
        with keras.saving.custom_object_scope(custom_objects or {}):
            optimizer = loaded_optimizer(config["optimizer"])
            config = with_functions(cls, config)
        return cls(**config | {"optimizer": optimizer})


def clip(optimizer: Any, name: str, value: float) -> None:
    """Sets the clipping of the innermost optimizer, which applies it."""
    while isinstance(optimizer, OptimizerWrapper):
        optimizer = optimizer.inner_optimizer
    given = {n: getattr(optimizer, n) for n in CLIPPING if getattr(optimizer, n)}
    if given:
        raise ValueError(
            f"Argument `{name}` is given to a wrapper and {given} to its optimizer. "
            f"Give only one of them. Received: {name}={value}"
        )
    setattr(optimizer, name, value)


def loaded_optimizer(saved: dict[str, Any]) -> Any:
    """Returns the optimizer of a configuration, which may be one of Keras 2."""
    config = with_named_schedules(saved["config"])
    saved = saved | {"config": config}
    if "legacy" in (saved.get("module") or ""):
        saved["module"] = "keras.optimizers"
        decay = config.pop("decay", 0)
        if decay:
            falling = keras.optimizers.schedules.InverseTimeDecay(
                config["learning_rate"], 1, decay
            )
            config["learning_rate"] = keras.saving.serialize_keras_object(falling)
    return keras.optimizers.deserialize(saved)
