"""Gives up on nonfinite gradients on JAX, in programs over 1 and 4 devices.

A program over one device ends with an error. A program over several devices must not,
because the healthy devices would wait for the one that failed. There, the weights
become NaN instead.
"""

import os

os.environ["XLA_FLAGS"] = (
    os.environ.get("XLA_FLAGS", "") + " --xla_force_host_platform_device_count=4"
)

import jax
import keras
import numpy as np
import pytest
from jax.sharding import Mesh
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec

from tfx_extras import optimizers

MESH = Mesh(np.array(jax.devices()), ("batch",))
SPREAD = NamedSharding(MESH, PartitionSpec("batch"))
EVERYWHERE = NamedSharding(MESH, PartitionSpec())
GIVES_UP = "More than max_consecutive_skips=2 gradients in a row"


def make():
    return optimizers.RAdam(0.1, skip_nonfinite=True, max_consecutive_skips=2)


def stepper():
    weights = keras.Variable(np.ones(3), dtype="float32")
    optimizer = make()
    optimizer.build([weights])

    def step(state, weights, x):
        gradient = jax.grad(lambda weights: (x @ weights).mean())(weights)
        (weights,), state = optimizer.stateless_apply(state, [gradient], [weights])
        return state, weights

    return step, [v.value for v in optimizer.variables], weights.value


def train(updates, where=None, way=jax.jit, batch=(8, 3)):
    """The weights after `updates` updates with nonfinite gradients."""
    step, *kept = stepper()
    step = way(step)
    x = np.full(batch, np.nan, "float32")
    if where is not None:
        kept, x = jax.device_put(kept, where), jax.device_put(x, SPREAD)
    for _ in range(updates):
        kept = jax.block_until_ready(step(*kept, x))
    return np.asarray(kept[-1])


def many_at_once(step):
    """Makes all updates in one program, like `steps_per_execution`."""

    def steps(state, weights, x):
        def body(kept, _):
            return step(*kept, x), None

        return jax.lax.scan(body, (state, weights), None, length=3)[0]

    return jax.jit(steps)


def each_device(step):
    shard_map = getattr(jax, "shard_map", None)
    if shard_map is None:  # JAX before 0.6
        from jax.experimental.shard_map import shard_map

    p = PartitionSpec
    return jax.jit(
        shard_map(step, mesh=MESH, in_specs=(p(), p(), p("batch")), out_specs=p())
    )


def fit(devices):
    if devices:
        found = keras.distribution.list_devices()[:devices]
        distribution = keras.distribution.DataParallel(devices=found)
        keras.distribution.set_distribution(distribution)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile(make(), "mse")
    x = np.full((12, 3), np.nan, "float32")
    try:
        model.fit(x, x[:, :1], batch_size=4, verbose=0)
    finally:
        keras.distribution.set_distribution(None)
    return model.get_weights()[0]


def main():
    assert len(jax.devices()) == 4
    for updates, expected in [(2, 1.0), (3, np.nan)]:
        for way in (jax.jit, each_device):
            weights = train(updates, EVERYWHERE, way)
            np.testing.assert_array_equal(weights, np.full(3, expected))
    assert np.isnan(train(1, EVERYWHERE, many_at_once)).all()
    assert np.isnan(fit(4)).all()
    np.testing.assert_array_equal(train(2), np.ones(3))
    for gives_up in (
        lambda: train(3),
        lambda: train(1, way=many_at_once),
        lambda: fit(0),
        lambda: fit(1),
    ):
        with pytest.raises(jax.errors.JaxRuntimeError, match=GIVES_UP):
            gives_up()
