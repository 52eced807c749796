"""Writes `data/VERSION.zip`: what this version of the package saves.

    python -m tests.saved.make

Later versions must load it, and resume training. The file of a version may be rewritten
until its release, and never after it. It holds

- `losses.json` and `schedules.json`: at least one configuration of each class,
- `NAME.keras`: a model with each optimizer and wrapper, trained for 6 updates,
- `expected.npz`: inputs and values of the losses, rates of the schedules, and weights
  of each model after 3 more updates, and after a swap of averages.
"""

import json
import os
import tempfile
import zipfile
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from keras import ops

import tfx_extras
from tests.cases import LOSSES
from tests.cases import OPTIMIZERS
from tests.cases import SCHEDULES
from tests.cases import WRAPPERS
from tests.tools import array

DATA = Path(__file__).parent / "data"
STEPS = np.arange(60)


def first_of_each_class(cases):
    return {case.cls.__name__: case for case in reversed(cases)}


def optimizers():
    """Each optimizer or wrapper, with a schedule, by the name of its class."""
    own = tfx_extras.optimizers
    schedule = tfx_extras.schedules.WarmupCosine(2.0**-6, 2, 8)
    for name, case in first_of_each_class(OPTIMIZERS).items():
        yield name, case.make(schedule, weight_decay=0.1, weight_decay_exclude=["bias"])
    for name, case in first_of_each_class(WRAPPERS).items():
        yield name, case.make(own.RAdam(schedule))
    yield "Ranger", own.Ranger(2.0**-6, sync_period=2)
    options = {"weight_decay": 0.1, "weight_decay_exclude": ["bias"]}
    yield "ScheduleFreeAdamW", own.ScheduleFreeAdamW(2.0**-6, 2, **options)
    yield "ScheduleFreeRAdam", own.ScheduleFreeRAdam(2.0**-6, **options)
    yield "ScheduleFreeSGD", own.ScheduleFreeSGD(2.0**-6, 2, **options)
    yield (
        "ParameterGroups",
        own.ParameterGroups(
            own.AdaBelief(schedule, use_ema=True),
            {"bias": {"learning_rate_multiplier": 0.5}, "kernel": own.Yogi(2.0**-6)},
        ),
    )


def train(model, updates):
    """Makes updates with gradients that depend only on the number of the update."""
    for update in updates:
        rng = np.random.default_rng(update)
        model.optimizer.apply(
            [
                ops.convert_to_tensor(rng.normal(size=v.shape), "float32")
                for v in model.trainable_variables
            ],
            model.trainable_variables,
        )


def weights_after(model):
    """By name: the weights after three more updates, and averages if there are any."""
    train(model, (6, 7, 8))
    found = {"trained": model.get_weights()}
    if hasattr(model.optimizer, "swap"):
        model.optimizer.swap()
        found["swapped"] = model.get_weights()
    return {
        f"{name}/{i}": w for name, some in found.items() for i, w in enumerate(some)
    }


def main():
    expected, configurations = {}, {"losses": {}, "schedules": {}}
    for name, case in first_of_each_class(LOSSES).items():
        loss = case.make()
        y_true, y_pred = case.inputs()
        expected[f"{name}/y_true"], expected[f"{name}/y_pred"] = y_true, y_pred
        expected[f"{name}/value"] = array(loss(y_true, y_pred))
        configurations["losses"][name] = keras.losses.serialize(loss)
    for number, case in enumerate(SCHEDULES):
        name, schedule = f"{case.cls.__name__}/{number}", case.make()
        config = keras.optimizers.schedules.serialize(schedule)
        # It uses a function of the tests, which later versions may lack.
        if "tests" in json.dumps(config):
            continue
        expected[f"{name}/rates"] = array(schedule(STEPS))
        configurations["schedules"][name] = config
    path = DATA / f"{tfx_extras.__version__}.zip"
    with (
        tempfile.TemporaryDirectory() as folder,
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        for name, optimizer in optimizers():
            keras.utils.set_random_seed(0)
            model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
            model.compile(optimizer, tfx_extras.losses.Huber(delta=2.0))
            optimizer.build(model.trainable_variables)
            train(model, range(6))
            model.save(Path(folder, f"{name}.keras"))
            after = weights_after(model)
            expected |= {f"{name}/{key}": value for key, value in after.items()}
        for kind, configuration in configurations.items():
            text = json.dumps(configuration, indent=1, sort_keys=True)
            Path(folder, f"{kind}.json").write_text(text)
        np.savez(Path(folder, "expected.npz"), **expected)
        for file in sorted(Path(folder).iterdir()):
            archive.write(file, file.name)
    print(f"{path}: {path.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
