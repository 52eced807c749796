"""PyTorch: new values of small variables together, and of large ones in one pass.

A function of single weights and their state is applied to a vector that holds small
variables one after the other, or to a large variable. Like the formula of an optimizer,
it is compiled, or recorded and repeated in parts that fit into the cache.
"""

import logging
from collections.abc import Callable
from collections.abc import Sequence
from typing import Any
from typing import NamedTuple

import torch
from torch._C._functorch import is_functorch_wrapped_tensor as _is_transformed

from tfx_extras._backend._face import Rows
from tfx_extras._backend._recorded import Inputs
from tfx_extras._backend._recorded import Recorded
from tfx_extras._backend._recorded import divided
from tfx_extras._backend._settings import FunctionError
from tfx_extras._backend._settings import settings_of_function
from tfx_extras._backend._updates import WORTH_COMPILING
from tfx_extras._backend._updates import State
from tfx_extras._backend._updates import Vector
from tfx_extras._backend._updates import compiled
from tfx_extras._backend._updates import few_enough
from tfx_extras._backend._updates import in_memory
from tfx_extras._backend._updates import raw

_logger = logging.getLogger(__package__)
# From this number of elements on, a variable is not copied to others.
_LARGE = {"cpu": 2**16}
_LARGE_ELSEWHERE = 2**24
# Maximum number of elements that small variables have together, if they are compiled.
_TOGETHER = {True: 2**22, False: 2**19}
# Maximum number of programs of one optimizer: compiled ones, and recorded ones.
_MOST = {True: 16, False: 64}
_FAILS = ("fails",)  # a key that tells that compiling fails

Compute = Callable[..., Sequence[Any]]


class _Joined(NamedTuple):
    """Small variables that are assigned together."""

    weights: list[torch.Tensor]
    vector: Vector  # memory for all of them
    states: list[State | None]


class _Known(NamedTuple):
    """How rows are assigned."""

    weights: list[torch.Tensor]  # of all rows
    compiles: bool
    large: list[list[Any]]
    joined: list[_Joined]
    others: list[Any]  # the rows that are assigned one by one


def assign_together(
    compute: Compute, rows: Rows, scalars: Sequence[Any], compiles: bool | None
) -> list[Any]:
    """Stores new values, and returns the rows that must be assigned one by one."""
    weights = [raw(row[0]) for row in rows]
    known, programs = rows.known, rows.programs
    if compiles is None:
        compiles = sum(weight.numel() for weight in weights) >= WORTH_COMPILING
    if known is None or not _is_as_before(weights, compiles, known):
        known = _known(rows, weights, compiles)
        # In a stateless scope, variables have other tensors.
        are_kept = all(type(weight) is torch.nn.Parameter for weight in weights)
        rows.known = known if are_kept else None
    settings = None
    if rows.known is not None and programs is not None:
        settings = _settings(compute, scalars)

    def store(vectors):
        program = None
        if settings is not None:
            program = _program(compute, vectors, scalars, settings, programs, compiles)
        return _store_new(compute, vectors, scalars, program)

    with torch.no_grad():
        for row in known.large:
            store([x if x is None else x.detach().view(-1) for x in row])
        for group in known.joined:
            torch._foreach_copy_(group.vector.parts, group.weights)  # pyright: ignore[reportPrivateImportUsage]
            states = [x if x is None else x.joint() for x in group.states]
            if store([group.vector.whole, *states]):
                torch._foreach_copy_(group.weights, group.vector.parts)  # pyright: ignore[reportPrivateImportUsage]
    return known.others


def _known(rows, weights, compiles) -> _Known:
    large, others = [], []
    alike: dict[Any, list[list[Any]]] = {}
    memory: dict[Any, torch.Tensor] = {}
    for row, weight in zip(rows, weights, strict=True):
        tensors = [x if x is None else raw(x) for x in row]
        if not all(map(_is_usual, tensors)):
            others.append(row)
        elif weight.numel() >= _large(weight):
            large.append(tensors)
        else:
            key = weight.device, *(None if x is None else x.dtype for x in tensors)
            alike.setdefault(key, []).append(tensors)
    joined = []
    for same in alike.values():
        sizes = [own.numel() for own, *_ in same]
        for some in few_enough(same, sizes, _TOGETHER[compiles]):
            own, *others_of = zip(*some, strict=True)
            states = [None if c[0] is None else State(list(c)) for c in others_of]
            joined.append(_Joined([*own], in_memory(memory, 0, [*own]), states))
    return _Known(weights, compiles, large, joined, others)


def _store_new(compute, vectors, scalars, program) -> bool:
    """Stores new values of vectors, and returns whether the first has one."""
    if program is not None:
        program.run(scalars, _present(vectors))
        return program.stores_first
    is_new = True
    for present in divided(*_present(vectors)):
        part = _in_places(vectors, present)
        values = compute(*part, *scalars)
        _store(part, values)
        is_new = values[0] is not None
    return is_new


class _Program(NamedTuple):
    """What stores new values in vectors like some others."""

    run: Callable[..., Any]
    stores_first: bool


def _settings(compute, scalars) -> Any:
    """Returns what a program depends on, or `None` if there cannot be any."""
    if not all(map(torch.is_tensor, scalars)):
        return None
    try:
        return settings_of_function(compute)
    except FunctionError:
        return None


def _program(
    compute, vectors, scalars, settings, programs, compiles
) -> _Program | None:
    """Returns a program that is known, or a new one. There may be none."""
    compiles = compiles and _FAILS not in programs
    conditions = [] if compiles else [x for x in scalars if _is_condition(x)]
    key = (
        *(compiles, settings, *map(bool, conditions), len(vectors[0]) == 1),
        *(x if x is None else (x.dtype, x.device) for x in vectors),
    )
    if key in programs:
        return programs[key]
    if sum(made[0] is compiles for made in programs) >= _MOST[compiles]:
        return None
    make = _compiled if compiles else _recorded
    try:
        programs[key] = make(compute, vectors, scalars, conditions)
    except Exception as error:  # there may be no compiler
        level = logging.WARNING if compiles else logging.DEBUG
        _logger.log(level, "Wrappers and averages are slower, because of: %s", error)
        programs[_FAILS if compiles else key] = None
    return programs.get(key)


def _compiled(compute, vectors, scalars, _) -> _Program:

    def step(scalars, present):
        part = _in_places(vectors, present)
        _store(part, compute(*part, *scalars))

    present = [x.clone() for x in _present(vectors)]
    program = compiled(step, present)
    program(scalars, present)  # compiles now, so that an error changes nothing
    return _Program(program, _stores_first(compute, vectors, scalars))


def _recorded(compute, vectors, scalars, conditions) -> _Program:
    known = {id(x) for x in conditions}

    def inputs(scalars, present):
        numbers = [x for x in scalars if not _is_condition(x)]
        # The last is stored first.
        return Inputs(numbers, present[0], present[::-1])

    def formula(given):
        numbers = iter(given.scalars)
        now = [x if id(x) in known else next(numbers) for x in scalars]
        part = _in_places(vectors, given.kept[::-1])
        values = compute(*part, *now)
        pairs = zip(part, values, strict=True)
        new = [x if value is None else value for x, value in pairs if x is not None]
        return [], new[::-1]

    recorded = Recorded(formula, inputs(scalars, _present(vectors)), conditions)
    return _Program(
        lambda *now: recorded(inputs(*now)), _stores_first(compute, vectors, scalars)
    )


def _stores_first(compute, vectors, scalars) -> bool:
    part = [x if x is None else x[:1] for x in vectors]
    return compute(*part, *scalars)[0] is not None


def _is_condition(x) -> bool:
    """Whether reading a number is free, and may save a pass over memory."""
    return x.dtype == torch.bool and not x.ndim and x.device.type == "cpu"


def _present(vectors) -> list[torch.Tensor]:
    return [x for x in vectors if x is not None]


def _in_places(vectors, present) -> list[Any]:
    """Returns tensors in the places that other vectors have in a row."""
    each = iter(present)
    return [x if x is None else next(each) for x in vectors]


def _store(targets, values) -> None:
    for target, value in reversed([*zip(targets, values, strict=True)]):
        if value is not None and value is not target:
            target.copy_(value)


def _is_as_before(weights, compiles, known) -> bool:
    return (
        compiles == known.compiles
        and len(weights) == len(known.weights)
        and all(
            a is b and a.is_contiguous()
            for a, b in zip(weights, known.weights, strict=True)
        )
    )


def _is_usual(tensor) -> bool:
    if tensor is None:
        return True
    is_plain = type(tensor) in (torch.Tensor, torch.nn.Parameter)
    return is_plain and not _is_transformed(tensor) and tensor.is_contiguous()


def _large(tensor) -> int:
    return _LARGE.get(tensor.device.type, _LARGE_ELSEWHERE)
