"""Every public object, with the arguments and the reference that test it.

The contracts take their cases from here, so one new entry holds a new object to all of
them. `contracts/test_surface.py` fails if a public name has no entry.
"""

import itertools

import pytest

from tests.losses.cases import LOSSES
from tests.optimizers.cases import OPTIMIZERS
from tests.optimizers.wrapper_cases import WRAPPERS
from tests.schedules.cases import SCHEDULES
from tests.tools import BACKEND

__all__ = [
    "LOSSES",
    "OPTIMIZERS",
    "SCHEDULES",
    "WRAPPERS",
    "each",
    "each_class",
    "each_kind",
    "each_kind_in_turn",
    "each_of_base",
    "each_way",
]


def each(cases):
    """Parametrizes a test by `case`."""
    return pytest.mark.parametrize("case", cases, ids=str)


def each_class(cases):
    """Parametrizes a test by `case`: the first case of each class."""
    return each(list({case.cls: case for case in reversed(cases)}.values()))


def each_way(cases):
    """Parametrizes a test of the base of losses by `case`: on PyTorch, by all of them.

    The other backends would compile each case, so they run one for each way in which a
    model treats a loss, and one more of those that ignore samples.
    """
    if BACKEND == "torch":
        return each(cases)
    ways = {
        (
            case.coupled,
            case.square,
            case.weighs_within,
            case.images,
            case.held,
            case.activation,
            "ignore_class" in case.kwargs,
        ): case
        for case in reversed(cases)
    }
    return each(list(ways.values()))


# These kinds differ in what the base does for them. AdaBelief is a direction times the
# rate. NovoGrad has scalar state and applies the decay inside its formula.
# ConditionalGradient has no state.
KINDS = ("AdaBelief", "NovoGrad", "ConditionalGradient")


def each_kind(cases):
    """Parametrizes a test of the base by `case`: one of each kind of optimizer."""
    return each(_of_each_kind(cases))


def each_of_base(cases):
    """Parametrizes a test of the base by `case`: on PyTorch the first of each class.

    The other backends would compile each case, so they run one of each kind.
    """
    return each_class(cases) if BACKEND == "torch" else each_kind(cases)


def each_kind_in_turn(cases, name, values):
    """Parametrizes a test by `name` and `case`: each value with the next kind."""
    pairs = zip(itertools.cycle(_of_each_kind(cases)), values, strict=False)
    return pytest.mark.parametrize(("case", name), list(pairs), ids=str)


def _of_each_kind(cases):
    named = {case.cls.__name__: case for case in reversed(cases)}
    return [named[name] for name in KINDS]
