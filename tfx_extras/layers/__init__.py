"""Layers."""

from tfx_extras.layers.chunked import ChunkedLinearCrossentropy
from tfx_extras.layers.cosine_dense import CosineDense

__all__ = ["ChunkedLinearCrossentropy", "CosineDense"]
