"""The optimizers that users compile a model with: each optimizer, kind and wrapper.

They are taken from the registry, so `tests/clients` covers a new object without a new
test. `make(learning_rate, **options)` builds an optimizer. For a wrapper, `options` are
passed to its inner optimizer.
"""

import keras
import pytest

from tests.cases import KINDS
from tests.cases import OPTIMIZERS
from tests.cases import WRAPPERS
from tests.tools import BACKEND
from tfx_extras import optimizers


def _named(cases):
    """The first case of each class."""
    return {case.cls.__name__: case for case in reversed(cases)}


def _wrapped(wrap):
    return lambda rate, **options: wrap(optimizers.RAdam(rate, **options))


def multipliers(rate, **options):
    rules = {"kernel|table": {"learning_rate_multiplier": 0.5}, ".*": {}}
    return optimizers.ParameterGroups(optimizers.RAdam(rate, **options), rules)


def others(rate, **options):
    other = {"optimizer": keras.optimizers.SGD(rate), "learning_rate_multiplier": 2}
    rules = {"bias": other, ".*": {}}
    return optimizers.ParameterGroups(optimizers.RAdam(rate, **options), rules)


NATIVE = {name: case.make for name, case in _named(OPTIMIZERS).items()}
WRAPPING = {name: case.make for name, case in _named(WRAPPERS).items()}
WRAPPED = {name: _wrapped(wrap) for name, wrap in WRAPPING.items()}
GROUPED = {"ParameterGroups": multipliers, "ParameterGroups with others": others}
KIND = {name: NATIVE[name] for name in KINDS}


def each(*cases):
    """Parametrizes a test by `make`."""
    both = {name: make for some in cases for name, make in some.items()}
    return pytest.mark.parametrize("make", both.values(), ids=both)


def each_or_first(*cases):
    """Like `each`, but only the first of each group on backends that compile.

    Use it for what the base does for all optimizers, independently of the backend.
    """
    firsts = [dict(list(some.items())[:1]) for some in cases]
    return each(*(cases if BACKEND == "torch" else firsts))
