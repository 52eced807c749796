"""Writes `goldens/preference.npz`: what other packages compute, in `float64`.

Preferences are from TRL, and losses of two views from Lightly. Both packages import
many others, so only the files of their losses are read, and of TRL only single methods.

python3.11 -m venv .venv-peers
.venv-peers/bin/pip install torch==2.13.0 numpy==2.4.6
.venv-peers/bin/pip install --no-deps trl==0.11.4 lightly==1.6.0
.venv-peers/bin/python -m tests.parity.make_preference
"""

import __future__

import ast
import importlib
import sys
import types
import warnings
from functools import partial
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from tests.parity import inputs

REFERENCED = ("sums", "of_reference")
CASES = {
    "dpo:plain": (*REFERENCED, {"beta": 0.1, "label_smoothing": 0.0}),
    "dpo:conservative": (*REFERENCED, {"beta": 0.5, "label_smoothing": 0.2}),
    "ipo:plain": (*REFERENCED, {"beta": 0.1}),
    "ipo:strong": (*REFERENCED, {"beta": 0.5}),
    "orpo:plain": ("means", None, {"beta": 0.1}),
    "orpo:strong": ("means", None, {"beta": 1.0}),
    "simpo:plain": ("means", None, {"beta": 2.0, "simpo_gamma": 1.0}),
    "simpo:weak": ("means", None, {"beta": 0.5, "simpo_gamma": 0.25}),
    "reward:plain": ("rewards", None, {}),
    "reward:margins": ("rewards", "margins", {}),
    "logps:plain": ("token_logits", "tokens", {}),
    "vicreg:default": ("views", None, {}),
    "vicreg:other": (
        "views",
        None,
        {"lambda_param": 5.0, "mu_param": 1.0, "nu_param": 3.0, "eps": 0.01},
    ),
    "barlow:default": ("views", None, {}),
    "barlow:strong": ("views", None, {"lambda_param": 0.5}),
}


def site(package):
    (path,) = (path for path in map(Path, sys.path) if (path / package).is_dir())
    return path


def method(trainer, cls, name):
    """A method of a class of TRL, without the class and what its file imports."""
    path = site("trl") / f"trl/trainer/{trainer}_trainer.py"
    (found,) = (
        node
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef) and node.name == cls
    )
    (function,) = (
        node
        for node in found.body
        if isinstance(node, ast.FunctionDef) and node.name == name
    )
    function.decorator_list = []
    kinds = ("ALPHA_DIVERGENCE", "JS_DIVERGENCE")
    values = {kind: types.SimpleNamespace(value=kind) for kind in kinds}
    scope = {
        "torch": torch,
        "nn": torch.nn,
        "F": functional,
        "warnings": warnings,
        "FDivergenceType": types.SimpleNamespace(**values),
    }
    code = compile(
        ast.Module([function], []),
        str(path),
        "exec",
        __future__.annotations.compiler_flag,
    )
    exec(code, scope)
    return scope[name]


def lightly(name):
    """A file of its losses, without the package, which needs torchvision."""
    for part in ("lightly", "lightly.loss", "lightly.utils"):
        package = types.ModuleType(part)
        package.__path__ = [str(site("lightly") / part.replace(".", "/"))]
        sys.modules.setdefault(part, package)
    return importlib.import_module(f"lightly.loss.{name}")


def trainer(**settings):
    return types.SimpleNamespace(
        accelerator=types.SimpleNamespace(device="cpu"), **settings
    )


def functions():
    """Functions of predictions, labels and arguments that return values."""
    dpo_loss = method("dpo", "DPOTrainer", "dpo_loss")
    odds_ratio_loss = method("orpo", "ORPOTrainer", "odds_ratio_loss")
    cpo_loss = method("cpo", "CPOTrainer", "cpo_loss")
    compute_loss = method("reward", "RewardTrainer", "compute_loss")
    get_batch_logps = method("dpo", "DPOTrainer", "get_batch_logps")

    def dpo(p, y, loss_type="sigmoid", **settings):
        settings = {"label_smoothing": 0.0, "f_divergence_type": None} | settings
        settings |= {"reference_free": False, "loss_type": loss_type}
        return dpo_loss(trainer(**settings), *p.unbind(1), *y.unbind(1))[0]

    def orpo(p, y, beta):
        # TRL adds this to the cross-entropy of the chosen responses.
        return -odds_ratio_loss(trainer(beta=beta), *p.unbind(1))[0]

    def simpo(p, y, **settings):
        settings |= {"loss_type": "simpo", "label_smoothing": 0.0}
        return cpo_loss(trainer(**settings), *p.unbind(1))[0]

    def reward(p, y):
        """Its number is that of the batch."""
        args = types.SimpleNamespace(center_rewards_coefficient=None)
        kinds = ("chosen", "rejected")
        batch = {f"input_ids_{kind}": i for i, kind in enumerate(kinds)}
        batch |= {f"attention_mask_{kind}": None for kind in kinds}
        batch |= {} if y is None else {"margin": y}

        def model(input_ids, **_):
            return {"logits": p[:, input_ids]}

        own = trainer(args=args, use_reward_data_collator=True)
        return compute_loss(own, model, batch)

    def logps(z, y):
        return get_batch_logps(z, y.clone(), is_encoder_decoder=True)[0]

    def vicreg(z, y, **settings):
        return lightly("vicreg_loss").VICRegLoss(**settings)(*z.unbind(1))

    def barlow(z, y, **settings):
        return lightly("barlow_twins_loss").BarlowTwinsLoss(**settings)(*z.unbind(1))

    return {
        "dpo": dpo,
        "ipo": partial(dpo, loss_type="ipo"),
        "orpo": orpo,
        "simpo": simpo,
        "reward": reward,
        "logps": logps,
        "vicreg": vicreg,
        "barlow": barlow,
    }


def value_and_gradient(function, y_pred, y_true, arguments):
    y_pred = torch.tensor(y_pred, requires_grad=True)
    y_true = None if y_true is None else torch.tensor(y_true)
    value = function(y_pred, y_true, **arguments)
    value.sum().backward()
    gradient = y_pred.grad.numpy()
    return {"value": value.detach().numpy(), "gradient": gradient}


def main():
    given, known = inputs.preference(), functions()
    cases, outputs = {}, {}
    for name, (y_pred, y_true, arguments) in CASES.items():
        cases[name] = {"y_true": y_true, "y_pred": y_pred, "arguments": arguments}
        y = None if y_true is None else given[y_true]
        function = known[name.split(":")[0]]
        outputs[name] = value_and_gradient(function, given[y_pred], y, arguments)
        assert all(np.isfinite(found).all() for found in outputs[name].values()), name
    versions = {package: version(package) for package in ("lightly", "torch", "trl")}
    inputs.save("preference", versions, cases, outputs)


if __name__ == "__main__":
    main()
