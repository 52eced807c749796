"""A process that dies stops the others, and all resume from their checkpoint.

`examples/multi_worker.py` shows the same for TensorFlow's workers.
"""

import signal

import keras
import numpy as np
import pytest

import tfx_extras  # noqa: F401  # whose objects are in the files
from tests import processes
from tests.distribution.matrix import ports

pytestmark = [pytest.mark.only("torch"), pytest.mark.slow]


def train(path, dies=0):
    """The exit codes of two processes, and what they wrote to their logs."""
    numbers = ports(2)
    logs = [path.with_suffix(f".{rank}.log") for rank in range(2)]
    started = [
        processes.start(
            "tests.distribution.dying", path, 8, dies, rank, *numbers, log=log
        )
        for rank, log in enumerate(logs)
    ]
    try:
        for process in started:
            process.join(120)
    finally:
        for process in started:
            process.kill()
    codes = [process.exitcode for process in started]
    return codes, "".join(log.read_text() for log in logs)


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
    # 4 is the number of updates made.
    assert 4 in [int(x) for x in state(killed) if x.shape == ()]
    codes, error = train(killed)
    assert codes == [0, 0], error
    for a, b in zip(state(killed), state(whole), strict=True):
        np.testing.assert_array_equal(a, b)
