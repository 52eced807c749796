"""Losses, layers, optimizers, learning rate schedules and callbacks for Keras."""

import sys

__all__ = ["callbacks", "layers", "losses", "optimizers", "schedules"]
__version__ = "0.1.0"


def _only_migrates() -> bool:
    """Whether this is `python -m tfx_extras.migrate`, which needs no Keras.

    Python imports a package before the module in it that `-m` names. Until it has
    found that module, "-m" is the first of `sys.argv`.
    """
    if sys.argv[:1] != ["-m"]:
        return False
    return sys.orig_argv[-len(sys.argv)].endswith("tfx_extras.migrate")


if not _only_migrates():
    from tfx_extras import _environment  # first: says what to do without a backend
    from tfx_extras import callbacks
    from tfx_extras import layers
    from tfx_extras import losses
    from tfx_extras import optimizers
    from tfx_extras import schedules

    _environment.warn_of_legacy_keras()
