"""Metrics."""

from tfx_extras.metrics.retrieval import MeanAveragePrecisionAtR
from tfx_extras.metrics.retrieval import RecallAtK

__all__ = ["MeanAveragePrecisionAtR", "RecallAtK"]
