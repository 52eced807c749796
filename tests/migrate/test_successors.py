"""The table of what replaces the rest of TensorFlow Addons."""

import importlib
import re
from pathlib import Path

import keras
import pytest

import tfx_extras
from tfx_extras.migrate import _successors
from tfx_extras.migrate._successors import SUCCESSORS
from tfx_extras.migrate._successors import successor

pytestmark = pytest.mark.only("tensorflow")

# One line for each package of TensorFlow Addons 0.23: its name, then its public names.
NAMES = dict(
    line.split(": ")
    for line in Path(__file__).with_name("tfa_names.txt").read_text().splitlines()
    if line and not line.startswith("#")
)


def test_every_name_of_tensorflow_addons_is_in_the_table():
    for package in ("losses", "optimizers"):
        assert package in NAMES
        assert package not in SUCCESSORS
    names = {package: set(NAMES[package].split()) for package in SUCCESSORS}
    assert {package: set(table) for package, table in SUCCESSORS.items()} == names


def test_every_successor_exists():
    text = Path(_successors.__file__).read_text()
    text = text.split("SUCCESSORS: ")[0] + repr(SUCCESSORS)
    tf = importlib.import_module("tensorflow")
    roots = {"keras": keras, "tf": tf, "tfx_extras": tfx_extras}
    paths = set(re.findall(r"\b((?:keras|tf|tfx_extras)(?:\.\w+)+)", text))
    # `keras.TqdmCallback` is from `tqdm.keras`.
    paths -= {"keras.TqdmCallback", "tfx_extras.migrate"}
    assert len(paths) > 30
    for path in paths:
        root, *names = path.split(".")
        obj = roots[root]
        for name in names:
            obj = getattr(obj, name)


@pytest.mark.parametrize("module", ["scipy", "sklearn"])
def test_every_successor_that_takes_arrays_exists(module):
    paths = set(re.findall(rf"\b{module}(?:\.\w+)+", repr(SUCCESSORS)))
    assert paths
    for path in paths:
        package, name = path.rsplit(".", 1)
        assert hasattr(importlib.import_module(package), name)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("layers.GroupNormalization", "keras.layers.GroupNormalization"),
        ("layers.normalizations.GroupNormalization.x", "keras.layers.GroupNorm"),
        ("layers.Unheard", "no successor"),
        ("seq2seq", "used as a whole"),
        ("register_all", "not needed any more"),
        ("options.disable_custom_kernel", "not needed any more"),
        ("version.VERSION", "tfx_extras.__version__"),
        ("utils.types.TensorLike", "no successor"),
    ],
)
def test_the_path_to_a_name_does_not_matter(path, expected):
    assert successor(f"tensorflow_addons.{path}").startswith(expected)
