"""Trains, and keeps the weights: `main(PART, FOLDER, [KIND ...])`.

Each part runs in its own process. `through` trains 4 epochs and saves the model after
2; `second` loads it and trains 2 more. `killed` ends in the middle of its third epoch;
`restored` resumes from the end of the epoch before. See `test_resumed.py`.
"""

import os
import signal

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

from tfx_extras import optimizers

KINDS = {
    "Lookahead(RAdam)": lambda: optimizers.Lookahead(optimizers.RAdam(0.01)),
    "SWA(MovingAverage(AdaBelief))": lambda: optimizers.SWA(
        optimizers.MovingAverage(optimizers.AdaBelief(0.01)), start=3, period=4
    ),
    "LossScaleOptimizer(Lookahead(Adam))": lambda: keras.optimizers.LossScaleOptimizer(
        optimizers.Lookahead("adam", sync_period=3)
    ),
    "ScheduleFreeAdamW": lambda: optimizers.ScheduleFreeAdamW(0.01, 5),
    "ParameterGroups(Adam, SGD)": lambda: optimizers.ParameterGroups(
        keras.optimizers.Adam(0.01),
        {
            "head": keras.optimizers.SGD(0.1, momentum=0.9),
            "bias": {"learning_rate_multiplier": 0.5, "weight_decay": 0.1},
            ".*": {},
        },
    ),
}


class Kill(keras.callbacks.Callback):
    """Kills the process in the middle of an epoch, without any cleanup."""

    epoch = 0

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if (self.epoch, batch) == (2, 1):
            os.kill(os.getpid(), signal.SIGKILL)


class Save(keras.callbacks.Callback):
    """Saves the model and its weights after two epochs."""

    def __init__(self, path):
        super().__init__()
        self.path = path

    def on_epoch_end(self, epoch, logs=None):
        if epoch == 1:
            self.model.save(f"{self.path}.keras")
            keep(self.model, f"{self.path}-halfway.npz")


def keep(model, path):
    state = [*model.variables, *model.optimizer.variables]
    np.savez(path, *(keras.ops.convert_to_numpy(v) for v in state))


def network(kind):
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((3,)),
            keras.layers.Dense(4, activation="relu", name="body"),
            keras.layers.Dense(2, name="head"),
        ]
    )
    model.compile(KINDS[kind](), loss="mse")
    return model


def data():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(32, 3)).astype("float32")
    return x, x[:, :2] ** 2


def fit(model, epochs, callbacks=(), **options):
    x, y = data()
    history = model.fit(
        x,
        y,
        batch_size=8,
        epochs=epochs,
        shuffle=False,
        verbose=0,
        callbacks=list(callbacks),
        **options,
    )
    return history.epoch


def main(part, folder, *kinds):
    for kind in kinds or KINDS:
        path = f"{folder}/{list(KINDS).index(kind)}"
        backup = keras.callbacks.BackupAndRestore(path)
        if part == "second":
            model = keras.saving.load_model(f"{path}.keras")
        else:
            model = network(kind)
        callbacks = {
            "through": [Save(path)],
            "killed": [backup, Kill()],
            "restored": [backup],
        }.get(part, [])
        epochs = fit(model, 2 if part == "second" else 4, callbacks)
        np.save(f"{path}-{part}-epochs.npy", epochs)
        keep(model, f"{path}-{part}.npz")
