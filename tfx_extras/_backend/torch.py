"""The PyTorch backend."""

import functools
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
from contextlib import nullcontext
from typing import Any
from typing import NamedTuple

import keras
import numpy as np
import torch
from torch import distributed
from torch._C._functorch import get_unwrapped
from torch._C._functorch import is_batchedtensor
from torch._C._functorch import is_functorch_wrapped_tensor as _is_transformed
from torch.autograd import forward_ad

from tfx_extras._backend._assigned import assign_together
from tfx_extras._backend._face import Backend
from tfx_extras._backend._face import Rows
from tfx_extras._backend._face import undone_random
from tfx_extras._backend._updates import Updates
from tfx_extras._backend._updates import raw

_LONG = 4096
_PART = 128
_CACHED = 2**17  # numbers, of which a few temporary tensors fit the cache of a core
_COLUMNS = 512  # for which the time of a call does not matter
_NORMAL = 1e-37  # a small number that is never rounded to 0
_BITS = {torch.float32: torch.int32, torch.float64: torch.int64}
_BLOCK = 2**18  # bytes, which stay in the cache of a core
_KEPT = 2**20  # numbers that are sooner kept in memory than computed again


class _Products(torch.autograd.Function):
    """Computes `x @ y.T` and its gradients in full precision."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x, y):
        with _full_precision(x):
            return x @ y.T

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx, *upstream):
        (upstream,), (x, y) = upstream, ctx.saved_tensors
        wanted = ctx.needs_input_grad
        return (
            _Products.apply(upstream, y.T) if wanted[0] else None,
            _Products.apply(upstream.T, x.T) if wanted[1] else None,
        )


class _Known(torch.autograd.Function):
    """Computes `known.value` with `known.slope` as its gradient."""

    generate_vmap_rule = True

    @staticmethod
    def forward(known, *tensors):
        with _full_precision(tensors[0]):
            result, found = known.value(*tensors)
        return result, *found

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.known, *tensors = inputs
        ctx.count = len(tensors)
        ctx.mark_non_differentiable(*output[1:])
        ctx.save_for_backward(*tensors, *output[1:])

    @staticmethod
    def backward(ctx, *upstream):
        upstream = upstream[0]  # intermediate results have no gradient
        known, count, saved = ctx.known, ctx.count, ctx.saved_tensors
        tensors, found = saved[:count], saved[count:]
        is_recorded = torch.is_grad_enabled()
        is_twice = is_recorded and not known.once  # for second derivatives
        with _full_precision(upstream), torch.set_grad_enabled(is_twice):
            if is_twice:
                _, found = known.value(*tensors)
            wanted = tuple(ctx.needs_input_grad[1 : known.inputs + 1])
            slopes = known.slope(upstream, found, *tensors, wanted=wanted)
        if is_recorded and known.once:
            given = upstream, *tensors[: known.inputs]
            slopes = [s if s is None else _Once.apply(s, *given) for s in slopes]
        return None, *slopes, *[None] * (count - known.inputs)


class _Once(torch.autograd.Function):
    """A gradient with respect to `others` that has no second derivative."""

    generate_vmap_rule = True

    @staticmethod
    def forward(gradient, *others):
        return gradient.clone()

    @staticmethod
    def setup_context(ctx, inputs, output):
        pass

    @staticmethod
    def backward(ctx, *_):
        raise NotImplementedError("This loss has no second derivative.")


class _Kept(torch.autograd.Function):
    """Computes `torch.where(condition, x, 0)`.

    That function is not vectorized on a CPU. If the condition changes from element to
    element, it takes 20 times as long as a product.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(x, condition):
        bits = _BITS[x.dtype]
        mask = condition.view(torch.int8).neg().to(bits)  # -1 has all bits
        return (x.view(bits) & mask).view(x.dtype)

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(inputs[1])

    @staticmethod
    def backward(ctx, *upstream):
        (condition,) = ctx.saved_tensors
        return _kept(upstream[0], condition), None


class _Gathered(torch.autograd.Function):
    """Gathers equally large tensors of all processes. PyTorch deprecates its own."""

    @staticmethod
    def forward(x):
        parts = [torch.empty_like(x) for _ in range(distributed.get_world_size())]
        distributed.all_gather(parts, x.contiguous())
        return torch.stack(parts)

    @staticmethod
    def setup_context(ctx, inputs, output):
        pass

    @staticmethod
    def backward(ctx, *upstream):
        return _Summed.apply(*upstream)[distributed.get_rank()]


class _Summed(torch.autograd.Function):
    """Sums tensors over all processes. Sums their gradients too."""

    @staticmethod
    def forward(x):
        total = x.clone(memory_format=torch.contiguous_format)
        distributed.all_reduce(total)
        return total

    @staticmethod
    def setup_context(ctx, inputs, output):
        pass

    @staticmethod
    def backward(ctx, *upstream):
        return _Summed.apply(*upstream)


class Torch(Backend):
    """Everything runs eagerly. Recording for gradients must be switched off."""

    stacks_matrices = True

    def dense(self, gradient, shape, dtype):
        if not torch.is_tensor(gradient):  # but a NumPy array
            gradient = keras.ops.convert_to_tensor(gradient)
        dtype = getattr(torch, dtype)
        # Calling `to` takes time even if there is nothing to do.
        return gradient if gradient.dtype == dtype else gradient.to(dtype)

    @contextmanager
    def undone(self, model):
        # Modules that Keras wraps have a mode, and buffers that are no variables. They
        # are reached from their layer, but not from the model.
        layers = model._flatten_layers()
        modules = {module: None for layer in layers for module in layer.modules()}
        modes = [(module, module.training) for module in modules]
        buffers = [(b, b.clone()) for m in modules for b in m.buffers(recurse=False)]
        gradients = {p: p.grad for p in model.parameters()}
        with undone_random(), torch.random.fork_rng():
            for module in modules:
                module.training = True
            try:
                yield
            finally:
                for module, mode in modes:
                    module.training = mode
                for parameter in model.parameters():
                    parameter.grad = gradients.get(parameter)
                with torch.no_grad():
                    for buffer, value in buffers:
                        buffer.copy_(value)

    def apart(self, values, kept):
        tensors = [k if k is None else raw(k) for k in kept]
        # In a graph, addresses are unknown, and copies are part of other operations.
        is_traced = torch.compiler.is_compiling() or _is_transformed(values[0])

        def is_of_another(value, i):
            others = (t for j, t in enumerate(tensors) if j != i and t is not None)
            return is_traced or any(value.data_ptr() == t.data_ptr() for t in others)

        return tuple(
            value.clone()
            if torch.is_tensor(value) and is_of_another(value, i)
            else value
            for i, value in enumerate(values)
        )

    def round_to(self, value, dtype):
        rounded = value.to(getattr(torch, dtype))
        if not torch.compiler.is_compiling() or rounded.dtype == value.dtype:
            return rounded
        # The compiler may remove a cast and its inverse. Bits hide one from the other.
        return (rounded.view(torch.int16) | 0).view(rounded.dtype)

    def without_gradients(self):
        return torch.no_grad()

    def to_be_changed(self, tensors):
        return [tensor.clone() for tensor in tensors]

    def when(self, condition, function, tensors, variables):
        if not torch.compiler.is_compiling():
            if bool(condition):
                function(tensors)
            return
        # Reading the condition would break the graph.
        now = [raw(variable) for variable in variables]
        before = [tensor.clone() for tensor in now]
        function(tensors)
        for tensor, value in zip(now, before, strict=True):
            tensor.copy_(torch.where(condition, tensor, value))

    def branch(self, condition, one, other):
        if not torch.compiler.is_compiling():
            conditions = condition
            while is_batchedtensor(conditions):  # of all variables of a stack
                conditions = get_unwrapped(conditions)
            if not _is_transformed(conditions):
                if bool(conditions.all()):
                    return one()
                if not bool(conditions.any()):
                    return other()
        # Reading the condition would break the graph, and `torch.func` has no value.
        pairs = zip(one(), other(), strict=True)
        return tuple(torch.where(condition, *pair) for pair in pairs)

    def fail_if(self, condition, message):
        if bool(condition):
            raise FloatingPointError(message)
        return condition

    def as_one(self, optimizer, apply, grads, variables):
        with _full_precision(raw(variables[0])) if variables else nullcontext():
            apply(grads, variables)

    def assign_each(self, compute, rows, *scalars, compiles=None):
        if not torch.compiler.is_compiling():
            rows = Rows(assign_together(compute, rows, scalars, compiles))
        super().assign_each(compute, rows, *scalars)

    def update_all(self, optimizer, updates):
        if torch.compiler.is_compiling():  # the compiler joins operations itself
            super().update_all(optimizer, updates)
            return
        Updates.of(optimizer).make(optimizer, updates)

    def choose(self, condition, a, b):
        is_bool = isinstance(condition, bool)
        if is_bool or torch.compiler.is_compiling() or condition.device.type != "cpu":
            return super().choose(condition, a, b)
        return a if condition else b

    def arctan2(self, y, x):
        return torch.arctan2(y, x)

    def constants(self, values, like):
        # Keras takes 15 microseconds for each number of a list, and the compiler of
        # PyTorch does not convert arrays.
        return torch.as_tensor(values, dtype=like.dtype, device=like.device)

    def cumsum(self, x):
        return torch.cumsum(x, dim=-1)

    def filtered(self, images, window):
        # Keras's convolution changes the memory format, which takes three times as long
        # and fails in `torch.vmap`.
        count, x = images.shape[-1], images.movedim(-1, 1)
        with _full_precision(x):
            for shape in ((1, 1, -1, 1), (1, 1, 1, -1)):
                kernel = torch.as_tensor(window, dtype=x.dtype, device=x.device)
                kernel = kernel.view(shape).expand(count, 1, -1, -1)
                x = torch.nn.functional.conv2d(x, kernel, groups=count)
        return x.movedim(1, -1)

    def moveaxis(self, x, source, destination):
        return torch.movedim(x, source, destination)  # `torch.vmap` has no `moveaxis`

    def count_up_to(self, ranked, values):
        return torch.searchsorted(ranked.contiguous(), values.contiguous(), right=True)

    def largest(self, x, least):
        # With an initial value, `ops.max` returns a CPU tensor. The result for an empty
        # tensor would have another shape and no gradient.
        if x.shape[-1] == 0:
            return x.sum(-1, keepdim=True, dtype=x.dtype) + least
        return x.amax(-1, keepdim=True).clamp(min=least)

    def sum_less_one(self, x):
        # Converting all numbers to `float64` would copy them, so only the sums of small
        # parts are converted.
        last = x.shape[-1] % _PART
        parts = x[..., last:].unflatten(-1, (-1, _PART)).sum(-1)
        parts = torch.cat([x[..., :last].sum(-1, keepdim=True), parts], dim=-1)
        is_narrow = x.device.type == "mps"  # MPS has no `float64`
        total = parts.sum(-1, keepdim=True, dtype=None if is_narrow else torch.float64)
        return (total - 1).to(x.dtype)

    def less_first(self, x, is_one):
        if not _is_read(x):
            return super().less_first(x, is_one)
        # Another mask would take six more passes over memory.
        first = is_one.view(torch.uint8).argmax(-1, keepdim=True)
        return x.scatter_add(-1, first, -torch.ones_like(first, dtype=x.dtype))

    def at_least(self, x, bound):
        # `torch.where` is slow on a CPU. This has the same gradient, also at the bound.
        return torch.nn.functional.threshold(x, bound, bound)

    def limited(self, x, bound):
        return torch.nn.functional.hardtanh(x, -bound, bound)

    def kept(self, x, condition):
        return _kept(x, condition)

    def where(self, condition, x, y):
        is_fast = _is_bits(x, condition) and _is_bits(y, condition)
        if not is_fast or x.dtype != y.dtype or x.shape != y.shape:
            return torch.where(condition, x, y)
        return _Kept.apply(x, condition) + _Kept.apply(y, ~condition)

    def softmax_of_classes(self, z):
        if z.stride(1) != 1:
            return torch.softmax(z, 1)
        # Along another axis, PyTorch first copies the tensor to another memory format.
        return torch.softmax(z.movedim(1, -1), -1).movedim(-1, 1)

    def summed_in_parts(self, function, *tensors):
        x = tensors[0]
        columns = x.shape[-1]
        if not _is_read(x) or x.numel() <= 2 * _CACHED:
            return function(*tensors)
        # Temporary tensors that fit the cache take a fraction of the time.
        size = max(_COLUMNS, _CACHED * columns // x.numel())
        parts = zip(*(_split(x, size, columns) for x in tensors), strict=True)
        return torch.stack([function(*part) for part in parts]).sum(0)

    def is_within(self, x, low, high):
        return _is_read(x) and _lies_within(x.detach(), low, high)

    def clipped(self, x, low, high):
        if not _is_read(x) or not -float("inf") < low <= high < float("inf"):
            return super().clipped(x, low, high)
        # The gradient of `hardtanh` at its bounds is 0, so these are farther outside.
        kind = np.float64 if x.dtype == torch.float64 else np.float32
        start, end = (
            float(np.nextafter(kind(bound), kind(side)))
            if bound
            else np.copysign(_NORMAL, side)
            for bound, side in ((low, -np.inf), (high, np.inf))
        )
        x = torch.nn.functional.hardtanh(x, start, end)
        return x + (x.clamp(low, high) - x).detach()

    def surprise_of_one(self, x, own, weights=None):
        own = own.long()
        if torch.is_grad_enabled() or x.numel() <= _KEPT:
            return _surprise_of_one(x, own, weights, True)
        found = [_surprise_of_one(z, c, weights, False) for z, c in _blocks(x, x, own)]
        joined = [torch.cat(parts) for parts in zip(*found, strict=True)]
        is_flat = _is_flat(x)
        return [c.unflatten(0, x.shape[:-1]) if is_flat else c for c in joined]

    def scaled_shares(self, x, kept, scale, own, at_own, less=None):
        own = own.long()
        largest, others = kept
        if others.shape == x.shape:
            result = others * scale
            if less is not None:
                result = result - less[0] * less[1]
            is_needed = torch.is_grad_enabled()
            put = result.scatter if is_needed else result.scatter_
            return put(-1, own, at_own).to(x.dtype)
        result = torch.empty_like(x)
        each, every = (None, None) if less is None else less
        for into, *block in _blocks(x, result, x, largest, scale, own, at_own, each):
            _scaled_shares(into, *block, every=every)
        return result

    def less_at(self, x, own, numbers):
        return x.scatter_add(-1, own.long(), -numbers)

    def holds(self, condition):
        return _is_read(condition) and _all(condition)

    def may_be_infinite(self, x):
        return not (_is_read(x) and bool(x.detach().amax() < float("inf")))

    def may_exceed(self, x, most):
        return not (_is_read(x) and bool(x.detach().amax() <= most))

    def has_fast_slopes(self, x):
        return x.numel() >= _LONG and _is_read(x) and self.asks_for(x, False, True)

    def has_fast_rows(self, x):
        return x.shape[-1] >= _LONG and _is_read(x)

    def has_fast_shares(self, x):
        # A custom gradient has no forward mode.
        return _is_read(x) and forward_ad.unpack_dual(x).tangent is None

    def products(self, x, y):
        # The gradient is computed under autocast too, if its scope includes it.
        return _Products.apply(x, y) if _is_autocast(x) else x @ y.T

    def with_slope(
        self, value, slope, inputs, *constants, once=False, frozen=(), **settings
    ):
        # PyTorch knows which inputs are frozen.
        known = _Slope(
            functools.partial(value, **settings),
            functools.partial(slope, **settings),
            len(inputs),
            once,
        )
        constants = [c if c is None else torch.as_tensor(c) for c in constants]
        return _Known.apply(known, *inputs, *constants)[0]

    def asks_for(self, x, is_frozen, is_training):
        return x is not None and x.requires_grad and torch.is_grad_enabled()

    def repeat(self, times, step, carried):
        # Keras's `fori_loop` leaves a reference cycle that holds the initial value.
        # Gradients in it would be copied, and freed only by the garbage collector.
        for i in range(times):
            carried = step(i, carried)
        return carried

    def columns(self, x, start, size):
        return x[..., start : start + size]  # `ops.slice` of Keras 3.12 warns

    def with_columns(self, x, columns, start):
        end = start + columns.shape[-1]
        if _is_transformed(columns):  # `x` may lack the axis of a `torch.vmap`
            return torch.cat([x[..., :start], columns, x[..., end:]], dim=-1)
        x[..., start:end] = columns
        return x

    def state(self, variable):
        return _state(super().state(variable))

    def gather(self, x):
        if not _has_processes():
            return x, 0
        # Processes cannot exchange every dtype.
        is_float = x.is_floating_point()
        wide = torch.promote_types(x.dtype, torch.float32) if is_float else torch.int64
        sizes = _Gathered.apply(torch.tensor([len(x)], device=x.device))[:, 0].tolist()
        # Gathered tensors must have one size, so shorter ones are padded.
        missing = x.new_zeros(max(sizes) - len(x), *x.shape[1:], dtype=wide)
        parts = _Gathered.apply(torch.cat([x.to(wide), missing]))
        parts = [part[:size] for part, size in zip(parts, sizes, strict=True)]
        before = sum(sizes[: distributed.get_rank()])
        return torch.cat(parts).to(x.dtype), before

    def mean_of_all(self, mean, count):
        if not _has_processes():
            return mean
        total, counts = _Summed.apply(torch.stack([mean * count, count]))
        return total / torch.where(counts == 0, 1, counts)

    def full_precision(self, x):
        return _full_precision(x)

    def check_within(self, x, low, high, slack, message):
        if not _is_free(x) or x.numel() == 0:
            return False
        least, most = x.detach().amin(), x.detach().amax()
        self.check(~((least < low - slack) | (most > high + slack)), message)
        return _is_read(x) and bool((least >= low) & (most <= high))

    def check(self, condition, message):
        if not _is_free(condition) or condition.numel() == 0:
            return
        # The values behind a `torch.func` transform are known.
        if not _all(torch.func.debug_unwrap(condition)):
            raise ValueError(message)

    def train_step(self, model, ascend, *arguments):
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(*arguments)
        variables = list(model.trainable_variables)
        weights = [raw(variable) for variable in variables]
        others = [*model.non_trainable_variables, *self.states_of(model)]
        others = [(v, raw(v).clone()) for v in others]

        def gradients():
            y_pred = model(x, training=True)
            loss = model.compute_loss(x, y, y_pred, sample_weight)
            scaled = model.optimizer.scale_loss(loss)
            slopes = torch.autograd.grad(scaled, weights, allow_unused=True)
            return slopes, loss.detach(), y_pred

        slopes, loss, y_pred = gradients()
        with torch.no_grad():
            moved, finish = ascend(weights, slopes)
            before = [weight.clone() for weight in weights]
            _copy(moved, weights)
        # Modules of PyTorch in the model read the weights without Keras, so the weights
        # must change. All other changes happen in the scope only.
        given = [*zip(variables, weights, strict=True), *others]
        try:
            with keras.StatelessScope(given, collect_losses=True):
                slopes, *_ = gradients()
        finally:
            with torch.no_grad():
                _copy(before, weights)
        with torch.no_grad():
            model.optimizer.apply(finish(slopes), variables)
        count = next(i for i in keras.tree.flatten(x) if i is not None).shape[0]
        model.metrics[0].update_state(loss, sample_weight=count)
        return model.compute_metrics(x, y, y_pred, sample_weight)


def _copy(values, tensors):
    for value, tensor in zip(values, tensors, strict=True):
        tensor.copy_(value)


def _is_free(x):
    """Whether values can be read without waiting for a device."""
    return x.device.type == "cpu" and not torch.compiler.is_compiling()


def _is_read(x):
    """Whether numbers can be read, outside of graphs and `torch.func` transforms.

    Fewer passes over memory count on a CPU, where this was measured.
    """
    if torch.compiler.is_compiling() or torch.jit.is_tracing():  # pyright: ignore[reportPrivateImportUsage]
        return False
    is_plain = type(x) in (torch.Tensor, torch.nn.Parameter) and not _is_transformed(x)
    return x.device.type == "cpu" and is_plain and x.numel() > 0


def _all(condition):
    """Whether `condition` holds everywhere; `all` takes 20 times as long."""
    return bool(condition.view(torch.uint8).amin())


def _is_bits(x, condition):
    """Whether choosing bits is faster than `torch.where`."""
    is_known = _is_read(x) and x.dtype in _BITS and x.numel() >= _LONG
    return is_known and _is_read(condition) and condition.dtype == torch.bool


def _lies_within(x, low, high):
    return bool((x.amin() >= low) & (x.amax() <= high))


def _kept(x, condition):
    if _is_bits(x, condition):
        return _Kept.apply(x, condition)
    return torch.where(condition, x, torch.zeros_like(x))


def _split(x, size, columns):
    if x is None:
        return [None] * -(-columns // size)
    return x.split(size, dim=-1)


class _Slope(NamedTuple):
    """A function, its gradient, and the number of inputs that have a gradient."""

    value: Callable[..., Any]
    slope: Callable[..., Any]
    inputs: int
    once: bool


def _is_flat(x):
    """Whether all axes but the last can be joined without a copy."""
    return x.dim() > 2 and x.is_contiguous()


def _blocks(x, *tensors) -> Iterator[Any]:
    """Blocks of the rows of tensors that have as many as `x`, which fit into the cache.

    A pass over a whole tensor would write to fresh memory, which takes longer.
    """
    if _is_flat(x):
        tensors = [t if t is None else t.flatten(0, x.dim() - 2) for t in tensors]
        count = x.numel() // x.shape[-1]
    else:
        count = len(x)
    size = max(x.element_size(), 4) * x.numel() // count
    rows = max(1, torch.get_num_threads() * _BLOCK // size)
    if rows >= count:
        yield tensors
        return
    blocks = -(-count // rows)
    yield from zip(
        *([t] * blocks if t is None else t.split(rows) for t in tensors), strict=True
    )


def _surprise_of_one(x, own, weights, keeps):
    largest = x.detach().amax(-1, keepdim=True)
    largest = largest.to(torch.promote_types(x.dtype, torch.float32))
    values = x - largest
    at_own, found = values.gather(-1, own), []
    if weights is not None and weights.dim() == 0:
        found.append(values.mean(-1, keepdim=True) * weights)
    elif weights is not None:
        found.append((values * weights).mean(-1, keepdim=True))
    if torch.is_grad_enabled():
        others = values.exp().scatter(-1, own, 0.0)
    else:
        others = values.exp_().scatter_(-1, own, 0.0)
    rest, share = others.sum(-1, keepdim=True), at_own.exp()
    # The first form is exact where the probability rounds to 1.
    near, far = (rest / share).log1p(), (rest + share).log() - at_own
    surprise = torch.where(rest <= share, near, far)
    kept = others if keeps else others[..., :0]
    return [surprise, share, rest, largest, kept, *found]


def _scaled_shares(into, x, largest, scale, own, at_own, each, every):
    is_wide = into.dtype == largest.dtype
    result = torch.sub(x, largest, out=into) if is_wide else x - largest
    result.exp_().mul_(scale)
    if each is not None:
        result.sub_(each * every)
    result.scatter_(-1, own, at_own)
    if not is_wide:
        into.copy_(result)


def _full_precision(x):
    """Returns a scope without `torch.autocast` on the device of `x`."""
    is_on = _is_autocast(x)
    return torch.autocast(x.device.type, enabled=False) if is_on else nullcontext()


def _is_autocast(x):
    kind = x.device.type
    # Only the meta device has no autocast. Asking PyTorch 2.11 breaks the graph.
    return kind != "meta" and torch.is_autocast_enabled(kind)


@torch.library.custom_op("tfx_extras::state", mutates_args=())
def _state(x: torch.Tensor) -> torch.Tensor:
    """Copies a state, as an operation of unknown cost to `torch.compile`.

    Cheap ones it computes again in the backward pass, when the state has changed.
    """
    return x.clone()


@_state.register_fake
def _(x):
    return torch.empty_like(x)


def _has_processes():
    return distributed.is_available() and distributed.is_initialized()
