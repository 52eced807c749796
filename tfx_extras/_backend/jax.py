"""JAX."""

import jax
import jax.numpy as jnp

from tfx_extras._backend._face import Backend


class Jax(Backend):
    """Values are looked at where they are known, outside of compilation."""

    def round_to(self, value, dtype):
        # XLA may replace a cast and its inverse by nothing; not this.
        form = jnp.finfo(dtype)
        return jax.lax.reduce_precision(value, form.nexp, form.nmant).astype(dtype)

    def check(self, condition, message):
        if not isinstance(condition, jax.core.Tracer) and not bool(condition.all()):
            raise ValueError(message)
