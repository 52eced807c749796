"""Preference losses and losses of two views have the values of their peers."""

import keras
import numpy as np
import pytest
from keras import ops

from tests import tools
from tests.parity import inputs
from tfx_extras import losses

PEERS = inputs.Golden("preference")
# The formulas are the same on all backends, and references test each backend.
HAS_GPU = len(tools.devices()) > 1
pytestmark = pytest.mark.only("torch", *([tools.BACKEND] if HAS_GPU else []))


def orpo(y, p, beta):
    """TRL adds the cross-entropy elsewhere."""
    return losses.orpo_loss(y, p, beta) + p[:, 0]


def simpo(y, p, beta, simpo_gamma):
    return losses.simpo_loss(y, p, beta, simpo_gamma)


def reward(y, p):
    return ops.sum(losses.reward_loss(y, p)) / len(p)


def log_probabilities(y, z):
    return losses.sequence_log_probabilities(y, z, ignore_class=-100)


def vicreg(y, z, lambda_param=25.0, mu_param=25.0, nu_param=1.0, eps=1e-4):
    values = losses.vicreg_loss(y, z, lambda_param, mu_param, nu_param, eps)
    return ops.sum(values) / len(z)


def barlow(y, z, lambda_param=0.005):
    return ops.sum(losses.barlow_twins_loss(y, z, lambda_param)) / len(z)


OURS = {
    "dpo": losses.dpo_loss,
    "ipo": losses.ipo_loss,
    "orpo": orpo,
    "simpo": simpo,
    "reward": reward,
    "logps": log_probabilities,
    "vicreg": vicreg,
    "barlow": barlow,
}


@tools.each_device
@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-9), ("float32", 2e-5)])
@pytest.mark.parametrize("name", PEERS.cases)
def test_values_and_gradients_are_those_of_the_peer(name, dtype, tolerance, device):
    case, arrays = PEERS.cases[name], inputs.preference()
    y, x = arrays.get(case["y_true"]), arrays[case["y_pred"]].astype(dtype)
    if y is not None and y.dtype.kind == "f":
        y = y.astype(dtype)
    with tools.wide(), keras.device(device):
        y = None if y is None else ops.convert_to_tensor(y)
        actual, slopes = tools.values_and_gradient(
            lambda x: OURS[name.split(":")[0]](y, x, **case["arguments"]), x
        )
    expected = PEERS.arrays[f"{name}/value"]
    gradient = PEERS.arrays[f"{name}/gradient"]
    # The ORPO test subtracts the cross-entropy again, which rounds in its size.
    least = tolerance * np.abs(expected).max() if name.startswith("orpo") else 0
    np.testing.assert_allclose(actual, expected, rtol=tolerance, atol=least)
    axes = tuple(range(1, gradient.ndim))
    scale = np.abs(gradient) + 1e-2 * np.abs(gradient).max(axes, keepdims=True)
    np.testing.assert_array_less(np.abs(slopes - gradient), tolerance * scale + 1e-300)
