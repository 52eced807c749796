"""The losses of TensorFlow Addons."""

from tfx_extras.tfa.losses import metric_learning as metric_learning
from tfx_extras.tfa.losses.contrastive import ContrastiveLoss
from tfx_extras.tfa.losses.contrastive import contrastive_loss
from tfx_extras.tfa.losses.focal_loss import SigmoidFocalCrossEntropy
from tfx_extras.tfa.losses.focal_loss import sigmoid_focal_crossentropy
from tfx_extras.tfa.losses.giou_loss import GIoULoss
from tfx_extras.tfa.losses.giou_loss import giou_loss
from tfx_extras.tfa.losses.kappa_loss import WeightedKappaLoss
from tfx_extras.tfa.losses.lifted import LiftedStructLoss
from tfx_extras.tfa.losses.lifted import lifted_struct_loss
from tfx_extras.tfa.losses.npairs import NpairsLoss
from tfx_extras.tfa.losses.npairs import NpairsMultilabelLoss
from tfx_extras.tfa.losses.npairs import npairs_loss
from tfx_extras.tfa.losses.npairs import npairs_multilabel_loss
from tfx_extras.tfa.losses.quantiles import PinballLoss
from tfx_extras.tfa.losses.quantiles import pinball_loss
from tfx_extras.tfa.losses.sparsemax_loss import SparsemaxLoss
from tfx_extras.tfa.losses.sparsemax_loss import sparsemax_loss
from tfx_extras.tfa.losses.triplet import TripletHardLoss
from tfx_extras.tfa.losses.triplet import TripletSemiHardLoss
from tfx_extras.tfa.losses.triplet import triplet_hard_loss
from tfx_extras.tfa.losses.triplet import triplet_semihard_loss

__all__ = [
    "ContrastiveLoss",
    "GIoULoss",
    "LiftedStructLoss",
    "NpairsLoss",
    "NpairsMultilabelLoss",
    "PinballLoss",
    "SigmoidFocalCrossEntropy",
    "SparsemaxLoss",
    "TripletHardLoss",
    "TripletSemiHardLoss",
    "WeightedKappaLoss",
    "contrastive_loss",
    "giou_loss",
    "lifted_struct_loss",
    "npairs_loss",
    "npairs_multilabel_loss",
    "pinball_loss",
    "sigmoid_focal_crossentropy",
    "sparsemax_loss",
    "triplet_hard_loss",
    "triplet_semihard_loss",
]
