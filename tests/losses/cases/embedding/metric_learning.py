"""Cases of the losses that find pairs and triplets within a batch."""

import keras
import numpy as np
from keras import ops

from tests.losses.cases._case import LossCase
from tests.references import metric_learning as references
from tfx_extras import losses


@keras.saving.register_keras_serializable("tests")
def manhattan(x, y):
    return ops.sum(ops.abs(x[:, None] - y[None]), -1)


@keras.saving.register_keras_serializable("tests")
def manhattan_by_row(x, y):
    return ops.sum(ops.abs(x - y), -1)


def embeddings(shape=(8, 3), seed=0):
    return np.random.default_rng(seed).integers(-16, 17, shape) / 8


def labelled():
    """Some anchors have several positives, and one has none."""
    return np.array([0, 1, 0, 2, 1, 0, 7, 2]), embeddings()


def column_labels():
    y_true, y_pred = labelled()
    return y_true[:, None], y_pred


def near_and_far():
    """Separated clusters, with one point twice and one point far away."""
    y_true, y_pred = labelled()
    y_pred = y_pred / 4 + y_true[:, None]
    y_pred[5] = y_pred[0]
    y_pred[6] *= 2
    return y_true, y_pred


def apart():
    """The same without equal points, where distances are not differentiable."""
    y_true, y_pred = near_and_far()
    y_pred[5, 0] += 0.25
    return y_true, y_pred


def uneven():
    """No two coordinates are equal, where their distance is not differentiable."""
    y_true, y_pred = labelled()
    return y_true, y_pred + np.arange(y_pred.size).reshape(y_pred.shape) / 256


def uneven_triplets():
    y_true, y_pred = triplets()
    return y_true, y_pred + np.arange(y_pred.size).reshape(y_pred.shape) / 256


def pairs():
    """Two of the pairs have the same label."""
    return np.array([3, 1, 4, 1, 5]), embeddings((5, 2, 3))


def similarities():
    y_true, _ = labelled()
    return y_true, embeddings((8, 8), 1) * 2


def multilabels():
    """One sample has no label."""
    y_true = np.array([[1, 0, 1], [0, 1, 0], [1, 1, 0], [0, 0, 0], [0, 0, 1]])
    return y_true.astype("float64"), embeddings((5, 5), 2)


def multilabelled_pairs():
    return multilabels()[0], embeddings((5, 2, 3))


def pair_similarities():
    y_true, _ = pairs()
    return y_true, embeddings((5, 5), 3) * 2


def triplets():
    return np.zeros(8, "int32"), embeddings((8, 3, 2), 4)


def cosines():
    """Angles around pi minus the margin, and the bounds of the cosine."""
    rows = np.array(
        [
            [0.9375, 0.25, -0.5],
            [0.25, 0.9375, 0.5],
            [-0.96875, 0.5, 0.0],
            [0.125, -0.875, 0.75],
            [1.0, -1.0, 0.5],
            [-1.0, 1.0, 0.5],
            [0.5, 0.5, 0.5],
            [0.0, 0.0, 0.0],
        ]
    )
    return np.tile([0, 1, 2], 8), np.repeat(rows, 3, axis=0)


def inner_cosines():
    y_true, y_pred = cosines()
    return y_true, np.clip(y_pred, -0.96875, 0.96875)


def absent_class():
    """The batch has no sample of the last class."""
    y_true, y_pred = cosines()
    return y_true[:12] % 2, y_pred[:12]


def inner_absent_class():
    y_true, y_pred = absent_class()
    return y_true, np.clip(y_pred, -0.96875, 0.96875)


SEMI_HARD = (
    losses.triplet_semi_hard_loss,
    losses.TripletSemiHardLoss,
    references.triplet_semi_hard_loss,
)
HARD = (losses.triplet_hard_loss, losses.TripletHardLoss, references.triplet_hard_loss)
TRIPLET = (losses.triplet_loss, losses.TripletLoss, references.triplet_loss)
LIFTED = (
    losses.lifted_structured_loss,
    losses.LiftedStructuredLoss,
    references.lifted_structured_loss,
)
MULTI = (
    losses.multi_similarity_loss,
    losses.MultiSimilarityLoss,
    references.multi_similarity_loss,
)
N_PAIRS = (losses.n_pairs_loss, losses.NPairsLoss, references.n_pairs_loss)
MULTILABEL = (
    losses.n_pairs_multilabel_loss,
    losses.NPairsMultilabelLoss,
    references.n_pairs_multilabel_loss,
)
SUPERVISED = (
    losses.supervised_contrastive_loss,
    losses.SupervisedContrastiveLoss,
    references.supervised_contrastive_loss,
)
NT_XENT = (losses.nt_xent_loss, losses.NTXentLoss, references.nt_xent_loss)
CLIP = (losses.clip_loss, losses.CLIPLoss, references.clip_loss)
SIGLIP = (losses.siglip_loss, losses.SigLIPLoss, references.siglip_loss)
ARC_FACE = (losses.arc_face_loss, losses.ArcFaceLoss, references.arc_face_loss)
COS_FACE = (losses.cos_face_loss, losses.CosFaceLoss, references.cos_face_loss)
PROXY_NCA = (losses.proxy_nca_loss, losses.ProxyNCALoss, references.proxy_nca_loss)
SOFT_TRIPLE = (
    losses.soft_triple_loss,
    losses.SoftTripleLoss,
    references.soft_triple_loss,
)
PROXY_ANCHOR = (
    losses.proxy_anchor_loss,
    losses.ProxyAnchorLoss,
    references.proxy_anchor_loss,
)

EMBEDDINGS = (
    ((3,), (3,)),
    ((3, 2), (3, 4)),
    ((2,), (3, 4)),
    ((1,), (3, 4)),
    ((), (3, 4)),
    ((3,), (3, 2, 4)),
)
PAIRS = (
    ((2,), (3, 2, 4)),
    ((3, 2), (3, 2, 4)),
    ((1,), (3, 2, 4)),
    ((3,), (3, 3, 4)),
    ((3,), (3, 4)),
)
SQUARE = (((3,), (3, 4)), ((2,), (3, 3)), ((3, 3), (3, 3)), ((3,), (3, 3, 3)))
TRIPLETS = (((3,), (3, 2, 4)), ((3,), (3, 4)))
CLASSES = (((1,), (3, 4)), ((3, 2), (3, 4)), ((3, 4), (3, 4)), ((), (3, 4)))
MULTILABELS = (((3,), (3, 3)), ((2, 4), (3, 3)), ((3, 4), (3, 4)))


def case(form, data, kwargs=None, **rest):
    return LossCase(*form, data, kwargs or {}, coupled=True, **rest)


def _mined(form, **changes):
    """Cases of a loss that mines its pairs by distance."""
    metrics = {"distance_metric": "squared-L2"}
    return [
        case(
            form,
            labelled,
            changes={"margin": 2.0} | metrics | changes,
            invalid=({"margin": -1.0}, {"distance_metric": "L3"}),
            unequal=EMBEDDINGS,
        ),
        case(form, near_and_far, {"margin": 0.25} | metrics, smooth=apart),
        case(form, column_labels, {"margin": 0.5, "distance_metric": "angular"}),
    ]


CASES = [
    *_mined(SEMI_HARD),
    case(SEMI_HARD, uneven, {"distance_metric": manhattan}),
    *_mined(HARD, soft=True),
    case(HARD, near_and_far, {"soft": True}, smooth=apart),
    *_mined(LIFTED),
    LossCase(
        *TRIPLET,
        triplets,
        changes={
            "margin": 2.0,
            "soft": True,
            "swap": True,
            "distance_metric": "squared-L2",
        },
        invalid=({"margin": -1.0}, {"distance_metric": "L3"}),
        unequal=TRIPLETS,
    ),
    LossCase(*TRIPLET, triplets, {"soft": True, "swap": True}),
    LossCase(*TRIPLET, triplets, {"distance_metric": "angular", "margin": 0.25}),
    LossCase(
        *TRIPLET, uneven_triplets, {"distance_metric": manhattan_by_row, "margin": 0.7}
    ),
    case(
        MULTI,
        labelled,
        changes={"alpha": 4.0, "beta": 10.0, "base": 0.25, "epsilon": 1.0},
        invalid=({"alpha": 0.0}, {"beta": -1.0}, {"base": 2.0}, {"epsilon": -0.1}),
        unequal=EMBEDDINGS,
    ),
    case(MULTI, labelled, {"epsilon": 0.5, "beta": 4.0}),
    case(
        N_PAIRS,
        similarities,
        square=True,
        changes={"from_embeddings": True},
        unequal=SQUARE,
    ),
    case(N_PAIRS, pairs, {"from_embeddings": True}, unequal=PAIRS),
    case(
        MULTILABEL,
        multilabels,
        square=True,
        changes={"from_embeddings": True},
        unequal=MULTILABELS,
    ),
    case(MULTILABEL, multilabelled_pairs, {"from_embeddings": True}),
    case(
        SUPERVISED,
        labelled,
        changes={"temperature": 0.5},
        invalid=({"temperature": 0.0},),
        unequal=EMBEDDINGS,
    ),
    case(
        NT_XENT,
        pairs,
        changes={"temperature": 0.1},
        invalid=({"temperature": 0.0},),
        unequal=PAIRS,
    ),
    case(
        CLIP,
        pairs,
        changes={"temperature": 0.5},
        invalid=({"temperature": 0.0},),
        unequal=PAIRS,
    ),
    case(
        CLIP,
        pair_similarities,
        {"from_logits": True},
        square=True,
        changes={"from_logits": False},
        unequal=SQUARE,
    ),
    case(
        SIGLIP,
        pairs,
        changes={"temperature": 0.5, "bias": -2.0},
        invalid=({"temperature": 0.0}, {"bias": float("inf")}),
        unequal=PAIRS,
    ),
    case(
        SIGLIP,
        pair_similarities,
        {"from_logits": True},
        square=True,
        changes={"from_logits": False},
        unequal=SQUARE,
    ),
    LossCase(
        *ARC_FACE,
        cosines,
        smooth=inner_cosines,
        activation="tanh",
        changes={"margin": 0.25, "scale": 16.0},
        invalid=({"margin": -0.5}, {"scale": 0.0}),
        unequal=CLASSES,
    ),
    LossCase(
        *COS_FACE,
        cosines,
        smooth=inner_cosines,
        activation="tanh",
        changes={"margin": 0.25, "scale": 16.0},
        invalid=({"margin": -0.5}, {"scale": 0.0}),
        unequal=CLASSES,
    ),
    LossCase(
        *PROXY_NCA,
        cosines,
        smooth=inner_cosines,
        activation="tanh",
        changes={"temperature": 0.5},
        invalid=({"temperature": 0.0},),
        unequal=CLASSES,
    ),
    LossCase(
        *SOFT_TRIPLE,
        cosines,
        smooth=inner_cosines,
        activation="tanh",
        changes={"margin": 0.25, "scale": 16.0},
        invalid=({"margin": -0.5}, {"scale": 0.0}),
        unequal=CLASSES,
    ),
    case(
        PROXY_ANCHOR,
        absent_class,
        smooth=inner_absent_class,
        activation="tanh",
        changes={"margin": 0.25, "alpha": 16.0},
        invalid=({"margin": -0.5}, {"alpha": 0.0}),
        unequal=(*CLASSES, ((3,), (3, 2, 4))),
    ),
]
