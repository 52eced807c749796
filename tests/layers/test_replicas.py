"""Layers with weights and losses train on two replicas as on one device."""

import keras
import numpy as np
import pytest

from tests.layers import test_cross_batch_memory as memories
from tests.layers import test_faces as faces
from tests.tools import BACKEND
from tests.tools import array
from tfx_extras import layers
from tfx_extras import losses

if BACKEND == "tensorflow":
    import tensorflow as tf

pytestmark = pytest.mark.only("tensorflow")


def on(devices, make):
    """What `make` returns, with its variables on some devices."""
    # Collectives of two strategies in one process may be taken for each other.
    to_one = tf.distribute.ReductionToOneDevice()
    strategy = tf.distribute.MirroredStrategy(devices, cross_device_ops=to_one)
    with strategy.scope():
        return make()


def headed(head, **options):
    """A model that trains the head of faces, and the head."""
    layer = faces.build(head, **options)
    inputs = keras.Input((4,)), keras.Input((), dtype="int32")
    model = keras.Model(inputs, layer(*inputs))
    model.compile(keras.optimizers.SGD(0.01))
    return model, layer


@faces.each_head
def test_the_state_is_the_mean_of_that_of_the_replicas(head):
    _, update, start = faces.REFERENCES[head]
    model, layer = on(["CPU:0", "CPU:1"], lambda: headed(head, momentum=0.5))
    x, y = faces.BATCHES[0], faces.LABELS[0]
    model.fit([x, y], batch_size=8, shuffle=False, verbose=0)
    halves = [
        update(x[rows], y[rows], start, 0.5) for rows in np.split(np.arange(8), 2)
    ]
    np.testing.assert_allclose(faces.state(layer), np.mean(halves, axis=0), rtol=1e-5)


def trained(devices):
    """The kernels after some updates: with margins that depend on no state."""

    def make():
        inputs = keras.Input((4,)), keras.Input((), dtype="int32")
        cosines = layers.CosineDense(faces.CLASSES, centers=2)
        heads = (
            faces.build(layers.AdaFace, h=0.0),
            faces.build(layers.ChunkedLinearCrossentropy, use_bias=False),
        )
        outputs = [cosines(inputs[0]), *(head(*inputs) for head in heads)]
        cosines.kernel.assign(np.concatenate([faces.KERNEL, -faces.KERNEL], axis=1))
        model = keras.Model(inputs, outputs)
        loss = [losses.ArcFaceLoss(scale=4.0), None, None]
        model.compile(keras.optimizers.SGD(0.01), loss)
        return model, (cosines, *heads)

    model, parts = on(devices, make)
    x, y = faces.BATCHES.reshape(-1, 4), faces.LABELS.reshape(-1)
    model.fit([x, y], [y, y, y], batch_size=8, shuffle=False, verbose=0)
    return [array(part.kernel) for part in parts]


def test_centers_are_trained_as_on_one_device():
    one, two = trained(["CPU:0"]), trained(["CPU:0", "CPU:1"])
    assert all(np.abs(k[:, :6] - faces.KERNEL).max() > 1e-3 for k in one)
    for a, b in zip(one, two, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_each_replica_compares_with_a_memory_of_its_own():
    def make():
        layer = memories.build(size=4)
        inputs = keras.Input((3,)), keras.Input((), dtype="int32")
        hidden = keras.layers.Dense(3, kernel_initializer="identity")(inputs[0])
        model = keras.Model(inputs, layer(hidden, inputs[1]))
        model.compile(keras.optimizers.SGD(0.0))
        return model, layer

    model, layer = on(["CPU:0", "CPU:1"], make)
    x, y = memories.BATCHES[:, :4], memories.LABELS[:, :4]
    history = model.fit(
        [x.reshape(-1, 3), y.reshape(-1)], batch_size=4, shuffle=False, verbose=0
    )
    # Keras reads the variables of the first replica.
    newest = np.concatenate([x[-1, :2], x[-2, :2]])
    np.testing.assert_allclose(array(layer.memory), newest, rtol=1e-6)
    values = []
    for i in range(len(x)):
        for rows in (slice(0, 2), slice(2, 4)):
            old, their = (a[max(i - 1, 0) : i, rows] for a in (x, y))
            columns = np.concatenate([x[i, rows], old.reshape(-1, 3)])
            labels = np.concatenate([y[i, rows], their.reshape(-1)])
            case = memories.supervised_contrastive(
                x[i, rows], y[i, rows], columns, labels
            )
            values.append(case.mean())
    np.testing.assert_allclose(history.history["loss"], np.mean(values), rtol=1e-5)
