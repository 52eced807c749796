"""Options of every optimizer: what they may be, and how they are saved."""

import re
from collections.abc import Callable
from collections.abc import Sequence
from typing import Any
from typing import TypedDict

import keras
import numpy as np

from tfx_extras._checks import COUNTABLE
from tfx_extras._checks import Number
from tfx_extras._checks import require
from tfx_extras._checks import require_patterns
from tfx_extras._checks import require_steps
from tfx_extras._configuration import loaded
from tfx_extras._configuration import saved
from tfx_extras._repr import shown
from tfx_extras._typed import require_types
from tfx_extras._typed import typechecked
from tfx_extras.optimizers._paths import path_of
from tfx_extras.optimizers._paths import required_paths

__all__ = ["OptimizerOptions"]

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
            such gradients are then applied, so that the loss shows it: in XLA on
            TensorFlow, and on JAX in programs over several devices, or on a GPU, where
            JAX may only log the error.
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


class WithOptions(keras.optimizers.Optimizer):
    """An optimizer with the options of all, checked and saved."""

    _rate_interval: str = "[0, inf)"
    # Arguments that hold regular expressions of paths, and the paths that the variables
    # have: those of the optimizer that was saved, if this one was loaded.
    _path_arguments: Sequence[str] = ("weight_decay_exclude",)
    _saved_paths: Any = None
    # The learning rate, while an update is traced to which it will be given.
    _traced_rate: Any = None
    __repr__ = shown

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
        self._require_formula()
        if isinstance(learning_rate, int | Number):
            learning_rate = float(
                require("learning_rate", learning_rate, self._rate_interval)
            )
        elif not is_schedule(learning_rate) and hasattr(learning_rate, "get_config"):
            raise ValueError(  # a layer or a loss can be called too
                "Argument `learning_rate` must be a number, a schedule or a function "
                f"without arguments. Received: learning_rate={learning_rate!r}"
            )
        if isinstance(weight_decay, int | Number):
            weight_decay = require("weight_decay", weight_decay, "[0, inf)")
        elif not (weight_decay is None or is_schedule(weight_decay)):
            raise ValueError(
                "Argument `weight_decay` must be a number, a schedule or None. "
                f"Received: weight_decay={weight_decay!r}"
            )
        super().__init__(
            learning_rate,
            weight_decay=weight_decay,
            # Keras would count up: names would differ between two runs.
            name=name or type(self).__name__.lower(),
            **_checked(kwargs, type(self).__name__),
        )
        self.independent_decay = independent_decay
        self.weight_decay_exclude = require_patterns(
            "weight_decay_exclude", weight_decay_exclude
        )
        self.skip_nonfinite = skip_nonfinite
        self.max_consecutive_skips = require_steps(
            "max_consecutive_skips", max_consecutive_skips, f"[1, {COUNTABLE})"
        )

    def _require_formula(self) -> None:
        """Raises if there is none."""

    @property
    def learning_rate(self):
        # Not `super().learning_rate`, at which `torch.compile` would break its graph.
        rate = self._traced_rate
        return self._get_current_learning_rate() if rate is None else rate

    @learning_rate.setter
    def learning_rate(self, learning_rate):
        if isinstance(learning_rate, int | Number):
            require("learning_rate", learning_rate, self._rate_interval)
        keras.optimizers.Optimizer.learning_rate.fset(self, learning_rate)

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

    def get_config(self):
        config = super().get_config()
        if isinstance(config["learning_rate"], float):
            # The shortest number that rounds to the one stored: 0.0001 again, not
            # 9.999999747378752e-05.
            config["learning_rate"] = float(str(np.float32(config["learning_rate"])))
        # Only where it matters: which variables an expression has matched.
        is_matched = any(getattr(self, name) for name in self._path_arguments)
        paths = {"paths": list(self._saved_paths)} if self.built and is_matched else {}
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
        optimizer._saved_paths = paths
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


def is_schedule(x) -> bool:
    return isinstance(x, keras.optimizers.schedules.LearningRateSchedule)
