"""Loads `ParameterGroups` as 0.1.0 saved it: with a copy of an optimizer for each rate.

The copies were in a list `optimizers`, where Keras looks for what it loads, by class
and order. So stand-ins for them are put there, from which the state goes where it
belongs.
"""

from collections import Counter
from typing import Any

from tfx_extras.optimizers._update import OwnRate
from tfx_extras.optimizers.wrappers._base import chain
from tfx_extras.optimizers.wrappers._base import innermost


def expect_copies(groups: Any, variables: list, rates: list[OwnRate]) -> None:
    """Lets an optimizer that has been built load what 0.1.0 saved.

    Args:
        groups: A `ParameterGroups` whose configuration is one of 0.1.0.
        variables: Those of its `build`.
        rates: What its rules say of each.
    """
    inner, *others = groups._all()
    originals = [*others, inner]  # in the order of 0.1.0
    kept = {optimizer: [] for optimizer in originals}
    copied = {}
    for number, variable, rate in zip(groups._numbers, variables, rates, strict=True):
        optimizer = groups._all()[number]
        if rate == OwnRate():
            kept[optimizer].append(variable)
        else:
            copied.setdefault((optimizer, rate), []).append(variable)
    copies = [
        (optimizer, _stand_in(optimizer, some, is_copy=True, like=groups))
        for (optimizer, _), some in copied.items()
    ]
    same = [
        (optimizer, _stand_in(optimizer, some, is_copy=False, like=groups))
        for optimizer, some in kept.items()
    ]
    pending = {id(each) for _, stand_in in (*copies, *same) for each in chain(stand_in)}

    def loader(stand_in, optimizer):
        def load(store):
            type(stand_in).load_own_variables(stand_in, store)
            _give(stand_in, optimizer)
            pending.discard(id(stand_in))
            if not pending:
                forget_copies(groups)

        return load

    for optimizer, stand_in in (*copies, *same):
        for level, real in zip(chain(stand_in), chain(optimizer), strict=True):
            # Originals load by themselves: Keras finds them before it finds the list.
            loads = real if (optimizer, stand_in) in same else level
            vars(loads)["load_own_variables"] = _once(loads, loader(level, real))
    vars(groups)["optimizers"] = [*(stand_in for _, stand_in in copies), *originals]


def forget_copies(groups: Any) -> None:
    """Ends the wait for what 0.1.0 saved: callbacks would take the list for another."""
    vars(groups).pop("optimizers", None)


def _stand_in(optimizer, variables, is_copy, like):
    config = part = optimizer.get_config()
    while "inner_optimizer" in part:
        part = part["inner_optimizer"]["config"]
    if is_copy:  # it had no rate of its own, and skipped nothing
        part["learning_rate"] = _no_rate
        if "skip_nonfinite" in part:
            part["skip_nonfinite"] = False
    stand_in = type(optimizer).from_config(config)
    vars(innermost(stand_in))["_sibling_paths"] = like._saved_paths
    stand_in.build(variables)
    return stand_in


def _no_rate():
    return 0.0


def _once(optimizer, load):
    def load_once(store):
        vars(optimizer).pop("load_own_variables", None)
        load(store)

    return load_once


def _give(stand_in, optimizer):
    """Assigns what a stand-in has loaded, by path; equal paths keep their order."""
    by_path = {}
    for variable in optimizer._variables:
        by_path.setdefault(variable.path, []).append(variable)
    seen = Counter()
    for variable in stand_in._variables:
        by_path[variable.path][seen[variable.path]].assign(variable)
        seen[variable.path] += 1
