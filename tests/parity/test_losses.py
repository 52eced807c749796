"""Losses have the values and gradients of other libraries."""

import keras
import numpy as np
import pytest
from keras import ops

from tests import tools
from tests.parity import inputs
from tfx_extras.losses import contrastive_loss
from tfx_extras.losses import huber
from tfx_extras.losses import sigmoid_focal_crossentropy
from tfx_extras.losses import smooth_l1
from tfx_extras.losses import smoothed_categorical_crossentropy
from tfx_extras.losses import smoothed_sparse_categorical_crossentropy

TFA = inputs.Golden("tfa")
TORCH = inputs.Golden("torch")
OPTAX = inputs.Golden("optax")
# The formulas are the same on all backends, and references test each backend.
HAS_GPU = len(tools.devices()) > 1
pytestmark = pytest.mark.only("torch", *([tools.BACKEND] if HAS_GPU else []))
each_dtype = pytest.mark.parametrize(
    ("dtype", "tolerance"), [("float64", 1e-9), ("float32", 1e-5)]
)


def assert_alike(golden, name, function, dtype, device, tolerance, mean=False):
    """Compares `function(y_true, y_pred, **arguments)` and its gradient with a golden.

    With `mean`, the golden has one value per class, or their sum; ours has their mean.
    """
    case, given = golden.cases[name], inputs.losses()
    y_true, y_pred = (given[case[key]] for key in ("y_true", "y_pred"))
    if y_true.dtype.kind == "f":
        y_true = y_true.astype(dtype)
    y_pred = y_pred.astype(dtype)
    value = golden.arrays[f"{name}/value"]
    gradient = golden.arrays[f"{name}/gradient"]
    if mean:
        classes = y_pred.shape[-1]
        value = value.reshape(len(y_pred), -1).sum(-1) / classes
        gradient = gradient / classes
    with tools.wide(), keras.device(device):
        labels = ops.convert_to_tensor(y_true)

        def loss(y_pred):
            return function(labels, y_pred, **case["arguments"])

        actual, slope = tools.values_and_gradient(loss, y_pred)
    assert actual.shape == value.shape
    np.testing.assert_allclose(actual, value, rtol=tolerance)
    # The terms of a gradient cancel: their size is near that of the sample's largest.
    largest = np.abs(gradient).max(-1, keepdims=True)
    scale = np.abs(gradient) + 1e-2 * largest
    assert (np.abs(slope - gradient) <= tolerance * scale).all()


@tools.each_device
@each_dtype
@pytest.mark.parametrize("name", TFA.named("sigmoid_focal_crossentropy"))
def test_focal_crossentropy_is_that_of_tensorflow_addons(
    name, dtype, tolerance, device
):
    function = sigmoid_focal_crossentropy
    # TensorFlow Addons sums over the classes.
    assert_alike(TFA, name, function, dtype, device, tolerance, mean=True)


@tools.each_device
@each_dtype
@pytest.mark.parametrize("name", OPTAX.named("sigmoid_focal_loss"))
def test_focal_crossentropy_is_that_of_optax(name, dtype, tolerance, device):
    def function(y_true, y_pred, alpha, gamma):
        return sigmoid_focal_crossentropy(
            y_true, y_pred, alpha, gamma, from_logits=True
        )

    assert_alike(OPTAX, name, function, dtype, device, tolerance, mean=True)


@tools.each_device
@each_dtype
@pytest.mark.parametrize("name", TFA.named("contrastive_loss"))
def test_contrastive_loss_is_that_of_tensorflow_addons(name, dtype, tolerance, device):
    assert_alike(TFA, name, contrastive_loss, dtype, device, tolerance)


@tools.each_device
@each_dtype
@pytest.mark.parametrize("name", TORCH.named("cross_entropy"))
def test_smoothed_crossentropy_is_that_of_pytorch(name, dtype, tolerance, device):
    ours = {
        "classes": smoothed_sparse_categorical_crossentropy,
        "targets": smoothed_categorical_crossentropy,
    }[TORCH.cases[name]["y_true"]]

    def function(y_true, y_pred, label_smoothing, weight=False, ignore_index=None):
        return ours(
            y_true,
            y_pred,
            label_smoothing,
            ignore_class=ignore_index,
            class_weight=inputs.losses()["class_weights"].tolist() if weight else None,
            from_logits=True,
        )

    assert_alike(TORCH, name, function, dtype, device, tolerance)


@tools.each_device
@each_dtype
@pytest.mark.parametrize(
    "name", TORCH.named("huber_loss") + TORCH.named("smooth_l1_loss")
)
def test_huber_and_smooth_l1_are_those_of_pytorch(name, dtype, tolerance, device):
    function = {"huber_loss": huber, "smooth_l1_loss": smooth_l1}[name.split(":")[0]]
    assert_alike(TORCH, name, function, dtype, device, tolerance, mean=True)
