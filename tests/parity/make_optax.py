"""Writes `goldens/optax.npz`: what Optax computes, in `float64`.

python3.11 -m venv .venv-optax
.venv-optax/bin/pip install optax==0.2.8 jax==0.10.2 numpy==2.4.6
.venv-optax/bin/python -m tests.parity.make_optax
"""

import jax
import numpy as np
import optax
from jax import numpy as jnp

from tests.parity import inputs

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
    for symbol, settings in (("adabelief", ADABELIEF), ("radam", RADAM)):
        for title, case in settings.items():
            name = f"{symbol}:{title}"
            arguments = {"learning_rate": 2.0**-6} | case
            cases[name] = {"dtype": "float64", "arguments": arguments}
            optimizer = getattr(optax, symbol)(**arguments)
            outputs[name] = {"weights": trajectory(optimizer)}
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
