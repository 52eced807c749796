r"""Writes `goldens/classification.npz`: what other libraries compute, in `float64`.

python3.11 -m venv .venv-timm
.venv-timm/bin/pip install timm==1.0.31 torch==2.13.0 optax==0.2.8 jax==0.10.2 \
    numpy==2.4.6
for repository in HanxunH/Active-Passive-Losses@04bce53 kaidic/LDAM-DRW@2536330 \
    google/bi-tempered-loss@1c65c77
do
    folder=.venv-timm/${repository#*/}
    git clone https://github.com/${repository%@*} $folder
    git -C $folder checkout ${repository#*@}
done
.venv-timm/bin/python -m tests.parity.make_classification .venv-timm

timm and the authors of active-passive losses compute in `float32`, and LDAM needs a
GPU. Here all compute in `float64` on the CPU: `main` replaces the methods of tensors
that convert to a narrower dtype, and the type of tensors on a GPU. A loss that is the
mean of a batch is called for each sample. The bi-tempered loss makes 200 iterations,
not 5.
"""

import sys
import types
from importlib.metadata import version
from importlib.util import module_from_spec
from importlib.util import spec_from_file_location
from pathlib import Path

import jax
import numpy as np
import optax
import torch
from jax import numpy as jnp
from timm import loss as timm_losses

from tests.parity import inputs

# The file of each repository.
MODULES = {
    "Active-Passive-Losses@04bce53": "loss.py",
    "LDAM-DRW@2536330": "losses.py",
    "bi-tempered-loss@1c65c77": "jax/loss.py",
}
TEMPERATURES = (
    {"t1": 0.8, "t2": 1.4},
    {"t1": 0.5, "t2": 2.0, "label_smoothing": 0.1},
    {"t1": 0.0, "t2": 1.0},
)
ORDER = ("t1", "t2", "label_smoothing", "num_iters")
COUNTS = [500.0, 20.0, 3.0, 120.0, 7.0]
TAU = 1.5
EXACT = {"eps": 1e-300}  # no probability is clipped
ASYMMETRIC = (
    EXACT,
    {"gamma_neg": 2.0, "gamma_pos": 0.0, "clip": 0.25} | EXACT,
    {"gamma_neg": 1.0, "gamma_pos": 0.5, "clip": 0.0} | EXACT,
)
POLY = ({}, {"epsilon": -1.0}, {"epsilon": 1.0, "smoothing": 0.1})
POLY_BINARY = (
    {},
    {"epsilon": -1.0, "gamma": 2.0, "alpha": 0.25},
    {"epsilon": 1.0, "smoothing": 0.1},
)


def each_sample(loss, y_pred, y_true):
    """The values of a loss that returns the mean of a batch."""
    rows = zip(y_pred, y_true, strict=True)
    return torch.stack([loss(z[None], y[None]) for z, y in rows])


def of_torch(loss, y_pred, y_true):
    """Values, and the gradient of their sum."""
    y_pred = torch.tensor(y_pred, requires_grad=True)
    values = loss(y_pred, torch.tensor(y_true))
    values.sum().backward()
    return {"value": values.detach().numpy(), "gradient": y_pred.grad.numpy()}


def of_jax(loss, y_pred, y_true):
    gradient = jax.grad(lambda y_pred: loss(y_pred, y_true).sum())
    y_pred = jnp.asarray(y_pred)
    return {"value": loss(y_pred, y_true), "gradient": gradient(y_pred)}


def adjusted(y_pred, y_true):
    prior = torch.tensor(COUNTS, dtype=torch.float64)
    prior = prior / prior.sum()
    return torch.nn.functional.cross_entropy(
        y_pred + TAU * torch.log(prior), y_true, reduction="none"
    )


def losses(folder):
    """Each loss: its symbol, arguments, function, and the names of its inputs."""
    apl, ldam, tempered = authors(folder)
    for arguments in ASYMMETRIC:
        loss = timm_losses.AsymmetricLossMultiLabel(reduction="none", **arguments)
        for y_pred in ("logits", "sure_logits"):
            yield "AsymmetricLossMultiLabel", arguments, of_torch, loss, "hard", y_pred
    loss = timm_losses.ZlprLoss()
    for y_pred in ("logits", "sure_logits", "extreme_logits"):
        of_rows = each(loss)
        yield "ZlprLoss", {}, of_torch, of_rows, "hard", y_pred
    for arguments in POLY:
        loss = timm_losses.PolyCrossEntropy(reduction="none", **arguments)
        yield "PolyCrossEntropy", arguments, of_torch, loss, "classes", "logits"
    for arguments in POLY_BINARY:
        loss = timm_losses.PolyBinaryCrossEntropy(reduction="none", **arguments)
        for y_true in ("hard", "soft"):
            yield "PolyBinaryCrossEntropy", arguments, of_torch, loss, y_true, "logits"
    for epsilon in (2.0, -1.0):

        def loss(y_pred, y_true, epsilon=epsilon):
            return optax.losses.poly_loss_cross_entropy(y_pred, y_true, epsilon=epsilon)

        for y_pred in ("logits", "extreme_logits"):
            yield (
                "poly_loss_cross_entropy",
                {"epsilon": epsilon},
                of_jax,
                loss,
                "targets",
                y_pred,
            )
    for q in (0.7, 0.25):
        loss = each(apl.GeneralizedCrossEntropy(5, q))
        yield "GeneralizedCrossEntropy", {"q": q}, of_torch, loss, "classes", "logits"
    for alpha, beta in ((0.1, 1.0), (6.0, 0.1)):
        loss = each(apl.SCELoss(alpha, beta, 5))
        arguments = {"alpha": alpha, "beta": beta}
        yield "SCELoss", arguments, of_torch, loss, "classes", "logits"
    for s in (30.0, 8.0):
        loss = each(ldam.LDAMLoss(COUNTS, s=s))
        yield "LDAMLoss", {"s": s}, of_torch, loss, "classes", "probabilities"
    yield "cross_entropy", {"tau": TAU}, of_torch, adjusted, "classes", "logits"
    for arguments in TEMPERATURES:

        def loss(y_pred, y_true, arguments=arguments):
            labels = jax.nn.one_hot(y_true, 5)
            options = {"label_smoothing": 0.0, "num_iters": 200} | arguments
            return tempered.bi_tempered_logistic_loss(
                y_pred, labels, *(options[k] for k in ORDER)
            )

        name = "bi_tempered_logistic_loss"
        yield name, arguments, of_jax, loss, "classes", "logits"


def each(loss):
    return lambda y_pred, y_true: each_sample(loss, y_pred, y_true)


def authors(folder):
    """The modules of the authors, which have no package."""
    registry = types.ModuleType("mlconfig")
    registry.register = lambda cls: cls
    sys.modules["mlconfig"] = registry
    found = []
    for name, file in MODULES.items():
        path = Path(folder) / name.split("@")[0] / file
        spec = spec_from_file_location(path.stem, path)
        found.append(module_from_spec(spec))
        spec.loader.exec_module(found[-1])
    return found


def in_float64(where=torch.where):
    """Keeps PyTorch in float64 and on the CPU."""
    torch.Tensor.float = torch.Tensor.double
    torch.cuda.FloatTensor = torch.DoubleTensor
    # PyTorch 2 takes no bytes as a condition.
    torch.where = lambda condition, *rest: where(condition.bool(), *rest)
    of_type = torch.Tensor.type
    torch.Tensor.type = lambda x, kind: (
        x.double() if kind is torch.DoubleTensor else of_type(x, kind)
    )


def main(folder):
    jax.config.update("jax_enable_x64", True)
    in_float64()
    given, cases, outputs = inputs.losses(), {}, {}
    for symbol, arguments, compute, loss, y_true, y_pred in losses(folder):
        arguments = {k: v for k, v in arguments.items() if k != "eps"}
        name = f"{symbol}:{arguments}, {y_pred}, {y_true}"
        cases[name] = {"y_true": y_true, "y_pred": y_pred, "arguments": arguments}
        outputs[name] = compute(loss, given[y_pred], given[y_true])
    for beta in (0.9, 0.999):
        name = f"compute_class_weights:{beta}"
        cases[name] = {"arguments": {"beta": beta}}
        counts = [500, 20, 3, 120, 7]
        _, weights = timm_losses.compute_class_weights(
            counts, sum(counts), "effective_num", beta=beta
        )
        outputs[name] = {"weights": np.asarray(weights)}
    versions = {p: version(p) for p in ("timm", "torch", "optax", "jax")}
    versions |= dict(name.split("@") for name in MODULES)
    inputs.save("classification", versions, cases, outputs)


if __name__ == "__main__":
    main(sys.argv[1])
