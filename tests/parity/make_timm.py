"""Writes `goldens/timm_schedules.npz`: rates with k-decay of timm, in `float64`.

python3.11 -m venv .venv-timm
.venv-timm/bin/pip install timm==1.0.31 torch==2.13.0 numpy==2.4.6
.venv-timm/bin/python -m tests.parity.make_timm
"""

from importlib.metadata import version

import torch
from timm.scheduler import CosineLRScheduler
from timm.scheduler import PolyLRScheduler

from tests.parity import inputs

COSINES = {
    "k 1": {"k_decay": 1.0},
    "k 2": {"k_decay": 2.0},
    "k 0.5": {"k_decay": 0.5},
    "restarts": {"k_decay": 1.5, "cycle_limit": 3, "cycle_decay": 0.5},
    "longer": {"k_decay": 3.0, "cycle_limit": 3, "cycle_mul": 2.0, "t_initial": 25},
}
POLYNOMIALS = {
    "line": {"power": 1.0},
    "root": {"power": 0.5},
    "k 2": {"power": 2.0, "k_decay": 2.0},
    "k 0.5": {"power": 1.5, "k_decay": 0.5},
}


def rates(kind, arguments):
    """The rates at which timm makes each step."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.5)
    schedule = kind(optimizer, **arguments)
    found = []
    for step in inputs.schedules()["steps"].tolist():
        schedule.step_update(step)
        found.append(optimizer.param_groups[0]["lr"])
    return found


def main():
    cases, outputs = {}, {}
    for kind, settings in (
        (CosineLRScheduler, COSINES),
        (PolyLRScheduler, POLYNOMIALS),
    ):
        for title, case in settings.items():
            arguments = {
                "t_initial": 40,
                "lr_min": 0.01,
                "warmup_t": 10,
                "warmup_lr_init": 0.0,
                "warmup_prefix": True,
                "t_in_epochs": False,
            }
            name, arguments = f"{kind.__name__}:{title}", arguments | case
            cases[name] = {"dtype": "float64", "arguments": arguments}
            outputs[name] = {"rates": rates(kind, arguments)}
    versions = {package: version(package) for package in ("timm", "torch")}
    inputs.save("timm_schedules", versions, cases, outputs)


if __name__ == "__main__":
    main()
