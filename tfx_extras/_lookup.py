"""Finds public objects by name, because Keras finds only its own by name."""

import fnmatch
import inspect
import sys
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import keras

from tfx_extras._register import PACKAGE
from tfx_extras._suggest import OBJECTS
from tfx_extras._suggest import did_you_mean
from tfx_extras._suggest import key


class Catalog:
    """The public objects of one package, by name.

    A file lists its public names in `__all__`, and the packages above import them.
    There is no other list. A registered name with a capital is a class, or a function
    that makes an instance. The functions of classes are found by name too.

    Args:
        kind: The kind of the objects, for error messages: `"loss"`.
        base: The Keras class that they subclass.
        home: The package of Keras with objects of this kind.
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
        # Without `get` and `list`: `import *` would replace Python's `list`.
        self.public = sorted(public)
        # Not a function of the package: type checkers would then allow any name.
        names["__getattr__"] = self._missing
        self._package = names["__name__"]

    def list(self, pattern: str = "*") -> list[str]:
        """Returns the sorted names that match `pattern`, ignoring case.

        Args:
            pattern: A name with shell wildcards: `"*focal*"`.
        """
        return sorted(
            name
            for name in self._objects
            if fnmatch.fnmatchcase(name.lower(), pattern.lower())
        )

    def get(self, identifier: Any, *args: Any, **arguments: Any) -> Any:
        """Returns the object for a name, a class or a configuration.

        Args:
            identifier: One of
                a name, ignoring case, with or without the prefix `tfx_extras>`:
                the name of a class, or of a preset such as `Ranger`, gives a new
                instance, the name of a function gives the function;
                a class or a preset: gives a new instance;
                a dictionary made by `keras.saving.serialize_keras_object`;
                an instance, another function, or `None`: returned unchanged.
            *args: Positional arguments of the class.
            **arguments: Keyword arguments of the class.

        Raises:
            ValueError: If no object has this name. The message suggests similar
                names.
            TypeError: If a required argument is missing, or an argument has the wrong
                type or an unknown name.
        """
        found = self._find(identifier) if isinstance(identifier, str) else identifier
        is_class = isinstance(found, type) and issubclass(found, self._base)
        if is_class or self._is_preset(found):
            self._require_enough(found, args, arguments)
            return found(*args, **arguments)
        if not isinstance(identifier, str):
            return self._resolve(identifier, [*args, *arguments.items()])
        if args or arguments:
            raise ValueError(
                f"`{found.__name__}` is a function: give its arguments when calling "
                f"it, or name its class. Received: arguments={[*args, *arguments]}"
            )
        return found

    def _is_preset(self, found: Any) -> bool:
        """Whether this is a function of the package that makes an instance."""
        name = getattr(found, "__name__", "")
        return name[:1].isupper() and self._objects.get(name) is found

    def _require_enough(
        self, found: Any, args: Sequence[Any], arguments: Mapping[str, Any]
    ) -> None:
        """Raises if a required argument of a class is missing."""
        parameters = list(inspect.signature(found).parameters.values())[len(args) :]
        missing = [
            p.name
            for p in parameters
            if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD
            if p.name not in arguments
        ]
        if missing:
            package = self._package.rpartition(".")[-1]
            given = "..., " * bool(args or arguments)
            given += ", ".join(f"{name}=..." for name in missing)
            raise TypeError(
                f"`{found.__name__}` needs the argument `{'`, `'.join(missing)}`, as "
                f"in `{package}.get({found.__name__!r}, {given})`. "
                f"Received: arguments={[*args, *arguments]}"
            )

    def _find(self, name: str) -> Any:
        prefix = f"{PACKAGE}>"
        if name.lower().startswith(prefix):
            name = name[len(prefix) :]
        if name in self._objects:
            return self._objects[name]
        by_lower = {known.lower(): known for known in self._objects}
        if name.lower() in by_lower:
            return self._objects[by_lower[name.lower()]]
        hint = self._hint(name, self._objects)
        raise ValueError(
            f"Unknown {self._kind}: '{name}'.{hint} `list()` returns all names."
        )

    def _missing(self, name: str) -> Any:
        """Suggests names for an attribute that the package does not have."""
        known = {**dict.fromkeys(self.public), **self._objects}
        hint = "" if name.startswith("_") else self._hint(name, known)
        raise AttributeError(
            f"module '{self._package}' has no attribute '{name}'.{hint}"
        )

    def _hint(self, name: str, known: Iterable[str]) -> str:
        hint = _of_keras(name, self._home)
        return hint or self._elsewhere(name) or did_you_mean(name, known, OBJECTS)

    def _elsewhere(self, name: str) -> str:
        """Suggests an object of this name in another package of `tfx_extras`."""
        for package in sys.modules[PACKAGE].__all__:
            home = f"{PACKAGE}.{package}"
            public = getattr(sys.modules.get(home), "__all__", ())
            same = [n for n in public if key(n) == key(name)]
            if same and home != self._package:
                return f" Did you mean `{home}.{same[0]}`?"
        return ""

    def _resolve(self, identifier: Any, arguments: Sequence[Any]) -> Any:
        if arguments:
            raise ValueError(
                "Arguments can be given with a name or a class only. "
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
            f"Cannot interpret the {self._kind}: give a name, an instance, a function "
            f"or a configuration. Received: {identifier!r}"
        )


def _is_made_by_name(name: str) -> bool:
    """Whether a public name makes an instance: not a function or an abstract base."""
    registered = keras.saving.get_registered_object(f"{PACKAGE}>{name}")
    return name[0].isupper() and registered is not None


def _of_keras(name: str, home: ModuleType) -> str:
    """Returns a sentence that names the object of Keras, or an empty string."""
    tools = {"deserialize", "get", "serialize"}
    own = [n for n in dir(home) if key(n) == key(name) and n not in tools]
    if own:
        own.sort(key=lambda n: n != name)
        return f" `{own[0]}` is part of Keras: `{home.__name__}.{own[0]}`."
    try:  # a short name, such as "mse"
        own = home.get(name).__name__
    except Exception:  # Keras makes an instance, whose constructor may raise anything
        return ""
    return f" `{name}` is part of Keras: `{home.__name__}.{own}`."
