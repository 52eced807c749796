"""Several devices give the weights that one device gives."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.only("tensorflow")
ROOT = Path(__file__).parents[2]


def train(way):
    script = [sys.executable, "-m", "tests.distribution.mirrored", way]
    result = subprocess.run(script, capture_output=True, text=True, cwd=ROOT)
    assert result.returncode == 0, result.stderr[-3000:]
    return json.loads(result.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def one():
    return train("one")


@pytest.mark.parametrize("way", ["collective", "merged"])
def test_two_replicas_equal_one(way, one):
    two = train(way)
    assert two.keys() == one.keys()
    for kind, weights in one.items():
        tolerance = 1e-2 if "bfloat16" in kind else 1e-5
        np.testing.assert_allclose(
            two[kind], weights, rtol=tolerance, atol=tolerance / 10, err_msg=kind
        )
