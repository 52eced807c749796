"""Optimizers, their options and averages move as those of timm and diffusers."""

import keras
import pytest
from keras import ops

from tests import tools
from tests.parity import inputs
from tests.parity.test_optimizers import LAYOUTS
from tests.parity.test_optimizers import TOLERANCES
from tests.parity.test_optimizers import assert_moves_alike
from tests.parity.test_optimizers import each_dtype
from tests.parity.test_optimizers import kernel_trajectory
from tests.parity.test_optimizers import momentum
from tests.parity.test_optimizers import trajectory
from tfx_extras.optimizers import LARS
from tfx_extras.optimizers import AdamW
from tfx_extras.optimizers import Adan
from tfx_extras.optimizers import MovingAverage

GOLDEN = inputs.Golden("timm_optimizers")


def lars(arguments):
    is_adapted = "weight_decay" in arguments or "always_adapt" in arguments
    return LARS(
        arguments["lr"],
        arguments.get("momentum", 0.0),
        arguments.get("trust_coeff", 0.001),
        arguments.get("eps", 1e-8),
        arguments.get("nesterov", False),
        [] if is_adapted else ["."],
        weight_decay=arguments.get("weight_decay"),
    )


def adan(arguments):
    return Adan(
        arguments["lr"],
        *arguments.get("betas", [0.98, 0.92, 0.99]),
        arguments.get("eps", 1e-8),
        proximal=not arguments.get("no_prox", False),
        weight_decay=arguments.get("weight_decay"),
    )


def adamw(arguments):
    rate = arguments["lr"]
    if "rates" in arguments:
        ends, values = arguments["rates"]
        last = [end - 1 for end in ends]  # Keras counts steps from 0
        rate = keras.optimizers.schedules.PiecewiseConstantDecay(last, values)
    return AdamW(
        rate,
        *arguments.get("betas", [0.9, 0.999]),
        arguments.get("eps", 1e-8),
        weight_decay=arguments["weight_decay"],
        cautious=arguments.get("caution", False),
        corrected_decay=arguments.get("corrected_weight_decay", False),
    )


OURS = {"Lars": lars, "Adan": adan, "AdamW": adamw}


@tools.each_device
@each_dtype
@pytest.mark.parametrize("name", [n for symbol in OURS for n in GOLDEN.named(symbol)])
def test_optimizers_move_as_those_of_timm(name, dtype, device):
    arguments = GOLDEN.cases[name]["arguments"]
    with tools.wide(), keras.device(device):
        moves = trajectory(OURS[name.split(":")[0]](arguments), dtype)
    theirs = GOLDEN.arrays[f"{name}/weights"]
    assert_moves_alike(moves, theirs, TOLERANCES[dtype], dtype)


@tools.each_device
@each_dtype
@pytest.mark.parametrize("name", GOLDEN.named("adaptive_clip_grad"))
def test_gradients_are_clipped_as_by_timm(name, dtype, device):
    arguments = GOLDEN.cases[name]["arguments"]
    form = arguments["form"]
    assert form in LAYOUTS
    with tools.wide(), keras.device(device):
        optimizer = momentum(arguments, adaptive_clip=arguments["clip_factor"])
        moves = kernel_trajectory(optimizer, form, dtype)
    theirs = GOLDEN.arrays[f"{name}/weights"]
    assert_moves_alike(moves, theirs, TOLERANCES[dtype], dtype, form)


def moving_average(arguments):
    """Ours around SGD, with the arguments of theirs."""
    is_delayed = "step" in arguments or "use_ema_warmup" in arguments
    warmup = {}
    if arguments.get("use_warmup") or arguments.get("use_ema_warmup"):
        warmup = {
            "warmup": "inverse",
            "warmup_gamma": arguments.get("warmup_gamma", arguments.get("inv_gamma")),
            "warmup_power": arguments.get("warmup_power", arguments.get("power")),
        }
    return MovingAverage(
        keras.optimizers.SGD(arguments["lr"]),
        arguments["decay"],
        start_step=arguments.get("update_after_step", 0) + 1 if is_delayed else 0,
        **warmup,
    )


@tools.each_device
@each_dtype
@pytest.mark.parametrize("name", GOLDEN.named("ModelEmaV3") + GOLDEN.named("EMAModel"))
def test_averages_move_as_those_of_timm_and_diffusers(name, dtype, device):
    given, recorded = inputs.optimizers(), []
    with tools.wide(), keras.device(device):
        optimizer = moving_average(GOLDEN.cases[name]["arguments"])
        weights = keras.Variable(given["start"].astype(dtype), dtype=dtype)
        for step, gradient in enumerate(given["gradients"].astype(dtype), 1):
            optimizer.apply([ops.convert_to_tensor(gradient)], [weights])
            if step in inputs.STEPS:
                optimizer.swap()
                recorded.append(tools.array(weights))
                optimizer.swap()
    theirs = GOLDEN.arrays[f"{name}/average"]
    assert_moves_alike(recorded, theirs, TOLERANCES[dtype], dtype)
