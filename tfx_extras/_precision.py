"""The precision of all arithmetic."""

from typing import Any

import keras


def wide(dtype: Any) -> str:
    """Returns `"float64"` for `float64`, else `"float32"`.

    Not `keras.backend.result_type(dtype, "float32")`: that makes `float64` narrow.
    """
    name = keras.backend.standardize_dtype(dtype)
    return "float64" if name == "float64" else "float32"
