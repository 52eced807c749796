"""The example of the range test runs, and compares suggestions with a grid."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tools import BACKEND

pytestmark = [pytest.mark.only("torch"), pytest.mark.slow]
SCRIPT = Path(__file__).parents[2] / "examples" / "learning_rate.py"


def test_it_prints_a_suggestion_beside_a_grid():
    result = subprocess.run(
        [sys.executable, str(SCRIPT), "--fast"],
        capture_output=True,
        text=True,
        env=os.environ | {"KERAS_BACKEND": BACKEND},
    )
    assert result.returncode == 0, result.stderr[-3000:]
    lines = [line.split() for line in result.stdout.splitlines()]
    rows = [line for line in lines if line[:1] == ["suggestion"] and line[1] != "/"]
    rates = [float(row[1].strip(":")) for row in rows]
    assert len(rates) == 1
    assert 1e-4 < rates[0] < 1
