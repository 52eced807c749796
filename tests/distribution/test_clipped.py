"""On several replicas, Keras clips as the guide of sharp bits says."""

import json
import re
from pathlib import Path

import pytest

from tests import processes

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.only("tensorflow")
def test_keras_clips_the_gradient_of_each_replica(tmp_path):
    path = tmp_path / "moved.json"
    processes.run("tests.distribution.clipped", path, log=tmp_path / "log")
    found = json.loads(path.read_text())
    guide = (ROOT / "docs/guides/sharp_bits.md").read_text()
    said = re.search(r"by ([\d.]+) on one replica and by ([\d.]+) on two", guide)
    assert found == [float(number) for number in said.groups()]
