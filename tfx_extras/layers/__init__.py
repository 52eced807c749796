"""Layers."""

from tfx_extras.layers.ada_face import AdaFace
from tfx_extras.layers.chunked import ChunkedLinearCrossentropy
from tfx_extras.layers.cosine_dense import CosineDense
from tfx_extras.layers.curricular_face import CurricularFace
from tfx_extras.layers.dino_center import DINOCenter
from tfx_extras.layers.uncertainty_weighting import UncertaintyWeighting

__all__ = [
    "AdaFace",
    "ChunkedLinearCrossentropy",
    "CosineDense",
    "CurricularFace",
    "DINOCenter",
    "UncertaintyWeighting",
]
