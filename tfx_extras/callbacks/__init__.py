"""Callbacks."""

from tfx_extras.callbacks.learning_rate_logger import LearningRateLogger
from tfx_extras.callbacks.swap_average import SwapAverage
from tfx_extras.callbacks.warmup_then_plateau import WarmupThenPlateau

__all__ = ["LearningRateLogger", "SwapAverage", "WarmupThenPlateau"]
