"""Loads `ParameterGroups` that version 0.1.0 saved, with an optimizer for each rate.

Version 0.1.0 kept copies of optimizers in a list `optimizers`, and Keras loads state by
class and order from there. So stand-ins are put into such a list, and their state is
then assigned to the optimizers that are used now.
"""

from collections import Counter
from typing import Any

from tfx_extras.optimizers._update import OwnRate
from tfx_extras.optimizers.wrappers._base import chain
from tfx_extras.optimizers.wrappers._base import innermost


def expect_copies(groups: Any, variables: list, rates: list[OwnRate]) -> None:
    """Prepares an optimizer that has been built to load what version 0.1.0 saved.

    Args:
        groups: A `ParameterGroups` whose configuration was made by version 0.1.0.
        variables: The variables of its `build`.
        rates: The rate that its rules give to each variable.
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
            # Originals load themselves, because Keras finds them before the list.
            loads = real if (optimizer, stand_in) in same else level
            vars(loads)["load_own_variables"] = _once(loads, loader(level, real))
    vars(groups)["optimizers"] = [*(stand_in for _, stand_in in copies), *originals]


def forget_copies(groups: Any) -> None:
    """Removes the list of stand-ins, which callbacks would mistake for optimizers."""
    vars(groups).pop("optimizers", None)


def _stand_in(optimizer, variables, is_copy, like):
    config = part = optimizer.get_config()
    while "inner_optimizer" in part:
        part = part["inner_optimizer"]["config"]
    if is_copy:  # it had no learning rate of its own, and skipped nothing
        part["learning_rate"] = _no_rate
        if "skip_nonfinite" in part:
            part["skip_nonfinite"] = False
            part.pop("max_consecutive_skips", None)
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
    """Assigns the loaded state of a stand-in, by path. Equal paths keep their order."""
    by_path = {}
    for variable in optimizer._variables:
        by_path.setdefault(variable.path, []).append(variable)
    seen = Counter()
    for variable in stand_in._variables:
        by_path[variable.path][seen[variable.path]].assign(variable)
        seen[variable.path] += 1
