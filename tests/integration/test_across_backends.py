"""A model saved on one backend continues on each backend, in another process."""

import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

import tfx_extras
from tests import processes
from tests.integration.across_backends import X
from tests.integration.across_backends import Y

ROOT = Path(__file__).parents[2]


@pytest.mark.only("tensorflow")
def test_a_file_of_tensorflow_predicts_and_trains_alike(tmp_path):
    schedule = tfx_extras.schedules.WarmupCosine(0.01, 3, 20, end_learning_rate=0.001)
    model = keras.Sequential(
        [
            keras.Input((3,)),
            keras.layers.Dense(8, activation="tanh"),
            keras.layers.Dense(3),
        ]
    )
    optimizer = tfx_extras.optimizers.AdaBelief(
        schedule, weight_decay=0.1, weight_decay_exclude=["bias"]
    )
    loss = tfx_extras.losses.SmoothedSparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss)
    fit = {"batch_size": 4, "verbose": 0, "shuffle": False}
    model.fit(X, Y, epochs=5, **fit)
    model.save(tmp_path / "model.keras")
    before = model.predict(X, verbose=0)
    model.fit(X, Y, epochs=2, **fit)
    after = model.predict(X, verbose=0)
    assert np.abs(after - before).max() > 0.01

    for backend in ("tensorflow", "jax", "torch"):
        report = gone_on(backend, tmp_path / "model.keras", tmp_path / "log")
        assert report["names"] == ["AdaBelief", type(loss).__name__], backend
        if backend == "tensorflow":
            np.testing.assert_array_equal(report["before"], before)
            np.testing.assert_array_equal(report["after"], after)
        np.testing.assert_allclose(report["before"], before, atol=1e-5, err_msg=backend)
        np.testing.assert_allclose(report["after"], after, atol=1e-4, err_msg=backend)


def gone_on(backend, path, log):
    """Loads and trains a saved model on a backend, in its own process."""
    module = "tests.integration.across_backends"
    if backend == "tensorflow":
        processes.run(module, path, log=log)
    else:
        result = subprocess.run(
            [sys.executable, "-m", module, str(path)],
            capture_output=True,
            text=True,
            cwd=ROOT,
            env=os.environ | {"KERAS_BACKEND": backend},
        )
        assert result.returncode == 0, result.stderr[-3000:]
    return json.loads(path.with_suffix(".json").read_text())
