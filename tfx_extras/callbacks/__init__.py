"""Callbacks."""

from tfx_extras.callbacks.swap_average import SwapAverage

__all__ = ["SwapAverage"]
