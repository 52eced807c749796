"""Writes `goldens/prodigy_and_soap.npz`: what other packages compute, in `float64`.

python3.11 -m venv .venv-torch
.venv-torch/bin/pip install prodigyopt==1.1.2 pytorch-optimizer==4.1.0 torch==2.13.0
.venv-torch/bin/python -m tests.parity.make_prodigy_and_soap
"""

from importlib.metadata import version

import numpy as np
import torch
from prodigyopt import Prodigy
from pytorch_optimizer import SOAP

from tests.parity import inputs

PRODIGY = {"lr": 1.0, "d0": 2.0**-10, "d_coef": 8.0}
PRODIGIES = {
    "default": {},
    "decay": {"weight_decay": 0.1, "beta3": 0.75, "eps": 1e-3, "d_coef": 0.5},
    "corrected": {"use_bias_correction": True, "betas": [0.5, 0.9]},
    "slow": {"growth_rate": 1.05, "safeguard_warmup": True, "lr": 0.5},
}
SOAP_ARGUMENTS = {
    "lr": 2.0**-6,
    "betas": [0.95, 0.95],
    "shampoo_beta": None,
    "eps": 1e-8,
    "precondition_frequency": 100,
    "max_precondition_dim": 10000,
    "weight_decay": 0.0,
}
SOAPS = {
    "default": {"precondition_frequency": 10},
    "one basis": {},
    "short": {"betas": [0.5, 0.75], "shampoo_beta": 0.5, "eps": 1e-3},
    "without bases": {"max_precondition_dim": 2},
}


def trajectory(make, columns):
    """The weights after some steps, and what the optimizer estimates in each."""
    given = inputs.optimizers()
    start = torch.from_numpy(given["start"][:, :columns].copy())
    weights = torch.nn.Parameter(start)
    optimizer = make([weights])
    recorded, estimates = [], []
    for step, gradient in enumerate(given["gradients"][:, :, :columns], 1):
        weights.grad = torch.from_numpy(gradient.copy())
        optimizer.step()
        if step in inputs.STEPS:
            recorded.append(weights.detach().numpy().copy())
            estimates.append(optimizer.param_groups[0].get("d", 0.0))
    return {"weights": np.stack(recorded), "estimates": np.array(estimates)}


def main():
    cases, outputs = {}, {}
    for title, case in PRODIGIES.items():
        name, arguments = f"Prodigy:{title}", PRODIGY | case
        cases[name] = {"dtype": "float64", "arguments": arguments}
        outputs[name] = trajectory(lambda w, a=arguments: Prodigy(w, **a), 4)
    for title, case in SOAPS.items():
        name, arguments = f"SOAP:{title}", SOAP_ARGUMENTS | case
        cases[name] = {"dtype": "float64", "arguments": arguments}
        # Of a matrix that is not square, a part of the basis is arbitrary.
        outputs[name] = trajectory(lambda w, a=arguments: SOAP(w, **a), 3)
    packages = "prodigyopt", "pytorch-optimizer", "torch"
    versions = {package: version(package) for package in packages}
    inputs.save("prodigy_and_soap", versions, cases, outputs)


if __name__ == "__main__":
    main()
