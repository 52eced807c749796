"""Paths of variables, which users match in rules, also after a model is reloaded."""

import re
import warnings
from collections.abc import Iterable
from collections.abc import Sequence
from typing import Any


def path_of(variable: Any) -> str:
    """Returns the path of a variable, which may be a variable of the backend."""
    return getattr(variable, "path", None) or variable.name


def paths_of(variables: Sequence[Any], saved: Sequence[str] | None) -> list[str]:
    """Returns the paths of variables: the saved ones, if they are of the same model.

    Keras gives the variables of a reloaded Sequential shorter paths than they had:
    `"dense/kernel"` instead of `"sequential/dense/kernel"`. A rule that was written for
    the longer paths must still match.
    """
    paths = [path_of(variable) for variable in variables]
    if saved is None or len(saved) != len(paths):
        return paths
    pairs = zip(saved, paths, strict=True)
    return list(saved) if all(_is_shortened(*pair) for pair in pairs) else paths


def required_paths(paths: Any) -> tuple[str, ...] | None:
    """Returns the paths in a configuration, or `None` if there are none, or raises."""
    if paths is None:
        return None
    if isinstance(paths, list | tuple) and all(isinstance(p, str) for p in paths):
        return tuple(paths)
    raise ValueError(
        "`paths` in the configuration of an optimizer must be a list of strings. "
        f"Received: paths={paths!r}"
    )


def _is_shortened(before: str, now: str) -> bool:
    """Whether `now` is `before` without some of its parts, but with the last."""
    parts, names = before.split("/"), now.split("/")
    rest = iter(parts)
    return parts[-1] == names[-1] and all(name in rest for name in names)


def exclusions(variables: Any, patterns: Any) -> list[str]:
    """Returns regular expressions that match variables, and given ones."""
    paths = [f"^{re.escape(path_of(variable))}$" for variable in variables or ()]
    return [*paths, *(patterns or ())]


def matched(patterns: Iterable[str], paths: Sequence[str]) -> list[bool]:
    """Returns for each path whether any of the regular expressions matches it."""
    return [any(re.search(pattern, path) for pattern in patterns) for path in paths]


def warn_of_unmatched(
    argument: str, patterns: Iterable[str], paths: Sequence[str]
) -> None:
    """Warns of each regular expression that matches none of the paths."""
    for pattern in patterns:
        if not any(matched([pattern], paths)):
            warnings.warn(
                f"`{argument}`: {pattern!r} matches no variable. "
                f"The paths are: {list(paths)}",
                stacklevel=4,
            )
