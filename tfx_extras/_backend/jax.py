"""The JAX backend."""

import functools
import math
import operator

import jax
import keras
from jax import core
from jax import numpy as jnp
from jax.core import Tracer

from tfx_extras._backend._face import Backend


class Jax(Backend):
    """Values are checked where they are known, which is outside of compilation."""

    def apart(self, values, kept):
        return self.distinct(values)

    def distinct(self, values):
        # A compiled step cannot donate one buffer twice. Compiled steps return copies.
        seen, result = set(), []
        for value in values:
            is_shared = id(value) in seen and not isinstance(value, Tracer)
            seen.add(id(value))
            result.append(jnp.copy(value) if is_shared else value)
        return tuple(result)

    def round_to(self, value, dtype):
        rounded = value.astype(dtype)
        # XLA may remove a cast and its inverse. The barrier hides one from the other.
        same = rounded.dtype == value.dtype
        return rounded if same else jax.lax.optimization_barrier(rounded)

    def forget_steps(self, model):
        # An interrupted step leaves old values here, which Keras would assign later.
        if hasattr(model, "_jax_state_synced"):
            model._jax_state, model._jax_state_synced = None, True

    def when(self, condition, function, tensors, variables):
        if not isinstance(condition, Tracer):
            if bool(condition):
                function(tensors)
            return
        # XLA would not fuse `lax.cond` with the computation of the new values.
        before = [variable.value for variable in variables]
        function(tensors)
        for variable, value in zip(variables, before, strict=True):
            variable.assign(jnp.where(condition, variable.value, value))

    def branch(self, condition, one, other):
        if isinstance(condition, Tracer):
            return super().branch(condition, one, other)
        # `lax.cond` would compile both again in each call.
        return one() if bool(condition) else other()

    def fail_if(self, condition, message):
        if not isinstance(condition, Tracer):
            if bool(condition):
                raise FloatingPointError(message)
            return condition
        # With several devices, only one would fail, and the others would wait for it.
        # The number of devices is known when the program is compiled.
        found, numbers = _any(condition), set()
        jax.debug.inspect_array_sharding(
            found, callback=lambda sharding: numbers.add(len(sharding.device_set))
        )
        fail = functools.partial(_fail_on_one, numbers, message)
        jax.lax.cond(found, lambda: jax.debug.callback(fail), lambda: None)
        return condition

    def arctan2(self, y, x):
        return jnp.arctan2(y, x)

    def filtered(self, images, window):
        # On a CPU, XLA needs 30 times as long for a convolution of each channel.
        for axis in (1, 2):
            size = images.shape[axis] - len(window) + 1
            parts = [
                weight * jax.lax.slice_in_dim(images, start, start + size, axis=axis)
                for start, weight in enumerate(window.tolist())
            ]
            images = functools.reduce(operator.add, parts)
        return images

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
        wanted = tuple(x is not None for x in inputs)  # XLA removes unused gradients

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
        # A tensor is split over a number of devices that divides `device_count`.
        return math.gcd(columns, jax.device_count())

    def columns(self, x, start, size):
        # Equal parts from each device. Adjacent columns would have to be gathered.
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
        # A program over several devices sees the whole batch, so there is nothing to
        # gather. The exception is a program that is written for each device.
        axes = _bound_axes()
        if axes:
            raise ValueError(
                "Argument `gather` must be False within `jax.shard_map` and "
                f"`jax.pmap`, where each device sees only its samples (axes {axes}). "
                "Either let `jax.jit` or `keras.distribution` divide the batch: then "
                "nothing else is needed. Or join the samples before the loss: "
                "`jax.lax.all_gather(x, axis, tiled=True)`. Received: gather=True"
            )
        return x, 0

    def train_step(self, model, ascend, *arguments):
        (weights, others, of_optimizer, of_metrics), data = arguments
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        passes = jax.value_and_grad(model.compute_loss_and_updates, has_aux=True)
        given = others, of_metrics, x, y, sample_weight
        options = {"training": True, "optimizer_variables": of_optimizer}
        (_, first), gradients = passes(weights, *given, **options)
        loss, y_pred, others, of_metrics = first
        moved, finish = ascend(weights, gradients)
        _, gradients = passes(moved, *given, **options)
        weights, of_optimizer = model.optimizer.stateless_apply(
            of_optimizer, finish(gradients), weights
        )
        variables = model.metrics_variables
        known = zip(variables, of_metrics, strict=True)
        with keras.StatelessScope(known) as scope:
            count = next(i for i in keras.tree.flatten(x) if i is not None).shape[0]
            model.metrics[0].update_state(loss, sample_weight=count)
            logs = model.compute_metrics(x, y, y_pred, sample_weight)
        of_metrics = [scope.get_current_value(variable) for variable in variables]
        return logs, (weights, others, of_optimizer, of_metrics)

    def check(self, condition, message):
        if not isinstance(condition, Tracer) and not bool(condition.all()):
            raise ValueError(message)


def _bound_axes():
    """Returns the names of the axes over which the running function is mapped."""
    names = vars(core).get("unsafe_get_axis_names_DO_NOT_USE")  # until JAX 0.10
    found = names() if names else jax.sharding.get_abstract_mesh().manual_axes
    return list(found)


def _fail_on_one(numbers, message):
    if numbers == {1}:
        raise FloatingPointError(message)


@jax.custom_batching.custom_vmap
def _any(condition):
    """Returns the condition. Under `jax.vmap`, returns whether any of them holds.

    With a mapped condition, `lax.cond` would always run both branches.
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
