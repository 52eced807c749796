"""Several devices give the weights that one device gives."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.cases import OPTIMIZERS
from tests.cases import each_class

pytestmark = pytest.mark.only("tensorflow")
WAYS = ("one", "collective", "merged")
ROOT = Path(__file__).parents[2]


def train(name, way):
    script = [sys.executable, "-m", "tests.distribution.mirrored", name, way]
    result = subprocess.run(script, capture_output=True, text=True, cwd=ROOT)
    assert result.returncode == 0, result.stderr[-3000:]
    return json.loads(result.stdout.splitlines()[-1])


@each_class(OPTIMIZERS)
def test_two_replicas_equal_one_on_both_ways_of_reduction(case):
    one, *others = [train(case.cls.__name__, way) for way in WAYS]
    for two in others:
        for label, tolerance in [
            ("plain", 1e-5),
            ("average", 1e-5),
            ("bfloat16", 1e-2),
        ]:
            np.testing.assert_allclose(
                two[label], one[label], rtol=tolerance, atol=tolerance / 10
            )
