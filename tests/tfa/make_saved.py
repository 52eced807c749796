"""Writes `data/`: models as TensorFlow Addons saved them, and its signatures.

In the environment of `tests/parity/make_tfa.py`:

    .venv-tfa/bin/python -m tests.tfa.make_saved

Each model is trained for 3 steps, saved as `NAME.keras` and `NAME.h5` in `saved.zip`,
and trained for 2 more steps. `expected.npz` has its predictions, and its weights after
that. `configs.json` has a configuration of each loss and optimizer, and
`signatures.json` lists what can be imported and called, with parameters.
"""

import importlib
import inspect
import json
import pkgutil
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import tensorflow as tf
import tensorflow_addons as tfa

DATA = Path(__file__).parent / "data"


def models():
    """Loss, optimizer, and the number of predicted values, by name."""
    losses, optimizers = tfa.losses, tfa.optimizers
    falling = tf.keras.optimizers.schedules.ExponentialDecay(0.125, 4, 0.5)
    yield (
        "adamw_focal",
        (
            losses.SigmoidFocalCrossEntropy(reduction="sum_over_batch_size"),
            optimizers.AdamW(weight_decay=0.0078125, learning_rate=falling),
            3,
        ),
    )
    yield (
        "lookahead_triplet",
        (
            losses.TripletSemiHardLoss(margin=0.5),
            optimizers.Lookahead(
                optimizers.RectifiedAdam(
                    0.125, total_steps=16, beta_2=0.5, weight_decay=0.0078125
                ),
                sync_period=2,
            ),
            3,
        ),
    )
    yield (
        "average_pinball",
        (
            losses.PinballLoss(tau=0.75),
            optimizers.MovingAverage(tf.keras.optimizers.legacy.SGD(0.125, 0.5), 0.5),
            3,
        ),
    )
    yield (
        "lamb_contrastive",
        (
            losses.ContrastiveLoss(margin=2.0),
            optimizers.LAMB(0.125, exclude_from_layer_adaptation=["bias"]),
            1,
        ),
    )


def batch(loss, outputs):
    random = np.random.default_rng(7)
    x = random.integers(-8, 8, (8, 4)) / 8
    if isinstance(loss, tfa.losses.TripletSemiHardLoss):
        return x, np.arange(8) % 3
    return x, random.integers(0, 2, (8, outputs)).astype("float32")


def save(folder, archive):
    expected = {}
    for name, (loss, optimizer, outputs) in models():
        tf.keras.utils.set_random_seed(0)
        last = tf.keras.layers.Dense(outputs, "sigmoid", name="last")
        model = tf.keras.Sequential(
            [tf.keras.Input((4,), name="x"), tf.keras.layers.Dense(2, "tanh"), last]
        )
        model.compile(optimizer, loss)
        x, y = batch(loss, outputs)
        model.fit(x, y, batch_size=8, epochs=3, verbose=0)
        for suffix in ("keras", "h5"):
            path = Path(folder) / f"{name}.{suffix}"
            model.save(path)
            archive.write(path, path.name)
        expected[f"{name}/x"], expected[f"{name}/y"] = x, y
        expected[f"{name}/predictions"] = model(x).numpy()
        expected[f"{name}/loss"] = model.evaluate(x, y, batch_size=8, verbose=0)
        model.fit(x, y, batch_size=8, epochs=2, verbose=0)
        for i, weight in enumerate(model.get_weights()):
            expected[f"{name}/trained/{i}"] = weight
    np.savez_compressed(DATA / "expected.npz", **expected)


def configs():
    losses, optimizers = tfa.losses, tfa.optimizers
    falling = tf.keras.optimizers.schedules.ExponentialDecay(0.125, 4, 0.5)
    rated = [
        *(optimizers.RectifiedAdam, optimizers.AdaBelief, optimizers.LAMB),
        *(optimizers.LazyAdam, optimizers.NovoGrad, optimizers.ProximalAdagrad),
        *(optimizers.Yogi, optimizers.ConditionalGradient),
    ]
    made = [cls(0.125, name="mine", clipnorm=1.0) for cls in rated]
    made += [
        optimizers.COCOB(alpha=50),
        optimizers.RectifiedAdam(falling, weight_decay=falling, total_steps=0),
        optimizers.AdamW(0.25, 0.125, exclude_from_weight_decay=["bias"], decay=0.5),
        optimizers.AdamW(falling, falling),
        optimizers.SGDW(0.25, 0.125, 0.5, True),
        optimizers.Lookahead(optimizers.SGDW(0.25, 0.125), 3),
        optimizers.MovingAverage(optimizers.LAMB(0.125), 0.5, start_step=2),
        optimizers.SWA(tf.keras.optimizers.legacy.Adam(0.125), 4, 2),
    ]
    made += [
        losses.ContrastiveLoss(0.5),
        losses.SigmoidFocalCrossEntropy(True, 0.5, 1.0, reduction="sum"),
        losses.GIoULoss("iou"),
        losses.WeightedKappaLoss(5, "linear", epsilon=0.5),
        losses.LiftedStructLoss(0.5, "mine"),
        losses.NpairsLoss(),
        losses.NpairsMultilabelLoss(),
        losses.PinballLoss(0.25),
        losses.SparsemaxLoss(),
        losses.TripletSemiHardLoss(0.5, "squared-L2"),
        losses.TripletHardLoss(0.5, True, "angular"),
    ]
    found = [tf.keras.utils.serialize_keras_object(obj) for obj in made]
    write("configs", found)


def write(name, value):
    def plain(x):
        return x.item() if isinstance(x, np.generic) else str(x)

    text = json.dumps(value, default=plain)
    (DATA / f"{name}.json").write_text(text + "\n")


def signature(obj):
    """Names, kinds and defaults of a callable's parameters."""

    def default(value):
        if value is inspect.Parameter.empty:
            return "required"
        return (
            value
            if value is None or isinstance(value, bool | int | float | str)
            else repr(value)
        )

    return [
        [p.name, p.kind.name, default(p.default)]
        for p in inspect.signature(obj).parameters.values()
    ]


def described(obj):
    """A callable's signature, registered name and methods."""
    found = {
        "signature": signature(obj),
        "registered": tf.keras.utils.get_registered_name(obj),
    }
    if inspect.isclass(obj):
        found["methods"] = {
            name: signature(method) if inspect.isfunction(method) else None
            for name, method in sorted(vars(obj).items())
            if not name.startswith("_")
        }
    return found


def signatures():
    found = {}
    for package in (tfa.losses, tfa.optimizers):
        modules = [
            importlib.import_module(f"{package.__name__}.{module.name}")
            for module in pkgutil.iter_modules(package.__path__)
        ]
        for module in [package, *modules]:
            found[module.__name__.removeprefix("tensorflow_addons.")] = {
                name: described(obj)
                for name, obj in sorted(vars(module).items())
                if callable(obj)
                and not name.startswith("_")
                and str(getattr(obj, "__module__", "")).startswith(
                    package.__name__ if module is package else module.__name__
                )
            }
    found["optimizers"]["KerasLegacyOptimizer"] = None
    found["optimizers.constants"]["KerasLegacyOptimizer"] = None
    write("signatures", found)


if __name__ == "__main__":
    DATA.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        zipfile.ZipFile(DATA / "saved.zip", "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        save(folder, archive)
    configs()
    signatures()
