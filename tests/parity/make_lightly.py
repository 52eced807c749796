"""Writes `goldens/lightly.npz`: the loss and the center of DINO of another library.

python3.11 -m venv .venv-lightly
.venv-lightly/bin/pip install torch==2.13.0 numpy==2.4.6
.venv-lightly/bin/pip install --no-deps lightly==1.6.0
.venv-lightly/bin/python -m tests.parity.make_lightly

Lightly imports more than its losses need, so the packages of the loss are loaded from
their files.
"""

import importlib.util
import sys
import types
from importlib.metadata import distribution
from importlib.metadata import version

import torch

from tests.parity import inputs

SETTINGS = {
    "paper": {},
    "warm": {
        "warmup_teacher_temp": 0.25,
        "teacher_temp": 0.5,
        "warmup_teacher_temp_epochs": 3,
        "student_temp": 0.5,
        "center_momentum": 0.75,
    },
}


def load(name):
    """Returns a module of Lightly, whose packages stay empty."""
    package, _, _ = name.rpartition(".")
    parts = package.split(".")
    for i in range(1, len(parts) + 1):
        empty = types.ModuleType(".".join(parts[:i]))
        empty.__path__ = []
        sys.modules.setdefault(empty.__name__, empty)
    path = distribution("lightly").locate_file(name.replace(".", "/") + ".py")
    spec = importlib.util.spec_from_file_location(name, path)
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    setattr(sys.modules[package], name.rpartition(".")[2], module)
    spec.loader.exec_module(module)
    return module


def trained(settings, given):
    """The losses, gradients and centers of one batch after another."""
    load("lightly.models.modules.center")
    make = load("lightly.loss.dino_loss").DINOLoss
    loss = make(given["teacher"].shape[-1], **settings)
    found = {"values": [], "gradients": [], "centers": []}
    for epoch, (t, s) in enumerate(
        zip(given["teacher"], given["student"], strict=True)
    ):
        student = torch.tensor(s, requires_grad=True)
        value = loss(
            list(torch.tensor(t).unbind(1)), list(student.unbind(1)), epoch=epoch
        )
        value.backward()
        found["values"].append(value.item())
        found["gradients"].append(student.grad.numpy())
        found["centers"].append(loss.center.numpy().ravel().copy())
    return found


def main():
    torch.set_default_dtype(torch.float64)
    given = inputs.self_distillation()
    cases = {f"DINOLoss:{name}": arguments for name, arguments in SETTINGS.items()}
    outputs = {name: trained(settings, given) for name, settings in cases.items()}
    versions = {package: version(package) for package in ("lightly", "torch")}
    inputs.save("lightly", versions, cases, outputs)


if __name__ == "__main__":
    main()
