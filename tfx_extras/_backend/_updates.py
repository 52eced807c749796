"""PyTorch: updates small variables together, and large ones in one pass over memory.

A formula is applied to a vector, or to a matrix with a row for each variable, so that
it needs few operations. Where that pays, `torch.compile` makes one pass over memory of
it. Otherwise, `_recorded.py` repeats its operations, without what Keras adds to each.
"""

import logging
import math
import operator
from collections.abc import Hashable
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import accumulate
from itertools import chain
from types import FunctionType
from typing import Any
from typing import NamedTuple

import keras
import numpy as np
import torch
from torch._C._functorch import is_functorch_wrapped_tensor as _is_transformed
from torch._utils import _flatten_dense_tensors
from torch._utils import _unflatten_dense_tensors

from tfx_extras._backend._recorded import Inputs
from tfx_extras._backend._recorded import Recorded
from tfx_extras._backend._recorded import divided
from tfx_extras._backend._settings import settings_of

_logger = logging.getLogger(__package__)
# From this number of elements on, a variable is updated by itself.
_LARGE = {"cpu": 2**17}
_LARGE_ELSEWHERE = 2**24
# Maximum number of elements that small variables have together.
_TOGETHER = {"compiled": 2**22, "recorded": 2**19, "plain": 0}
# From this number of weights on, compiling pays off within a few hundred steps.
WORTH_COMPILING = 2**23
_COMPILER = "inductor"
# Maximum number of programs per optimizer. Settings that change more often are not
# worth compiling, or recording.
_MOST = 16
_MOST_RECORDED = 256
_MOST_SETTINGS = 1024


class Group(NamedTuple):
    """Variables that one call of the formula updates."""

    places: list[int]  # indices of their updates
    layout: str  # "alone", "large", "vector", "rows" or "stack"
    columns: list[Any]  # for each kept value, the tensors of all variables, or `None`
    states: list[Any]  # the same for the state alone, each a `State` or `None`
    vectors: list["Vector"]  # of all weights and of all gradients, if they are kept


class Vector(NamedTuple):
    """Memory of several tensors, one after the other."""

    whole: torch.Tensor
    parts: list[torch.Tensor]


class State:
    """State tensors that are moved next to each other, so that joining copies nothing.

    They stay there. The memory of weights may be shared with others, so they do not
    move.
    """

    def __init__(self, tensors):
        self._tensors, self._joint, self._places = tensors, None, []

    def joint(self) -> torch.Tensor:
        """Returns one vector that shares memory with the tensors."""
        are_whole = all(map(_is_whole, self._tensors))
        if self._joint is None or not are_whole or self._places != self._found():
            self._joint = self._as_they_lie() if are_whole else None
            if self._joint is None:
                with torch.inference_mode(mode=False):  # to be written outside of it
                    self._joint = _flatten_dense_tensors(self._tensors)
                    parts = _unflatten_dense_tensors(self._joint, self._tensors)
                for tensor, part in zip(self._tensors, parts, strict=True):
                    tensor.data = part
            self._places = self._found()
        return self._joint

    def _found(self) -> list[int]:
        return [tensor.data_ptr() for tensor in self._tensors]

    def _as_they_lie(self) -> torch.Tensor | None:
        """Returns the vector if the tensors lie next to each other."""
        first, sizes = self._tensors[0], [tensor.nbytes for tensor in self._tensors]
        size = sum(tensor.numel() for tensor in self._tensors)
        end = (first.storage_offset() + size) * first.element_size()
        expected = accumulate(sizes[:-1], initial=first.data_ptr())
        if end > first.untyped_storage().nbytes() or [*expected] != self._found():
            return None
        return first.detach().as_strided((size,), (1,))


class Moment(NamedTuple):
    """The values that one step depends on, beside the variables."""

    now: Any
    numbers: list[torch.Tensor]  # those in `now` that change
    conditions: list[torch.Tensor]  # those in `now` that may be read
    settings: int  # the number of all else, for programs


class Updates:
    """How the variables of one optimizer are updated. Found once, and kept."""

    def __init__(self):
        self._known: Any = (None, [], [])
        self._programs: dict[tuple, Any] = {}
        self._worked: set[Hashable] = set()  # the programs that have run
        self._settings: dict[Hashable, int] = {}  # numbered, because they are long
        self._fails = False
        self._is_large: bool | None = None

    @classmethod
    def of(cls, optimizer) -> "Updates":
        """Returns the updates of an optimizer. They are not saved with it."""
        if not hasattr(optimizer, "_joint_updates"):
            optimizer._joint_updates = cls()
        return optimizer._joint_updates

    def __reduce__(self):
        return Updates, ()  # a copied optimizer starts without programs

    def make(self, optimizer, updates) -> None:
        """Updates all variables."""
        weights = [raw(update.kept[0]) for update in updates]
        way = self._way(optimizer, weights[0])
        moments: dict[int, Moment] = {}
        for group in self._groups(optimizer, updates, weights, way):
            some = [updates[i] for i in group.places]
            if group.layout == "alone":
                optimizer._update_kept(some[0])
                continue
            joint = _joined(group, some)
            is_done = way != "plain" and self._is_done_by_programs(
                way, optimizer, group, joint, moments
            )
            is_joint = is_done or _is_done_jointly(optimizer, group, joint)
            if not is_joint:
                for update in some:
                    optimizer._update_kept(update)
            elif group.layout != "large":
                _divide(joint, group)

    def _way(self, optimizer, weight) -> str:
        """Returns "compiled", "recorded" or "plain"."""
        is_usual = type(weight) in (torch.Tensor, torch.nn.Parameter)
        is_known = is_usual and weight.device.type in ("cpu", "cuda")
        if not is_known or _is_transformed(weight):
            return "plain"
        if not optimizer._is_elementwise:
            if optimizer.jit_compile and not self._fails:
                self._fails = True
                _log(optimizer, "is not compiled, because `is_elementwise=False`")
            return "plain"
        if self._is_large is None:
            sizes = [math.prod(v.shape) for v in optimizer._trainable_variables]
            self._is_large = sum(sizes) >= WORTH_COMPILING
        wants = optimizer.jit_compile
        if not self._fails and wants is not False and (wants or self._is_large):
            return "compiled"
        return "recorded"

    def _groups(self, optimizer, updates, weights, way) -> list[Group]:
        """Returns the groups of these updates, known ones if nothing has changed."""
        nows: dict[int, int] = {}
        traits = [
            (optimizer._traits(u.place), nows.setdefault(id(u.now), len(nows)))
            for u in updates
        ]
        devices = {weight.device for weight in weights}
        kind = way, optimizer._is_elementwise, optimizer._has_norms
        key = kind, devices, [u.place for u in updates], traits
        # In a stateless scope, variables have other tensors.
        state = [k for k in updates[0].kept if k is not None]
        tensors = [*weights, raw(state[-1])]
        known, same, groups = self._known
        is_known = key == known and not any(map(operator.is_not, tensors, same))
        if not is_known or not all(map(_is_as_it_was, groups)):
            groups = _grouped(optimizer, updates, traits, way)
            if all(isinstance(tensor, torch.nn.Parameter) for tensor in tensors):
                self._known = key, tensors, groups
        return groups

    def _is_done_by_programs(self, way, optimizer, group, joint, moments) -> bool:
        """Makes an update by programs, and returns whether there can be any.

        Args:
            way: "compiled" or "recorded".
            optimizer: The optimizer.
            group: The variables.
            joint: One update of all of them.
            moments: What was found in this step for other groups.
        """
        kept, sums, key = _present(joint), [], None
        compiles = way == "compiled"
        try:
            if id(joint.now) not in moments:
                moments[id(joint.now)] = self._moment(optimizer, joint, compiles)
            moment = moments[id(joint.now)]
            if moment is None and compiles:
                self._fails = True
                _log(optimizer, "is not compiled, because of its `coefficients`")
            while moment and not (compiles and self._fails):
                key = (
                    *(way, moment.settings, optimizer._traits(joint.place)),
                    *(group.layout, kept[0].dtype, kept[0].device, len(sums)),
                    # Along an axis of length 1, nothing seems to be repeated. PyTorch
                    # compiles again for it.
                    *(n == 1 and not compiles for n in joint.gradient.shape),
                )
                if key not in self._programs and self._has_room(optimizer, compiles):
                    make = _compiled if compiles else _recorded
                    self._programs[key] = make(optimizer, group, joint, moment, sums)
                program = self._programs.get(key)
                if program is None:
                    break
                found = program(moment, joint.gradient, kept, sums)
                self._worked.add(key)
                if not found:
                    return True
                sums.append(found)
        except Exception as error:  # there may be no compiler
            if not compiles or (key in self._worked and not _is_refused(error)):
                raise  # for example without memory, and the state may be half new
            self._fails = True
            lines = str(error).splitlines()  # the first may only introduce the second
            says = [line for line in lines if line and not line.endswith(":")]
            reason = says[0] if says else repr(error)
            _log(optimizer, f"is not compiled and therefore slower: {reason}")
        return False

    def _moment(self, optimizer, joint, compiles) -> Moment | None:
        """Returns what programs depend on, or `None` if there can be none."""
        numbers, conditions, constants = [], [], []

        def found(x):
            x = _tensor(x, joint.gradient.dtype)
            if not torch.is_tensor(x):
                constants.append(x)
            elif compiles or x.dtype != torch.bool or x.ndim or x.device.type != "cpu":
                numbers.append(x)
            else:  # reading it is free, and may save a pass over memory
                conditions.append(x)
            return x

        now = keras.tree.map_structure(found, joint.now)
        if not all(isinstance(x, bool | str | None) for x in constants):
            return None
        settings = settings_of(optimizer), str(constants), *map(bool, conditions)
        if len(self._settings) == _MOST_SETTINGS:
            self._settings.clear()
            self._programs.clear()
            self._worked.clear()
        number = self._settings.setdefault(settings, len(self._settings))
        return Moment(now, numbers, conditions, number)

    def _has_room(self, optimizer, compiles) -> bool:
        """Whether there can be another program."""
        made = sum(way == "compiled" for way, *_ in self._programs)
        if not compiles:
            return len(self._programs) - made < _MOST_RECORDED
        if made == _MOST:
            self._fails = True
            _log(optimizer, f"is compiled no more: it has {_MOST} programs already")
        elif made == 0:
            _log(optimizer, "is being compiled, which takes seconds: see `jit_compile`")
        return made < _MOST


def _formula(optimizer, group, joint) -> Any:
    """Returns a function that computes an update of variables like these.

    It depends on what an update consists of, and on the sums of squares that the
    formula asks for, as far as they are known. It returns the next ones, or the new
    values if all are known. If variables are short rows, the sums are part of it.
    """
    place, is_kept = joint.place, [k is not None for k in joint.kept]

    def compute(now, gradient, kept, sums):
        kept = iter(kept)
        kept = [next(kept) if has else None for has in is_kept]
        norms = _Norms(sums)
        with _norms(optimizer, _norms_of_rows if group.layout == "rows" else norms):
            values = optimizer._updated(now, place, gradient, kept)
        if len(norms.asked) > len(sums):
            return norms.asked[len(sums)], []
        return [], [v for v, has in zip(values, is_kept, strict=True) if has]

    return compute


def _compiled(optimizer, group, joint, *_) -> Any:
    """Returns a program that returns sums, or stores new values and returns nothing."""
    compute = _formula(optimizer, group, joint)

    def step(now, gradient, kept, sums):
        found, values = compute(now, gradient, kept, sums)
        if not found:
            _store(kept, values)
        return found

    program = compiled(step, [joint.gradient, *_present(joint)])
    return lambda moment, *tensors: program(moment.now, *tensors)


def compiled(step, tensors) -> Any:
    """Returns a compiled function, for any lengths of the axes of these arguments."""
    # PyTorch counts the programs of a code object, and gives up after some.
    own = FunctionType(
        step.__code__.replace(), step.__globals__, None, None, step.__closure__
    )
    for x in tensors:
        for axis in range(x.ndim):
            torch._dynamo.maybe_mark_dynamic(x, axis)
    return torch.compile(
        own,
        fullgraph=True,
        backend=_COMPILER,
        options={"guard_filter_fn": _on_shapes},
    )


def _recorded(optimizer, group, joint, moment, sums) -> Any:
    """Returns what `_compiled` returns, or `None` if the formula cannot be repeated."""
    compute = _formula(optimizer, group, joint)

    def formula(inputs):
        scalars, conditions = iter(inputs.scalars), {id(x) for x in moment.conditions}
        now, known = keras.tree.map_structure(
            lambda x: (
                next(scalars) if torch.is_tensor(x) and id(x) not in conditions else x
            ),
            (moment.now, sums),
        )
        return compute(now, inputs.gradient, inputs.kept, known)

    def inputs(moment, gradient, kept, sums):
        return Inputs([*moment.numbers, *chain(*sums)], gradient, kept)

    kept = _present(joint)
    try:
        example = inputs(moment, joint.gradient, kept, sums)
        recorded = Recorded(formula, example, moment.conditions)
    except Exception as error:  # plain steps raise an error of the formula
        _logger.debug("`%s` is not recorded: %s", optimizer.name, error)
        return None
    return lambda *update: recorded(inputs(*update))


def _is_refused(error) -> bool:
    """Whether PyTorch could not compile, in contrast to an error of a program."""
    from torch._dynamo.exc import TorchDynamoException  # a program has imported it

    return isinstance(error, TorchDynamoException)


class _Norms:
    """Squared norms of each row: some are known, and others are asked for."""

    def __init__(self, known):
        self.known, self.asked = known, []

    def __call__(self, *tensors):
        if len(self.asked) < len(self.known):
            found = self.known[len(self.asked)]
        else:
            found = _norms_of_rows(*tensors)
        self.asked.append(found)
        return found


def _on_shapes(guards) -> list[bool]:
    """Keeps the guards that depend on tensors. Others are in the key of a program."""
    return [guard.guard_type in ("TENSOR_MATCH", "SHAPE_ENV") for guard in guards]


def _tensor(x, dtype) -> Any:
    """Replaces a number by a tensor, so that programs do not depend on it."""
    is_number = isinstance(x, int | float | np.number) and not isinstance(x, bool)
    return torch.tensor(x, dtype=dtype, device="cpu") if is_number else x


def _grouped(optimizer, updates, traits, way) -> list[Group]:
    """Puts updates into groups that one call of the formula can make."""
    is_scalar = bool(optimizer.scalar_slots)
    small = "rows" if optimizer._has_norms or is_scalar else "vector"
    small = small if optimizer._is_elementwise else "stack"
    alike: dict[Any, list[int]] = {}
    kept: list[Any] = [[k if k is None else raw(k) for k in u.kept] for u in updates]
    groups = []
    for i, (weights, *_) in enumerate(kept):
        if weights.numel() >= _large(weights):
            is_large = optimizer._is_elementwise and all(map(_is_whole, kept[i]))
            groups.append(Group([i], "large" if is_large else "alone", kept[i], [], []))
            continue
        # State may have other shapes than its variable, but only in a stack.
        shapes = tuple(None if k is None else k.shape for k in kept[i])
        shape = {"stack": shapes, "rows": weights.numel()}.get(small)
        key = traits[i], weights.device, weights.dtype, shape
        alike.setdefault(key, []).append(i)
    memory: dict[Any, torch.Tensor] = {}
    for same in alike.values():
        most = _large(kept[same[0]][0])
        most = max(most, _TOGETHER[way]) if small != "stack" else most
        for some in few_enough(same, [kept[i][0].numel() for i in same], most):
            columns = list(zip(*(kept[i] for i in some), strict=True))
            columns = [None if c[0] is None else list(c) for c in columns]
            vectors = []
            if way != "plain" and small != "stack":
                given = [updates[i].gradient for i in some]
                vectors = [
                    in_memory(memory, 0, columns[0]),
                    in_memory(memory, 1, given),
                ]
            states = [None if column is None else State(column) for column in columns]
            groups.append(Group(some, small, columns, states[1:], vectors))
    return groups


def in_memory(memory, kind, tensors) -> Vector:
    """Returns memory for tensors, the same for groups that are updated in turn."""
    size = sum(tensor.numel() for tensor in tensors)
    key = kind, tensors[0].dtype, tensors[0].device
    if key not in memory or len(memory[key]) < size:
        with torch.inference_mode(mode=False):  # to be written outside of it too
            memory[key] = tensors[0].detach().new_empty(size)
    whole = memory[key][:size]
    return Vector(whole, list(_unflatten_dense_tensors(whole, tensors)))


def few_enough(items, sizes, most) -> Iterator[list[Any]]:
    """Divides variables into lists that have no more elements than `most` together."""
    some, size = [], 0
    for item, own in zip(items, sizes, strict=True):
        if some and size + own > most:
            yield some
            some, size = [], 0
        some.append(item)
        size += own
    yield some


def _joined(group, updates) -> Any:
    """Returns one update of all variables of a group."""
    first = updates[0]
    if group.layout == "large":
        kept = [k if k is None else _flat(k.detach()) for k in group.columns]
        gradient = first.gradient.reshape(-1)
        if _is_in(kept, gradient):
            gradient = gradient.clone()  # it is read after a part of them has changed
        return first._replace(gradient=gradient, kept=kept)
    columns, gradients = group.columns, [update.gradient for update in updates]
    if group.vectors:
        for vector, tensors in zip(group.vectors, (columns[0], gradients), strict=True):
            torch._foreach_copy_(vector.parts, tensors)  # pyright: ignore[reportPrivateImportUsage]
        joint, gradient = (vector.whole for vector in group.vectors)
    else:
        joint, gradient = map(_flatten_dense_tensors, (columns[0], gradients))
    states = [None if state is None else state.joint() for state in group.states]
    kept = [joint, *states]
    if group.layout == "vector":
        return first._replace(gradient=gradient, kept=kept)

    def view(joined, column):
        size = (-1 if joined.numel() else 0,)
        shape = column[0].shape if group.layout == "stack" else size
        return joined.view(len(column), *shape)

    return first._replace(
        gradient=view(gradient, columns[0]),
        kept=[
            k if k is None else view(k, column)
            for k, column in zip(kept, columns, strict=True)
        ],
    )


def _is_in(tensors, tensor) -> bool:
    """Whether a tensor may share elements with others."""
    if _is_transformed(tensor):
        return False
    place = tensor.untyped_storage().data_ptr()
    return place in [t.untyped_storage().data_ptr() for t in tensors if t is not None]


def _divide(joint, group) -> None:
    """Stores the new weights of a group."""
    parts = (
        group.vectors[0].parts
        if group.vectors
        else _unflatten_dense_tensors(joint.kept[0].reshape(-1), group.columns[0])
    )
    torch._foreach_copy_(group.columns[0], parts)  # pyright: ignore[reportPrivateImportUsage]


def _is_done_jointly(optimizer, group, joint) -> bool:
    """Makes an update without programs, and returns whether that is possible."""
    is_whole = optimizer._has_norms or optimizer.scalar_slots
    if group.layout == "large":
        for one in [joint] if is_whole else _divided(joint):
            _store(one.kept, _updated(optimizer, group, one))
        return True
    try:
        values = _updated(optimizer, group, joint)
    except Exception as error:  # an `if`, for example; each variable alone raises it
        _logger.debug("`%s` joins no variables: %s", optimizer.name, error)
        return False
    _store(joint.kept, values)
    return True


def _updated(optimizer, group, joint) -> Any:
    if group.layout == "stack":
        return _updated_each(optimizer, joint)
    with _norms(optimizer, _norms_of_rows):
        return optimizer._updated(*joint)


def _divided(joint) -> Iterator[Any]:
    """Divides an update, so that intermediate results stay in the cache."""
    for gradient, *parts in divided(joint.gradient, *_present(joint)):
        kept = iter(parts)
        kept = [k if k is None else next(kept) for k in joint.kept]
        yield joint._replace(gradient=gradient, kept=kept)


@contextmanager
def _norms(optimizer, function):
    """Lets the optimizer compute squared norms by `function`."""
    optimizer._norms_in_parts = function
    try:
        yield
    finally:
        del optimizer._norms_in_parts


def _norms_of_rows(*tensors):
    return [x.square().sum(-1, keepdim=x.ndim > 1) for x in tensors]


def _updated_each(optimizer, joint) -> list[Any]:
    """Calls the formula for a stack of variables of the same shape."""
    axes = [None if k is None else 0 for k in joint.kept]
    update_each = torch.func.vmap(
        optimizer._updated,
        in_dims=(None, None, 0, axes),
        out_dims=tuple(axes),  # pyright: ignore[reportArgumentType]  # may be `None`
    )
    return update_each(*joint)


def _present(joint) -> list[torch.Tensor]:
    return [k for k in joint.kept if k is not None]


def _store(tensors, values) -> None:
    for tensor, value in zip(tensors, values, strict=True):
        if tensor is not None:
            tensor.copy_(value)


def _large(tensor) -> int:
    return _LARGE.get(tensor.device.type, _LARGE_ELSEWHERE)


def _flat(tensor) -> torch.Tensor:
    return tensor.view(-1) if tensor.ndim else tensor


def _is_as_it_was(group) -> bool:
    """Whether a large variable still lies in one piece, which the user may change."""
    return group.layout != "large" or all(map(_is_whole, group.columns))


def _is_whole(tensor) -> bool:
    return tensor is None or tensor.is_contiguous()


def _log(optimizer, reason) -> None:
    _logger.warning("`%s` %s", optimizer.name, reason)


def raw(variable) -> Any:
    """Returns the PyTorch tensor of a Keras variable."""
    return variable.value if isinstance(variable, keras.Variable) else variable
