"""The cost of an object whose docstring does not say it."""

import inspect
import math
import re

import keras
import numpy as np

import tfx_extras

SIZE = 1000
# For losses whose docstring does not mention time: `tests/losses/test_cost.py` counts.
LOSS = "Time and memory grow linearly with the number of predictions."
SCHEDULE = (
    "A few scalar operations per step, on the device, however many steps there are. A "
    "schedule has no state."
)


def sentence(package: str, thing) -> str:
    """The cost of a loss, schedule or optimizer, or an empty text."""
    text = inspect.getdoc(thing)
    if inspect.isclass(thing) and issubclass(thing, keras.optimizers.Optimizer):
        says_it = re.search(r"\bTime:|\btime of a step\b", " ".join(text.split()))
        return "" if says_it else _of_optimizer(thing)
    if "$$" not in text or re.search(r"\b(Time|Memory)\b", text):
        return ""
    if package == "schedules" and not _is_schedule(thing):
        return ""
    return {"losses": LOSS, "schedules": SCHEDULE}.get(package, "")


def _is_schedule(thing) -> bool:
    """Whether this is a schedule or its function, not a tool like a range test."""
    schedule = keras.optimizers.schedules.LearningRateSchedule
    if inspect.isclass(thing):
        return issubclass(thing, schedule)
    return "step" in inspect.signature(thing).parameters


def _of_optimizer(cls) -> str:
    """How many bytes a step moves for a float32 weight, at least, by its state."""
    is_leaf = "learning_rate" in inspect.signature(cls).parameters
    if not is_leaf or cls is tfx_extras.optimizers.Optimizer:
        return ""
    optimizer = cls()
    variable = keras.Variable(np.ones(SIZE), dtype="float32")
    optimizer.build([variable])
    slots = sum(math.prod(v.shape) for v in optimizer.variables if len(v.shape)) / SIZE
    return (
        "Time grows linearly with the number of weights. For each `float32` weight, a "
        f"step reads at least {4 * (2 + slots):g} bytes (gradient, weight and state) "
        f"and writes {4 * (1 + slots):g}. See [measurements](../../guides/speed.md)."
    )
