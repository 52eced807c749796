"""The precision of all arithmetic."""

from typing import Any


def wide(dtype: Any) -> str:
    """Returns `"float64"` for `float64`, else `"float32"`.

    `keras.backend.result_type(dtype, "float32")` would narrow `float64`. There is no
    cache, because `torch.compile` warns about one.
    """
    return "float64" if "float64" in str(dtype) else "float32"
