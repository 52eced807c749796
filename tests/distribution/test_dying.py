"""A process that dies stops the others, and all go on from their checkpoint.

Of workers of TensorFlow, `examples/multi_worker.py` shows the same.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

import tfx_extras  # noqa: F401  # whose objects are in the files
from tests.distribution.matrix import ports

pytestmark = pytest.mark.only("torch")
ROOT = Path(__file__).parents[2]


def train(path, dies=0):
    """How each of two processes ended, and what the first has to say."""
    numbers = ports(2)
    processes = [
        subprocess.Popen(
            [
                *(sys.executable, "-m", "tests.distribution.dying"),
                *(str(path), "8", str(dies), str(rank), *numbers),
            ],
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=os.environ | {"KERAS_BACKEND": "torch"},
        )
        for rank in range(2)
    ]
    try:
        errors = [process.communicate(timeout=120)[1] for process in processes]
    finally:
        for process in processes:
            process.kill()
    return [process.returncode for process in processes], errors[0]


def state(path):
    model = keras.saving.load_model(path)
    return [v.numpy() for v in model.variables + model.optimizer.variables]


def test_the_others_stop_with_an_error_and_all_go_on(tmp_path):
    whole, killed = tmp_path / "whole.keras", tmp_path / "killed.keras"
    codes, error = train(whole)
    assert codes == [0, 0], error
    (code, last), error = train(killed, dies=6)
    assert (code, last) == (1, -signal.SIGKILL)
    assert "RuntimeError" in error or "DistBackendError" in error
    assert 4 in [int(x) for x in state(killed) if x.shape == ()]  # updates made
    codes, error = train(killed)
    assert codes == [0, 0], error
    for a, b in zip(state(killed), state(whole), strict=True):
        np.testing.assert_array_equal(a, b)
