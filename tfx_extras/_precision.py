"""The precision of all arithmetic."""

import functools
from typing import Any

import keras


@functools.cache  # it is asked for each variable at each step
def wide(dtype: Any) -> str:
    """Returns `"float64"` for `float64`, else `"float32"`.

    Not `keras.backend.result_type(dtype, "float32")`: that makes `float64` narrow.
    """
    name = keras.backend.standardize_dtype(dtype)
    return "float64" if name == "float64" else "float32"
