"""Too many gradients that are not finite, in programs of JAX over several devices."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.only("jax")
def test_programs_over_several_devices_do_not_fail_and_those_over_one_do():
    script = [sys.executable, "-m", "tests.distribution.giving_up"]
    # Devices that wait for one that has failed would do so for 40 seconds, and abort.
    result = subprocess.run(script, capture_output=True, text=True, cwd=ROOT)
    assert result.returncode == 0, result.stderr[-3000:]
