"""Writes `goldens/optax.npz`: what Optax computes, in `float64`.

python3.11 -m venv .venv-optax
.venv-optax/bin/pip install optax==0.2.8 jax==0.10.2 numpy==2.4.6
.venv-optax/bin/python -m tests.parity.make_optax
"""

import jax
import numpy as np
import optax
import optax.contrib
from jax import numpy as jnp

from tests.parity import inputs

RATE = 2.0**-6


def muon(
    ns_coeffs=(3.4445, -4.775, 2.0315), muon_weight_dimension_numbers=(0, 1), **kw
):
    numbers = optax.contrib.MuonDimensionNumbers(*muon_weight_dimension_numbers)
    return optax.contrib.muon(
        ns_coeffs=tuple(ns_coeffs),
        muon_weight_dimension_numbers=numbers,
        nesterov=False,
        eps=0.0,  # added to a norm whose bias is corrected
        **kw,
    )


ADABELIEF = {
    "default": {"eps": 1e-14, "eps_root": 1e-14},
    "epsilon": {"eps": 1e-7, "eps_root": 1e-7},
    "large epsilon": {"eps": 1e-3, "eps_root": 1e-3},
    "short": {"b1": 0.5, "b2": 0.9, "eps": 1e-14, "eps_root": 1e-14},
}
RADAM = {
    "default": {"eps": 1e-7},
    "epsilon": {"eps": 1e-3},
    "short": {"b1": 0.5, "b2": 0.9, "eps": 1e-7},
    "threshold 4": {"eps": 1e-7, "threshold": 4.0},
}
LAMB = {
    "default": {},
    "decay": {"weight_decay": 0.1},
    "short": {"b1": 0.5, "b2": 0.9, "eps": 1e-3},
}
YOGI = {"default": {}, "short": {"b1": 0.5, "b2": 0.9, "eps": 1e-2}}
NOVOGRAD = {
    "default": {},
    "decay": {"weight_decay": 0.1},
    "long": {"b1": 0.95, "b2": 0.98, "eps": 1e-3},
}
COCOB = {"default": {}, "alpha": {"alpha": 10.0}}
ADAMW = {
    "default": {"weight_decay": 0.0},
    "decay": {"weight_decay": 0.1},
    "short": {"b1": 0.5, "b2": 0.9, "eps": 1e-3, "weight_decay": 0.0},
    "nesterov": {"nesterov": True, "weight_decay": 0.0},
    "nesterov, short": {"nesterov": True, "b1": 0.5, "b2": 0.9, "weight_decay": 0.1},
}
ADEMAMIX = {
    "default": {},
    "decay": {"weight_decay": 0.1},
    "short": {"b1": 0.5, "b2": 0.9, "b3": 0.95, "alpha": 2.0, "eps": 1e-3},
}
ADOPT = {
    "default": {},
    "short": {"b1": 0.5, "b2": 0.9, "eps": 1e-2},
    "no clipping": {"use_clipping": False, "b2": 0.9},
}
# With weight decay, Optax takes the norm of the gradient after the decay.
LARS = {
    "default": {},
    "nesterov": {"nesterov": True, "momentum": 0.5, "trust_coefficient": 0.1},
    "epsilon": {"eps": 1.0, "momentum": 0.0},
}
# Optax corrects the bias of the momentum, which changes nothing without Nesterov.
MUON = {
    "rms": {"consistent_rms": 0.2, "weight_decay": 0.1},
    "spectral": {},
    "short": {"beta": 0.5, "ns_steps": 3, "ns_coeffs": [2.0, -1.5, 0.5]},
    "transposed": {"muon_weight_dimension_numbers": [1, 0]},
}
OPTIMIZERS = (
    (optax.adabelief, ADABELIEF),
    (optax.radam, RADAM),
    (optax.lamb, LAMB),
    (optax.yogi, YOGI),
    (optax.novograd, NOVOGRAD),
    (optax.contrib.cocob, COCOB),
    (optax.adamw, ADAMW),
    (optax.contrib.ademamix, ADEMAMIX),
    (optax.contrib.adopt, ADOPT),
    (optax.lars, LARS),
    (muon, MUON),
)
FOCAL = (
    {"alpha": None, "gamma": 2.0},
    {"alpha": 0.25, "gamma": 2.0},
    {"alpha": 0.25, "gamma": 0.5},
    {"alpha": 0.75, "gamma": 1.0},
)


def trajectory(optimizer):
    given = inputs.optimizers()
    weights = jnp.asarray(given["start"])
    state = optimizer.init(weights)
    recorded = []
    for step, gradient in enumerate(given["gradients"], 1):
        updates, state = optimizer.update(jnp.asarray(gradient), state, weights)
        weights = optax.apply_updates(weights, updates)
        if step in inputs.STEPS:
            recorded.append(np.asarray(weights))
    return np.stack(recorded)


def main():
    jax.config.update("jax_enable_x64", True)
    cases, outputs = {}, {}
    for optimizer, settings in OPTIMIZERS:
        for title, case in settings.items():
            name = f"{optimizer.__name__}:{title}"
            rate = {} if optimizer is optax.contrib.cocob else {"learning_rate": RATE}
            cases[name] = {"dtype": "float64", "arguments": rate | case}
            outputs[name] = {"weights": trajectory(optimizer(**rate, **case))}
    given = inputs.losses()
    for arguments in FOCAL:
        for y_true, y_pred in (
            ("hard", "extreme_logits"),
            ("soft", "extreme_logits"),
            ("hard", "sure_logits"),
        ):
            name = f"sigmoid_focal_loss:{arguments}, {y_pred}, {y_true}"
            cases[name] = {"y_true": y_true, "y_pred": y_pred, "arguments": arguments}

            def loss(y_pred, y_true=given[y_true], arguments=arguments):
                return optax.losses.sigmoid_focal_loss(y_pred, y_true, **arguments)

            y_pred = jnp.asarray(given[y_pred])
            outputs[name] = {
                "value": loss(y_pred),
                "gradient": jax.grad(lambda y_pred, f=loss: f(y_pred).sum())(y_pred),
            }
    versions = {"jax": jax.__version__, "optax": optax.__version__}
    inputs.save("optax", versions, cases, outputs)


if __name__ == "__main__":
    main()
