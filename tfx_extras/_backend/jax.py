"""JAX."""

import functools
import math

import jax
from jax import core
from jax import numpy as jnp
from jax.core import Tracer

from tfx_extras._backend._face import Backend


class Jax(Backend):
    """Values are looked at where they are known, outside of compilation."""

    def round_to(self, value, dtype):
        rounded = value.astype(dtype)
        # XLA may take a cast and its inverse for nothing, unless it cannot see both.
        same = rounded.dtype == value.dtype
        return rounded if same else jax.lax.optimization_barrier(rounded)

    def when(self, condition, function, tensors, variables):
        if not isinstance(condition, Tracer):
            if bool(condition):
                function(tensors)
            return
        # Not `lax.cond`, which would not be fused with what computes new values.
        before = [variable.value for variable in variables]
        function(tensors)
        for variable, value in zip(variables, before, strict=True):
            variable.assign(jnp.where(condition, variable.value, value))

    def fail_if(self, condition, message):
        if not isinstance(condition, Tracer):
            if bool(condition):
                raise FloatingPointError(message)
            return condition
        # Of several devices one alone would fail, and the others would wait for it.
        # How many there are is known when the program is compiled.
        found, numbers = _any(condition), set()
        jax.debug.inspect_array_sharding(
            found, callback=lambda sharding: numbers.add(len(sharding.device_set))
        )
        fail = functools.partial(_fail_on_one, numbers, message)
        jax.lax.cond(found, lambda: jax.debug.callback(fail), lambda: None)
        return condition

    def arctan2(self, y, x):
        return jnp.arctan2(y, x)

    def products(self, x, y):
        # On a GPU the default has 10 bits of mantissa.
        return jnp.matmul(x, y.T, precision="highest")

    def count_up_to(self, ranked, values):
        return jax.vmap(lambda a, v: jnp.searchsorted(a, v, side="right"))(
            ranked, values
        )

    def with_slope(
        self, value, slope, inputs, *constants, once=False, frozen=(), **settings
    ):
        names = tuple(settings)
        value, slope = _compiled(value, names), _compiled(slope, (*names, "wanted"))
        wanted = tuple(x is not None for x in inputs)  # XLA drops what nobody asks for

        @jax.custom_vjp
        def known(inputs, constants):
            return value(*inputs, *constants, **settings)[0]

        def forward(inputs, constants):
            result, found = value(*inputs, *constants, **settings)
            return result, (found, inputs, constants)

        def backward(kept, upstream):
            found, inputs, constants = kept
            slopes = slope(
                upstream, found, *inputs, *constants, wanted=wanted, **settings
            )
            return tuple(slopes), None

        known.defvjp(forward, backward)
        return known(tuple(inputs), constants)

    def parts(self, columns):
        # What is split over some of the devices is so over a divisor of their number.
        return math.gcd(columns, jax.device_count())

    def columns(self, x, start, size):
        # A part of what each device has: what follows each other would be gathered.
        parts = self.parts(x.shape[-1])
        blocks = _in_parts(x, parts)
        blocks = super().columns(blocks, start // parts, size // parts)
        return blocks.reshape(*x.shape[:-1], size)

    def with_columns(self, x, columns, start):
        parts = self.parts(x.shape[-1])
        blocks = _in_parts(x, parts)
        columns = _in_parts(columns, parts)
        return super().with_columns(blocks, columns, start // parts).reshape(x.shape)

    def gather(self, x):
        # Nothing to gather: a program over several devices sees the whole batch, but
        # for one that is written for each of them.
        axes = _bound_axes()
        if axes:
            raise ValueError(
                "Argument `gather` must be False within `jax.shard_map` and "
                f"`jax.pmap`, where each device sees only its samples (axes {axes}). "
                "Either let `jax.jit` or `keras.distribution` divide the batch, which "
                "needs no more, or join the samples before the loss: "
                "`jax.lax.all_gather(x, axis, tiled=True)`. Received: gather=True"
            )
        return x, 0

    def check(self, condition, message):
        if not isinstance(condition, Tracer) and not bool(condition.all()):
            raise ValueError(message)


def _bound_axes():
    """Names of the axes over which a function is mapped that runs now."""
    names = vars(core).get("unsafe_get_axis_names_DO_NOT_USE")  # until JAX 0.10
    found = names() if names else jax.sharding.get_abstract_mesh().manual_axes
    return list(found)


def _fail_on_one(numbers, message):
    if numbers == {1}:
        raise FloatingPointError(message)


@jax.custom_batching.custom_vmap
def _any(condition):
    """A condition; under `jax.vmap` whether that of any holds, no longer mapped.

    Mapped, a branch of `lax.cond` always runs, whatever its condition.
    """
    return condition


@_any.def_vmap
def _any_of_mapped(size, is_mapped, condition):
    return _any(condition.any(axis=0)), False


def _in_parts(x, parts):
    return x.reshape(*x.shape[:-1], parts, x.shape[-1] // parts)


@functools.cache
def _compiled(function, static_argnames):
    return jax.jit(function, static_argnames=static_argnames)
