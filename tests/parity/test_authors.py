"""Optimizers move weights as the code of their authors does."""

import keras
import numpy as np
import pytest

from tests import tools
from tests.parity import inputs
from tests.parity.test_optimizers import LAYOUTS
from tests.parity.test_optimizers import TOLERANCES
from tests.parity.test_optimizers import assert_moves_alike
from tests.parity.test_optimizers import each_dtype
from tests.parity.test_optimizers import kernel_trajectory
from tests.parity.test_optimizers import trajectory
from tfx_extras.optimizers import ADOPT
from tfx_extras.optimizers import SOAP
from tfx_extras.optimizers import Adan
from tfx_extras.optimizers import AdEMAMix
from tfx_extras.optimizers import Muon

GOLDEN = inputs.Golden("authors")


def muon(arguments):
    return Muon(
        arguments["lr"],
        arguments.get("momentum", 0.95),
        scale="spectral",
        weight_decay=arguments.get("weight_decay"),
        layouts={".": LAYOUTS[arguments["form"]]},
    )


def adam_of_muon(arguments):
    return Muon(
        1.0,
        adam_beta_1=arguments["betas"][0],
        adam_beta_2=arguments["betas"][1],
        adam_epsilon=arguments["eps"],
        adam_learning_rate_factor=arguments["lr"],
        weight_decay=arguments["weight_decay"],
        layouts={".": None},
    )


def ademamix(arguments):
    return AdEMAMix(
        arguments["lr"],
        *arguments.get("betas", [0.9, 0.999, 0.9999]),
        alpha=arguments.get("alpha", 2.0),
        epsilon=arguments.get("eps", 1e-8),
        weight_decay=arguments.get("weight_decay"),
    )


def soap(arguments):
    return SOAP(
        arguments["lr"],
        *arguments.get("betas", [0.95, 0.95]),
        arguments.get("shampoo_beta"),
        arguments.get("eps", 1e-8),
        arguments.get("precondition_frequency", 10),
        arguments.get("max_precond_dim", 10000),
    )


def adopt(arguments):
    return ADOPT(
        arguments["lr"],
        *arguments.get("betas", [0.9, 0.9999]),
        arguments.get("eps", 1e-6),
        None if "clip_lambda" in arguments else 0.25,
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


OURS = {
    "Muon": muon,
    "Muon's Adam": adam_of_muon,
    "AdEMAMix": ademamix,
    "SOAP": soap,
    "ADOPT": adopt,
    "Adan": adan,
}


@tools.each_device
@each_dtype
@pytest.mark.parametrize("name", GOLDEN.cases)
def test_it_moves_as_that_of_its_authors(name, dtype, device):
    arguments, theirs = (
        GOLDEN.cases[name]["arguments"],
        GOLDEN.arrays[f"{name}/weights"],
    )
    symbol, form = name.split(":")[0], arguments.get("form")
    with tools.wide(), keras.device(device):
        optimizer = OURS[symbol](arguments)
        if form is None:
            moves = trajectory(optimizer, dtype, columns=theirs.shape[-1])
        else:
            moves = kernel_trajectory(optimizer, form, dtype)
    tolerance = TOLERANCES[dtype]
    if symbol == "ADOPT":
        # Where the first gradient is 0, the authors divide the next one by epsilon.
        begins = inputs.optimizers()["gradients"][0] != 0
        assert begins.sum() == 9
        moves = np.where(begins, moves, theirs)
    is_mixed = symbol == "SOAP" and dtype == "float32"
    if is_mixed:
        # A rotation gives each element a part of the rounding of the largest. The
        # largest error is 7e-6, and 4e-5 with the decompositions of TensorFlow.
        tolerance = 1e-4
    assert_moves_alike(moves, theirs, tolerance, dtype, form, is_mixed)
