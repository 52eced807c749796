"""Writes `goldens/timm_optimizers.npz`: optimizers and averages, in `float64`.

python3.11 -m venv .venv-timm
.venv-timm/bin/pip install timm==1.0.31 diffusers==0.42.1 torch==2.13.0 numpy==2.4.6
.venv-timm/bin/python -m tests.parity.make_timm_optimizers
"""

from importlib.metadata import version

import numpy as np
import torch
from diffusers.training_utils import EMAModel
from timm.optim import AdamWLegacy
from timm.optim import Adan
from timm.optim import Lars
from timm.utils import ModelEmaV3
from timm.utils import adaptive_clip_grad

from tests.parity import inputs
from tests.parity.torch_moves import kernel_trajectory
from tests.parity.torch_moves import trajectory

RATE = 2.0**-6
# The learning rate falls after steps 4 and 20, from that of the constructor.
FALLING = [[4, 20], [RATE, RATE / 2, RATE / 32]]
LARSES = {
    "decay": {"lr": 4.0, "weight_decay": 0.1, "momentum": 0.9},
    "always": {"lr": 4.0, "always_adapt": True, "momentum": 0.9},
    "nesterov": {
        "lr": 0.25,
        "weight_decay": 0.01,
        "momentum": 0.5,
        "nesterov": True,
        "trust_coeff": 0.1,
    },
    "epsilon": {"lr": 4.0, "weight_decay": 0.1, "eps": 1.0},
    # Without weight decay, timm adapts nothing.
    "not adapted": {"momentum": 0.9},
}
# With caution, timm leaves out elements of the momentum only.
ADANS = {
    "default": {},
    "proximal decay": {"weight_decay": 0.1},
    "decay": {"weight_decay": 0.1, "no_prox": True},
    "short": {"betas": [0.5, 0.75, 0.9], "eps": 1e-3},
}
ADAMWS = {
    "cautious": {"caution": True, "weight_decay": 0.1},
    "cautious, short": {
        "caution": True,
        "weight_decay": 0.0,
        "betas": [0.5, 0.75],
        "eps": 1e-3,
    },
    "corrected": {
        "corrected_weight_decay": True,
        "weight_decay": 2.0,
        "rates": FALLING,
    },
    "cautious, corrected": {
        "caution": True,
        "corrected_weight_decay": True,
        "weight_decay": 2.0,
        "rates": FALLING,
    },
}
MOMENTUM = {"lr": RATE, "momentum": 0.5}
CLIPS = {
    "convolution": {"clip_factor": 0.5},
    "tall": {"clip_factor": 0.5},
    "wide": {"clip_factor": 0.5},
    "vector": {"clip_factor": 0.5},
}
AVERAGES = {
    "ModelEmaV3:decay": {"decay": 0.75},
    "ModelEmaV3:steps": {"decay": 0.75, "update_after_step": 3, "step": True},
    "ModelEmaV3:warm-up": {"decay": 0.9, "use_warmup": True, "step": True},
    "ModelEmaV3:warm-up, later": {
        "decay": 0.875,
        "use_warmup": True,
        "step": True,
        "update_after_step": 3,
        "warmup_gamma": 4.0,
        "warmup_power": 0.75,
    },
    "EMAModel:warm-up": {"decay": 0.9, "use_ema_warmup": True},
    "EMAModel:warm-up, later": {
        "decay": 0.875,
        "use_ema_warmup": True,
        "update_after_step": 3,
        "inv_gamma": 4.0,
        "power": 0.75,
    },
}


def clipping(clip_factor):
    """SGD with momentum, whose gradients are clipped."""

    def make(weights):
        optimizer = torch.optim.SGD(weights, **MOMENTUM)
        optimizer.register_step_pre_hook(
            lambda *_: adaptive_clip_grad(weights, clip_factor)
        )
        return optimizer

    return make


class Weights(torch.nn.Module):
    """A model of one variable."""

    def __init__(self):
        super().__init__()
        start = inputs.optimizers()["start"]
        self.weights = torch.nn.Parameter(torch.from_numpy(start.copy()))


def averages(kind, arguments):
    """The average of weights that SGD moves, after each step of `inputs.STEPS`."""
    arguments, model = dict(arguments), Weights()
    has_steps = arguments.pop("step", False)
    if kind == "ModelEmaV3":
        average = ModelEmaV3(model, **arguments)
    else:
        average = EMAModel(model.parameters(), **arguments)
    recorded = []
    for step, gradient in enumerate(inputs.optimizers()["gradients"], 1):
        with torch.no_grad():
            model.weights -= RATE * torch.from_numpy(gradient)
        if kind == "ModelEmaV3":
            average.update(model, step if has_steps else None)
            found = average.module.weights
        else:
            average.step(model.parameters())
            found = average.shadow_params[0]
        if step in inputs.STEPS:
            recorded.append(found.detach().numpy().copy())
    return np.stack(recorded)


def main():
    cases, outputs = {}, {}
    for symbol, make, settings in (
        ("Lars", Lars, LARSES),
        ("Adan", Adan, ADANS),
        ("AdamW", AdamWLegacy, ADAMWS),
    ):
        for title, case in settings.items():
            name, arguments = f"{symbol}:{title}", {"lr": RATE} | case
            cases[name] = {"dtype": "float64", "arguments": dict(arguments)}
            rates = arguments.pop("rates", None)

            def of(weights, make=make, arguments=arguments):
                return make(weights, **arguments)

            outputs[name] = {"weights": trajectory(of, rates=rates)}
    for form, case in CLIPS.items():
        name, arguments = f"adaptive_clip_grad:{form}", MOMENTUM | case
        cases[name] = {"dtype": "float64", "arguments": arguments | {"form": form}}
        outputs[name] = {"weights": kernel_trajectory(clipping(**case), form)}
    for name, case in AVERAGES.items():
        cases[name] = {"dtype": "float64", "arguments": {"lr": RATE} | case}
        outputs[name] = {"average": averages(name.split(":")[0], case)}
    packages = "timm", "diffusers", "torch"
    versions = {package: version(package) for package in packages}
    inputs.save("timm_optimizers", versions, cases, outputs)


if __name__ == "__main__":
    main()
