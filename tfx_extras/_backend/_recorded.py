"""PyTorch without a compiler: a formula is recorded once, and repeated in parts.

Its operations write into a few buffers, which stay in the cache, and into the state
itself as soon as its old value is not needed.
"""

import operator
from collections.abc import Callable
from collections.abc import Iterator
from typing import Any
from typing import NamedTuple

import torch
from torch.fx import Graph
from torch.fx import GraphModule
from torch.fx import Node
from torch.fx.node import map_aggregate
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

# Number of elements that are updated at a time: by each thread of a CPU, in whose cache
# the results stay, or by a GPU, where few operations matter.
_PART = 2**17
_PART_ELSEWHERE = 2**24
_TENSOR = torch.Tensor
_READING = {
    *(_TENSOR.numpy, _TENSOR.__array__, _TENSOR.tolist, _TENSOR.__dlpack__),
    *(_TENSOR.__repr__, _TENSOR.__format__),
}


class UnrecordableError(Exception):
    """The formula does what cannot be repeated with other numbers."""


class Inputs(NamedTuple):
    """What an update depends on."""

    scalars: list[torch.Tensor]
    gradient: torch.Tensor
    kept: list[torch.Tensor]


class Recorded:
    """A formula for vectors of any length, or for matrices with any number of rows.

    Args:
        formula: Function of `Inputs` that returns sums, and new values of `kept`. If it
            returns sums, the values are not needed.
        inputs: An example.
        conditions: Tensors that the formula may read, because they are the same in each
            call.

    Raises:
        UnrecordableError: If the formula reads another number, changes a tensor, or
            depends on the shape.
    """

    def __init__(self, formula: Callable[[Inputs], Any], inputs: Inputs, conditions=()):
        # Copies, in case the formula changes one.
        gradient, *parts = [x.clone() for x in next(_parts(inputs))]
        scalars = [x.clone() for x in (*inputs.scalars, *_scalars(inputs.kept))]
        divided, single = iter(parts), iter(scalars[len(inputs.scalars) :])
        kept = [next(divided if x.ndim else single) for x in inputs.kept]
        numbers = scalars[: len(inputs.scalars)]
        with _NoReading(), _Recorder() as recorder:
            sums, values = formula(Inputs(numbers, gradient, kept))
        pairs = [] if sums else list(zip(kept, values, strict=True))
        plan = _Plan([gradient, *parts], scalars)
        plan.make(
            _needed(recorder.operations, conditions, sums or values),
            [(k, v) for k, v in pairs if k.ndim],
            [v for k, v in pairs if not k.ndim],
            sums,
        )
        self._prepare, self._update = plan.prepare, plan.update
        self.buffers = plan.dtypes

    def __call__(self, inputs: Inputs) -> list[torch.Tensor]:
        """Returns sums, or stores the new values in `inputs.kept`."""
        scalars = _scalars(inputs.kept)
        prepared, values = self._prepare([*inputs.scalars, *scalars])
        totals: list[torch.Tensor] = []
        buffers: list[torch.Tensor] = []
        for part in _parts(inputs):
            if not buffers or len(buffers[0]) != len(part[0]):
                buffers = [torch.empty_like(part[0], dtype=d) for d in self.buffers]
            found = self._update(prepared, part, buffers)
            totals = list(map(operator.add, totals, found)) if totals else found
        for scalar, value in zip(scalars, values, strict=False):
            scalar.copy_(value)
        return totals


def _parts(inputs: Inputs) -> Iterator[tuple[torch.Tensor, ...]]:
    return divided(inputs.gradient, *(x for x in inputs.kept if x.ndim))


def _scalars(tensors) -> list[torch.Tensor]:
    return [x for x in tensors if not x.ndim]


def divided(gradient, *others) -> Iterator[tuple[torch.Tensor, ...]]:
    """Divides tensors of the same shape into parts that are updated at a time."""
    is_on_cpu = gradient.device.type == "cpu"
    size = _PART * torch.get_num_threads() if is_on_cpu else _PART_ELSEWHERE
    length = max(size // max(gradient[:1].numel(), 1), 1)
    return zip(*(x.split(length) for x in (gradient, *others)), strict=True)


class _Operation(NamedTuple):
    function: Any
    arguments: tuple
    keywords: dict[str, Any]
    result: Any

    @property
    def name(self) -> str:
        return self.function._schema.name.removeprefix("aten::")

    @property
    def tensors(self) -> list[torch.Tensor]:
        """The tensors among the arguments."""
        found: list[Any] = []
        map_aggregate((self.arguments, self.keywords), found.append)
        return [x for x in found if torch.is_tensor(x)]

    @property
    def base(self) -> torch.Tensor | None:
        """The argument of which the result is a view."""
        place = _place(self.result)
        return next((x for x in self.tensors if _place(x) == place), None)

    @property
    def writing(self) -> Any:
        """The same function with an argument `out`, or `None`."""
        if self.name in ("clone", "_to_copy"):
            return _copy
        function = getattr(torch, self.name, None)
        if torch.Tag.pointwise not in self.function.tags or function is None:
            return None
        try:
            out = torch.empty_like(self.result)
            function(*self.arguments, **self.keywords, out=out)
        except TypeError:
            return None
        return function


def _copy(x, out, **_):
    return out.copy_(x)


class _NoReading(TorchFunctionMode):
    """Raises an error if numbers leave PyTorch, which a recorder does not see."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if func in _READING:
            raise UnrecordableError(f"`{func.__name__}` reads numbers")
        return func(*args, **(kwargs or {}))


class _Recorder(TorchDispatchMode):
    """Writes down each operation."""

    def __init__(self):
        super().__init__()
        self.operations: list[_Operation] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        self.operations.append(_Operation(func, args, kwargs, result))
        return result


def _needed(operations, conditions, results) -> list[_Operation]:
    """Returns the operations on which results depend.

    Raises:
        UnrecordableError: If any operation cannot be repeated.
    """
    free = {id(x) for x in conditions}
    for operation in operations:
        schema, result = operation.function._schema, operation.result
        reads = not torch.is_tensor(result)
        if reads and all(id(x) in free for x in operation.tensors):
            continue
        if reads or schema.is_mutable:
            raise UnrecordableError(f"`{schema.name}` reads or changes a tensor")
        if "SymInt" in str(schema) and result.ndim:  # arguments are lengths
            raise UnrecordableError(f"`{schema.name}` depends on a shape")
    needed, found = {id(x) for x in results}, []
    for operation in reversed(operations):
        if id(operation.result) in needed:
            needed |= {id(x) for x in operation.tensors}
            found.append(operation)
    return found[::-1]


class _Function:
    """A function that is written operation by operation."""

    def __init__(self, *arguments: str):
        self._graph, self._constants = Graph(), {}
        self._arguments = {name: self._graph.placeholder(name) for name in arguments}
        self._items: dict[tuple[str, int], Node] = {}
        self._nodes: dict[int, Node] = {}

    def __contains__(self, tensor) -> bool:
        return id(tensor) in self._nodes

    def know(self, tensor, node) -> None:
        """Takes a node for the value of a tensor."""
        self._nodes[id(tensor)] = node

    def item(self, name: str, index: int) -> Node:
        """Returns an element of an argument."""
        if (name, index) not in self._items:
            of = self._arguments[name], index
            self._items[name, index] = self._graph.call_function(operator.getitem, of)
        return self._items[name, index]

    def of(self, tensor) -> Node:
        """Returns the node of a tensor."""
        return self._nodes[id(tensor)]

    def constant(self, tensor) -> Node:
        name = f"constant_{len(self._constants)}"
        self._constants[name] = tensor
        return self._graph.get_attr(name)

    def call(self, function, arguments, keywords=None) -> Node:
        arguments, keywords = self._with_nodes((arguments, keywords or {}))
        return self._graph.call_function(function, arguments, keywords)

    def returning(self, results) -> Callable[..., Any]:
        """Ends the function, and returns it."""
        self._graph.output(self._with_nodes(results))
        return GraphModule(self._constants, self._graph).forward

    def _with_nodes(self, values) -> Any:
        return map_aggregate(
            values, lambda x: self._nodes[id(x)] if torch.is_tensor(x) else x
        )


class _Plan:
    """Two functions: what is the same for all parts, and what is done with each.

    Args:
        parts: The gradient, and those kept values that are divided.
        scalars: The other inputs.
    """

    def __init__(self, parts, scalars):
        self._parts, self._passed = parts, []
        self._places = {_place(x) for x in (*parts, *scalars)}
        self._before = _Function("scalars")
        self._each = _Function("prepared", "part", "buffers")
        self._buffers: list[tuple[torch.dtype, int]] = []  # and the result in it
        for i, x in enumerate(scalars):
            self._before.know(x, self._before.item("scalars", i))
        for i, x in enumerate(parts):
            self._each.know(x, self._each.item("part", i))

    def make(self, operations, stored, scalars, sums) -> None:
        """Makes the functions.

        Args:
            operations: All that are needed.
            stored: Tensors, and their new values.
            scalars: New values of scalars.
            sums: What else to return.
        """
        self._places |= {_place(o.result) for o in operations if o.base is None}
        changing, repeated = {id(x) for x in self._parts}, []
        for operation in operations:
            if any(id(x) in changing for x in operation.tensors):
                changing.add(id(operation.result))
                repeated.append(operation)
            else:
                self._do_before(operation)
        if any(id(x) in changing for x in scalars):
            raise UnrecordableError("a scalar that depends on more than sums")
        self._do_for_each(repeated, stored, sums)
        for x in scalars:
            self._take(self._before, x)
        self.update = self._each.returning(sums)
        self.prepare = self._before.returning((self._passed, scalars))
        self.dtypes = [dtype for dtype, _ in self._buffers]

    def _do_before(self, operation):
        for x in operation.tensors:
            self._take(self._before, x)
        function, arguments, keywords, result = operation
        self._before.know(result, self._before.call(function, arguments, keywords))

    def _take(self, function, x):
        """Makes a tensor known to a function that needs it."""
        if x in function:
            return
        if function is self._before:  # made by no operation
            if _place(x) in self._places:
                raise UnrecordableError("a tensor is made of another unseen")
            function.know(x, function.constant(x))
            return
        self._take(self._before, x)
        function.know(x, function.item("prepared", len(self._passed)))
        self._passed.append(x)

    def _do_for_each(self, operations, stored, sums):
        memory = {id(x): id(x) for x in self._parts}
        last: dict[int, int] = {}  # the last operation that needs this memory
        for i, operation in enumerate(operations):
            for x in operation.tensors:
                last[memory.get(id(x), id(x))] = i
            base = operation.result if operation.base is None else operation.base
            memory[id(operation.result)] = memory.get(id(base), id(base))
        stored = [(k, v) for k, v in stored if k is not v]
        for x in (*sums, *(v for _, v in stored)):
            last[memory.get(id(x), id(x))] = len(operations)
        targets, written = {id(v): k for k, v in stored}, set()
        for i, operation in enumerate(operations):
            function, arguments, keywords, result = operation
            for x in operation.tensors:
                self._take(self._each, x)
            beside = {
                memory.get(id(x))
                for x in operation.tensors
                if _layout(x) != _layout(result)
            }

            def is_free(place, i=i, beside=beside):
                return last.get(place, -1) < i + (place not in beside)

            is_new, target = memory[id(result)] == id(result), targets.get(id(result))
            writing, out = operation.writing if is_new else None, None
            if writing and _is_like(target, result) and is_free(id(target)):
                out = self._each.of(target)
                written.add(id(target))
            elif writing and _layout(result) == _layout(self._parts[0]):
                out = self._buffer(result, is_free)
            if out is not None:
                function, keywords = writing, {**keywords, "out": out}
            self._each.know(result, self._each.call(function, arguments, keywords))
        for target, value in stored:
            if id(target) not in written:
                self._take(self._each, value)
                self._each.call(torch.Tensor.copy_, (target, value))
        for x in sums:
            self._take(self._each, x)

    def _buffer(self, result, is_free) -> Node:
        """Returns a buffer for a result, a new one if none is free."""
        i = 0
        for dtype, owner in self._buffers:
            if dtype == result.dtype and is_free(owner):
                break
            i += 1
        self._buffers[i : i + 1] = [(result.dtype, id(result))]
        return self._each.item("buffers", i)


def _place(tensor) -> int:
    return tensor.untyped_storage().data_ptr()


def _layout(tensor):
    return tensor.shape, tensor.stride()


def _is_like(target, result) -> bool:
    return (
        target is not None
        and target.dtype == result.dtype
        and _layout(target) == _layout(result)
    )
