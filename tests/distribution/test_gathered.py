"""Losses with `gather` give the number, and the gradient, of one device."""

import functools
import inspect
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.cases import LOSSES
from tests.distribution import gathered
from tests.tools import BACKEND

ROOT = Path(__file__).parents[2]
each_loss = pytest.mark.parametrize("name", gathered.FLAT + gathered.VIEWS)


@functools.cache
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


@pytest.mark.xdist_group("gathered")
@each_loss
def test_several_devices_give_the_loss_and_gradient_of_one(name):
    one, several = (computed(way)[f"{name},True"] for way in ("one", "several"))
    assert one[0] != 0
    np.testing.assert_allclose(several[0], one[0], rtol=1e-6)
    largest = np.abs(one[1]).max()
    np.testing.assert_allclose(several[1], one[1], rtol=1e-5, atol=3e-6 * largest)


@pytest.mark.only("tensorflow", "torch")
@pytest.mark.xdist_group("gathered")
@each_loss
def test_replicas_that_do_not_gather_know_only_their_own_samples(name):
    one, several = (computed(way)[f"{name},False"] for way in ("one", "several"))
    assert one == computed("one")[f"{name},True"]
    assert abs(several[0] - one[0]) > 1e-3 * abs(one[0])
