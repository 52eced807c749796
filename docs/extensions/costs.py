"""What a name costs, where its docstring does not say it: counted, or of its kind."""

import inspect
import math
import re

import keras
import numpy as np

import tfx_extras

SIZE = 1000
# Of losses whose docstring says nothing of time: `tests/losses/test_cost.py` counts.
LOSS = "Time and memory grow as the number of predictions."
SCHEDULE = (
    "A few operations per update, on the device and whatever their number; nothing is "
    "kept."
)


def sentence(package: str, thing) -> str:
    """The cost of a loss, schedule or optimizer, or nothing."""
    text = inspect.getdoc(thing)
    if inspect.isclass(thing) and issubclass(thing, keras.optimizers.Optimizer):
        return _of_optimizer(thing)
    if "$$" not in text or re.search(r"\b(Time|Memory)\b", text):
        return ""
    return {"losses": LOSS, "schedules": SCHEDULE}.get(package, "")


def _of_optimizer(cls) -> str:
    """How many bytes of a float32 weight an update moves, at least, by its slots."""
    is_leaf = "learning_rate" in inspect.signature(cls).parameters
    if not is_leaf or cls is tfx_extras.optimizers.Optimizer:
        return ""
    optimizer = cls()
    variable = keras.Variable(np.ones(SIZE), dtype="float32")
    optimizer.build([variable])
    slots = sum(math.prod(v.shape) for v in optimizer.variables if len(v.shape)) / SIZE
    return (
        "Time grows as the number of weights. Of each in `float32`, an update reads "
        f"{4 * (2 + slots):g} bytes (gradient, weight, slots) and writes "
        f"{4 * (1 + slots):g}. [Speed](../../guides/speed.md) has what is measured."
    )
