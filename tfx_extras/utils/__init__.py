"""Functions for data and embeddings."""

from tfx_extras.utils.neighbors import nearest

__all__ = ["nearest"]
