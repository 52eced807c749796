"""Prints losses, and their gradients, of a batch on one device or several.

    gathered.py one|several

Several are two replicas with 5 and 3 samples on TensorFlow and PyTorch, and eight
devices with one each on JAX.
"""

import functools
import json
import os
import sys

BACKEND = os.environ["KERAS_BACKEND"]
if BACKEND == "jax":
    os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=8"

import numpy as np  # noqa: E402  # JAX looks at the variable once

PARTS = [slice(0, 5), slice(5, 8)]
FLAT = (
    "TripletSemiHardLoss",
    "TripletHardLoss",
    "LiftedStructuredLoss",
    "MultiSimilarityLoss",
    "SupervisedContrastiveLoss",
)
VIEWS = ("NPairsLoss", "NPairsMultilabelLoss", "NTXentLoss", "CLIPLoss", "SigLIPLoss")


def batch(name):
    """Labels, of which some are of one replica alone, and embeddings."""
    random = np.random.default_rng(0)
    labels = np.array([0, 1, 0, 2, 1, 0, 7, 2])
    if name == "NPairsMultilabelLoss":
        labels = np.eye(8, dtype="float32")[labels] * (labels != 7)[:, None]
    shape = (8, 3) if name in FLAT else (8, 2, 3)
    return labels, random.normal(size=shape).astype("float32")


def make(name, gather):
    from tfx_extras import losses

    needs = name.startswith("NPairs")
    kwargs = {"from_embeddings": True} if needs else {}
    return getattr(losses, name)(gather=gather, reduction="sum", **kwargs)


@functools.cache  # two strategies in one process clash
def mirrored(replicas):
    import tensorflow as tf

    return tf.distribute.MirroredStrategy([f"CPU:{i}" for i in range(replicas)])


def tensorflow(several, name, gather):
    import tensorflow as tf

    labels, embeddings = batch(name)
    parts = PARTS if several else [slice(None)]
    strategy = mirrored(len(parts))
    loss = make(name, gather)

    def compute(labels, embeddings):
        with tf.GradientTape() as tape:
            tape.watch(embeddings)
            value = loss(labels, embeddings)
        return value, tape.gradient(value, embeddings)

    def part(array):
        return strategy.experimental_distribute_values_from_function(
            lambda context: tf.constant(array[parts[context.replica_id_in_sync_group]])
        )

    results = tf.function(lambda *a: strategy.run(compute, a))(
        part(labels), part(embeddings)
    )
    values, slopes = map(strategy.experimental_local_results, results)
    return sum(values), np.concatenate(slopes)


def jax(several, name, gather):
    import jax

    labels, embeddings = batch(name)
    if several:
        mesh = jax.sharding.Mesh(np.array(jax.devices()), ("batch",))
        assert mesh.size == 8
        split = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("batch"))
        labels, embeddings = (jax.device_put(a, split) for a in (labels, embeddings))
    loss = make(name, gather)
    return jax.jit(jax.value_and_grad(loss, argnums=1))(labels, embeddings)


def torch_part(labels, embeddings, name, gather):
    import torch

    embeddings = torch.tensor(embeddings, requires_grad=True)
    value = make(name, gather)(torch.tensor(labels), embeddings)
    value.backward()
    return value.item(), embeddings.grad.numpy()


def torch_replica(rank, path):
    from torch import distributed

    store = f"file://{path}"
    distributed.init_process_group("gloo", store, rank=rank, world_size=len(PARTS))
    results = {}
    for gather in (True, False):
        for name in FLAT + VIEWS:
            labels, embeddings = batch(name)
            part = PARTS[rank]
            value, slopes = torch_part(labels[part], embeddings[part], name, gather)
            results[f"{name},{gather}"] = [value, slopes.tolist()]
    with open(f"{path}.{rank}", "w") as file:
        json.dump(results, file)
    distributed.destroy_process_group()


def torch(several):
    if not several:
        return {
            f"{name},{gather}": torch_part(*batch(name), name, gather)
            for name in FLAT + VIEWS
            for gather in (True, False)
        }
    import tempfile

    from torch import multiprocessing

    path = os.path.join(tempfile.mkdtemp(), "store")
    multiprocessing.spawn(torch_replica, (path,), nprocs=len(PARTS))
    parts = []
    for rank in range(len(PARTS)):
        with open(f"{path}.{rank}") as file:
            parts.append(json.load(file))
    return {
        key: (
            sum(part[key][0] for part in parts),
            np.concatenate([part[key][1] for part in parts]),
        )
        for key in parts[0]
    }


def main(way):
    several = way == "several"
    if BACKEND == "torch":
        results = torch(several)
    else:
        if BACKEND == "tensorflow":
            import tensorflow as tf

            tf.config.set_logical_device_configuration(
                tf.config.list_physical_devices("CPU")[0],
                [tf.config.LogicalDeviceConfiguration()] * 2,
            )
        compute = {"tensorflow": tensorflow, "jax": jax}[BACKEND]
        results = {
            f"{name},{gather}": compute(several, name, gather)
            for name in FLAT + VIEWS
            for gather in (True, False)
        }
    plain = {
        key: [float(value), np.asarray(slopes).tolist()]
        for key, (value, slopes) in results.items()
    }
    print(json.dumps(plain))


if __name__ == "__main__":
    main(*sys.argv[1:])
