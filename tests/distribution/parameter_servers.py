"""Trains on TensorFlow with one parameter server and one worker, as on one device.

Then shows that `fit` does not work there. Exits with 0 if both hold.
"""

import pytest
import tensorflow as tf

from tests.distribution.matrix import error
from tests.distribution.matrix import ports

NAMES = ("LazyAdam", "Lookahead")


def main():
    addresses = [f"127.0.0.1:{port}" for port in ports(2)]
    cluster = tf.train.ClusterSpec({"worker": addresses[:1], "ps": addresses[1:]})
    servers = [tf.distribute.Server(cluster, job_name=name) for name in cluster.jobs]
    resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
        cluster, rpc_layer="grpc"
    )
    strategy = tf.distribute.ParameterServerStrategy(resolver)
    coordinator = tf.distribute.coordinator.ClusterCoordinator(strategy)

    from tests.distribution import on_tensorflow
    from tests.distribution import work

    for name in NAMES:
        with strategy.scope():
            model, optimizer = work.start(name)
        step = step_of(strategy, model, optimizer, work)
        for batch in work.batches(name):
            coordinator.schedule(step, [tf.constant(array) for array in batch])
            coordinator.join()
        found = work.results(name, model, optimizer)[name]
        one = on_tensorflow.train(tf.distribute.get_strategy(), name, work)[name]
        assert error(found, one, 1e-5) <= 1, name

    with strategy.scope():
        model.compile(optimizer, "mse")
    with pytest.raises(ValueError, match="create_per_worker_dataset"):
        model.fit(*work.data(name), verbose=0)
    assert len(servers) == 2


def step_of(strategy, model, optimizer, work):
    def update(x, y):
        variables = model.trainable_variables
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(work.loss(y, model(x, training=True))) / work.BATCH
        grads = tape.gradient(loss, [v.value for v in variables])
        optimizer.apply(grads, variables)

    return tf.function(lambda *batch: strategy.run(update, batch))
