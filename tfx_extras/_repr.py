"""Shows objects as the call that makes them, without the default arguments."""

import math
import re
import warnings
from typing import Any

import keras
import numpy as np

from tfx_extras._register import PACKAGE
from tfx_extras._typed import arguments_of


def shown(obj: Any) -> str:
    """Returns the call that makes an object of this package or of Keras.

    It shows the arguments that differ from their defaults, and evaluates to an equal
    object: `Lookahead(inner_optimizer=RAdam(), sync_period=5)`. A class uses it as its
    method: `__repr__ = shown`.
    """
    try:
        with warnings.catch_warnings(action="ignore"):  # about functions without a name
            arguments = _arguments(obj)
    except Exception:  # debuggers also show objects that are half made
        return object.__repr__(obj)
    inner = ", ".join(f"{name}={value}" for name, value in arguments.items())
    return f"{_name(obj)}({inner})"


def _name(obj: Any) -> str:
    """Returns the name of the class, and where it is if ours has the same name."""
    name = type(obj).__name__
    is_keras = type(obj).__module__.split(".")[0] == "keras"
    is_optimizer = isinstance(obj, keras.optimizers.Optimizer)
    if (
        is_keras
        and is_optimizer
        and keras.saving.get_registered_object(f"{PACKAGE}>{name}")
    ):
        return f"keras.optimizers.{name}"
    return name


def _arguments(obj: Any) -> dict[str, str]:
    """Returns the arguments to show, as text."""
    config, arguments = obj.get_config(), {}
    attributes = getattr(obj, "_held_as", {})  # attributes with another name
    for name, default in arguments_of(type(obj)).items():
        if name not in config:
            continue
        value = config[name]
        if name == "learning_rate":
            text = _rate(value)
        elif isinstance(value, dict | list):  # may hold configurations of objects
            text = _text(getattr(obj, attributes.get(name, name), value))
        else:
            text = _text(value)
        if text not in [_text(default), *(default is None) * _derived(obj, name)]:
            arguments[name] = text
    return arguments


def _rate(saved: Any) -> str:
    """Returns a learning rate as text. A configuration holds it in `float32`."""
    if isinstance(saved, float):
        return _text(float(str(np.float32(saved))))
    if not isinstance(saved, dict):
        return _text(saved)
    if saved["class_name"] in ("function", "__lambda__"):
        is_named = saved["class_name"] == "function"
        return saved["config"].split(">")[-1] if is_named else "<lambda>"
    return _text(keras.saving.deserialize_keras_object(saved))


def _derived(obj: Any, name: str) -> list[str]:
    """Returns the values that `None` stands for."""
    cls, function = type(obj).__name__, getattr(obj, "function", None)
    snake = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", cls).lower()
    # Keras numbers its names: "adam", "adam_1".
    counted = re.match(rf"{snake}_\d+$", str(getattr(obj, "name", "")))
    of_names = [cls.lower(), snake, getattr(function, "__name__", "")]
    of_names += [counted[0]] if counted else []
    found = {"name": of_names, "dtype": [keras.config.floatx()]}.get(name, [])
    return [_text(each) for each in found]


def _text(value: Any) -> str:
    if isinstance(value, keras.Variable):  # in rules: its values would fill pages
        return f"<Variable {value.path}>"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_text, value))}]"
    if isinstance(value, dict):
        items = (f"{_text(key)}: {_text(item)}" for key, item in value.items())
        return f"{{{', '.join(items)}}}"
    if isinstance(value, float) and not math.isfinite(value):
        return f'float("{value}")'
    if hasattr(value, "get_config") and not isinstance(value, type):
        return shown(value)
    return getattr(value, "__name__", None) or repr(value)
