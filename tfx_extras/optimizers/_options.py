"""Options of every optimizer: their intervals, and how they are saved."""

from collections.abc import Callable
from collections.abc import Mapping
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
from tfx_extras.optimizers._layouts import require_layouts
from tfx_extras.optimizers._paths import exclusions
from tfx_extras.optimizers._paths import required_paths

__all__ = ["OptimizerOptions"]

LearningRate = (
    Number | keras.optimizers.schedules.LearningRateSchedule | Callable[..., Any]
)


class OptionsBesideDecay(TypedDict, total=False):
    """Options of an optimizer that names `weight_decay` among its own arguments."""

    name: str | None
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
    centralize_gradient: bool
    adaptive_clip: Number | None
    adaptive_clip_exclude: Sequence[str]
    layouts: Mapping[str, str | None] | None
    cautious: bool
    cautious_decay: bool
    corrected_decay: bool
    jit_compile: bool | None


class OptimizerOptions(OptionsBesideDecay, total=False):
    r"""Options of every optimizer: weight decay, gradient clipping, EMA and others.

    Use it to look up the keyword arguments that every optimizer of this package takes.
    The options that `keras.optimizers.Optimizer` also has mean the same there, except
    where a difference is named.

    Args:
        name: Name of the optimizer. `None` means the name of its class in lower case.
        weight_decay: $\lambda$, in [0, inf), or a schedule of it, which is called with
            the number of steps so far. Each step subtracts
            `learning_rate * weight_decay * w` from the weights (decoupled weight decay,
            as in AdamW), before it applies the gradient. `LAMB` and `NovoGrad` have the
            decay in their formula.
        independent_decay: Whether each step subtracts `weight_decay * w` instead,
            whatever the learning rate, as in TensorFlow Addons. To keep the decay of
            `independent_decay=False`, multiply `weight_decay` by the learning rate.
        weight_decay_exclude: Regular expressions. Variables whose `path`, such as
            `"sequential/dense/bias"`, matches any of them do not decay. To exclude
            biases from weight decay, pass `["bias"]`, and to exclude normalization too,
            `["bias", "gamma", "beta"]`. A regular expression that matches no variable
            triggers a warning.
        clipnorm: Gradient clipping: maximum norm of the gradient of one variable. At
            most one of `clipnorm`, `clipvalue` and `global_clipnorm` can be set. They
            apply to the gradient of the whole batch, because replicas of
            `tf.distribute` sum gradients before clipping. Keras clips the gradient of
            each replica.
        clipvalue: Gradient clipping: maximum magnitude of each element of a gradient.
        global_clipnorm: Gradient clipping: maximum norm of all gradients together.
        use_ema: Whether to keep an exponential moving average (EMA) of the weights,
            which replaces them at the end of training. It moves once per step, also if
            gradients are accumulated. Before the first step there is no average, and
            nothing replaces the weights.
        ema_momentum: Weight of the past in the EMA, in [0, 1]: each step sets
            `average = ema_momentum * average + (1 - ema_momentum) * w`.
        ema_overwrite_frequency: Number of steps after which the EMA replaces the
            weights, again and again. `None` means only at the end of training.
        loss_scale_factor: Loss scaling: factor by which the loss was multiplied, in
            (0, inf). Gradients are divided by it. `fit` multiplies the loss; a training
            loop of your own calls `scale_loss`.
        gradient_accumulation_steps: Gradient accumulation: number of gradients, 2 or
            more, whose mean makes one step. They are summed in `float32`. A variable
            that has no gradient when the step is made is not updated, and keeps its sum
            for the next step.
        skip_nonfinite: Whether to skip NaN gradients. If any gradient contains inf or
            NaN, on any replica, then weights, state, averages and `iterations` stay as
            they are. With `gradient_accumulation_steps`, another gradient takes its
            place. The variable `skipped` of the optimizer counts the skipped gradients,
            and `skipped_in_a_row` those since the last finite one. Read them with
            `.numpy()`.
        max_consecutive_skips: Maximum number of skipped gradients in a row, in
            [1, 2^31). One more raises `FloatingPointError`, or an error of the backend
            from compiled code, with the name of this argument in its message. Where
            compiled code cannot raise, such gradients are then applied, so that the
            loss shows it. This is so in XLA on TensorFlow, and on JAX in programs over
            several devices, or on a GPU, where JAX may only log the error.
        centralize_gradient: Whether to subtract from the gradient of a kernel its mean
            over the inputs of each unit (gradient centralization, Yong et al., 2020).
            Kernels whose units have one input stay as they are, and so do biases,
            embeddings and all other variables that are no kernels: see `layouts`.
        adaptive_clip: Adaptive gradient clipping (AGC, Brock et al., 2021): maximum
            norm of the gradient of each unit of a kernel, as a multiple of the norm of
            its weights, in (0, inf). 0.01 is usual. A variable that is no kernel counts
            as one unit. It applies after the other ways of clipping.
        adaptive_clip_exclude: Regular expressions. Variables whose `path` matches any
            of them are not clipped by `adaptive_clip`. Exclude the output layer.
        layouts: For kernels, which of their axes are inputs and outputs: a dictionary
            from regular expressions of paths to strings such as `"iio"`, or `None` for
            no kernel. `tfx_extras.optimizers.kernel_layouts(model)` returns it. The
            first expression that matches counts. Without one, the path and the shape
            decide, which is right for layers of Keras under their own names.
        cautious: Whether to leave out the elements of a step that have another sign
            than the gradient, and scale up the others in turn (cautious optimizers,
            Liang et al., 2024). Decoupled weight decay is not left out. In an
            optimizer whose formula contains the decay, the whole step counts.
        cautious_decay: Whether weight decay leaves out the weights that the step moves
            away from 0 (cautious weight decay, Chen et al., 2025). Experimental: no
            other library has it to compare with.
        corrected_decay: Whether to multiply the weight decay by the learning rate over
            its largest value so far (AdamC, Defazio, 2025), so that a falling learning
            rate does not let weights before a normalization grow. Exclude the output
            layer and all others without normalization by `weight_decay_exclude`. It
            cannot be combined with `independent_decay`.
        jit_compile: Whether to compile the formula. On PyTorch, `None` does so if the
            optimizer trains 2^23 (8.4 million) weights or more, because compiling takes
            seconds in the first step and pays off after some hundred steps. `True` does
            so for any number of weights. On TensorFlow, `None` and `True` compile it
            for large variables, by XLA. `False` compiles nothing. It has no effect
            where Keras compiles the whole training step: in `fit` on JAX, and with
            `jit_compile=True` in `model.compile`.
    """

    weight_decay: Number | keras.optimizers.schedules.LearningRateSchedule | None


_SKIPS = 10  # default of `max_consecutive_skips`
# Intervals of the options that are passed on to Keras.
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
    # Whether the formula depends on the layouts of kernels.
    _has_layouts: bool = False
    # Arguments that hold regular expressions of paths.
    _path_arguments: Sequence[str] = (
        "weight_decay_exclude",
        "adaptive_clip_exclude",
        "layouts",
    )
    # Paths of the variables. After loading, those of the optimizer that was saved.
    _saved_paths: Any = None
    # The learning rate while a step is traced that takes it as an argument.
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
        max_consecutive_skips: Number = _SKIPS,
        centralize_gradient: bool = False,
        adaptive_clip: Number | None = None,
        adaptive_clip_exclude: Sequence[str] = (),
        layouts: Mapping[str, str | None] | None = None,
        cautious: bool = False,
        cautious_decay: bool = False,
        corrected_decay: bool = False,
        jit_compile: bool | None = None,
        **kwargs: Any,
    ):
        self._require_formula()
        if isinstance(learning_rate, int | Number):
            learning_rate = float(
                require("learning_rate", learning_rate, self._rate_interval)
            )
        elif isinstance(learning_rate, type) or (
            hasattr(learning_rate, "get_config") and not is_schedule(learning_rate)
        ):  # classes, layers and losses are callable too
            hint = ""
            if isinstance(learning_rate, type):
                hint = f" Did you mean an instance, `{learning_rate.__name__}(...)`?"
            raise ValueError(
                "Argument `learning_rate` must be a number, a schedule or a function "
                f"without arguments.{hint} Received: learning_rate={learning_rate!r}"
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
            # Keras would append a counter, so names would differ between runs.
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
        if self.max_consecutive_skips != _SKIPS and not skip_nonfinite:
            raise ValueError(
                "Argument `max_consecutive_skips` has no effect without "
                "`skip_nonfinite`. "
                f"Received: max_consecutive_skips={max_consecutive_skips}"
            )
        self.centralize_gradient = centralize_gradient
        if adaptive_clip is not None:
            adaptive_clip = require("adaptive_clip", adaptive_clip, "(0, inf)")
        self.adaptive_clip = adaptive_clip
        self.adaptive_clip_exclude = require_patterns(
            "adaptive_clip_exclude", adaptive_clip_exclude
        )
        if self.adaptive_clip_exclude and adaptive_clip is None:
            raise ValueError(
                "Argument `adaptive_clip_exclude` has no effect without "
                "`adaptive_clip`. "
                f"Received: adaptive_clip_exclude={adaptive_clip_exclude}"
            )
        self.layouts = None if layouts is None else require_layouts(layouts)
        is_used = self._has_layouts or centralize_gradient or adaptive_clip is not None
        if layouts is not None and not is_used:
            raise ValueError(
                "Argument `layouts` has no effect without `centralize_gradient` or "
                f"`adaptive_clip`. Received: layouts={self.layouts}"
            )
        self.cautious = cautious
        self.cautious_decay = cautious_decay
        if corrected_decay and independent_decay:
            raise ValueError(
                "Argument `corrected_decay` must be False with `independent_decay`, "
                "which does not depend on the learning rate. "
                "Received: corrected_decay=True, independent_decay=True"
            )
        self.corrected_decay = corrected_decay
        self.jit_compile = jit_compile

    def _require_formula(self) -> None:
        """Raises if the class has no formula."""

    @property
    def learning_rate(self):
        # `super().learning_rate` would break the graph of `torch.compile`.
        rate = self._traced_rate
        return self._get_current_learning_rate() if rate is None else rate

    @learning_rate.setter
    def learning_rate(self, learning_rate):
        if isinstance(learning_rate, int | Number):
            require("learning_rate", learning_rate, self._rate_interval)
        keras.optimizers.Optimizer.learning_rate.fset(self, learning_rate)

    def exclude_from_weight_decay(self, var_list=None, var_names=None) -> None:
        """Adds variables or regular expressions to `weight_decay_exclude`."""
        if self.built:
            raise ValueError(
                "`exclude_from_weight_decay()` must be called before the optimizer is "
                "built, that is, before the first training step."
            )
        self.weight_decay_exclude = [
            *self.weight_decay_exclude,
            *exclusions(var_list, var_names),
        ]

    def get_config(self):
        config = super().get_config()
        if isinstance(config["learning_rate"], float):
            # The shortest number that rounds to the stored one, so 0.0001 and not
            # 9.999999747378752e-05.
            config["learning_rate"] = float(str(np.float32(config["learning_rate"])))
        # Saved only if a regular expression was matched against them.
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
                "centralize_gradient": self.centralize_gradient,
                "adaptive_clip": self.adaptive_clip,
                "adaptive_clip_exclude": list(self.adaptive_clip_exclude),
                "layouts": None if self.layouts is None else dict(self.layouts),
                "cautious": self.cautious,
                "cautious_decay": self.cautious_decay,
                "corrected_decay": self.corrected_decay,
                "jit_compile": self.jit_compile,
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
    """Returns options of Keras as Python numbers, or raises outside their intervals."""
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
