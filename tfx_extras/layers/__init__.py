"""Layers."""

from tfx_extras.layers.chunked import ChunkedLinearCrossentropy

__all__ = ["ChunkedLinearCrossentropy"]
