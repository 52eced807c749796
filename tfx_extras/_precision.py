"""The precision of all arithmetic."""

from typing import Any


def wide(dtype: Any) -> str:
    """Returns `"float64"` for `float64`, else `"float32"`.

    Not `keras.backend.result_type(dtype, "float32")`: that makes `float64` narrow.
    Nothing is cached: `torch.compile` warns of that, and a step asks for each variable.
    """
    return "float64" if "float64" in str(dtype) else "float32"
