"""Layers with state train alike in compiled steps, on PyTorch."""

import keras
import numpy as np
import pytest

from tests.tools import array
from tfx_extras import layers
from tfx_extras import losses

pytestmark = pytest.mark.only("torch")


def trained(jit_compile):
    """Weights after three steps, in which the state decides about the gradient."""
    keras.utils.set_random_seed(1)
    image, label = keras.Input((6,)), keras.Input((), dtype="int32")
    x = keras.layers.Dense(4)(image)
    teacher = keras.ops.stack([x, 2 * x], axis=1)
    memory = layers.CrossBatchMemory(losses.TripletSemiHardLoss(), 30, warmup=2)
    outputs = [
        memory(x, label),
        layers.AdaFace(4, h=0.5, scale=4.0, momentum=0.5)(x, label),
        layers.CurricularFace(4, scale=4.0, momentum=0.5)(x, label),
        layers.DINOCenter(0.5)(3 * teacher, teacher),
    ]
    model = keras.Model([image, label], outputs)
    model.compile(keras.optimizers.SGD(0.1), jit_compile=jit_compile)
    random = np.random.default_rng(0)
    images = 3 * random.normal(size=(48, 6)).astype("float32")
    classes = random.integers(0, 4, 48)
    model.fit([images, classes], batch_size=16, shuffle=False, verbose=0)
    return [array(weight) for weight in model.weights]


def test_gradients_are_those_of_the_state_before_the_step():
    """`torch.compile` computes cheap values again, from buffers changed meanwhile."""
    for one, two in zip(trained(False), trained(True), strict=True):
        np.testing.assert_allclose(two, one, rtol=1e-4, atol=1e-5)
