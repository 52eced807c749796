"""What optimizers do where replicas of TensorFlow meet, in each way."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.only("tensorflow")
@pytest.mark.parametrize("way", ["all-reduce", "one device"])
def test_rows_are_those_of_one_device_and_scalars_are_computed_once(way):
    script = [sys.executable, "-m", "tests.distribution.meeting", way]
    result = subprocess.run(script, capture_output=True, text=True, cwd=ROOT)
    assert result.returncode == 0, result.stderr[-3000:]
