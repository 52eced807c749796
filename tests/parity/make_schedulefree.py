"""Writes `goldens/schedulefree.npz`: what schedulefree computes, in `float64`.

python3.11 -m venv .venv-torch
.venv-torch/bin/pip install schedulefree==1.4.1 torch==2.13.0 numpy==2.4.6
.venv-torch/bin/python -m tests.parity.make_schedulefree
"""

from importlib.metadata import version

import numpy as np
import schedulefree
import torch

from tests.parity import inputs

KINDS = {
    "AdamW": schedulefree.AdamWScheduleFreeReference,
    "AdamW, fast": schedulefree.AdamWScheduleFree,
    "SGD": schedulefree.SGDScheduleFreeReference,
    "SGD, fast": schedulefree.SGDScheduleFree,
    "RAdam": schedulefree.RAdamScheduleFree,
    "wrapped SGD": schedulefree.ScheduleFreeWrapperReference,
}
RATE = 2.0**-6
CASES = {
    "AdamW:default": {"lr": RATE},
    "AdamW:warm-up": {"lr": RATE, "warmup_steps": 8, "weight_decay": 0.125},
    "AdamW:weights": {
        "lr": RATE,
        "betas": [0.75, 0.9375],
        "eps": 2.0**-10,
        "warmup_steps": 8,
        "r": 1.5,
        "weight_lr_power": 1.0,
    },
    "AdamW, fast:warm-up": {"lr": RATE, "warmup_steps": 8, "weight_decay": 0.125},
    "SGD:default": {"lr": RATE},
    "SGD:warm-up": {
        "lr": RATE,
        "momentum": 0.75,
        "warmup_steps": 8,
        "weight_decay": 0.125,
        "r": 2.0,
    },
    "SGD, fast:warm-up": {
        "lr": RATE,
        "momentum": 0.75,
        "warmup_steps": 8,
        "weight_decay": 0.125,
        "r": 2.0,
    },
    "RAdam:default": {"lr": RATE},
    "RAdam:decay": {
        "lr": RATE,
        "betas": [0.75, 0.984375],
        "weight_decay": 0.125,
        "r": 1.0,
    },
    # The learning rate falls after steps 4 and 20.
    "wrapped SGD:falling": {
        "rates": [[4, 20], [RATE, RATE / 2, RATE / 32]],
        "momentum": 0.875,
        "weight_decay_at_y": 0.125,
    },
}


def trajectory(kind, arguments):
    """The weights y and their average x after each step of `inputs.STEPS`."""
    given = inputs.optimizers()
    weights = torch.nn.Parameter(torch.from_numpy(given["start"].copy()))
    count = len(given["gradients"])
    arguments = dict(arguments)
    rates = None
    if kind == "wrapped SGD":
        ends, values = arguments.pop("rates")
        rates = [
            values[sum(step > end for end in ends)] for step in range(1, count + 1)
        ]
        base = torch.optim.SGD([weights], lr=RATE)
        optimizer = KINDS[kind](base, **arguments)
    else:
        optimizer = KINDS[kind]([weights], **arguments)
    recorded = {"weights": [], "average": []}
    optimizer.train()
    for step, gradient in enumerate(given["gradients"], 1):
        if rates is not None:
            base.param_groups[0]["lr"] = rates[step - 1]
        weights.grad = torch.from_numpy(gradient.copy())
        optimizer.step()
        if step in inputs.STEPS:
            recorded["weights"].append(weights.detach().numpy().copy())
            optimizer.eval()
            recorded["average"].append(weights.detach().numpy().copy())
            optimizer.train()
    return {key: np.stack(values) for key, values in recorded.items()}


def main():
    cases, outputs = {}, {}
    for name, arguments in CASES.items():
        cases[name] = {"dtype": "float64", "arguments": arguments}
        outputs[name] = trajectory(name.split(":")[0], arguments)
    packages = "schedulefree", "torch"
    versions = {package: version(package) for package in packages}
    inputs.save("schedulefree", versions, cases, outputs)


if __name__ == "__main__":
    main()
