"""Checks that arguments have the types they are annotated with."""

import functools
import inspect
import reprlib
import types
import typing
from collections.abc import Callable
from collections.abc import Mapping
from typing import Any
from typing import TypeVar

import numpy as np

from tfx_extras._suggest import ARGUMENTS
from tfx_extras._suggest import did_you_mean

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
    """Decorates a constructor or a function to refuse other types and other names."""
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

    # Keras reads it of a layer by `getfullargspec`, which looks into no wrapper.
    vars(checked)["__signature__"] = inspect.signature(function)
    return typing.cast("F", checked)


def arguments_of(cls: type) -> dict[str, Any]:
    """The arguments of a class, with those that it passes on, and their defaults."""
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
    """Raises if an argument is known neither here nor where `**kwargs` go."""
    is_class = isinstance(owner, type)
    known = arguments_of(owner) if is_class else _kinds(function)
    if _passes_on(function) and (name in known or not is_class):
        return
    hint = did_you_mean(name, known, ARGUMENTS)
    hint = hint or f" It has {', '.join(known) or 'none'}."
    if "inner_optimizer" in known:
        hint += " Give arguments of the wrapped optimizer to that one."
    raise TypeError(
        f"`{owner.__name__}` has no argument `{name}`.{hint} "
        f"Received: {name}={_short.repr(value)}"
    )


def require_types(owner: str, arguments: Mapping[str, Any], kinds: Mapping[str, Any]):
    """Raises unless arguments have the types that annotations name.

    Args:
        owner: The function or class that they are arguments of.
        arguments: The arguments by name; those without an annotation pass.
        kinds: The annotations by name.
    """
    for name, value in arguments.items():
        if not _is(value, kinds.get(name, Any)):
            raise TypeError(_message(name, owner, kinds[name], value))


def _kinds(function: Callable[..., Any]) -> dict[str, Any]:
    """The annotations of all arguments, positional ones first and in order."""
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
    """Whether arguments that a function does not name go to another."""
    parameters = inspect.signature(function).parameters.values()
    return any(
        p.kind is p.VAR_KEYWORD and typing.get_origin(p.annotation) is not typing.Unpack
        for p in parameters
    )


def _is(value: Any, kind: Any) -> bool:
    """Whether a value is of the kind that an annotation names."""
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if kind is Any:
        return True
    if origin in (types.UnionType, typing.Union):
        return any(_is(value, each) for each in inner)
    if origin is Callable:
        return callable(value) and (inner[0] is ... or _takes(value, len(inner[0])))
    if kind in (int, float):  # not `True`, which Python takes for 1
        return isinstance(value, int | kind) and not isinstance(value, bool)
    if origin is None:
        return isinstance(value, kind)
    if not isinstance(value, origin) or isinstance(value, str):
        return False
    if issubclass(origin, Mapping):
        return all(_is(item, inner[-1]) for item in value.values())
    return inner[0] is Any or all(_is(item, inner[0]) for item in value)


def _takes(function: Callable[..., Any], count: int) -> bool:
    """Whether a function can be called with so many arguments."""
    try:
        inspect.signature(function).bind(*range(count))
    except TypeError:
        return False
    except ValueError:  # one in C, that does not say
        pass
    return True


def _message(name: str, owner: str, kind: Any, value: Any) -> str:
    hint = ""
    is_wanted = _is(0.5, kind) and not isinstance(value, str)
    if is_wanted and getattr(value, "shape", None) == ():
        hint = f" Did you mean float({name})?"
    return (
        f"Argument `{name}` of `{owner}` must be {_words(kind)}. "
        f"Received: {name}={_short.repr(value)} (of type {type(value).__name__})" + hint
    )


def _words(kind: Any) -> str:
    """An annotation in plain words: `float | None` is "a number or None"."""
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        *words, last = dict.fromkeys(filter(None, map(_words, inner)))
        return f"{', '.join(words)} or {last}" if words else last
    if origin is Callable:
        count = None if inner[0] is ... else len(inner[0])
        return "a function" + ("" if count is None else f" of {count} arguments")
    if origin is not None:
        of = "" if inner[-1] is Any else f" of {_plural(inner[-1])}"
        return ("a dictionary" if issubclass(origin, Mapping) else "a list") + of
    if issubclass(kind, np.generic):  # a number of NumPy goes without saying
        return ""
    return _WORDS.get(kind) or f"{_article(kind.__name__)} `{kind.__name__}`"


def _plural(kind: Any) -> str:
    words = [word.split(" ", 1)[-1] for word in _words(kind).split(" or ")]
    return " or ".join(w[:-1] + "ies" if w[-1] == "y" else w + "s" for w in words)


def _article(word: str) -> str:
    return "an" if word[0] in "AEIOU" else "a"
