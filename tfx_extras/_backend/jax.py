"""JAX."""

import jax
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

    def arctan2(self, y, x):
        return jnp.arctan2(y, x)

    def products(self, x, y):
        # On a GPU the default has 10 bits of mantissa.
        return jnp.matmul(x, y.T, precision="highest")

    def count_up_to(self, ranked, values):
        return jax.vmap(lambda a, v: jnp.searchsorted(a, v, side="right"))(
            ranked, values
        )

    # Nothing to gather: a program over several devices sees the whole batch.

    def check(self, condition, message):
        if not isinstance(condition, Tracer) and not bool(condition.all()):
            raise ValueError(message)
