"""Statistics for averaged weights, and names of variables."""

import inspect
import re
from collections.abc import Iterable
from typing import Any

import keras

from tfx_extras.optimizers import update_batch_norm
from tfx_extras.optimizers._paths import path_of


def fit_bn(model: keras.Model, *args: Any, **kwargs: Any) -> None:
    """Recomputes the statistics of batch normalization from data.

    It calls `tfx_extras.optimizers.update_batch_norm`, the native successor. Differs
    from TensorFlow Addons: the statistics are exact means over the data, not moving
    averages that start at 0 and 1.

    Args:
        model: A built model.
        *args: As for `model.fit`.
        **kwargs: As for `model.fit`. Arguments that do not affect the statistics, such
            as `y`, `epochs` and `verbose`, are accepted.

    Raises:
        ValueError: If there is no data.
    """
    given = inspect.signature(model.fit).bind(*args, **kwargs).arguments
    if given.get("x") is None:
        raise ValueError("Argument `x`, the data, must be given.")
    update_batch_norm(model, given["x"], given.get("batch_size"))


def get_variable_name(variable) -> str:
    """Returns the name of a variable, without the number of its output."""
    return re.sub(r":\d+$", "", variable.name)


def is_variable_matched_by_regexes(variable, regexes: list[str]) -> bool:
    """Whether one of the regular expressions matches the path of a variable."""
    return is_found(regexes or (), path_of(variable))


def is_found(regexes: Iterable[str], path: str) -> bool:
    """Whether one of the regular expressions matches a path.

    In Keras 2, the name of a variable ended in `:0`, so an expression may too.
    """
    path = re.sub(r":\d+$", "", path)
    return any(re.search(r, path) or re.search(r, f"{path}:0") for r in regexes)
