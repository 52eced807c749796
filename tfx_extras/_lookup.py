"""Finds public objects by name, because Keras looks only among its own."""

import fnmatch
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import keras

from tfx_extras._register import PACKAGE
from tfx_extras._suggest import OBJECTS
from tfx_extras._suggest import did_you_mean
from tfx_extras._suggest import key


class Catalog:
    """The objects of one kind, by name: those of a package.

    What a file makes public it says in `__all__`, and the packages above pass it on:
    there is no other list. A name with a capital is a class, or makes an instance of
    one, if it is registered. The functions of classes are found by name too.

    Args:
        kind: What the objects are, for error messages: `"loss"`.
        base: The Keras class that they share.
        home: Where Keras has its own.
        names: The `globals()` of their package.
    """

    def __init__(self, kind: str, base: type, home: ModuleType, names: dict[str, Any]):
        self._kind = kind
        self._base = base
        self._home = home
        public = {
            name: thing
            for name, thing in names.items()
            if not (name.startswith("_") or isinstance(thing, ModuleType))
        }
        found = [thing for name, thing in public.items() if _is_made_by_name(name)]
        functions = [getattr(thing, "function", None) for thing in found]
        found += [function for function in functions if function is not None]
        self._objects = {thing.__name__: thing for thing in found}
        # Not `get` and `list`: `import *` would replace what Python calls so.
        self.public = sorted(public)

    def list(self, pattern: str = "*") -> list[str]:
        """Returns the sorted names that match `pattern`, upper and lower case alike.

        Args:
            pattern: A name with wildcards as in a shell: `"*focal*"`.
        """
        return sorted(
            name
            for name in self._objects
            if fnmatch.fnmatchcase(name.lower(), pattern.lower())
        )

    def get(self, identifier: Any, *args: Any, **arguments: Any) -> Any:
        """Returns the object that a name, a class or a configuration stands for.

        Args:
            identifier: One of
                a name, upper and lower case alike, with or without the prefix
                `tfx_extras>`: the name of a class gives a new instance, that of
                a function the function;
                a class: gives a new instance;
                a dictionary made by `keras.saving.serialize_keras_object`;
                an instance, a function, or `None`: returned as it is.
            *args: Arguments of the class; only with its name or itself.
            **arguments: More of them, by name.

        Raises:
            ValueError: If nothing has that name; it suggests the nearest ones.
        """
        found = self._find(identifier) if isinstance(identifier, str) else identifier
        if isinstance(found, type) and issubclass(found, self._base):
            return found(*args, **arguments)
        if not isinstance(identifier, str):
            return self._resolve(identifier, [*args, *arguments.items()])
        if args or arguments:
            raise ValueError(
                f"`{found.__name__}` is a function: give its arguments when calling "
                f"it, or name its class. Received: arguments={[*args, *arguments]}"
            )
        return found

    def _find(self, name: str) -> Any:
        prefix = f"{PACKAGE}>"
        if name.lower().startswith(prefix):
            name = name[len(prefix) :]
        if name in self._objects:
            return self._objects[name]
        by_lower = {known.lower(): known for known in self._objects}
        if name.lower() in by_lower:
            return self._objects[by_lower[name.lower()]]
        hint = _of_keras(name, self._home)
        hint = hint or did_you_mean(name, self._objects, OBJECTS)
        raise ValueError(
            f"Unknown {self._kind}: '{name}'.{hint} `list()` returns all names."
        )

    def _resolve(self, identifier: Any, arguments: Sequence[Any]) -> Any:
        if arguments:
            raise ValueError(
                "Arguments go with a name or a class only. "
                f"Received: identifier={identifier!r}, arguments={arguments}"
            )
        if isinstance(identifier, dict):
            identifier = keras.saving.deserialize_keras_object(identifier)
        is_class = isinstance(identifier, type)
        if identifier is None or isinstance(identifier, self._base):
            return identifier
        if callable(identifier) and not is_class:
            return identifier
        raise ValueError(
            f"Not a known form of {self._kind}: give a name, an instance, a function "
            f"or a configuration. Received: {identifier!r}"
        )


def _is_made_by_name(name: str) -> bool:
    """Whether a public name is what users make: neither a function nor a base."""
    registered = keras.saving.get_registered_object(f"{PACKAGE}>{name}")
    return name[0].isupper() and registered is not None


def _of_keras(name: str, home: ModuleType) -> str:
    """Returns a sentence that says what of Keras's own has the name, or nothing."""
    tools = {"deserialize", "get", "serialize"}
    own = [n for n in dir(home) if key(n) == key(name) and n not in tools]
    if own:
        own.sort(key=lambda n: n != name)
        return f" `{own[0]}` is one of Keras's own: `{home.__name__}.{own[0]}`."
    try:  # a short name, such as "mse"
        own = home.get(name).__name__
    except (AttributeError, ValueError):
        return ""
    return f" `{name}` is one of Keras's own: `{home.__name__}.{own}`."
