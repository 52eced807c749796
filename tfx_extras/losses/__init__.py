"""Losses."""

import keras as _keras

from tfx_extras._lookup import Catalog as _Catalog
from tfx_extras.losses._base import LossOptions
from tfx_extras.losses.classification.chunked import chunked_linear_crossentropy
from tfx_extras.losses.classification.focal import CategoricalFocalCrossentropy
from tfx_extras.losses.classification.focal import SigmoidFocalCrossentropy
from tfx_extras.losses.classification.focal import SparseCategoricalFocalCrossentropy
from tfx_extras.losses.classification.focal import categorical_focal_crossentropy
from tfx_extras.losses.classification.focal import sigmoid_focal_crossentropy
from tfx_extras.losses.classification.focal import sparse_categorical_focal_crossentropy
from tfx_extras.losses.classification.semi_supervised import SemiSupervisedCrossentropy
from tfx_extras.losses.classification.semi_supervised import (
    semi_supervised_crossentropy,
)
from tfx_extras.losses.classification.smoothed import SmoothedCategoricalCrossentropy
from tfx_extras.losses.classification.smoothed import (
    SmoothedSparseCategoricalCrossentropy,
)
from tfx_extras.losses.classification.smoothed import smoothed_categorical_crossentropy
from tfx_extras.losses.classification.smoothed import (
    smoothed_sparse_categorical_crossentropy,
)
from tfx_extras.losses.classification.sparsemax import SparsemaxLoss
from tfx_extras.losses.classification.sparsemax import sparsemax
from tfx_extras.losses.classification.sparsemax import sparsemax_loss
from tfx_extras.losses.classification.weigh_unlabeled import weigh_unlabeled
from tfx_extras.losses.classification.weighted_kappa import WeightedKappaLoss
from tfx_extras.losses.classification.weighted_kappa import weighted_kappa_loss
from tfx_extras.losses.combined import CombinedLoss
from tfx_extras.losses.embedding.angular_margin import ArcFaceLoss
from tfx_extras.losses.embedding.angular_margin import CosFaceLoss
from tfx_extras.losses.embedding.angular_margin import arc_face_loss
from tfx_extras.losses.embedding.angular_margin import cos_face_loss
from tfx_extras.losses.embedding.contrastive import ContrastiveLoss
from tfx_extras.losses.embedding.contrastive import contrastive_loss
from tfx_extras.losses.embedding.info_nce import CLIPLoss
from tfx_extras.losses.embedding.info_nce import NTXentLoss
from tfx_extras.losses.embedding.info_nce import SigLIPLoss
from tfx_extras.losses.embedding.info_nce import SupervisedContrastiveLoss
from tfx_extras.losses.embedding.info_nce import clip_loss
from tfx_extras.losses.embedding.info_nce import nt_xent_loss
from tfx_extras.losses.embedding.info_nce import siglip_loss
from tfx_extras.losses.embedding.info_nce import supervised_contrastive_loss
from tfx_extras.losses.embedding.lifted_structured import LiftedStructuredLoss
from tfx_extras.losses.embedding.lifted_structured import lifted_structured_loss
from tfx_extras.losses.embedding.multi_similarity import MultiSimilarityLoss
from tfx_extras.losses.embedding.multi_similarity import multi_similarity_loss
from tfx_extras.losses.embedding.n_pairs import NPairsLoss
from tfx_extras.losses.embedding.n_pairs import NPairsMultilabelLoss
from tfx_extras.losses.embedding.n_pairs import n_pairs_loss
from tfx_extras.losses.embedding.n_pairs import n_pairs_multilabel_loss
from tfx_extras.losses.embedding.triplet import TripletHardLoss
from tfx_extras.losses.embedding.triplet import TripletLoss
from tfx_extras.losses.embedding.triplet import TripletSemiHardLoss
from tfx_extras.losses.embedding.triplet import triplet_hard_loss
from tfx_extras.losses.embedding.triplet import triplet_loss
from tfx_extras.losses.embedding.triplet import triplet_semi_hard_loss
from tfx_extras.losses.regression.quantile import PinballLoss
from tfx_extras.losses.regression.quantile import pinball_loss
from tfx_extras.losses.regression.robust import Huber
from tfx_extras.losses.regression.robust import PseudoHuber
from tfx_extras.losses.regression.robust import SmoothL1
from tfx_extras.losses.regression.robust import huber
from tfx_extras.losses.regression.robust import pseudo_huber
from tfx_extras.losses.regression.robust import smooth_l1
from tfx_extras.losses.vision.iou import GIoULoss
from tfx_extras.losses.vision.iou import giou_loss

_catalog = _Catalog(
    "loss",
    _keras.losses.Loss,
    _keras.losses,
    [
        ArcFaceLoss,
        CLIPLoss,
        CategoricalFocalCrossentropy,
        CombinedLoss,
        ContrastiveLoss,
        CosFaceLoss,
        GIoULoss,
        Huber,
        LiftedStructuredLoss,
        MultiSimilarityLoss,
        NPairsLoss,
        NPairsMultilabelLoss,
        NTXentLoss,
        PinballLoss,
        PseudoHuber,
        SemiSupervisedCrossentropy,
        SigLIPLoss,
        SigmoidFocalCrossentropy,
        SmoothL1,
        SmoothedCategoricalCrossentropy,
        SmoothedSparseCategoricalCrossentropy,
        SparseCategoricalFocalCrossentropy,
        SparsemaxLoss,
        SupervisedContrastiveLoss,
        TripletHardLoss,
        TripletLoss,
        TripletSemiHardLoss,
        WeightedKappaLoss,
        arc_face_loss,
        categorical_focal_crossentropy,
        clip_loss,
        contrastive_loss,
        cos_face_loss,
        giou_loss,
        huber,
        lifted_structured_loss,
        multi_similarity_loss,
        n_pairs_loss,
        n_pairs_multilabel_loss,
        nt_xent_loss,
        pinball_loss,
        pseudo_huber,
        semi_supervised_crossentropy,
        siglip_loss,
        sigmoid_focal_crossentropy,
        smooth_l1,
        smoothed_categorical_crossentropy,
        smoothed_sparse_categorical_crossentropy,
        sparse_categorical_focal_crossentropy,
        sparsemax_loss,
        supervised_contrastive_loss,
        triplet_hard_loss,
        triplet_loss,
        triplet_semi_hard_loss,
        weighted_kappa_loss,
    ],
)
get = _catalog.get
list = _catalog.list

__all__ = [
    "ArcFaceLoss",
    "CLIPLoss",
    "CategoricalFocalCrossentropy",
    "CombinedLoss",
    "ContrastiveLoss",
    "CosFaceLoss",
    "GIoULoss",
    "Huber",
    "LiftedStructuredLoss",
    "LossOptions",
    "MultiSimilarityLoss",
    "NPairsLoss",
    "NPairsMultilabelLoss",
    "NTXentLoss",
    "PinballLoss",
    "PseudoHuber",
    "SemiSupervisedCrossentropy",
    "SigLIPLoss",
    "SigmoidFocalCrossentropy",
    "SmoothL1",
    "SmoothedCategoricalCrossentropy",
    "SmoothedSparseCategoricalCrossentropy",
    "SparseCategoricalFocalCrossentropy",
    "SparsemaxLoss",
    "SupervisedContrastiveLoss",
    "TripletHardLoss",
    "TripletLoss",
    "TripletSemiHardLoss",
    "WeightedKappaLoss",
    "arc_face_loss",
    "categorical_focal_crossentropy",
    "chunked_linear_crossentropy",
    "clip_loss",
    "contrastive_loss",
    "cos_face_loss",
    "get",
    "giou_loss",
    "huber",
    "lifted_structured_loss",
    "list",
    "multi_similarity_loss",
    "n_pairs_loss",
    "n_pairs_multilabel_loss",
    "nt_xent_loss",
    "pinball_loss",
    "pseudo_huber",
    "semi_supervised_crossentropy",
    "siglip_loss",
    "sigmoid_focal_crossentropy",
    "smooth_l1",
    "smoothed_categorical_crossentropy",
    "smoothed_sparse_categorical_crossentropy",
    "sparse_categorical_focal_crossentropy",
    "sparsemax",
    "sparsemax_loss",
    "supervised_contrastive_loss",
    "triplet_hard_loss",
    "triplet_loss",
    "triplet_semi_hard_loss",
    "weigh_unlabeled",
    "weighted_kappa_loss",
]
