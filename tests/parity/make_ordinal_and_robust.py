"""Writes `goldens/ordinal_and_robust.npz`: what other packages compute, in `float64`.

The last ones are repositories; a file of each is read by itself.

python3.11 -m venv .venv-peers
.venv-peers/bin/pip install torch==2.13.0 numpy==2.4.6 scipy==1.17.1 torch_dct==0.1.6
.venv-peers/bin/pip install --no-deps coral-pytorch==1.4.0 timm==1.0.31
for repository in jonbarron/robust_loss_pytorch@9831f1d open-mmlab/mmpose@v1.3.2
do
    folder=.venv-peers/${repository#*/}
    git clone https://github.com/${repository%@*} $folder
    git -C $folder checkout ${repository#*@}
done
.venv-peers/bin/python -m tests.parity.make_ordinal_and_robust .venv-peers
"""

import importlib.util
import math
import sys
import types
from functools import partial
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from coral_pytorch.dataset import levels_from_labelbatch
from coral_pytorch.losses import coral_loss
from coral_pytorch.losses import corn_loss
from scipy.stats import wasserstein_distance
from torch.nn import functional

from tests.parity import inputs

CASES = {
    "coral_loss:plain": ("classes", "extreme_logits", {}),
    "coral_loss:weights": ("classes", "logits", {"importance_weights": True}),
    "corn_loss:plain": ("classes", "logits", {}),
    "corn_loss:extreme": ("classes", "extreme_logits", {}),
    "wasserstein_distance:classes": ("classes", "probabilities", {}),
    "wasserstein_distance:targets": ("targets", "probabilities", {}),
    "jsd:3 views": ("classes", ["logits", "sure_logits", "values"], {}),
    "jsd:2 views": ("classes", ["logits", "sure_logits"], {}),
    "kl_div:2 views": ("classes", ["logits", "sure_logits"], {}),
    **{
        f"lossfun:alpha {a:g}": ("values", "predictions", {"alpha": a, "scale": 0.5})
        for a in (-math.inf, -2.0, 0.0, 0.5, 1.0, 1.5, 2.0)
    },
    "WingLoss:default": ("values", "predictions", {}),
    "WingLoss:narrow": ("values", "predictions", {"omega": 1.0, "epsilon": 0.5}),
    "AdaptiveWingLoss:default": ("probabilities", "predictions", {}),
    "AdaptiveWingLoss:narrow": (
        "probabilities",
        "predictions",
        {"alpha": 2.5, "omega": 2.0, "epsilon": 0.25, "theta": 0.125},
    ),
}


class Registry:
    def register_module(self):
        return lambda cls: cls


def read_mmpose(folder, name):
    """A file of its losses, with stand-ins for what they import and do not use."""
    stand_ins = {
        "mmpose": {},
        "mmpose.registry": {"MODELS": Registry()},
        "mmpose.datasets": {},
        "mmpose.datasets.datasets": {},
        "mmpose.datasets.datasets.utils": {"parse_pose_metainfo": None},
        "mmpose.utils": {},
        "mmpose.utils.tensor_utils": {"to_numpy": None},
        "mmpose.models": {},
        "mmpose.models.utils": {},
        "mmpose.models.utils.realnvp": {"RealNVP": None},
        "mmpose.models.losses": {},
    }
    for module, names in stand_ins.items():
        sys.modules[module] = types.ModuleType(module)
        vars(sys.modules[module]).update(names)
    path = folder / f"mmpose/mmpose/models/losses/{name}.py"
    spec = importlib.util.spec_from_file_location(f"mmpose.models.losses.{name}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def read_from(folder, name):
    """A module of a package whose `__init__` needs more packages."""
    package = types.ModuleType(name.split(".")[0])
    package.__path__ = [str(folder / package.__name__)]
    sys.modules[package.__name__] = package
    return importlib.import_module(name)


def of_each(criterion):
    """A function of labels and predictions; mmpose sums or averages the values."""

    def values(y, p):
        pairs = zip(p.reshape(-1, 1, 1, 1, 1), y.reshape(-1, 1, 1, 1, 1), strict=True)
        return torch.stack([criterion(*pair).sum() for pair in pairs]).reshape(p.shape)

    return values


def functions(folder):
    """Functions of labels, predictions and arguments that return values."""
    lossfun = read_from(
        folder / "robust_loss_pytorch", "robust_loss_pytorch.general"
    ).lossfun
    (site,) = (path for path in map(Path, sys.path) if (path / "timm").is_dir())
    timm_loss = read_from(site, "timm.loss")
    landmark = read_mmpose(folder, "regression_loss")
    heatmap = read_mmpose(folder, "heatmap_loss")

    def coral(y, z, importance_weights=False):
        levels = levels_from_labelbatch(y, z.shape[-1] + 1).to(z.dtype)
        weights = torch.linspace(0.5, 1.5, z.shape[-1], dtype=z.dtype)
        return coral_loss(z, levels, weights if importance_weights else None, None)

    def jsd(y, *views):
        z = torch.cat(views)
        both, alone = (
            timm_loss.JsdCrossEntropy(len(views), alpha=alpha, smoothing=0.0)(z, y)
            for alpha in (1, 0)
        )
        return both - alone

    def kl_div(y, *views):
        a, b = (z.log_softmax(-1) for z in views)
        arguments = {"reduction": "none", "log_target": True}
        both = (functional.kl_div(*ab, **arguments) for ab in ((a, b), (b, a)))
        return sum(both).sum(-1) / 2

    def robust(y, p, alpha, scale):
        alpha, scale = (torch.tensor(x, dtype=p.dtype) for x in (alpha, scale))
        return lossfun(y - p, alpha, scale)

    def wing(y, p, **arguments):
        return of_each(landmark.WingLoss(**arguments).criterion)(y, p)

    def adaptive_wing(y, p, **arguments):
        return of_each(heatmap.AdaptiveWingLoss(**arguments).criterion)(y, p)

    return {
        "coral_loss": coral,
        "corn_loss": lambda y, z: corn_loss(z, y, z.shape[-1] + 1),
        "jsd": jsd,
        "kl_div": kl_div,
        "lossfun": robust,
        "WingLoss": wing,
        "AdaptiveWingLoss": adaptive_wing,
    }


def value_and_gradient(function, *y_pred):
    y_pred = [torch.tensor(x, requires_grad=True) for x in y_pred]
    value = function(*y_pred)
    value.sum().backward()
    gradients = [x.grad.numpy() for x in y_pred]
    gradient = gradients[0] if len(gradients) == 1 else np.stack(gradients, 1)
    return {"value": value.detach().numpy(), "gradient": gradient}


def distances(y, p):
    """SciPy computes no gradients."""
    places, values = np.arange(p.shape[-1]), []
    y = np.eye(p.shape[-1])[y] if y.ndim == 1 else y
    for of_true, of_pred in zip(y, p, strict=True):
        values.append(wasserstein_distance(places, places, of_true, of_pred))
    return {"value": np.array(values)}


def main():
    folder = Path(sys.argv[1])
    given, known = inputs.losses(), functions(folder)
    cases, outputs = {}, {}
    for name, (y_true, y_pred, arguments) in CASES.items():
        cases[name] = {"y_true": y_true, "y_pred": y_pred, "arguments": arguments}
        symbol = name.split(":")[0]
        y = given[y_true]
        several = y_pred if isinstance(y_pred, list) else [y_pred]
        tensors = [given[key] for key in several]
        if symbol == "wasserstein_distance":
            outputs[name] = distances(y, *tensors)
            continue
        function = known[symbol]
        bound = partial(function, torch.tensor(y), **arguments)
        outputs[name] = value_and_gradient(bound, *tensors)
        if arguments.get("alpha") == -math.inf:
            del outputs[name]["gradient"]  # NaN
    packages = {"torch", "scipy", "coral-pytorch", "timm"}
    versions = {package: version(package) for package in sorted(packages)}
    versions |= {"robust_loss_pytorch": "9831f1d", "mmpose": "1.3.2"}
    inputs.save("ordinal_and_robust", versions, cases, outputs)


if __name__ == "__main__":
    main()
