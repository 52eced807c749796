"""Losses with `gather` give the number, and the gradient, of one device."""

import inspect
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from tests.cases import LOSSES
from tests.distribution import gathered
from tests.tools import BACKEND

ROOT = Path(__file__).parents[2]


def computed(way):
    script = [sys.executable, "-m", "tests.distribution.gathered", way]
    environment = os.environ | {"KERAS_BACKEND": BACKEND}
    result = subprocess.run(
        script, capture_output=True, text=True, cwd=ROOT, env=environment
    )
    assert result.returncode == 0, result.stderr[-3000:]
    return json.loads(result.stdout.splitlines()[-1])


def test_every_loss_that_gathers_is_listed():
    found = {
        case.cls.__name__
        for case in LOSSES
        if "gather" in inspect.signature(case.function).parameters
    }
    assert found == {*gathered.FLAT, *gathered.VIEWS}


def test_several_devices_give_the_loss_and_gradient_of_one():
    """And replicas that do not gather know only their own samples."""
    one, several = computed("one"), computed("several")
    for name in gathered.FLAT + gathered.VIEWS:
        value, slope = one[f"{name},True"]
        assert value != 0
        assert one[f"{name},False"] == [value, slope]
        actual, actual_slope = several[f"{name},True"]
        np.testing.assert_allclose(actual, value, rtol=1e-6, err_msg=name)
        least = 3e-6 * np.abs(slope).max()
        np.testing.assert_allclose(actual_slope, slope, 1e-5, least, err_msg=name)
        if BACKEND != "jax":
            alone = several[f"{name},False"][0]
            assert abs(alone - value) > 1e-3 * abs(value), name
