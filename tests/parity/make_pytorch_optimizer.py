"""Writes `goldens/pytorch_optimizer.npz`: pytorch_optimizer, in `float64`.

python3.11 -m venv .venv-torch
.venv-torch/bin/pip install pytorch-optimizer==4.1.0 torch==2.13.0 numpy==2.4.6
.venv-torch/bin/python -m tests.parity.make_pytorch_optimizer

The iterations of NorMuon are in `bfloat16` there. Here they are in `float64`: `main`
replaces the default dtype of their function.
"""

from functools import partial
from importlib.metadata import version

import torch
from pytorch_optimizer import Adan
from pytorch_optimizer import AdEMAMix
from pytorch_optimizer import NorMuon
from pytorch_optimizer.optimizer.gradient_centralization import centralize_gradient
from pytorch_optimizer.optimizer.muon import base
from pytorch_optimizer.optimizer.muon import normuon

from tests.parity import inputs
from tests.parity.torch_moves import kernel_trajectory
from tests.parity.torch_moves import trajectory

ADAN = {
    "lr": 2.0**-6,
    "betas": [0.98, 0.92, 0.99],
    "eps": 1e-8,
    "weight_decay": 0.0,
    "weight_decouple": False,
}
ADANS = {
    "default": {},
    "proximal decay": {"weight_decay": 0.1},
    "decay": {"weight_decay": 0.1, "weight_decouple": True},
    "short": {"betas": [0.5, 0.75, 0.9], "eps": 1e-3},
}
ADEMAMIX = {"lr": 2.0**-6, "weight_decouple": True, "weight_decay": 0.0}
ADEMAMIXES = {
    "warm-up": {"t_alpha_beta3": 20},
    "warm-up, short": {
        "t_alpha_beta3": 5,
        "betas": [0.5, 0.9, 0.95],
        "alpha": 2.0,
        "eps": 1e-3,
    },
}
NORMUON = {
    "lr": 2.0**-6,
    "momentum": 0.95,
    "beta2": 0.95,
    "weight_decay": 0.0,
    "update_scale": "match_rms",  # the length of the paper
}
NORMUONS = {
    "wide": {"form": "wide"},
    "tall": {"form": "tall", "momentum": 0.5, "beta2": 0.5},
    "convolution": {"form": "convolution", "weight_decay": 0.1},
}
MOMENTUM = {"lr": 2.0**-6, "momentum": 0.5}
CENTRALIZED = ("convolution", "tall", "wide", "vector")


def centralizing(weights):
    """SGD with momentum, whose gradients are centralized."""
    optimizer = torch.optim.SGD(weights, **MOMENTUM)
    optimizer.register_step_pre_hook(
        lambda *_: centralize_gradient(weights[0].grad),
    )
    return optimizer


def main():
    iterations = partial(base.zero_power_via_newton_schulz_5, dtype=torch.float64)
    base.zero_power_via_newton_schulz_5 = iterations
    normuon.zero_power_via_newton_schulz_5 = iterations
    cases, outputs = {}, {}
    for title, case in ADANS.items():
        name, arguments = f"Adan:{title}", ADAN | case
        cases[name] = {"dtype": "float64", "arguments": arguments}
        weights = trajectory(lambda weights, a=arguments: Adan(weights, **a))
        outputs[name] = {"weights": weights}
    for title, case in ADEMAMIXES.items():
        name, arguments = f"AdEMAMix:{title}", ADEMAMIX | case
        cases[name] = {"dtype": "float64", "arguments": arguments}
        weights = trajectory(lambda weights, a=arguments: AdEMAMix(weights, **a))
        outputs[name] = {"weights": weights}
    for title, case in NORMUONS.items():
        name, arguments = f"NorMuon:{title}", NORMUON | case
        cases[name] = {"dtype": "float64", "arguments": dict(arguments)}
        form = arguments.pop("form")

        def of(weights, arguments=arguments):
            return NorMuon([{"params": weights, "use_muon": True, **arguments}])

        outputs[name] = {"weights": kernel_trajectory(of, form)}
    for form in CENTRALIZED:
        name = f"centralize_gradient:{form}"
        cases[name] = {"dtype": "float64", "arguments": MOMENTUM | {"form": form}}
        outputs[name] = {"weights": kernel_trajectory(centralizing, form)}
    packages = "pytorch-optimizer", "torch"
    versions = {package: version(package) for package in packages}
    inputs.save("pytorch_optimizer", versions, cases, outputs)


if __name__ == "__main__":
    main()
