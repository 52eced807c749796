"""Importing the package is quiet, and a failed import says what to do."""

import json
import os
import subprocess
import sys

import keras
import pytest

from tests import processes
from tfx_extras._environment import warn_of_legacy_keras

BACKEND = keras.backend.backend()


def python(code, **environment):
    return subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "-c", code],
        capture_output=True,
        text=True,
        env=os.environ | environment,
    )


@pytest.mark.slow
def test_import_is_quiet_changes_nothing_and_needs_no_other_backend():
    others = {"tensorflow", "jax", "torch"} - {BACKEND}
    code = f"""
import sys, keras
before = set(sys.modules)
print("MARK", file=sys.stderr)
print("MARK")
import tfx_extras
new = {{name.split('.')[0] for name in set(sys.modules) - before}}
assert not new & {others | {"libcst", "optax", "sklearn"}!r}, new
assert "tfx_extras.tfa" not in sys.modules
assert "tfa" in dir(tfx_extras)
assert tfx_extras.tfa.losses.TripletSemiHardLoss
keras.config.set_floatx("float64")
assert keras.config.dtype_policy().name == "float64"
layer = keras.layers.Dense(1)
layer.build((None, 2))
assert layer.kernel.dtype == "float64", layer.kernel.dtype
"""
    result = python(code, JAX_ENABLE_X64="1")
    assert result.returncode == 0, result.stderr
    assert result.stdout == "MARK\n"
    assert result.stderr.endswith("MARK\n")


@pytest.mark.slow
@pytest.mark.only("torch")  # it is the same whatever the tests run on
@pytest.mark.parametrize("missing", ["tensorflow", "jax", "torch"])
def test_a_missing_backend_is_named_with_its_cure(missing):
    code = f"""
import sys
class Missing:
    def find_spec(name, *_):
        if name == {missing!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Missing)
import tfx_extras
"""
    result = python(code, KERAS_BACKEND=missing)
    assert result.returncode == 1
    last = result.stderr.strip().splitlines()[-1]
    assert f"pip install {missing}." in last
    assert "KERAS_BACKEND" in last


@pytest.mark.slow
@pytest.mark.only("torch")
@pytest.mark.parametrize("place", ["environment", "file"])
@pytest.mark.parametrize(
    ("backend", "hint"),
    [
        ("numpy", ""),
        ("openvino", ""),
        ("tensorflwo", " Did you mean `tensorflow`?"),
        ("pytorch", " Did you mean `torch`?"),
    ],
)
def test_a_backend_that_is_not_supported_is_named(backend, hint, place, tmp_path):
    code = """
import sys
class Missing:  # Keras's numpy backend imports JAX, where it is installed
    def find_spec(name, *_):
        if name in ("jax", "openvino"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Missing)
import tfx_extras
"""
    text = {"backend": backend, "floatx": "float32", "epsilon": 1e-7}
    (tmp_path / "keras.json").write_text(json.dumps(text))
    chosen = {"KERAS_HOME": str(tmp_path), "KERAS_BACKEND": ""}
    if place == "environment":
        chosen = {"KERAS_BACKEND": backend}
    result = python(code, **chosen)
    assert result.returncode == 1
    last = result.stderr.strip().splitlines()[-1]
    assert last == (
        "ImportError: tfx_extras runs on the Keras backends tensorflow, jax, torch. "
        f"Received: '{backend}'.{hint} Set the environment variable KERAS_BACKEND "
        "before Keras is imported."
    )


@pytest.mark.slow
@pytest.mark.only("tensorflow")
def test_import_warns_of_legacy_keras(tmp_path):
    processes.run("tests.integration.legacy_keras", log=tmp_path / "log")


@pytest.mark.only("tensorflow")
@pytest.mark.parametrize("value", ["1", "True", "0", None])
def test_legacy_keras_is_warned_of_if_it_is_set(value, monkeypatch, recwarn):
    if value is not None:
        monkeypatch.setenv("TF_USE_LEGACY_KERAS", value)
    else:
        monkeypatch.delenv("TF_USE_LEGACY_KERAS", raising=False)
    warn_of_legacy_keras()
    found = [str(w.message) for w in recwarn if "LEGACY_KERAS" in str(w.message)]
    assert len(found) == (value in ("1", "True"))
