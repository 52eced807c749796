"""Averaged weights and their statistics, and the names of variables."""

import inspect
import re
from collections.abc import Iterable
from typing import Any

import keras

from tfx_extras.optimizers import update_batch_norm
from tfx_extras.optimizers._paths import path_of


def fit_bn(model: keras.Model, *args: Any, **kwargs: Any) -> None:
    """Replaces the statistics of batch normalization by those of data.

    It is `tfx_extras.optimizers.update_batch_norm`: exact means over the data, where
    those of TensorFlow Addons moved from 0 and 1 towards them.

    Args:
        model: A built model.
        *args: As for `model.fit`.
        **kwargs: As for `model.fit`. `y`, `epochs`, `verbose` and the like, which
            have no part in the statistics, may be given.

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
    """Whether one of the regular expressions is found in the path of a variable."""
    return is_found(regexes or (), path_of(variable))


def is_found(regexes: Iterable[str], path: str) -> bool:
    """Whether one of the regular expressions is found in a path.

    In Keras 2 the name of a variable ended in `:0`, and so may an expression.
    """
    path = re.sub(r":\d+$", "", path)
    return any(re.search(r, path) or re.search(r, f"{path}:0") for r in regexes)
