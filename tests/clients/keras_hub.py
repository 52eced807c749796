"""Trains a tiny KerasHub classifier with every optimizer and two wrappers.

    python3.11 -m venv .venv-hub
    .venv-hub/bin/python -m pip install --constraint constraints.txt \\
        keras-hub tensorflow jax torch
    .venv-hub/bin/python -m tests.clients.keras_hub [BACKEND ...]

KerasHub needs a separate environment, with TensorFlow and TensorFlow Text on every
backend. The model is a one-layer BERT with random weights; nothing is downloaded. Each
backend runs in its own process. Prints a table of the loss before and after training,
and exits with 1 if a loss is not finite, a loss does not fall, or an error is raised.
"""

import inspect
import os
import subprocess
import sys

BACKENDS = ("tensorflow", "jax", "torch")


def optimizers_by_name():
    """Functions that make each optimizer and two wrappers, by name."""
    from tfx_extras import optimizers

    base = optimizers.Optimizer
    natives = {
        name: cls
        for name, cls in vars(optimizers).items()
        if inspect.isclass(cls) and issubclass(cls, base) and cls is not base
    }
    wrappers = {
        "Lookahead(RAdam)": lambda: optimizers.Lookahead(optimizers.RAdam(), 2),
        "ParameterGroups(RAdam)": lambda: optimizers.ParameterGroups(
            optimizers.RAdam(),
            {"embedding": {"learning_rate_multiplier": 0.5}, ".*": {}},
        ),
    }
    return natives | wrappers


def train(optimizer):
    """Trains on one batch, whose size the graph does not know; returns the losses."""
    import keras
    import keras_hub
    import numpy as np

    keras.utils.set_random_seed(0)
    backbone = keras_hub.models.BertBackbone(
        vocabulary_size=32,
        num_layers=1,
        num_heads=2,
        hidden_dim=8,
        intermediate_dim=16,
        max_sequence_length=12,
        dropout=0.0,
    )
    model = keras_hub.models.BertTextClassifier(
        backbone, num_classes=2, preprocessor=None, dropout=0.0
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss, jit_compile=False, metrics=[])
    tokens = np.random.default_rng(0).integers(1, 32, size=(16, 9))
    x = {
        "token_ids": tokens,
        "segment_ids": np.zeros_like(tokens),
        "padding_mask": np.ones_like(tokens),
    }
    y = np.arange(16) % 4 == 0
    history = model.fit(x, y.astype("int32"), batch_size=16, epochs=6, verbose=0)
    return history.history["loss"]


def run():
    """Prints a row for each optimizer, on the backend of this process."""
    import keras

    faults = 0
    for name, make in optimizers_by_name().items():
        try:
            losses = train(make())
            is_good = losses[-1] < losses[0] < float("inf")
            row = f"{losses[0]:.4f} -> {losses[-1]:.4f}"
        except Exception as error:
            is_good, row = False, f"{type(error).__name__}: {str(error)[:60]!r}"
        faults += not is_good
        verdict = "trains" if is_good else "FAILS "
        print(f"{keras.backend.backend():<12}{name:<24}{verdict}  {row}", flush=True)
    sys.exit(faults > 0)


def main(*backends):
    """Starts a process for each backend."""
    codes = [
        subprocess.run(
            [sys.executable, "-W", "ignore", "-m", "tests.clients.keras_hub", "--here"],
            env=os.environ | {"KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"},
        ).returncode
        for backend in backends or BACKENDS
    ]
    sys.exit(any(codes))


if __name__ == "__main__":
    run() if sys.argv[1:] == ["--here"] else main(*sys.argv[1:])
