"""How LazyAdam and RAdam exchange gradients between two replicas, in two ways.

Fails unless embedding rows are updated as on one device, no tensor in the graph is as
long as the table, and values that all variables share are computed once.
"""

import keras
import numpy as np
import tensorflow as tf

from tfx_extras import optimizers

REPLICAS, ROWS = 2, 7
# Some rows are on both replicas, some on one, some twice; the counts differ.
IDS = [[1, 1, 4, 5], [4, 0, 1]]
SCALED = {"loss_scale_factor": 4.0, "global_clipnorm": 0.5, "epsilon": 0.1}
MAKES = {
    "amsgrad, decay": lambda: optimizers.LazyAdam(0.1, amsgrad=True, weight_decay=0.1),
    "clipped, scaled": lambda: optimizers.LazyAdam(0.1, **SCALED, skip_nonfinite=True),
    "wrapped": lambda: optimizers.Lookahead(optimizers.LazyAdam(0.1, epsilon=0.1), 2),
}


def values(i):
    random = np.random.default_rng(i)
    return [random.normal(size=(len(ids), 2)).astype("float32") for ids in IDS]


def train(strategy, make, is_eager=False, dtype="float32"):
    """The table, a dense weight and the state after some updates."""
    with strategy.scope():
        table = keras.Variable(np.ones((ROWS, 2)), dtype=dtype, name="table")
        weight = keras.Variable(np.ones(3), dtype="float32", name="weight")
        optimizer = make()
        optimizer.build([table, weight])
    replicas = strategy.num_replicas_in_sync

    def each(parts):
        parts = parts if replicas == REPLICAS else [np.concatenate(parts)]
        return strategy.experimental_distribute_values_from_function(
            lambda context: tf.constant(parts[context.replica_id_in_sync_group])
        )

    def update(values, ids):
        rows = tf.IndexedSlices(tf.cast(values, dtype), ids)
        optimizer.apply([rows, tf.ones(3) / replicas], [table, weight])

    step = lambda *batch: strategy.run(update, batch)  # noqa: E731
    step = step if is_eager else tf.function(step, autograph=False)
    for i in range(3):
        step(each(values(i)), each(IDS))
    return [v.numpy().astype("float32") for v in (table, weight, *optimizer.variables)]


def check_rows(one, *strategies):
    for name, make in MAKES.items():
        tried = strategies if "clipped" in name else strategies[:1]
        found, *others = [train(several, make) for several in tried]
        whole = train(one, make)
        for some in (found, *others):
            for actual, expected in zip(some, whole, strict=True):
                np.testing.assert_allclose(actual, expected, rtol=1e-5, err_msg=name)
        is_still = (found[0] == 1).all(axis=1).tolist()
        named = {i for ids in IDS for i in ids}
        decays = "decay" in name
        assert is_still == [not decays and i not in named for i in range(ROWS)], name

    def plain():
        return optimizers.LazyAdam(0.1, epsilon=0.1)

    for way in ({"is_eager": True}, {"dtype": "bfloat16"}):
        results = (train(s, plain, **way) for s in (strategies[0], one))
        for actual, expected in zip(*results, strict=True):
            np.testing.assert_allclose(actual, expected, rtol=1e-5, err_msg=str(way))


def check_that_nothing_is_as_long_as_the_table(strategy):
    rows = 1000
    with strategy.scope():
        table = keras.Variable(np.ones((rows, 2)), dtype="bfloat16")
        optimizer = optimizers.LazyAdam(global_clipnorm=1.0)
        optimizer.build([table])

    def update():
        values = tf.ones((4, 2), "bfloat16")
        optimizer.apply([tf.IndexedSlices(values, tf.range(4))])

    step = tf.function(lambda: strategy.run(update))
    operations = step.get_concrete_function().graph.get_operations()
    long = [
        operation.name
        for operation in operations
        if any(x.shape.rank and x.shape[0] == rows for x in operation.outputs)
    ]
    assert not long, long


def check_that_scalars_are_computed_once(strategy):
    calls = []

    class Counted(optimizers.RAdam):
        def coefficients(self, step):
            calls.append(step)
            return super().coefficients(step)

    with strategy.scope():
        variables = [keras.Variable(np.ones(3), dtype="float32") for _ in range(5)]
        optimizer = Counted()
        optimizer.build(variables)
    update = lambda: optimizer.apply([tf.ones(3)] * 5)  # noqa: E731
    tf.function(lambda: strategy.run(update)).get_concrete_function()
    assert len(calls) <= REPLICAS, len(calls)


def main():
    # Optimizing a graph that runs 3 times costs more than it gains.
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    tf.config.set_logical_device_configuration(
        tf.config.list_physical_devices("CPU")[0],
        [tf.config.LogicalDeviceConfiguration()] * REPLICAS,
    )
    devices = [f"CPU:{i}" for i in range(REPLICAS)]
    to_one = tf.distribute.ReductionToOneDevice()
    strategies = [
        tf.distribute.MirroredStrategy(devices),
        tf.distribute.MirroredStrategy(devices, to_one),
    ]
    for several in strategies:
        check_that_scalars_are_computed_once(several)
        check_that_nothing_is_as_long_as_the_table(several)
    check_rows(tf.distribute.get_strategy(), *strategies)
