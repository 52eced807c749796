"""Ordinal, consistency, robust and landmark losses have the values of their peers."""

import keras
import numpy as np
import pytest
from keras import ops

from tests import tools
from tests.parity import inputs
from tfx_extras import losses

PEERS = inputs.Golden("ordinal_and_robust")
# The formulas are the same on all backends, and references test each backend.
HAS_GPU = len(tools.devices()) > 1
pytestmark = pytest.mark.only("torch", *([tools.BACKEND] if HAS_GPU else []))


def coral(y, z, importance_weights=False):
    weights = np.linspace(0.5, 1.5, z.shape[-1])
    return losses.coral_loss(y, z, weights if importance_weights else None)


def corn(y, z):
    """The number of coral-pytorch is that of the batch."""
    return ops.sum(losses.corn_loss(y, z)) / len(y)


def wasserstein(y, p):
    return losses.earth_mover_loss(y / y.sum(-1, keepdims=True), p, r=1.0)


def jensen_shannon(y, z):
    """The number of timm is that of the batch."""
    return ops.sum(losses.jensen_shannon_loss(None, z)) / len(z)


OURS = {
    "coral_loss": coral,
    "corn_loss": corn,
    "jsd": jensen_shannon,
    "kl_div": losses.r_drop_loss,
    "lossfun": losses.general_robust_loss,
    "WingLoss": lambda y, p, omega=10.0, epsilon=2.0: losses.wing_loss(
        y, p, width=omega, curvature=epsilon
    ),
    "AdaptiveWingLoss": losses.adaptive_wing_loss,
}
# These return a value for each prediction, of which ours is the mean.
OF_EACH = ("lossfun", "WingLoss", "AdaptiveWingLoss")


def given(name, dtype):
    case, arrays = PEERS.cases[name], inputs.losses()
    y = arrays[case["y_true"]]
    y = y.astype(dtype) if y.dtype.kind == "f" else y
    keys = case["y_pred"]
    x = (
        np.stack([arrays[k] for k in keys], 1)
        if isinstance(keys, list)
        else arrays[keys]
    )
    return y, x.astype(dtype), case["arguments"]


@tools.each_device
@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-9), ("float32", 2e-5)])
@pytest.mark.parametrize("name", [n for n in PEERS.cases if "wasserstein" not in n])
def test_values_and_gradients_are_those_of_the_peer(name, dtype, tolerance, device):
    symbol = name.split(":")[0]
    y, x, arguments = given(name, dtype)
    with tools.wide(), keras.device(device):
        y = ops.convert_to_tensor(y)
        actual, slopes = tools.values_and_gradient(
            lambda x: OURS[symbol](y, x, **arguments), x
        )
    share = 1 / x.shape[-1] if symbol in OF_EACH else 1
    expected = PEERS.arrays[f"{name}/value"]
    expected = expected.mean(-1) if symbol in OF_EACH else expected
    np.testing.assert_allclose(actual, expected, rtol=tolerance)
    if f"{name}/gradient" not in PEERS.arrays:
        return  # it is not finite
    gradient = share * PEERS.arrays[f"{name}/gradient"]
    # The terms of a gradient cancel: their size is near that of the sample's largest.
    axes = tuple(range(1, gradient.ndim))
    scale = np.abs(gradient) + 1e-2 * np.abs(gradient).max(axes, keepdims=True)
    np.testing.assert_array_less(np.abs(slopes - gradient), tolerance * scale + 1e-300)


@pytest.mark.parametrize("labels", ["classes", "targets"])
def test_earth_mover_loss_is_the_distance_of_scipy_divided_by_the_classes(labels):
    name = f"wasserstein_distance:{labels}"
    y, p, _ = given(name, "float64")
    if labels == "classes":
        actual = losses.earth_mover_loss(y, p, r=1.0)
    else:
        actual = wasserstein(y, p)
    expected = PEERS.arrays[f"{name}/value"] / p.shape[-1]
    np.testing.assert_allclose(tools.array(actual), expected, rtol=1e-12)
