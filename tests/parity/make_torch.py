"""Writes `goldens/torch.npz`: what PyTorch computes, in `float64`.

python3.11 -m venv .venv-torch
.venv-torch/bin/pip install torch==2.13.0 numpy==2.4.6
.venv-torch/bin/python -m tests.parity.make_torch
"""

import numpy as np
import torch
from torch.nn import functional

from tests.parity import inputs
from tests.parity.torch_moves import trajectory

OPTIMIZER = {"lr": 2.0**-6, "betas": [0.9, 0.999], "eps": 1e-30, "weight_decay": 0.0}
OPTIMIZERS = {
    "default": {},
    "short": {"betas": [0.5, 0.9]},
    "never rectified": {"betas": [0.9, 0.6]},
    "decay": {"weight_decay": 2.0**-5},
    "epsilon": {"eps": 1e-3},
    "epsilon, short": {"eps": 1e-3, "betas": [0.9, 0.9]},
}
ADAMW = {
    "lr": 2.0**-6,
    "betas": [0.9, 0.999],
    "eps": 1e-8,
    "weight_decay": 0.0,
    "amsgrad": False,
}
ADAMWS = {
    "default": {},
    "decay": {"weight_decay": 0.1},
    "short": {"betas": [0.5, 0.75], "eps": 1e-3},
    "amsgrad": {"amsgrad": True},
    "amsgrad, short": {"amsgrad": True, "betas": [0.5, 0.75], "weight_decay": 0.1},
}
CROSS_ENTROPY = {
    "plain": {"label_smoothing": 0.0},
    "smooth": {"label_smoothing": 0.1},
    "weight": {"label_smoothing": 0.0, "weight": True},
    "weight, smooth": {"label_smoothing": 0.25, "weight": True},
    "ignored": {"label_smoothing": 0.0, "ignore_index": 2},
    "ignored, weight, smooth": {
        "label_smoothing": 0.25,
        "weight": True,
        "ignore_index": 2,
    },
}
ONE_CYCLE = {
    "max_lr": 0.25,
    "total_steps": 100,
    "pct_start": 0.3,
    "anneal_strategy": "cos",
    "div_factor": 25.0,
    "final_div_factor": 1e4,
    "three_phase": False,
}
ONE_CYCLES = {
    "default": {},
    "linear": {"anneal_strategy": "linear"},
    "between updates": {"total_steps": 37, "pct_start": 0.35},
    "three phases": {"three_phase": True, "pct_start": 0.45},
    "three phases, linear, between updates": {
        "three_phase": True,
        "total_steps": 41,
        "anneal_strategy": "linear",
        "div_factor": 4.0,
        "final_div_factor": 10.0,
    },
    "half": {"three_phase": True, "pct_start": 0.5, "final_div_factor": 8.0},
}


def rates(arguments):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))])
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, cycle_momentum=False, **arguments
    )
    recorded = []
    for _ in range(arguments["total_steps"]):
        recorded += schedule.get_last_lr()
        optimizer.step()
        schedule.step()
    return np.array(recorded)


def radam(arguments):
    return lambda weights: torch.optim.RAdam(
        weights, decoupled_weight_decay=True, **arguments
    )


def adamw(arguments):
    return lambda weights: torch.optim.AdamW(weights, **arguments)


def value_and_gradient(function, y_pred):
    y_pred = torch.tensor(y_pred, requires_grad=True)
    value = function(y_pred)
    value.sum().backward()
    return {"value": value.detach().numpy(), "gradient": y_pred.grad.numpy()}


def main():
    cases, outputs = {}, {}
    for title, case in OPTIMIZERS.items():
        name = f"RAdam:{title}"
        cases[name] = {"dtype": "float64", "arguments": OPTIMIZER | case}
        outputs[name] = {"weights": trajectory(radam(cases[name]["arguments"]))}
    for title, case in ADAMWS.items():
        name = f"AdamW:{title}"
        cases[name] = {"dtype": "float64", "arguments": ADAMW | case}
        outputs[name] = {"weights": trajectory(adamw(cases[name]["arguments"]))}
    for title, case in ONE_CYCLES.items():
        name = f"OneCycleLR:{title}"
        cases[name] = {"arguments": ONE_CYCLE | case}
        outputs[name] = {"rates": rates(cases[name]["arguments"])}
    for title, arguments in CROSS_ENTROPY.items():
        for y_true in ("classes", "targets"):
            if "ignore_index" in arguments and y_true == "targets":
                continue  # a label that is a distribution has no index
            cases[f"cross_entropy:{title}, {y_true}"] = {
                "y_true": y_true,
                "y_pred": "extreme_logits",
                "arguments": arguments,
            }
    for symbol, argument, bounds in (
        ("huber_loss", "delta", (0.5, 1.0, 2.0)),
        ("smooth_l1_loss", "beta", (0.0, 0.5, 2.0)),
    ):
        for bound in bounds:
            cases[f"{symbol}:{argument} {bound}"] = {
                "y_true": "values",
                "y_pred": "predictions",
                "arguments": {argument: bound},
            }
    given = {key: torch.tensor(value) for key, value in inputs.losses().items()}
    for name, case in cases.items():
        if "y_pred" in case:
            function = getattr(functional, name.split(":")[0])
            arguments = dict(case["arguments"])
            if "weight" in arguments:
                arguments["weight"] = given["class_weights"]
            y_true = given[case["y_true"]]
            outputs[name] = value_and_gradient(
                lambda y_pred, f=function, y=y_true, a=arguments: f(
                    y_pred, y, reduction="none", **a
                ),
                given[case["y_pred"]].numpy(),
            )
    inputs.save("torch", {"torch": torch.__version__}, cases, outputs)


if __name__ == "__main__":
    main()
