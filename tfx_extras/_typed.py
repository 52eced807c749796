"""Checks that arguments have the types that their annotations name."""

import functools
import inspect
import math
import re
import reprlib
import types
import typing
from collections.abc import Callable
from collections.abc import Container
from collections.abc import Mapping
from typing import Any
from typing import TypeVar

import numpy as np

from tfx_extras._suggest import ARGUMENTS
from tfx_extras._suggest import did_you_mean
from tfx_extras._suggest import key

F = TypeVar("F", bound=Callable[..., Any])

_WORDS = {
    bool: "True or False",
    dict: "a dictionary",
    float: "a number",
    int: "an integer",
    list: "a list",
    np.ndarray: "an array",
    str: "a string",
    type: "a class",
    type(None): "None",
}
_short = reprlib.Repr()
_short.maxstring = _short.maxother = 80
_short.maxlong = 80


def typechecked(function: F) -> F:
    """Decorates a function or constructor to reject wrong types and unknown names."""
    kinds = _kinds(function)
    is_constructor = function.__name__ == "__init__"

    @functools.wraps(function)
    def checked(*args, **kwargs):
        owner = type(args[0]) if is_constructor else function
        for name in kwargs:
            if name not in kinds:
                _require_known(name, kwargs[name], owner, function)
        given = dict(zip(kinds, args, strict=False)) | kwargs
        require_types(owner.__name__, given, kinds)
        return function(*args, **kwargs)

    # Keras reads a layer's signature by `getfullargspec`, which does not follow
    # `__wrapped__`.
    vars(checked)["__signature__"] = inspect.signature(function)
    return typing.cast("F", checked)


def arguments_of(cls: type) -> dict[str, Any]:
    """Returns the arguments of a class and of its bases, with their defaults."""
    bases = cls.__mro__ if _passes_on(cls.__init__) else [cls]
    names = dict.fromkeys(name for base in bases for name in _kinds(base.__init__))
    defaults = {}
    for base in cls.__mro__:
        for name, parameter in inspect.signature(base.__init__).parameters.items():
            defaults.setdefault(name, parameter.default)
    return {
        name: defaults.get(name, inspect.Parameter.empty)
        for name in names
        if name != "self"
    }


def _require_known(name: str, value: Any, owner: Any, function: Callable[..., Any]):
    """Raises if neither the function nor the target of its `**kwargs` has `name`."""
    is_class = isinstance(owner, type)
    known = arguments_of(owner) if is_class else _kinds(function)
    if _passes_on(function):
        # A preset passes on what is not another name for one of its own arguments.
        passes = name in known if is_class else not _stands_for(name, known)
        if passes:
            return
    hint = did_you_mean(name, known, ARGUMENTS)
    hint = hint or f" Its arguments are: {', '.join(known) or 'none'}."
    if "inner_optimizer" in known:
        hint += " Pass arguments of the wrapped optimizer to the wrapped optimizer."
    raise TypeError(
        f"`{owner.__name__}` has no argument `{name}`.{hint} "
        f"Received: {name}={_short.repr(value)}"
    )


def _stands_for(name: str, known: Container[str]) -> bool:
    return any(one in known for one in ARGUMENTS.get(key(name), ()))


def require_types(owner: str, arguments: Mapping[str, Any], kinds: Mapping[str, Any]):
    """Raises if an argument does not have the type that its annotation names.

    Args:
        owner: The name of the function or class that is called.
        arguments: The arguments by name. Arguments without an annotation pass.
        kinds: The annotations by name.
    """
    for name, value in arguments.items():
        if not _is(value, kinds.get(name, Any)):
            raise TypeError(_message(name, owner, kinds[name], value))


def _kinds(function: Callable[..., Any]) -> dict[str, Any]:
    """Returns the annotations of all arguments by name, in order."""
    kinds = {}
    for name, parameter in inspect.signature(function).parameters.items():
        kind = Any if parameter.annotation is parameter.empty else parameter.annotation
        if typing.get_origin(kind) is typing.Unpack:
            (options,) = typing.get_args(kind)
            kinds |= options.__annotations__
        elif parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            kinds[name] = kind
    return kinds


def _passes_on(function: Callable[..., Any]) -> bool:
    """Whether a function passes unknown keyword arguments on to another function."""
    parameters = inspect.signature(function).parameters.values()
    return any(
        p.kind is p.VAR_KEYWORD and typing.get_origin(p.annotation) is not typing.Unpack
        for p in parameters
    )


def _is(value: Any, kind: Any) -> bool:
    """Whether a value has the type that an annotation names."""
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if kind is Any:
        return True
    if origin in (types.UnionType, typing.Union):
        return any(_is(value, each) for each in inner)
    if origin is Callable:
        return callable(value) and (inner[0] is ... or _takes(value, len(inner[0])))
    if kind in (int, float):  # but not `True`, which is an `int` in Python
        return isinstance(value, int | kind) and not isinstance(value, bool)
    if origin is None:
        return isinstance(value, kind)
    if not isinstance(value, origin) or isinstance(value, str):
        return False
    if issubclass(origin, Mapping):
        return all(_is(item, inner[-1]) for item in value.values())
    return inner[0] is Any or all(_is(item, inner[0]) for item in value)


def _takes(function: Callable[..., Any], count: int) -> bool:
    """Whether a function can be called with `count` arguments."""
    try:
        inspect.signature(function).bind(*range(count))
    except TypeError:
        return False
    except ValueError:  # a function written in C has no signature
        pass
    return True


def _message(name: str, owner: str, kind: Any, value: Any) -> str:
    return (
        f"Argument `{name}` of `{owner}` must be {_words(kind)}."
        f"{_meant(name, kind, value)} "
        f"Received: {name}={_short.repr(value)} (of type {type(value).__name__})"
    )


def _meant(name: str, kind: Any, value: Any) -> str:
    """Suggests what a value of the wrong type may stand for."""
    meant = None
    if isinstance(value, type):
        if any(issubclass(value, each) for each in _classes(kind)):
            meant = f"an instance, `{value.__name__}(...)`"
    elif isinstance(value, Mapping):
        classes = range(len(value))
        if _is([0.5], kind) and set(value) == set(classes):
            weights = _short.repr([value[c] for c in classes])
            meant = f"{weights}, in the order of the classes"
    elif isinstance(value, str):
        if _is_one_of_list(value, kind):
            meant = f"[{value!r}]"
        elif _is(0.5, kind) and _is_number(value):
            meant = value.strip()
    elif _is(0.5, kind) and getattr(value, "shape", None) == ():
        meant = f"float({name})"
    elif _is_one_of_list(value, kind):
        meant = f"[{_short.repr(value)}]"
    return f" Did you mean {meant}?" if meant else ""


def _is_one_of_list(value: Any, kind: Any) -> bool:
    """Whether a list with this value fits, though not one with any value."""
    return _is([value], kind) and not _is([object()], kind)


def _classes(kind: Any) -> list[type]:
    """The classes that an annotation names, without numbers and texts."""
    kinds = typing.get_args(kind) or (kind,)
    plain = (bool, float, int, str, type(None), np.number)
    return [k for k in kinds if isinstance(k, type) and k not in plain]


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _words(kind: Any) -> str:
    """Returns an annotation in words: `float | None` becomes "a number or None"."""
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        *words, last = dict.fromkeys(filter(None, map(_words, inner)))
        comma = "," * any(" or " in word for word in words)
        return f"{', '.join(words)}{comma} or {last}" if words else last
    if origin is Callable:
        count = None if inner[0] is ... else len(inner[0])
        return "a function" + ("" if count is None else f" of {count} arguments")
    if origin is not None:
        of = "" if inner[-1] is Any else f" of {_plural(inner[-1])}"
        return ("a dictionary" if issubclass(origin, Mapping) else "a list") + of
    if issubclass(kind, np.generic):  # no word: NumPy numbers are numbers
        return ""
    return _WORDS.get(kind) or f"{_article(kind.__name__)} `{kind.__name__}`"


def _plural(kind: Any) -> str:
    # "a list of numbers" becomes "lists of numbers".
    words = [re.sub(r"^an? ", "", word) for word in _words(kind).split(" or ")]
    split = [re.match(r"(\S+)(.*)", word) for word in words]
    return " or ".join(_several(m[1]) + m[2] for m in split if m)


def _several(word: str) -> str:
    if word == "None":
        return word
    return word[:-1] + "ies" if word[-1] == "y" else word + "s"


def _article(word: str) -> str:
    return "an" if word[0] in "AEIOU" else "a"
