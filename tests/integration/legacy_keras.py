"""Imports the package anew where legacy Keras is requested: `main()`."""

import os
import sys

import pytest


def main():
    for name in list(sys.modules):
        if name.partition(".")[0] == "tfx_extras":
            del sys.modules[name]
    os.environ["TF_USE_LEGACY_KERAS"] = "1"
    with pytest.warns(UserWarning, match="TF_USE_LEGACY_KERAS is set.*Unset it"):
        import tfx_extras  # noqa: F401
