"""Packages of TensorFlow Addons that `tfx_extras.tfa` does not have."""

import importlib.util
import inspect
from pathlib import Path

import pytest

from tfx_extras import tfa
from tfx_extras.migrate._successors import SUCCESSORS

pytestmark = pytest.mark.only("torch")


@pytest.mark.parametrize("name", SUCCESSORS)
def test_a_package_that_is_not_here_is_an_error_that_says_what_to_use(name):
    with pytest.raises(AttributeError, match=f"no attribute '{name}', only") as raised:
        getattr(tfa, name)
    message = str(raised.value)
    assert "use `keras." in message or "Keras has no equivalent" in message
    (guide,) = (word for word in message.split() if word.startswith("docs/"))
    assert f"`{name}" in Path(__file__).parents[2].joinpath(guide).read_text()


@pytest.mark.parametrize("name", ["metric", "__version__", "__wrapped__"])
def test_other_names_are_missing_as_in_any_module(name):
    with pytest.raises(AttributeError, match=f"no attribute '{name}'$"):
        getattr(tfa, name)
    assert not hasattr(tfa, name)


def test_the_module_is_still_one():
    assert inspect.unwrap(tfa) is tfa
    assert importlib.util.find_spec("tfx_extras.tfa").name == "tfx_extras.tfa"
    with pytest.raises(ImportError, match="metrics"):
        from tfx_extras.tfa import metrics as metrics
    assert tfa.__all__ == ["losses", "optimizers"]
