"""Functions and samplers for data and embeddings."""

from tfx_extras.utils.balanced import BalancedBatches
from tfx_extras.utils.neighbors import nearest

__all__ = ["BalancedBatches", "nearest"]
