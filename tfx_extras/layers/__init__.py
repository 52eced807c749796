"""Layers."""

from tfx_extras.layers.ada_face import AdaFace
from tfx_extras.layers.chunked import ChunkedLinearCrossentropy
from tfx_extras.layers.cosine_dense import CosineDense
from tfx_extras.layers.cross_batch_memory import CrossBatchMemory
from tfx_extras.layers.curricular_face import CurricularFace

__all__ = [
    "AdaFace",
    "ChunkedLinearCrossentropy",
    "CosineDense",
    "CrossBatchMemory",
    "CurricularFace",
]
