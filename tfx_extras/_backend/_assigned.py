"""PyTorch: new values of small variables together, and of large ones part by part.

A function of single weights and their state is applied to a vector that holds small
variables one after the other, or to a part of a large variable that fits into the
cache. So it needs few operations, and few passes over memory.
"""

from collections.abc import Callable
from collections.abc import Sequence
from typing import Any
from typing import NamedTuple

import torch
from torch._C._functorch import is_functorch_wrapped_tensor as _is_transformed

from tfx_extras._backend._face import Rows
from tfx_extras._backend._recorded import divided
from tfx_extras._backend._updates import State
from tfx_extras._backend._updates import Vector
from tfx_extras._backend._updates import in_memory
from tfx_extras._backend._updates import raw

# From this number of elements on, a variable is not copied to others. Not many more are
# assigned together.
_LARGE = {"cpu": 2**16}
_LARGE_ELSEWHERE = 2**24

Compute = Callable[..., Sequence[Any]]


class _Joined(NamedTuple):
    """Small variables that are assigned together."""

    weights: list[torch.Tensor]
    vector: Vector  # memory for all of them
    states: list[State | None]


class _Known(NamedTuple):
    """How rows are assigned."""

    weights: list[torch.Tensor]  # of all rows
    large: list[list[Any]]
    joined: list[_Joined]
    others: list[Any]  # the rows that are assigned one by one


def assign_together(compute: Compute, rows: Rows, scalars: Sequence[Any]) -> list[Any]:
    """Stores new values, and returns the rows that must be assigned one by one."""
    weights = [raw(row[0]) for row in rows]
    known = rows.known
    if known is None or not _are_same(weights, known.weights):
        known = _known(rows, weights)
        # In a stateless scope, variables have other tensors.
        are_kept = all(type(weight) is torch.nn.Parameter for weight in weights)
        rows.known = known if are_kept else None
    with torch.no_grad():
        for row in known.large:
            _replace(compute, row, scalars)
        for group in known.joined:
            _replace_joined(compute, group, scalars)
    return known.others


def _known(rows, weights) -> _Known:
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
        for some in _few_enough(same):
            own, *others_of = zip(*some, strict=True)
            states = [None if c[0] is None else State(list(c)) for c in others_of]
            joined.append(_Joined([*own], in_memory(memory, 0, [*own]), states))
    return _Known(weights, large, joined, others)


def _replace(compute, row, scalars) -> None:
    """Stores new values of a large variable, part by part."""
    flat = [x if x is None else x.detach().view(-1) for x in row]
    for part in divided(*(x for x in flat if x is not None)):
        each = iter(part)
        part = [x if x is None else next(each) for x in row]
        _store(part, compute(*part, *scalars))


def _replace_joined(compute, group, scalars) -> None:
    torch._foreach_copy_(group.vector.parts, group.weights)  # pyright: ignore[reportPrivateImportUsage]
    states = [x if x is None else x.joint() for x in group.states]
    vectors = [group.vector.whole, *states]
    values = compute(*vectors, *scalars)
    _store(vectors, values)
    if values[0] is not None:
        torch._foreach_copy_(group.weights, group.vector.parts)  # pyright: ignore[reportPrivateImportUsage]


def _store(targets, values) -> None:
    for target, value in reversed([*zip(targets, values, strict=True)]):
        if value is not None and value is not target:
            target.copy_(value)


def _few_enough(rows):
    """Divides rows into lists that are not much longer than a large variable."""
    some, size = [], 0
    for row in rows:
        some.append(row)
        size += row[0].numel()
        if size >= _large(row[0]):
            yield some
            some, size = [], 0
    if some:
        yield some


def _are_same(weights, known) -> bool:
    return len(weights) == len(known) and all(
        a is b and a.is_contiguous() for a, b in zip(weights, known, strict=True)
    )


def _is_usual(tensor) -> bool:
    if tensor is None:
        return True
    is_plain = type(tensor) in (torch.Tensor, torch.nn.Parameter)
    return is_plain and not _is_transformed(tensor) and tensor.is_contiguous()


def _large(tensor) -> int:
    return _LARGE.get(tensor.device.type, _LARGE_ELSEWHERE)
