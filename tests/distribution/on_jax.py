"""Trains on JAX in some ways: `main({WAY: FILE})`."""

import os

# JAX reads this once, at import.
os.environ["XLA_FLAGS"] = (
    os.environ.get("XLA_FLAGS", "") + " --xla_force_host_platform_device_count=8"
)

import jax
import keras
import numpy as np
from keras import distribution

from tests.distribution import work
from tfx_extras import layers


def data_parallel():
    return distribution.DataParallel(devices=distribution.list_devices("cpu"))


def model_parallel():
    devices = distribution.list_devices("cpu")
    mesh = distribution.DeviceMesh((2, 4), ["batch", "model"], devices)
    layouts = distribution.LayoutMap(mesh)
    layouts[".*(kernel|embeddings)"] = (None, "model")
    layouts[".*bias"] = ("model",)
    return distribution.ModelParallel(layout_map=layouts, batch_dim_name="batch")


WAYS = {"one": lambda: None, "data": data_parallel, "model": model_parallel}


def main(paths):
    assert len(jax.devices()) == 8
    for way, path in paths.items():
        np.savez(path, **results(way))


def results(way):
    distributed = WAYS[way]()
    distribution.set_distribution(distributed)
    found = {}
    for name in work.trained(way):
        model, optimizer = work.start(name)
        if distributed is not None:
            check_layouts(model, optimizer, is_split=way == "model")
        model.compile(optimizer, mean_loss)
        model.fit(*work.data(name), work.BATCH, epochs=2, verbose=0, shuffle=False)
        if distributed is not None:
            check_layouts(model, optimizer, is_split=way == "model")
        found |= work.results(name, model, optimizer)
    for key, arguments in work.each_loss(way):
        found[key], found[f"{key}, slope"] = compute(distributed, *arguments)
    if way != "data" or work.is_all():
        found["head"], slopes = run_head(distributed)
        found["head, slope"], found["head, slope of the kernel"] = slopes
    return found


def run_head(distributed):
    """The loss of a head whose kernel is sharded over its classes, and gradients."""
    labels = np.arange(64) * 63
    hidden = np.cos(np.arange(64 * 64)).reshape(64, 64).astype("float32")
    head = layers.ChunkedLinearCrossentropy(4096, chunk_size=512, use_bias=False)
    dense = keras.layers.Dense(4096, use_bias=False)
    whole = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    for layer in (head, dense):
        layer.build(hidden.shape)
        kernel = np.sin(np.arange(64 * 4096)).reshape(64, 4096)
        layer.kernel.assign(kernel.astype("float32"))

    def chunked_loss(hidden, kernel):
        return head.stateless_call([kernel], [], hidden, labels)[0].mean()

    def dense_loss(hidden, kernel):
        return whole(labels, dense.stateless_call([kernel], [], hidden)[0])

    given, temporary = (hidden, head.kernel.value), []
    for loss in (dense_loss, chunked_loss):
        step = jax.jit(jax.value_and_grad(loss, (0, 1))).lower(*given).compile()
        temporary.append(step.memory_analysis().temp_size_in_bytes)
    value, slopes = step(*given)
    if distributed is not None:
        assert temporary[1] <= temporary[0], temporary  # in bytes per device
        assert slopes[1].sharding.is_equivalent_to(given[1].sharding, 2)
    return value, slopes


def mean_loss(y_true, y_pred):
    return keras.ops.mean(work.loss(y_true, y_pred))


def check_layouts(model, optimizer, is_split):
    """Checks that state is where its variable is, and sharded in the same way."""
    by_shape = {tuple(v.shape): v.value.sharding for v in model.trainable_variables}
    # Otherwise a shape would not identify the variable of its state.
    assert len(by_shape) == 3
    for v in [*model.trainable_variables, *optimizer.variables]:
        where = v.value.sharding
        assert where.num_devices == 8, v.path
        expected = by_shape.get(tuple(v.shape))
        if expected is None:
            assert where.is_fully_replicated, v.path
        else:
            assert where.is_equivalent_to(expected, v.value.ndim), v.path
            assert where.is_fully_replicated != is_split, v.path


def compute(distributed, name, *options):
    batch = work.embeddings(name)
    if distributed is not None:
        mesh = distributed.device_mesh.backend_mesh
        split = jax.sharding.PartitionSpec("batch")
        split = jax.sharding.NamedSharding(mesh, split)
        batch = [jax.device_put(array, split) for array in batch]
        assert batch[0].sharding.num_devices == 8
    loss = work.gathering(name, *options)
    return jax.jit(jax.value_and_grad(loss, argnums=1))(*batch)
