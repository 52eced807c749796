"""The tool migrates a script for TensorFlow Addons, which then trains."""

import importlib.util
import re
from pathlib import Path

import keras
import numpy as np
import pytest

from tfx_extras.migrate.__main__ import main

pytestmark = pytest.mark.only("tensorflow")

SCRIPT = Path(__file__).parent / "data" / "tutorial.py"


@pytest.fixture(scope="module")
def migrated(tmp_path_factory):
    path = tmp_path_factory.mktemp("migrated") / "tutorial.py"
    path.write_text(SCRIPT.read_text())
    main(["--write", str(path)])
    spec = importlib.util.spec_from_file_location("migrated_tutorial", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.EPOCHS = 3
    return module


def test_only_imports_change(migrated):
    old = SCRIPT.read_text().splitlines()
    new = Path(migrated.__file__).read_text().splitlines()
    assert len(old) == len(new)
    changed = [line for line, other in zip(old, new, strict=True) if line != other]
    assert len(changed) == 2
    assert all(re.match("(import|from) tensorflow_addons", line) for line in changed)


TUTORIALS = re.findall(r"^def (\w+)\(\):\n(?!    return tf)", SCRIPT.read_text(), re.M)


@pytest.mark.parametrize("name", TUTORIALS)
def test_a_migrated_tutorial_trains(migrated, name):
    keras.utils.set_random_seed(0)
    losses = getattr(migrated, name)()
    assert np.isfinite(losses).all()
    assert losses[-1] < losses[0]


def test_every_tutorial_is_run(migrated):
    assert [tutorial.__name__ for tutorial in migrated.TUTORIALS] == TUTORIALS
