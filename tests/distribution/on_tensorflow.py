"""Trains on TensorFlow in some ways: `main({WAY: FILE}, [RANK, PORT, ...])`."""

import json
import os

import numpy as np
import tensorflow as tf

DEVICES = 4
WAYS = {
    "one": tf.distribute.get_strategy,
    "mirrored over 2": lambda: tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]),
    # Sums on one device: the other code path, also for what depends on the sums.
    "mirrored over 4": lambda: tf.distribute.MirroredStrategy(
        [f"CPU:{i}" for i in range(DEVICES)],
        cross_device_ops=tf.distribute.ReductionToOneDevice(),
    ),
    "workers": lambda: tf.distribute.MultiWorkerMirroredStrategy(),
}


def main(paths, rank=0, *ports):
    # Optimizing a graph that runs 8 times costs more than it gains.
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    workers = [f"127.0.0.1:{port}" for port in ports]
    if workers:
        os.environ["TF_CONFIG"] = json.dumps(
            {
                "cluster": {"worker": workers},
                "task": {"type": "worker", "index": rank},
            }
        )
    else:
        tf.config.set_logical_device_configuration(
            tf.config.list_physical_devices("CPU")[0],
            [tf.config.LogicalDeviceConfiguration()] * DEVICES,
        )
    # A strategy starts the servers of its cluster, which must precede any computation.
    strategies = {way: WAYS[way]() for way in paths}
    from tests.distribution import work

    for way, strategy in strategies.items():
        found = {}
        for name in work.trained(way):
            found |= train(strategy, name, work)
        if way in ("one", "mirrored over 2"):
            found |= fit(strategy, "Lookahead", work)
        for key, arguments in work.each_loss(way):
            found[key], found[f"{key}, slope"] = compute(strategy, *arguments, work)
        found["labels"] = gathered(strategy, work)
        np.savez(paths[way], **found)


def split(strategy, array, work):
    """The part of a batch that each replica has."""
    parts = work.parts(strategy.num_replicas_in_sync)
    return strategy.experimental_distribute_values_from_function(
        lambda context: tf.constant(array[parts[context.replica_id_in_sync_group]])
    )


def train(strategy, name, work):
    with strategy.scope():
        model, optimizer = work.start(name)

    def update(x, y):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(work.loss(y, model(x, training=True))) / work.BATCH
        variables = model.trainable_variables
        grads = tape.gradient(loss, [v.value for v in variables])
        optimizer.apply(grads, variables)

    step = tf.function(lambda *batch: strategy.run(update, batch), autograph=False)
    for x, y in work.batches(name):
        step(split(strategy, x, work), split(strategy, y, work))
    return work.results(name, model, optimizer)


def fit(strategy, name, work):
    with strategy.scope():
        model, optimizer = work.start(name)
        model.compile(optimizer, "mse", jit_compile=False)
    model.fit(*work.data(name), work.BATCH, epochs=2, verbose=0, shuffle=False)
    return {f"{name}, fit": work.results(name, model, optimizer)[name]}


def compute(strategy, name, gather, reduction, work):
    loss = work.gathering(name, gather, reduction)

    def run(labels, embeddings, weights):
        with tf.GradientTape() as tape:
            tape.watch(embeddings)
            value = loss(labels, embeddings, weights)
        return value, tape.gradient(value, embeddings)

    batch = [split(strategy, array, work) for array in work.embeddings(name)]
    found = tf.function(lambda *batch: strategy.run(run, batch), autograph=False)(
        *batch
    )
    values, slopes = map(strategy.experimental_local_results, found)
    # Keras divides means by the number of replicas, because gradients are summed.
    is_mean = reduction != "sum"
    value = np.array(values) * strategy.num_replicas_in_sync if is_mean else sum(values)
    return value, np.concatenate(slopes)


def gathered(strategy, work):
    labels = split(strategy, work.embeddings(work.LOSSES[0])[0], work)
    gather = tf.function(lambda x: strategy.run(work.gathered, (x, tf.cast)))
    found = gather(labels)
    return np.stack(strategy.experimental_local_results(found))
