"""The example of semi-supervised learning runs, and compares what it claims to."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tools import BACKEND

pytestmark = [pytest.mark.only("torch"), pytest.mark.slow]
SCRIPT = Path(__file__).parents[2] / "examples" / "semi_supervised.py"


def test_it_prints_a_table_of_methods():
    result = subprocess.run(
        [sys.executable, str(SCRIPT), "--fast"],
        capture_output=True,
        text=True,
        env=os.environ | {"KERAS_BACKEND": BACKEND},
    )
    assert result.returncode == 0, result.stderr[-3000:]
    rows = [line for line in result.stdout.splitlines() if " % ± " in line]
    methods = [row.split("|")[1].strip() for row in rows]
    assert methods == ["labels alone", "pi-model", "UDA", "FixMatch"]
    for row in rows:
        assert 0 <= float(row.split("|")[2].split()[0]) <= 100
