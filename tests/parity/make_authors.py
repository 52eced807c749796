"""Writes `goldens/authors.npz`: what code of the authors computes, in `float64`.

Their code is in repositories and no packages, except that of ADOPT.

python3.11 -m venv .venv-authors
.venv-authors/bin/pip install torch==2.13.0 numpy==2.4.6
for repository in KellerJordan/Muon@857d1ad apple/ml-ademamix@c3d73c0 \
    nikhilvyas/SOAP@a1e5535 iShohei220/adopt@6468572 sail-sg/Adan@2c65bea
do
    folder=.venv-authors/${repository#*/}
    git clone https://github.com/${repository%@*} $folder
    git -C $folder checkout ${repository#*@}
done
.venv-authors/bin/python -m tests.parity.make_authors .venv-authors

Muon iterates in `bfloat16`, and SOAP decomposes in `float32`. Here both stay in
`float64`: `main` replaces the methods of tensors that convert to a narrower dtype.
"""

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import torch

from tests.parity import inputs
from tests.parity.torch_moves import kernel_trajectory
from tests.parity.torch_moves import trajectory

# The folder of each module.
MODULES = {
    "Muon@857d1ad": ".",
    "ml-ademamix@c3d73c0": "pytorch",
    "SOAP@a1e5535": ".",
    "adopt@6468572": "src",
    "Adan@2c65bea": ".",
}
RATE = 2.0**-6
MUONS = {
    "wide": {"form": "wide"},
    "tall": {"form": "tall"},
    "decay": {"form": "wide", "weight_decay": 0.1, "momentum": 0.5},
}
# The optimizer of all that is no kernel.
AUXILIARY = {"betas": [0.9, 0.95], "eps": 1e-10, "weight_decay": 0.1}
# With a warm-up, the authors add 1e-8 to the betas within a logarithm.
ADEMAMIXES = {
    "default": {"alpha": 5.0},
    "decay": {"weight_decay": 0.1},
    "short": {"betas": [0.5, 0.9, 0.95], "eps": 1e-3},
    "one momentum": {"betas": [0.0, 0.9, 0.95], "alpha": 1.0},
}
# The authors decay after the step.
SOAP = {"lr": RATE, "weight_decay": 0.0}
SOAPS = {
    "default": {},
    "short": {
        "betas": [0.5, 0.75],
        "shampoo_beta": 0.5,
        "eps": 1e-3,
        "precondition_frequency": 3,
    },
    "without bases": {"max_precond_dim": 2},
    "convolution": {"form": "convolution", "precondition_frequency": 5},
}
ADOPTS = {
    "default": {},
    "decay": {"weight_decay": 0.1, "decouple": True},
    "short": {"betas": [0.5, 0.9], "eps": 1e-2},
    "no clipping": {"clip_lambda": None, "betas": [0.9, 0.9]},
}
ADANS = {
    "default": {},
    "proximal decay": {"weight_decay": 0.1},
    "decay": {"weight_decay": 0.1, "no_prox": True},
    "short": {"betas": [0.5, 0.75, 0.9], "eps": 1e-3},
}


def commit(folder):
    command = ["git", "-C", folder, "rev-parse", "--short=7", "HEAD"]
    return subprocess.check_output(command, text=True).strip()


def main(root):
    versions = {"torch": torch.__version__}
    for module, folder in MODULES.items():
        name, expected = module.split("@")
        versions[name] = commit(root / module)
        assert versions[name] == expected
        sys.path.insert(0, str((root / module / folder).resolve()))
    torch.set_default_dtype(torch.float64)
    torch.Tensor.bfloat16 = torch.Tensor.float = lambda tensor: tensor
    muon = import_module("muon")

    def auxiliary(weights, **arguments):
        group = {"params": weights, "use_muon": False, **arguments}
        return muon.SingleDeviceMuonWithAuxAdam([group])

    cases, outputs = {}, {}
    for symbol, make, settings in (
        ("Muon", muon.SingleDeviceMuon, MUONS),
        ("Muon's Adam", auxiliary, {"decay": AUXILIARY}),
        ("AdEMAMix", import_module("ademamix").AdEMAMix, ADEMAMIXES),
        ("SOAP", import_module("soap").SOAP, SOAPS),
        ("ADOPT", import_module("adopt").ADOPT, ADOPTS),
        ("Adan", import_module("adan").Adan, ADANS),
    ):
        for title, case in settings.items():
            name = f"{symbol}:{title}"
            arguments = {"lr": RATE} | (SOAP if symbol == "SOAP" else {}) | case
            cases[name] = {"dtype": "float64", "arguments": dict(arguments)}
            form = arguments.pop("form", None)

            def of(weights, make=make, arguments=arguments):
                return make(weights, **arguments)

            if form is None:
                # Of a matrix that is not square, a part of the basis is arbitrary.
                weights = trajectory(of, 3 if symbol == "SOAP" else 4)
            else:
                weights = kernel_trajectory(of, form)
            outputs[name] = {"weights": weights}
    inputs.save("authors", versions, cases, outputs)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
