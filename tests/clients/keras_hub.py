"""Trains a tiny KerasHub classifier with every optimizer; checks kernel layouts.

    python3.11 -m venv .venv-hub
    .venv-hub/bin/python -m pip install --constraint constraints.txt \\
        keras-hub tensorflow jax torch
    .venv-hub/bin/python -m tests.clients.keras_hub [BACKEND ...]

KerasHub needs a separate environment, with TensorFlow and TensorFlow Text on every
backend. The model is a one-layer BERT with random weights; nothing is downloaded. Each
backend runs in its own process. Prints a table of the loss before and after training,
and exits with 1 if a loss is not finite, a loss does not fall, or an error is raised.
Before them are rows for some models that say whether `kernel_layouts` is right, also
with embeddings that are tied to the output.
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


# The layouts of kernels, by the ends of their paths. Embeddings have none.
LAYOUTS = {
    "BERT": {
        **dict.fromkeys(["query/kernel", "key/kernel", "value/kernel"], "ioo"),
        "attention_output/kernel": "iio",
        "feedforward_intermediate_dense/kernel": "io",
        "feedforward_output_dense/kernel": "io",
        "pooled_dense/kernel": "io",
        "logits/kernel": None,
    },
    "Gemma": {  # its heads are the first axis, and its embeddings make the output
        **dict.fromkeys(["query/kernel", "key/kernel", "value/kernel"], "oio"),
        "attention_output/kernel": "iio",
        **dict.fromkeys(["gating/kernel", "gating_2/kernel", "linear/kernel"], "io"),
    },
    "ViT": {
        **dict.fromkeys(["query/kernel", "key/kernel", "value/kernel"], "ioo"),
        "attention_output/kernel": "iio",
        "patch_embedding/kernel": "iiio",
        **dict.fromkeys(["dense_1/kernel", "dense_2/kernel"], "io"),
        "predictions/kernel": None,
    },
}


def models_by_name():
    """Tiny models, with random weights."""
    from keras_hub import models

    sizes = {"num_layers": 1, "hidden_dim": 8}
    text = sizes | {"vocabulary_size": 32, "intermediate_dim": 16}
    bert = models.BertBackbone(num_heads=2, max_sequence_length=12, **text)
    gemma = models.GemmaBackbone(
        num_query_heads=2, num_key_value_heads=1, head_dim=4, **text
    )
    vit = models.ViTBackbone(
        image_shape=(16, 16, 3), patch_size=8, num_heads=2, mlp_dim=16, **sizes
    )
    return {
        "BERT": models.BertTextClassifier(bert, num_classes=2, preprocessor=None),
        "Gemma": models.GemmaCausalLM(gemma, preprocessor=None),
        "ViT": models.ViTImageClassifier(vit, num_classes=3),
    }


def wrong_layouts(name, model):
    """The kernels whose layout is not that of `LAYOUTS`, with the layout found."""
    from tfx_extras.optimizers import kernel_layouts

    found = {path.removesuffix("$"): x for path, x in kernel_layouts(model).items()}
    wrong = {}
    for path, layout in found.items():
        ends = [end for end in LAYOUTS[name] if path.endswith(end)]
        if len(ends) != 1 or LAYOUTS[name][ends[0]] != layout:
            wrong[path] = layout
    missing = [
        end for end in LAYOUTS[name] if not any(path.endswith(end) for path in found)
    ]
    return wrong | dict.fromkeys(missing, "missing")


def run():
    """Prints a row for each optimizer, on the backend of this process."""
    import keras

    faults = 0
    for name, model in models_by_name().items():
        wrong = wrong_layouts(name, model)
        faults += bool(wrong)
        verdict = f"wrong: {wrong}" if wrong else "right"
        print(
            f"{keras.backend.backend():<12}layouts of {name:<13}{verdict}", flush=True
        )
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
