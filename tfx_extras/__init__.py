"""Losses, metrics, layers, models, optimizers, schedules and callbacks for Keras."""

import importlib
import sys
from typing import TYPE_CHECKING

__all__ = [
    "callbacks",
    "layers",
    "losses",
    "metrics",
    "models",
    "optimizers",
    "schedules",
    "utils",
]
__version__ = "0.1.0"


def _only_migrates() -> bool:
    """Whether this is `python -m tfx_extras.migrate`, which does not need Keras.

    Python imports a package before the module in it that `-m` names. Until it finds
    that module, `sys.argv` starts with "-m".
    """
    if sys.argv[:1] != ["-m"]:
        return False
    return sys.orig_argv[-len(sys.argv)].endswith("tfx_extras.migrate")


if TYPE_CHECKING:  # with `__getattr__`, type checkers would allow any name
    from tfx_extras import tfa as tfa
else:

    def __getattr__(name):
        """Imports `tfx_extras.tfa` when it is first used. Most programs never do."""
        if name == "tfa":
            return importlib.import_module("tfx_extras.tfa")
        raise AttributeError(f"module 'tfx_extras' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted({*globals(), "tfa"})


if not _only_migrates():
    from tfx_extras import _environment  # first: it explains a missing backend
    from tfx_extras import callbacks
    from tfx_extras import layers
    from tfx_extras import losses
    from tfx_extras import metrics
    from tfx_extras import models
    from tfx_extras import optimizers
    from tfx_extras import schedules
    from tfx_extras import utils

    _environment.warn_of_legacy_keras()
