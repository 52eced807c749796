"""Other learning rates, decays or optimizers for some of the weights."""

import math
import re
import warnings
from collections.abc import Mapping
from typing import Any

import keras
from keras import ops
from keras.optimizers.schedules import LearningRateSchedule
from typeguard import typechecked

from tfx_extras._backend import backend
from tfx_extras._checks import Number
from tfx_extras._checks import require
from tfx_extras._configuration import loaded
from tfx_extras._configuration import saved
from tfx_extras._precision import wide
from tfx_extras._register import register
from tfx_extras.optimizers._base import Optimizer
from tfx_extras.optimizers._base import path_of
from tfx_extras.optimizers._skipping import apply_if_finite
from tfx_extras.optimizers.wrappers._base import OfOptimizer
from tfx_extras.optimizers.wrappers._base import OptimizerWrapper
from tfx_extras.optimizers.wrappers._base import residuals_of

AS_IT_IS = object()
KEYS = {
    "learning_rate_multiplier": (int | Number, "a number"),
    "weight_decay": (
        int | Number | LearningRateSchedule | None,
        "a number, a schedule or None",
    ),
    "optimizer": (keras.optimizers.Optimizer, "an optimizer"),
}


@register
class ParameterGroups(OptimizerWrapper):
    r"""Trains some of the weights otherwise: slower, without decay, by another.

    $$
    w_t = A(w_{t-1}, g_t;\ \mu \eta, \lambda)
    $$

    For each variable $w$, rules give the optimizer $A$, the factor $\mu$ of its
    learning rate $\eta$, and its weight decay $\lambda$. Each rule is a regular
    expression and what holds for the variables in whose `path`, such as
    `"model/encoder/kernel"`, it is found:

    | key | what it sets |
    |---|---|
    | `"learning_rate_multiplier"` | a factor of the learning rate, in [0, inf) |
    | `"weight_decay"` | weight decay, in [0, inf), a schedule, or `None` |
    | `"optimizer"` | an optimizer in place of `inner_optimizer` |

    Where several rules are found, multipliers multiply, and the first decay and the
    first optimizer count. What no rule covers, `inner_optimizer` trains as it is,
    and a warning names it; a last rule `".*": {}` says that this is meant. A rule
    that is found nowhere is reported too.

    Variables for which the same holds share one optimizer: a copy of
    `inner_optimizer`, or of that of a rule, where anything differs from it; they are
    in `optimizers`. A copy follows the learning rate of its original, be it a
    number, a schedule or a callable. Setting `learning_rate` sets that of
    `inner_optimizer` and scales those of the other optimizers by the same factor.
    `global_clipnorm` of `inner_optimizer` is the norm of all gradients together,
    those of other optimizers too, and its `skip_nonfinite` skips the update of all.

    Memory and time: those of the optimizers, each for its variables.

    Args:
        inner_optimizer: An optimizer of this package, of Keras or your own, or a
            name of one of Keras's. To scale a loss, put `LossScaleOptimizer` around
            this one.
        groups: The rules: a dictionary from regular expressions to dictionaries
            with the keys above, or to optimizers.
        name: Name of the optimizer.

    Raises:
        ValueError: If a rule has an unknown key or a value outside its interval, or
            `global_clipnorm` meets `gradient_accumulation_steps`.

    Example:
        >>> optimizer = tfx_extras.optimizers.ParameterGroups(
        ...     keras.optimizers.SGD(0.1),
        ...     {"encoder": {"learning_rate_multiplier": 0.5}, ".*": {}})
        >>> encoder = keras.Variable([1.0], name="encoder")
        >>> head = keras.Variable([1.0], name="head")
        >>> optimizer.apply([2 * encoder, 2 * head], [encoder, head])
        >>> print(encoder.numpy().round(4), head.numpy().round(4))
        [0.9] [0.8]
    """

    has_fast_paths = False  # of its own: it leaves all to the optimizers

    @typechecked
    def __init__(
        self,
        inner_optimizer: OfOptimizer,
        groups: Mapping[str, Mapping[str, Any] | keras.optimizers.Optimizer],
        name: str | None = None,
    ):
        super().__init__(inner_optimizer, name)
        self._rules = _Rules(groups)
        for optimizer in self._originals():
            if any(isinstance(o, ParameterGroups) for o in _chain(optimizer)):
                raise ValueError(
                    "ParameterGroups within ParameterGroups: put all rules in one. "
                    f"Received: {optimizer}"
                )
            if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
                raise ValueError(
                    "Put LossScaleOptimizer around ParameterGroups, not into its "
                    f"rules. Received: {optimizer}"
                )
        inner = _innermost(self.inner_optimizer)
        if inner.global_clipnorm and inner.gradient_accumulation_steps:
            raise ValueError(
                "ParameterGroups cannot clip the norm of all gradients while they are "
                "accumulated. Received an inner optimizer with "
                f"global_clipnorm={inner.global_clipnorm} and "
                f"gradient_accumulation_steps={inner.gradient_accumulation_steps}"
            )
        self.optimizers = self._originals()

    @property
    def groups(self) -> dict[str, dict[str, Any]]:
        return self._rules.groups

    def _originals(self) -> list:
        """The optimizers that were given; that of all others comes last."""
        return [*self._rules.optimizers, self.inner_optimizer]

    @property
    def learning_rate(self):
        return self.inner_optimizer.learning_rate

    @learning_rate.setter
    def learning_rate(self, learning_rate):
        before = float(ops.convert_to_numpy(self.learning_rate))
        self.inner_optimizer.learning_rate = learning_rate
        if callable(learning_rate):
            return
        after = float(ops.convert_to_numpy(self.learning_rate))
        for optimizer in self._rules.optimizers:
            if before == 0:
                raise ValueError(
                    "A learning rate of 0 says nothing of those of the other "
                    "optimizers: set `learning_rate` of each of `optimizers`."
                )
            rate = float(ops.convert_to_numpy(optimizer.learning_rate))
            optimizer.learning_rate = rate * after / before

    @property
    def loss_scale_factor(self):
        return self.inner_optimizer.loss_scale_factor

    @loss_scale_factor.setter
    def loss_scale_factor(self, value):
        for optimizer in getattr(self, "optimizers", ()):
            optimizer.loss_scale_factor = value

    @property
    def variables(self):
        optimizers = getattr(self, "optimizers", ())
        return self._variables + [v for o in optimizers for v in o.variables]

    @property
    def residuals(self):
        of_each = [iter(residuals_of(optimizer)) for optimizer in self.optimizers]
        return [next(of_each[number]) for number in self._numbers]

    def exclude_from_weight_decay(self, var_list=None, var_names=None):
        for optimizer in self.optimizers:
            optimizer.exclude_from_weight_decay(var_list, var_names)

    def finalize_variable_values(self, var_list):
        for optimizer in self.optimizers:
            optimizer.finalize_variable_values(optimizer._trainable_variables)

    def build_inner(self, variables):
        paths = [path_of(variable) for variable in variables]
        self._rules.report(paths)
        groups = [self._rules.find(path) for path in paths]
        copies = {}
        for group in groups:
            if group not in copies:
                copies[group] = self._made_for(*group)
        originals = self._originals()
        # A copy takes the rate of its original before that has made its update.
        self.optimizers = [
            *(copy for copy in copies.values() if copy not in originals),
            *originals,
        ]
        # As a tuple of numbers: a list of variables would become state.
        self._numbers = tuple(self.optimizers.index(copies[group]) for group in groups)
        for number, optimizer in enumerate(self.optimizers):
            _innermost(optimizer).sibling_paths = paths
            mine = zip(self._numbers, variables, strict=True)
            optimizer.build([variable for n, variable in mine if n == number])

    def _made_for(self, optimizer, multiplier, decay):
        """Returns the optimizer of a group: one that was given, or its copy."""
        original = optimizer or self.inner_optimizer
        if multiplier == 1 and decay is AS_IT_IS:
            return original
        copy = _copied(original, lambda: original.learning_rate * multiplier)
        _innermost(copy).skip_nonfinite = False  # it is decided for all
        if decay is not AS_IT_IS:
            innermost = _innermost(copy)
            if callable(decay) and not isinstance(innermost, Optimizer):
                raise ValueError(
                    "A schedule of weight decay is for the optimizers of tfx_extras. "
                    f"Received: optimizer={innermost}"
                )
            innermost.weight_decay = decay
        return copy

    def apply_inner(self, grads, trainable_variables):
        variables = trainable_variables or self._trainable_variables
        grads, variables = self._filter_empty_gradients(grads, variables)
        counting = _innermost(self.inner_optimizer)
        if not getattr(counting, "skip_nonfinite", False):
            self._apply_all(grads, variables)
            return
        grads = self._dense(grads, variables)
        apply_if_finite(
            counting,
            lambda grads: self._apply_all(grads, variables),
            grads,
            [*variables, *self.variables],
        )

    def _apply_all(self, grads, variables):
        grads = self._clipped(grads, variables)
        numbers = [self._numbers[self._get_variable_index(v)] for v in variables]
        for number, optimizer in enumerate(self.optimizers):
            mine = [
                (g, v)
                for n, g, v in zip(numbers, grads, variables, strict=True)
                if n == number
            ]
            if mine:
                optimizer.apply(*zip(*mine, strict=True))
            else:  # Copies may follow its schedule.
                _innermost(optimizer)._iterations.assign_add(1)

    def _clipped(self, grads, variables):
        """Clips by the norm of all: each optimizer knows only those of its own."""
        largest = _innermost(self.inner_optimizer).global_clipnorm
        if largest is None:
            return grads
        grads = self._dense(grads, variables)
        largest = largest * (self.loss_scale_factor or 1.0)
        # Of the sums of all replicas, which the optimizers will make too.
        squares = [ops.sum(ops.square(g)) for g in backend.summed(grads)]
        norm = ops.sqrt(sum(squares))
        factor = largest / ops.where(norm > largest, norm, largest)
        return [g * ops.cast(factor, g.dtype) for g in grads]

    def _dense(self, grads, variables):
        return [
            backend.dense(g, v.shape, wide(v.dtype))
            for g, v in zip(grads, variables, strict=True)
        ]

    def get_config(self):
        return super().get_config() | {"groups": self._rules.get_config()}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        groups = config.get("groups")
        if not (isinstance(groups, list) and all(map(_is_saved_rule, groups))):
            raise ValueError(
                "Argument `groups` must be a list of pairs of a regular expression and "
                f"a rule, in a configuration. Received: groups={groups!r}"
            )
        with keras.saving.custom_object_scope(custom_objects or {}):
            groups = {
                pattern: {key: loaded(value) for key, value in rule.items()}
                for pattern, rule in groups
            }
        return super().from_config(config | {"groups": groups}, custom_objects)


class _Rules:
    """What holds for a variable, by its path.

    Not a dictionary of the optimizer itself, whose optimizers Keras would save once
    more.
    """

    def __init__(self, groups):
        self.groups = {
            pattern: _required(pattern, rule) for pattern, rule in groups.items()
        }
        given = [
            rule["optimizer"] for rule in self.groups.values() if "optimizer" in rule
        ]
        self.optimizers = list(dict.fromkeys(given))

    def find(self, path):
        """Returns the optimizer, the multiplier and the decay of a variable."""
        rules = self._found(path)
        optimizers = [rule["optimizer"] for rule in rules if "optimizer" in rule]
        decays = [rule["weight_decay"] for rule in rules if "weight_decay" in rule]
        return (
            next(iter(optimizers), None),
            math.prod(rule.get("learning_rate_multiplier", 1) for rule in rules),
            next(iter(decays), AS_IT_IS),
        )

    def _found(self, path):
        return [
            rule for pattern, rule in self.groups.items() if re.search(pattern, path)
        ]

    def report(self, paths):
        """Warns of variables without a rule, and of rules without a variable."""
        without = [path for path in paths if not self._found(path)]
        if without:
            warnings.warn(
                "No rule of ParameterGroups covers these variables, which the inner "
                f"optimizer trains as it is: {without}. If that is meant, say so by a "
                'last rule ".*": {}.',
                stacklevel=2,
            )
        for pattern in self.groups:
            if pattern != ".*" and not any(re.search(pattern, path) for path in paths):
                warnings.warn(
                    f"The rule {pattern!r} of ParameterGroups is found in no path of a "
                    f"variable. The paths are: {paths}",
                    stacklevel=2,
                )

    def get_config(self):
        return [
            [pattern, {key: _saved(value) for key, value in rule.items()}]
            for pattern, rule in self.groups.items()
        ]


def _required(pattern, rule) -> dict[str, Any]:
    """Returns a rule as a dictionary, or raises if it is none."""
    name = f"groups[{pattern!r}]"
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"{name} is no regular expression: {error}") from error
    if isinstance(rule, keras.optimizers.Optimizer):
        rule = {"optimizer": rule}
    if not isinstance(rule, Mapping):
        raise ValueError(
            f"{name} must be a dictionary or an optimizer. Received: {rule!r}"
        )
    rule = dict(rule)
    for key, value in rule.items():
        if key not in KEYS:
            raise ValueError(
                f"The keys of {name} must be among {', '.join(KEYS)}. "
                f"Received: {key}={value}"
            )
        kind, what = KEYS[key]
        if not isinstance(value, kind):
            raise ValueError(f"{name}[{key!r}] must be {what}. Received: {value!r}")
        if isinstance(value, int | Number):
            rule[key] = require(f"{name}[{key!r}]", value, "[0, inf)")
    return rule


def _is_saved_rule(pair) -> bool:
    if not isinstance(pair, list | tuple) or len(pair) != 2:
        return False
    pattern, rule = pair
    return isinstance(pattern, str) and isinstance(rule, dict)


def _saved(value):
    if isinstance(value, keras.optimizers.Optimizer):
        return keras.saving.serialize_keras_object(value)
    return saved(value)


def _copied(optimizer, learning_rate):
    """Returns an optimizer of the same configuration, with another learning rate."""
    innermost = _innermost(optimizer)
    rate = innermost._learning_rate
    is_function = callable(rate) and not isinstance(rate, LearningRateSchedule)
    try:
        if is_function:  # Keras would look for its name, which it need not have
            innermost._learning_rate = None
        with backend.outside_of_compilation():  # where learning rates have values
            config = part = optimizer.get_config()
            while "inner_optimizer" in part:
                part = part["inner_optimizer"]["config"]
            # Not set afterwards: Keras would take a variable out of a list, which
            # `tf.train.Checkpoint` then refuses to save.
            part["learning_rate"] = learning_rate
            return type(optimizer).from_config(config)
    finally:
        innermost._learning_rate = rate


def _chain(optimizer):
    """An optimizer, that which it wraps, and so on."""
    while isinstance(optimizer, OptimizerWrapper):
        yield optimizer
        optimizer = optimizer.inner_optimizer
    yield optimizer


def _innermost(optimizer):
    return list(_chain(optimizer))[-1]
