"""Callbacks."""

from tfx_extras.callbacks.learning_rate_logger import LearningRateLogger
from tfx_extras.callbacks.swap_average import SwapAverage

__all__ = ["LearningRateLogger", "SwapAverage"]
