"""Writes `goldens/pytorch_optimizer.npz`: pytorch_optimizer, in `float64`.

python3.11 -m venv .venv-torch
.venv-torch/bin/pip install pytorch-optimizer==4.1.0 torch==2.13.0 numpy==2.4.6
.venv-torch/bin/python -m tests.parity.make_pytorch_optimizer
"""

from importlib.metadata import version

import numpy as np
import torch
from pytorch_optimizer import Adan

from tests.parity import inputs

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


def trajectory(make):
    given = inputs.optimizers()
    weights = torch.nn.Parameter(torch.from_numpy(given["start"].copy()))
    optimizer = make([weights])
    recorded = []
    for step, gradient in enumerate(given["gradients"], 1):
        weights.grad = torch.from_numpy(gradient.copy())
        optimizer.step()
        if step in inputs.STEPS:
            recorded.append(weights.detach().numpy().copy())
    return np.stack(recorded)


def main():
    cases, outputs = {}, {}
    for title, case in ADANS.items():
        name, arguments = f"Adan:{title}", ADAN | case
        cases[name] = {"dtype": "float64", "arguments": arguments}
        weights = trajectory(lambda weights, a=arguments: Adan(weights, **a))
        outputs[name] = {"weights": weights}
    packages = "pytorch-optimizer", "torch"
    versions = {package: version(package) for package in packages}
    inputs.save("pytorch_optimizer", versions, cases, outputs)


if __name__ == "__main__":
    main()
