"""`ScheduleFree` moves weights and their average like the package of its authors."""

import keras
import numpy as np
import pytest
from keras import ops

from tests import tools
from tests.parity import inputs
from tests.parity.test_optimizers import TOLERANCE
from tests.parity.test_optimizers import assert_moves_alike
from tfx_extras.optimizers import AdamW
from tfx_extras.optimizers import RAdam
from tfx_extras.optimizers import ScheduleFree
from tfx_extras.schedules import Warmup

GOLDEN = inputs.Golden("schedulefree")
HAS_GPU = len(tools.devices()) > 1
pytestmark = pytest.mark.only("torch", *([tools.BACKEND] if HAS_GPU else []))


def _ours(kind, arguments):
    """Our optimizer with the arguments of theirs."""
    arguments = dict(arguments)
    rate = arguments.pop("lr", None)
    if warmup_steps := arguments.pop("warmup_steps", 0):
        rate = Warmup(rate, warmup_steps, first_step_nonzero=True)
    beta_1, beta_2 = arguments.pop("betas", (0.9, 0.999))
    beta = arguments.pop("momentum", beta_1)
    if "weight_decay_at_y" in arguments:
        arguments["weight_decay"] = arguments.pop("weight_decay_at_y")
    if kind.startswith("AdamW"):
        epsilon = arguments.pop("eps", 1e-8)
        inner = AdamW(rate, 0.0, beta_2, epsilon, weight_decay=None)
    elif kind == "RAdam":
        inner = RAdam(rate, 0.0, beta_2, 1e-8, sma_threshold=4.0)
    else:
        if rates := arguments.pop("rates", None):
            ends, values = rates
            last = [end - 1 for end in ends]  # Keras counts steps from 0
            rate = keras.optimizers.schedules.PiecewiseConstantDecay(last, values)
        inner = keras.optimizers.SGD(rate)
    return ScheduleFree(inner, beta, **arguments)


def trajectories(optimizer, dtype):
    """The weights and their average after each step of `inputs.STEPS`."""
    given = inputs.optimizers()
    weights = keras.Variable(given["start"].astype(dtype), dtype=dtype)
    recorded = {"weights": [], "average": []}
    for step, gradient in enumerate(given["gradients"].astype(dtype), 1):
        optimizer.apply([ops.convert_to_tensor(gradient)], [weights])
        if step in inputs.STEPS:
            recorded["weights"].append(tools.array(weights))
            optimizer.swap()
            recorded["average"].append(tools.array(weights))
            optimizer.swap()
    return {key: np.stack(values) for key, values in recorded.items()}


@tools.each_device
@pytest.mark.parametrize("name", GOLDEN.cases)
def test_it_moves_as_that_of_its_authors(name, device):
    optimizer = _ours(name.split(":")[0], GOLDEN.cases[name]["arguments"])
    with tools.wide(), keras.device(device):
        moves = trajectories(optimizer, "float64")
    for key, ours in moves.items():
        assert_moves_alike(ours, GOLDEN.arrays[f"{name}/{key}"], TOLERANCE)


@tools.each_device
@pytest.mark.parametrize("name", GOLDEN.cases)
def test_it_moves_as_that_of_its_authors_in_float32(name, device):
    optimizer = _ours(name.split(":")[0], GOLDEN.cases[name]["arguments"])
    with keras.device(device):
        moves = trajectories(optimizer, "float32")
    for key, ours in moves.items():
        theirs = GOLDEN.arrays[f"{name}/{key}"]
        assert_moves_alike(ours, theirs, 1e-5, "float32")
