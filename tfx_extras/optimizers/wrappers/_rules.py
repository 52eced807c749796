"""Rules of `ParameterGroups`, and which variables they match."""

import math
import re
import warnings
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import keras
from keras.optimizers.schedules import LearningRateSchedule

from tfx_extras._checks import Number
from tfx_extras._checks import require
from tfx_extras._configuration import loaded
from tfx_extras._configuration import saved
from tfx_extras._suggest import Aliases
from tfx_extras._suggest import did_you_mean
from tfx_extras.optimizers._paths import path_of
from tfx_extras.optimizers._update import AS_IT_IS
from tfx_extras.optimizers._update import OwnRate

KEYS = {
    "learning_rate_multiplier": (int | Number, "a number"),
    "weight_decay": (
        int | Number | LearningRateSchedule | None,
        "a number, a schedule or None",
    ),
    "optimizer": (keras.optimizers.Optimizer, "an optimizer"),
    "variables": (
        list | tuple,
        "a list of variables, such as `layer.trainable_variables`",
    ),
}
FACTOR = "learning_rate_multiplier"
ALIASES: Aliases = {
    **dict.fromkeys(["lr", "lrfactor", "lrmult", "lrmultiplier", "lrscale"], (FACTOR,)),
    "l2": ("weight_decay",),
    "params": ("variables",),
    "wd": ("weight_decay",),
}


class Saved(list):
    """Variables of a rule in a configuration: paths, or indices among all variables."""


class Rules:
    """The rules of all variables, which match by path or name variables.

    It is not a dictionary, because Keras would save the optimizers in it twice.
    """

    def __init__(self, groups: Mapping[str, Any]):
        self.groups = {
            pattern: _required(pattern, rule) for pattern, rule in groups.items()
        }
        rules = self.groups.values()
        given = [rule["optimizer"] for rule in rules if "optimizer" in rule]
        self.optimizers = list(dict.fromkeys(given))

    def find(self, place: int, variable: Any, path: str) -> tuple[Any, OwnRate]:
        """Returns the optimizer of a variable, or `None`, and its own rate."""
        rules = [
            rule
            for pattern, rule in self.groups.items()
            if _matches(pattern, rule, place, variable, path)
        ]
        optimizers = [rule["optimizer"] for rule in rules if "optimizer" in rule]
        decays = [rule["weight_decay"] for rule in rules if "weight_decay" in rule]
        factor = math.prod(rule.get("learning_rate_multiplier", 1) for rule in rules)
        rate = OwnRate(float(factor), next(iter(decays), AS_IT_IS))
        return next(iter(optimizers), None), rate

    def require_unique(self, paths: Sequence[str]) -> None:
        """Raises unless exactly one variable has each path that a rule names.

        Rules name paths if they were saved before the optimizer was built.
        """
        for pattern, rule in self.groups.items():
            for item in rule.get("variables", ()):
                if isinstance(item, str) and list(paths).count(item) != 1:
                    raise ValueError(
                        f"The rule {pattern!r} of ParameterGroups names the path "
                        f"{item!r}, which no variable or several variables have. Make "
                        "the rules again, with the variables. "
                        f"The paths are: {list(paths)}"
                    )

    def report(self, variables: Sequence[Any], paths: Sequence[str]) -> None:
        """Warns of variables without a rule, and of rules without a variable."""
        found = {
            pattern: {
                place
                for place, pair in enumerate(zip(variables, paths, strict=True))
                if _matches(pattern, rule, place, *pair)
            }
            for pattern, rule in self.groups.items()
        }
        covered = set().union(*found.values())
        without = [path for i, path in enumerate(paths) if i not in covered]
        if without:
            warnings.warn(
                "No rule of ParameterGroups matches these variables, which the inner "
                f"optimizer trains as it is: {without}. If that is meant, add a last "
                'rule ".*": {}.',
                stacklevel=2,
            )
        for pattern, places in found.items():
            if not places and pattern != ".*":
                warnings.warn(
                    f"The rule {pattern!r} of ParameterGroups matches no variable. "
                    f"The paths are: {list(paths)}",
                    stacklevel=2,
                )

    def get_config(self, variables: Sequence[Any] | None, paths: Any) -> list:
        """Returns the rules as pairs of a regular expression and a dictionary.

        The variables that a rule names are saved as indices among the variables of
        `build`, or as paths if the optimizer has not been built.
        """

        def of(pattern, rule):
            config = {key: _saved(value) for key, value in rule.items()}
            if "variables" not in rule:
                return config
            if variables is None:
                named = [_as_saved(item) for item in rule["variables"]]
            else:
                pairs = enumerate(zip(variables, paths, strict=True))
                named = [i for i, pair in pairs if _matches(pattern, rule, i, *pair)]
            return config | {"variables": named}

        return [[pattern, of(pattern, rule)] for pattern, rule in self.groups.items()]


def loaded_groups(groups: Any) -> dict[str, dict[str, Any]]:
    """Returns the rules of a configuration that `Rules.get_config` made, or raises."""
    if not (isinstance(groups, list) and all(map(_is_saved_rule, groups))):
        raise ValueError(
            "`groups` in the configuration of ParameterGroups must be a list of pairs "
            f"of a regular expression and a rule. Received: groups={groups!r}"
        )
    return {
        pattern: {
            key: Saved(value)
            if key == "variables" and isinstance(value, list)
            else loaded(value)
            for key, value in rule.items()
        }
        for pattern, rule in groups
    }


def _matches(pattern, rule, place, variable, path) -> bool:
    named = rule.get("variables")
    if named is None:
        return re.search(pattern, path) is not None
    return any(
        item == {int: place, str: path}[type(item)]
        if isinstance(item, int | str)  # as saved
        else item is variable
        for item in named
    )


def _required(pattern, rule) -> dict[str, Any]:
    """Returns a rule as a dictionary, or raises if it is not valid."""
    if not isinstance(pattern, str):
        raise TypeError(
            "The keys of `groups` must be strings: regular expressions for paths of "
            "variables, such as 'head/.*kernel'. To list variables instead, use "
            '"variables": {"head": {"variables": layer.trainable_variables}}. '
            f"Received: {pattern!r}"
        )
    name = f"groups[{pattern!r}]"
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"{name} is not a regular expression: {error}") from error
    if isinstance(rule, keras.optimizers.Optimizer):
        rule = {"optimizer": rule}
    if not isinstance(rule, Mapping):
        raise TypeError(
            f"{name} must be a dictionary or an optimizer. Received: {rule!r}"
        )
    rule = dict(rule)
    for key, value in rule.items():
        if key not in KEYS:
            hint = did_you_mean(str(key), KEYS, ALIASES)
            hint += " That multiplies the learning rate." * (FACTOR in hint)
            raise ValueError(
                f"The keys of {name} must be among {', '.join(KEYS)}.{hint} "
                f"Received: {key}={value}"
            )
        kind, what = KEYS[key]
        if not isinstance(value, kind) or isinstance(value, bool):
            raise TypeError(f"{name}[{key!r}] must be {what}. Received: {value!r}")
        if isinstance(value, int | Number):
            rule[key] = require(f"{name}[{key!r}]", value, "[0, inf)")
    variables = rule.get("variables", ())
    for i, item in enumerate(variables):
        is_saved = isinstance(variables, Saved) and type(item) in (int, str)
        if not (is_saved or hasattr(item, "shape")):
            what = KEYS["variables"][1]
            cure = " The key of a rule selects by path." * isinstance(item, str)
            raise TypeError(
                f"{name}['variables'] must be {what}.{cure} "
                f"Received: {name}['variables'][{i}]={item!r}"
            )
    return rule


def _is_saved_rule(pair) -> bool:
    if not isinstance(pair, list | tuple) or len(pair) != 2:
        return False
    pattern, rule = pair
    return isinstance(pattern, str) and isinstance(rule, dict)


def _as_saved(item) -> int | str:
    return item if isinstance(item, int | str) else path_of(item)


def _saved(value):
    if isinstance(value, keras.optimizers.Optimizer):
        return keras.saving.serialize_keras_object(value)
    return value if isinstance(value, list | tuple) else saved(value)
