"""The losses, with the arguments, the data and the reference that test each.

Each file `ROOM/NAME.py` in this folder has a list `CASES`. `LOSSES` joins them in the
order of the file names.
"""

import importlib
import pkgutil

from tests.losses.cases._case import LossCase

__all__ = ["LOSSES", "LossCase"]

_FOUND = [
    name
    for _, name, is_room in pkgutil.walk_packages(__path__, f"{__name__}.")
    if not is_room and not name.rpartition(".")[2].startswith("_")
]
LOSSES = [
    case
    for name in sorted(_FOUND, key=lambda name: name.rpartition(".")[2])
    for case in importlib.import_module(name).CASES
]
