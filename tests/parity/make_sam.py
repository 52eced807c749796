"""Writes `goldens/sam.npz`: sharpness-aware training of a linear classifier.

The code of davda54 is a repository and no package.

python3.11 -m venv .venv-sam
.venv-sam/bin/pip install torch==2.13.0 optax==0.2.8 jax==0.10.2 numpy==2.4.6
git clone https://github.com/davda54/sam .venv-sam/davda54
git -C .venv-sam/davda54 checkout 3c3afdb
PYTHONPATH=.venv-sam/davda54 .venv-sam/bin/python -m tests.parity.make_sam
"""

from importlib.metadata import version

import jax
import numpy as np
import optax
import optax.contrib
import torch
from jax import numpy as jnp
from sam import SAM

from tests.parity import inputs

SETTINGS = {
    "sam": {"rho": 0.5, "adaptive": False},
    "default": {"rho": 0.05, "adaptive": False},
    "asam": {"rho": 0.5, "adaptive": True},
}
MOMENTUM = {"learning_rate": 0.125, "momentum": 0.5}


def of_davda54(rho, adaptive):
    given = inputs.classifier()
    weights = [
        torch.nn.Parameter(torch.tensor(given[key])) for key in ("kernel", "bias")
    ]
    rate = {"lr": MOMENTUM["learning_rate"], "momentum": MOMENTUM["momentum"]}
    optimizer = SAM(weights, torch.optim.SGD, rho=rho, adaptive=adaptive, **rate)
    recorded = []
    for x, y in zip(given["x"], given["y"], strict=True):

        def loss(x=x, y=y):
            logits = torch.tensor(x) @ optimizer.param_groups[0]["params"][0]
            logits = logits + optimizer.param_groups[0]["params"][1]
            value = torch.nn.functional.cross_entropy(logits, torch.tensor(y))
            value.backward()
            return value

        optimizer.zero_grad()
        loss()
        optimizer.step(loss)
        recorded.append([weight.detach().numpy().copy() for weight in weights])
    return recorded


def of_optax(rho):
    given = inputs.classifier()
    weights = [jnp.asarray(given[key]) for key in ("kernel", "bias")]
    around = optax.chain(optax.contrib.normalize(), optax.sgd(rho))
    optimizer = optax.contrib.sam(optax.sgd(**MOMENTUM), around, opaque_mode=True)
    state = optimizer.init(weights)
    recorded = []
    for x, y in zip(given["x"], given["y"], strict=True):

        def loss(weights, _=0, x=x, y=y):
            logits = x @ weights[0] + weights[1]
            each = optax.losses.softmax_cross_entropy_with_integer_labels(logits, y)
            return each.mean()

        gradient = jax.grad(loss)
        updates, state = optimizer.update(
            gradient(weights), state, weights, grad_fn=gradient
        )
        weights = optax.apply_updates(weights, updates)
        recorded.append([np.asarray(weight) for weight in weights])
    return recorded


def main():
    jax.config.update("jax_enable_x64", True)
    cases, outputs = {}, {}
    for title, case in SETTINGS.items():
        makers = {"davda54": lambda case=case: of_davda54(**case)}
        if not case["adaptive"]:
            makers["optax"] = lambda case=case: of_optax(case["rho"])
        for library, make in makers.items():
            name = f"{library}:{title}"
            cases[name] = {"arguments": case, "optimizer": MOMENTUM}
            kernels, biases = zip(*make(), strict=True)
            outputs[name] = {"kernel": np.stack(kernels), "bias": np.stack(biases)}
    versions = {package: version(package) for package in ("jax", "optax", "torch")}
    inputs.save("sam", versions | {"sam": "3c3afdb"}, cases, outputs)


if __name__ == "__main__":
    main()
