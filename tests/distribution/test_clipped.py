"""What the guide of sharp bits says of Keras on several replicas."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.only("tensorflow")
def test_keras_clips_the_gradient_of_each_replica():
    script = [sys.executable, "-m", "tests.distribution.clipped"]
    result = subprocess.run(script, capture_output=True, text=True, cwd=ROOT)
    assert result.returncode == 0, result.stderr[-3000:]
    found = json.loads(result.stdout.splitlines()[-1])
    guide = (ROOT / "docs/guides/sharp_bits.md").read_text()
    said = re.search(r"by ([\d.]+) on one replica and by ([\d.]+) on two", guide)
    assert found == [float(number) for number in said.groups()]
