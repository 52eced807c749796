"""Losses."""

import keras as _keras

from tfx_extras._lookup import Catalog as _Catalog
from tfx_extras.losses._base import LossOptions
from tfx_extras.losses.contrastive import ContrastiveLoss
from tfx_extras.losses.contrastive import contrastive_loss
from tfx_extras.losses.focal import CategoricalFocalCrossentropy
from tfx_extras.losses.focal import SigmoidFocalCrossentropy
from tfx_extras.losses.focal import SparseCategoricalFocalCrossentropy
from tfx_extras.losses.focal import categorical_focal_crossentropy
from tfx_extras.losses.focal import sigmoid_focal_crossentropy
from tfx_extras.losses.focal import sparse_categorical_focal_crossentropy
from tfx_extras.losses.iou import GIoULoss
from tfx_extras.losses.iou import giou_loss
from tfx_extras.losses.quantile import PinballLoss
from tfx_extras.losses.quantile import pinball_loss
from tfx_extras.losses.robust import Huber
from tfx_extras.losses.robust import PseudoHuber
from tfx_extras.losses.robust import SmoothL1
from tfx_extras.losses.robust import huber
from tfx_extras.losses.robust import pseudo_huber
from tfx_extras.losses.robust import smooth_l1
from tfx_extras.losses.smoothed import SmoothedCategoricalCrossentropy
from tfx_extras.losses.smoothed import SmoothedSparseCategoricalCrossentropy
from tfx_extras.losses.smoothed import smoothed_categorical_crossentropy
from tfx_extras.losses.smoothed import smoothed_sparse_categorical_crossentropy
from tfx_extras.losses.sparsemax import SparsemaxLoss
from tfx_extras.losses.sparsemax import sparsemax
from tfx_extras.losses.sparsemax import sparsemax_loss
from tfx_extras.losses.weighted_kappa import WeightedKappaLoss
from tfx_extras.losses.weighted_kappa import weighted_kappa_loss

_catalog = _Catalog(
    "loss",
    _keras.losses.Loss,
    [
        CategoricalFocalCrossentropy,
        ContrastiveLoss,
        GIoULoss,
        Huber,
        PinballLoss,
        PseudoHuber,
        SigmoidFocalCrossentropy,
        SmoothL1,
        SmoothedCategoricalCrossentropy,
        SmoothedSparseCategoricalCrossentropy,
        SparseCategoricalFocalCrossentropy,
        SparsemaxLoss,
        WeightedKappaLoss,
        categorical_focal_crossentropy,
        contrastive_loss,
        giou_loss,
        huber,
        pinball_loss,
        pseudo_huber,
        sigmoid_focal_crossentropy,
        smooth_l1,
        smoothed_categorical_crossentropy,
        smoothed_sparse_categorical_crossentropy,
        sparse_categorical_focal_crossentropy,
        sparsemax_loss,
        weighted_kappa_loss,
    ],
)
get = _catalog.get
list = _catalog.list

__all__ = [
    "CategoricalFocalCrossentropy",
    "ContrastiveLoss",
    "GIoULoss",
    "Huber",
    "LossOptions",
    "PinballLoss",
    "PseudoHuber",
    "SigmoidFocalCrossentropy",
    "SmoothL1",
    "SmoothedCategoricalCrossentropy",
    "SmoothedSparseCategoricalCrossentropy",
    "SparseCategoricalFocalCrossentropy",
    "SparsemaxLoss",
    "WeightedKappaLoss",
    "categorical_focal_crossentropy",
    "contrastive_loss",
    "get",
    "giou_loss",
    "huber",
    "list",
    "pinball_loss",
    "pseudo_huber",
    "sigmoid_focal_crossentropy",
    "smooth_l1",
    "smoothed_categorical_crossentropy",
    "smoothed_sparse_categorical_crossentropy",
    "sparse_categorical_focal_crossentropy",
    "sparsemax",
    "sparsemax_loss",
    "weighted_kappa_loss",
]
