"""Writes `goldens/tfa.npz`: what TensorFlow Addons 0.23 computes.

TensorFlow Addons ended with TensorFlow 2.15 and needs a separate environment:

    python3.11 -m venv .venv-tfa
    .venv-tfa/bin/pip install tensorflow-cpu==2.15.1 tensorflow-addons==0.23.0 "numpy<2"
    .venv-tfa/bin/python -m tests.parity.make_tfa

Settings are numbers that float32 holds, since TensorFlow Addons keeps them in float32
whatever the dtype of the weights.
"""

import numpy as np
import tensorflow as tf
import tensorflow_addons as tfa

from tests.parity import inputs

BETA_2 = float(np.float32(0.999))
BETA_2_SHORT = float(np.float32(0.9))
OPTIMIZER = {
    "learning_rate": 2.0**-6,
    "beta_1": float(np.float32(0.9)),
    "beta_2": BETA_2,
    "sma_threshold": 5.0,
    "weight_decay": 0.0,
    "amsgrad": False,
}
SHARED = {
    "default": {},
    "short": {"beta_2": BETA_2_SHORT, "beta_1": 0.5},
    "threshold 4": {"sma_threshold": 4.0},
    "decay": {"weight_decay": 2.0**-5},
    "amsgrad": {"amsgrad": True},
    "short, amsgrad, decay, threshold 4": {
        "beta_2": BETA_2_SHORT,
        "amsgrad": True,
        "weight_decay": 2.0**-5,
        "sma_threshold": 4.0,
    },
}
OPTIMIZERS = {
    "RectifiedAdam": {
        name: {"epsilon": 1e-7} | case
        for name, case in (SHARED | {"epsilon": {"epsilon": 2.0**-10}}).items()
    },
    "AdaBelief": {
        name: {"epsilon": 1e-14, "rectify": True} | case
        for name, case in (
            SHARED
            | {
                "epsilon": {"epsilon": 1e-7},
                "plain": {"rectify": False},
                "plain, epsilon": {"rectify": False, "epsilon": 1e-7},
                "plain, short, amsgrad, decay": {
                    "rectify": False,
                    "beta_2": BETA_2_SHORT,
                    "amsgrad": True,
                    "weight_decay": 2.0**-5,
                },
            }
        ).items()
    },
}
FOCAL = (
    {"alpha": 0.25, "gamma": 2.0},
    {"alpha": 0.75, "gamma": 0.5},
    {"alpha": None, "gamma": 1.5},
    {"alpha": 0.25, "gamma": 0.0},
)
CONTRASTIVE = ({"margin": 1.0}, {"margin": 0.5}, {"margin": 2.0})


def trajectory(optimizer, dtype):
    given = inputs.optimizers()
    weights = tf.Variable(given["start"], dtype=dtype)
    recorded = []
    for step, gradient in enumerate(given["gradients"], 1):
        optimizer.apply_gradients([(tf.constant(gradient, dtype), weights)])
        if step in inputs.STEPS:
            recorded.append(weights.numpy())
    return np.stack(recorded)


def value_and_gradient(function, y_pred):
    y_pred = tf.constant(y_pred)
    with tf.GradientTape() as tape:
        tape.watch(y_pred)
        value = function(y_pred)
    return {"value": value.numpy(), "gradient": tape.gradient(value, y_pred).numpy()}


def main():
    # Probabilities are clipped to this epsilon, and it is added before logarithms. The
    # default of 1e-7 would show in every value.
    tf.keras.backend.set_epsilon(1e-30)
    cases, outputs = {}, {}
    for symbol, settings in OPTIMIZERS.items():
        for title, case in settings.items():
            for dtype in ("float64", "float32"):
                name = f"{symbol}:{title}, {dtype}"
                cases[name] = {"dtype": dtype, "arguments": OPTIMIZER | case}
                optimizer = getattr(tfa.optimizers, symbol)(**cases[name]["arguments"])
                outputs[name] = {"weights": trajectory(optimizer, dtype)}
    given = inputs.losses()
    for arguments in FOCAL:
        for y_pred in ("logits", "probabilities"):
            for y_true in ("hard", "soft"):
                name = f"sigmoid_focal_crossentropy:{arguments}, {y_pred}, {y_true}"
                cases[name] = {
                    "y_true": y_true,
                    "y_pred": y_pred,
                    "arguments": arguments | {"from_logits": y_pred == "logits"},
                }
    for arguments in CONTRASTIVE:
        cases[f"contrastive_loss:{arguments}"] = {
            "y_true": "similar",
            "y_pred": "distances",
            "arguments": arguments,
        }
    for name, case in cases.items():
        if "y_pred" in case:
            function = getattr(tfa.losses, name.split(":")[0])
            y_true = tf.constant(given[case["y_true"]])
            outputs[name] = value_and_gradient(
                lambda y_pred, f=function, y=y_true, a=case["arguments"]: f(
                    y, y_pred, **a
                ),
                given[case["y_pred"]],
            )
    versions = {
        "tensorflow": tf.__version__,
        "tensorflow-addons": tfa.__version__,
    }
    inputs.save("tfa", versions, cases, outputs)


if __name__ == "__main__":
    main()
