"""Layers with weights and losses train on two replicas as on one device."""

import keras
import numpy as np
import pytest

from tests.layers import test_cross_batch_memory as memories
from tests.layers import test_dino_center as dino
from tests.layers import test_faces as faces
from tests.layers import test_uncertainty_weighting as weighting
from tests.references import self_supervised
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
        cosines = layers.CosineDense(faces.CLASSES, centers=2, merge_weight=3.0)
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


def of_views(gather):
    """A model that keeps the center of DINO and trains a student, and its layer."""
    views, teacher = keras.Input((3, 4)), keras.Input((2, 4))
    student = keras.layers.Dense(4, kernel_initializer="ones")
    layer = dino.build(gather=gather, teacher_temperature=dino.WARMUP)
    model = keras.Model([views, teacher], layer(student(views), teacher))
    model.compile(keras.optimizers.SGD(0.01))
    return model, layer


@pytest.mark.parametrize("gather", [False, True])
def test_the_center_is_the_mean_of_that_of_the_replicas(gather):
    found = []
    for devices in (["CPU:0"], ["CPU:0", "CPU:1"]):
        model, layer = on(devices, lambda: of_views(gather))
        x = [dino.STUDENTS.reshape(-1, 3, 4), dino.TEACHERS.reshape(-1, 2, 4)]
        model.fit(x, batch_size=6, shuffle=False, verbose=0)
        assert array(layer.steps) == 5
        found.append([array(v) for v in model.weights])
    center = 0.0
    for t in dino.TEACHERS:
        center = self_supervised.dino_center(t, center, 0.6)
    np.testing.assert_allclose(array(layer.center), center, rtol=1e-5)
    # With a center of its own on each replica, the losses are not those of one device.
    for one, two in zip(*found, strict=True):
        close = np.abs(one - two).max() <= 1e-5 * np.abs(one).max()
        assert close or not gather


@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum"])
def test_log_variances_are_trained_as_on_one_device(reduction):
    found = []

    def make():
        model, layer = weighting.taught(
            "float32",
            keras.optimizers.SGD(0.01),
            start=[0.5, -0.5],
            reduction=reduction,
        )
        return model, layer

    for devices in (["CPU:0"], ["CPU:0", "CPU:1"]):
        model, layer = on(devices, make)
        x = list(weighting.DATA)
        history = model.fit(x, batch_size=8, shuffle=False, verbose=0).history
        assert (array(layer.log_variances) != [0.5, -0.5]).all()
        found.append([*history["loss"], *map(array, model.weights)])
    for one, two in zip(*found, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-6)
