"""Each loss as a curve above its derivative.

One predicted value changes; the rest of a small batch stays fixed. The derivative is
PyTorch's gradient of the mean over that batch, not a finite difference.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from figures._style import figure
from figures._style import shape
from keras import ops

from tfx_extras import losses

# Four samples of two classes on a circle. The first one moves.
ANGLES = (20.0, 90.0, 165.0)
CLASSES = np.array([0, 0, 1, 1])


class Curve(NamedTuple):
    """A loss as a function of one number, for some values of its arguments."""

    label: str
    reach: tuple[float, float]
    lines: dict[str, Callable]
    # Whether it takes all numbers as one batch, since no loop can be vectorized.
    is_batch: bool = False


def rows(*columns):
    """A batch of one sample, with the value that changes."""
    return ops.stack([ops.cast(c, "float32") for c in columns])[None]


def on_circle(*degrees):
    angles = ops.stack([ops.cast(d, "float32") for d in degrees]) * (np.pi / 180)
    return ops.stack([ops.cos(angles), ops.sin(angles)], axis=-1)


def fitting(loss, **options):
    return lambda x: loss([[0.0]], rows(x), **options)


def of_logit(loss, label, **options):
    """Two classes. The logit of the true class changes."""
    return lambda x: loss(label, rows(x, 0.0), from_logits=True, **options)


def of_pixels(loss, **values):
    """Four pixels, two of which are true. The logit of one of these changes."""
    ((name, each),) = values.items()

    def curve(value):
        y = [[[1.0], [1.0], [0.0], [0.0]]]
        options = {name: value, "activation": "sigmoid"}
        return lambda x: loss(y, rows(x, 2.0, -2.0, -2.0)[..., None], **options)

    return {f"{name} {value:g}": curve(value) for value in each}


def of_labels(loss, **values):
    """The same for integer labels of two classes."""
    ((name, each),) = values.items()

    def curve(value):
        options = {name: value, "activation": "softmax"}
        return lambda x: loss([[1, 1, 0, 0]], two_classes(x), **options)

    return {f"{name} {value:g}": curve(value) for value in each}


def two_classes(x):
    z = rows(x, 2.0, -2.0, -2.0)
    return ops.stack([ops.zeros_like(z), z], axis=-1)


def embedded(loss, **options):
    """The mean over a batch in which one of four samples moves on the circle."""
    return lambda x: loss(CLASSES, on_circle(x, *ANGLES), **options)


def pairs(x):
    return ops.stack([on_circle(x, 180.0), on_circle(0.0, 200.0)], axis=1)


def paired(loss, **options):
    """Two pairs. One sample moves on the circle."""
    return lambda x: loss([0, 1], pairs(x), **options)


def of_angle(loss, **options):
    """Two classes: the true class at an angle, the other class at 90 degrees."""
    return lambda x: loss([0], rows(ops.cos(x * np.pi / 180), 0.0), **options)


OWN = ("degrees to the true class; the other class is at 90", (0, 180))
ERROR = ("prediction minus label", (-3, 3))
LOGIT = ("logit of the true class, the other at 0", (-4, 6))
ANGLE = ("angle of a sample in degrees; its positive is at 20", (-60, 200))
PAIR = ("degrees between the two samples of a pair", (-180, 180))
PIXEL = ("logit of a true pixel", (-6, 6))
CHECKERED = ops.cast(np.random.default_rng(0).random((1, 8, 8, 1)), "float32")
BELOW_AND_ABOVE = [[0, 0], [1, 1], [0, 0], [0, 0]]  # background of a line of pixels
CURVES = {
    "Huber": Curve(
        *ERROR,
        {f"delta {d:g}": fitting(losses.huber, delta=d) for d in (0.5, 1.0, 2.0)},
    ),
    "PseudoHuber": Curve(
        *ERROR,
        {
            f"delta {d:g}": fitting(losses.pseudo_huber, delta=d)
            for d in (0.5, 1.0, 2.0)
        },
    ),
    "SmoothL1": Curve(
        *ERROR,
        {f"beta {b:g}": fitting(losses.smooth_l1, beta=b) for b in (0.5, 1.0, 2.0)},
    ),
    "PinballLoss": Curve(
        *ERROR,
        {f"tau {t:g}": fitting(losses.pinball_loss, tau=t) for t in (0.1, 0.5, 0.9)},
    ),
    "GaussianNLLLoss": Curve(
        *ERROR,
        {
            f"log-variance {s:g}": lambda x, s=s: losses.gaussian_nll([0.0], rows(x, s))
            for s in (-1.0, 0.0, 1.0)
        },
    ),
    "StudentTNLLLoss": Curve(
        *ERROR,
        {
            f"degrees {d:g}": lambda x, d=d: losses.student_t_nll(
                [0.0], rows(x, 0.0), degrees=d
            )
            for d in (1.0, 3.0, 30.0)
        },
    ),
    "EvidentialLoss": Curve(
        *ERROR,
        {
            f"raw nu {n:g}": lambda x, n=n: losses.evidential_loss(
                [0.0], rows(x, n, 0.0, 0.0), coefficient=0.1
            )
            for n in (-2.0, 0.0, 2.0)
        },
    ),
    "MixtureNLLLoss": Curve(
        "target; the components are at -1 and 1",
        (-3, 3),
        {
            f"log scale {c:g}": lambda x, c=c: losses.mixture_nll(
                rows(x), [[0.0, 0.0, -1.0, 1.0, c, c]]
            )
            for c in (-1.0, -0.5, 0.0)
        },
    ),
    "GaussianCRPSLoss": Curve(
        *ERROR,
        {
            f"log scale {c:g}": lambda x, c=c: losses.gaussian_crps([0.0], rows(x, c))
            for c in (-1.0, 0.0, 1.0)
        },
    ),
    "EnsembleCRPSLoss": Curve(
        "one of three members; the others are at -1 and 1, the target at 0",
        (-3, 3),
        {
            f"fair {fair}": lambda x, fair=fair: losses.ensemble_crps(
                [0.0], rows(x, -1.0, 1.0), fair=fair
            )
            for fair in (True, False)
        },
    ),
    "PoissonNLLLoss": Curve(
        "predicted log rate",
        (-3, 3),
        {
            f"count {y:g}": lambda x, y=y: losses.poisson_nll([y], rows(x)[0])
            for y in (0.0, 1.0, 5.0)
        },
    ),
    "NegativeBinomialNLLLoss": Curve(
        "predicted log mean, for a count of 5",
        (-3, 5),
        {
            f"log dispersion {a:g}": lambda x, a=a: losses.negative_binomial_nll(
                [5.0], rows(x, a)
            )
            for a in (-3.0, 0.0, 2.0)
        },
    ),
    "TweedieLoss": Curve(
        "predicted log mean, for an amount of 1",
        (-3, 3),
        {
            f"power {p:g}": lambda x, p=p: losses.tweedie_loss(
                [1.0], rows(x)[0], power=p
            )
            for p in (1.2, 1.5, 1.8)
        },
    ),
    "CoxLoss": Curve(
        "log risk of a sample with an event; three others at risk have 0",
        (-4, 4),
        {
            "": lambda x: losses.cox_loss(
                [[1.0, 1.0], [2.0, 0.0], [2.0, 0.0], [2.0, 0.0]],
                rows(x, 0.0, 0.0, 0.0)[0],
            )
        },
    ),
    "PolySigmoidCrossentropy": Curve(
        "logit of a positive class",
        (-4, 6),
        {
            f"epsilon {e:g}": lambda x, e=e: losses.poly_sigmoid_crossentropy(
                [[1.0]], rows(x), epsilon=e, from_logits=True
            )
            for e in (-1, 0, 2)
        },
    ),
    "PolyCategoricalCrossentropy": Curve(
        *LOGIT,
        {
            f"epsilon {e:g}": of_logit(
                losses.poly_categorical_crossentropy, [[1.0, 0.0]], epsilon=e
            )
            for e in (-1, 0, 2)
        },
    ),
    "PolySparseCategoricalCrossentropy": Curve(
        *LOGIT,
        {
            f"epsilon {e:g}": of_logit(
                losses.poly_sparse_categorical_crossentropy, [0], epsilon=e
            )
            for e in (-1, 0, 2)
        },
    ),
    "AsymmetricLoss": Curve(
        "logit of a class",
        (-6, 6),
        {
            f"label {y}": lambda x, y=y: losses.asymmetric_loss([[y]], rows(x))
            for y in (1, 0)
        },
    ),
    "ZLPRLoss": Curve(
        "logit of a class; a negative class is at -1",
        (-6, 6),
        {
            f"label {y}": lambda x, y=y: losses.zlpr_loss([[y, 0]], rows(x, -1.0))
            for y in (1, 0)
        },
    ),
    "LogitAdjustedCrossentropy": Curve(
        *LOGIT,
        {
            f"{n} of 100 samples": lambda x, n=n: losses.logit_adjusted_crossentropy(
                [0], rows(x, 0.0), class_counts=[n, 100 - n]
            )
            for n in (1, 50, 99)
        },
    ),
    "LDAMLoss": Curve(
        *OWN,
        {
            f"{n} of 100 samples": lambda x, n=n: losses.ldam_loss(
                [0],
                rows(ops.cos(x * np.pi / 180), 0.0),
                class_counts=[n, 100 - n],
                scale=16.0,
            )
            for n in (1, 99)
        },
    ),
    **{
        name: Curve(
            *LOGIT,
            {f"q {q:g}": of_logit(loss, label, q=q) for q in (0.0, 0.7, 1.0)},
        )
        for name, loss, label in (
            (
                "GeneralizedCategoricalCrossentropy",
                losses.generalized_categorical_crossentropy,
                [[1.0, 0.0]],
            ),
            (
                "GeneralizedSparseCategoricalCrossentropy",
                losses.generalized_sparse_categorical_crossentropy,
                [0],
            ),
        )
    },
    **{
        name: Curve(
            *LOGIT,
            {
                f"alpha {a:g}, beta {b:g}": of_logit(loss, label, alpha=a, beta=b)
                for a, b in ((0.1, 1.0), (6.0, 0.1))
            },
        )
        for name, loss, label in (
            (
                "SymmetricCategoricalCrossentropy",
                losses.symmetric_categorical_crossentropy,
                [[1.0, 0.0]],
            ),
            (
                "SymmetricSparseCategoricalCrossentropy",
                losses.symmetric_sparse_categorical_crossentropy,
                [0],
            ),
        )
    },
    **{
        name: Curve(
            *LOGIT,
            {
                f"t1 {a:g}, t2 {b:g}": lambda x, loss=loss, label=label, a=a, b=b: loss(
                    label, rows(x, 0.0), t1=a, t2=b
                )
                for a, b in ((1.0, 1.0), (0.8, 1.4), (0.2, 4.0))
            },
        )
        for name, loss, label in (
            ("BiTemperedLoss", losses.bi_tempered_loss, [[1.0, 0.0]]),
            ("SparseBiTemperedLoss", losses.sparse_bi_tempered_loss, [0]),
        )
    },
    "DiceLoss": Curve(*PIXEL, of_pixels(losses.dice_loss, smooth=(0.0, 1.0, 5.0))),
    "SparseDiceLoss": Curve(
        *PIXEL, of_labels(losses.sparse_dice_loss, smooth=(0.0, 1.0, 5.0))
    ),
    "JaccardLoss": Curve(
        *PIXEL, of_pixels(losses.jaccard_loss, smooth=(0.0, 1.0, 5.0))
    ),
    "SparseJaccardLoss": Curve(
        *PIXEL, of_labels(losses.sparse_jaccard_loss, smooth=(0.0, 1.0, 5.0))
    ),
    "TverskyLoss": Curve(*PIXEL, of_pixels(losses.tversky_loss, beta=(0.1, 0.5, 0.9))),
    "SparseTverskyLoss": Curve(
        *PIXEL, of_labels(losses.sparse_tversky_loss, beta=(0.1, 0.5, 0.9))
    ),
    "FocalTverskyLoss": Curve(
        *PIXEL, of_pixels(losses.focal_tversky_loss, gamma=(0.5, 0.75, 1.0, 2.0))
    ),
    "SparseFocalTverskyLoss": Curve(
        *PIXEL, of_labels(losses.sparse_focal_tversky_loss, gamma=(0.5, 0.75, 1.0, 2.0))
    ),
    "GeneralizedDiceLoss": Curve(
        *PIXEL, of_pixels(losses.generalized_dice_loss, smooth=(1e-5, 1.0))
    ),
    "SparseGeneralizedDiceLoss": Curve(
        *PIXEL, of_labels(losses.sparse_generalized_dice_loss, power=(0, 1, 2))
    ),
    "LovaszHingeLoss": Curve(
        *PIXEL,
        {
            "": lambda x: losses.lovasz_hinge_loss(
                [[1, 1, 0, 0]], rows(x, 0.5, -0.5, -0.25)
            )
        },
    ),
    "LovaszSoftmaxLoss": Curve(
        *PIXEL,
        {
            "": lambda x: losses.lovasz_softmax_loss(
                [[1, 1, 0, 0]], two_classes(x), from_logits=True
            )
        },
    ),
    "CLDiceLoss": Curve(
        "logit of a pixel of a line of 8 pixels",
        (-6, 6),
        {
            f"smooth {s:g}": lambda x, s=s: losses.cl_dice_loss(
                ops.pad(ops.ones((1, 1, 8, 1)), BELOW_AND_ABOVE),
                ops.pad(
                    rows(*[4.0] * 4, x, *[4.0] * 3)[:, None, :, None],
                    BELOW_AND_ABOVE,
                    constant_values=-4.0,
                ),
                smooth=s,
                activation="sigmoid",
            )
            for s in (0.1, 1.0, 5.0)
        },
    ),
    "BoundaryLoss": Curve(
        "logit of a pixel",
        (-6, 6),
        {
            f"distance {d:g}": lambda x, d=d: losses.boundary_loss(
                [[[d], [-1.0]]], rows(x, 2.0)[..., None], "sigmoid"
            )
            for d in (-2.0, 0.0, 1.0, 4.0)
        },
    ),
    "CharbonnierLoss": Curve(
        *ERROR,
        {
            f"epsilon {e:g}": fitting(losses.charbonnier_loss, epsilon=e)
            for e in (0.01, 0.5, 1.0)
        },
    ),
    "GeneralRobustLoss": Curve(
        *ERROR,
        {
            f"alpha {a:g}": fitting(losses.general_robust_loss, alpha=a)
            for a in (2.0, 1.0, 0.0, -2.0)
        },
    ),
    "WingLoss": Curve(
        *ERROR,
        {
            f"width {w:g}": fitting(losses.wing_loss, width=w, curvature=0.5)
            for w in (0.5, 1.0, 2.0)
        },
    ),
    "AdaptiveWingLoss": Curve(
        "error of a pixel",
        (-1, 1),
        {
            f"target {y:g}": lambda e, y=y: losses.adaptive_wing_loss(
                [[y]], rows(e) + y
            )
            for y in (0.0, 0.5, 1.0)
        },
    ),
    "CoralLoss": Curve(
        "logit of a threshold",
        (-6, 6),
        {f"class {y}": lambda z, y=y: losses.coral_loss([y], rows(z)) for y in (0, 1)},
    ),
    "CornLoss": Curve(
        "logit of the first threshold",
        (-6, 6),
        {
            f"class {y}": lambda z, y=y: losses.corn_loss([y], rows(z, 0.0))
            for y in (0, 1)
        },
    ),
    "EarthMoverLoss": Curve(
        "logit of the first of 4 classes",
        (-6, 6),
        {
            f"class {y}": lambda z, y=y: losses.earth_mover_loss(
                [y], rows(z, 0.0, 0.0, 0.0), from_logits=True
            )
            for y in (0, 1, 3)
        },
    ),
    "SSIMLoss": Curve(
        "brightness of the predicted image",
        (0, 2),
        {
            f"target {y:g}": lambda b, y=y: losses.ssim_loss(
                ops.full((1, 3, 3, 1), y), ops.zeros((1, 3, 3, 1)) + b, filter_size=3
            )
            for y in (0.25, 0.5, 1.0)
        },
    ),
    "MSSSIMLoss": Curve(
        "contrast of the predicted image",
        (-1, 3),
        {
            "": lambda c: losses.ms_ssim_loss(
                CHECKERED,
                0.5 + c * (CHECKERED - 0.5),
                filter_size=3,
                weights=[0.5, 0.5],
            )
        },
    ),
    "TotalVariationLoss": Curve(
        "a pixel whose neighbors are 0 and 1",
        (-1, 2),
        {
            "": lambda x: losses.total_variation_loss(
                None, ops.reshape(rows(0.0, x, 1.0), (1, 1, 3, 1))
            )
        },
    ),
    "JensenShannonLoss": Curve(
        "logit of the first class in one view",
        (-6, 6),
        {
            f"other views {n}": lambda z, n=n: losses.jensen_shannon_loss(
                None, ops.stack([rows(z, 0.0), *[ops.zeros((1, 2))] * n], axis=1)
            )
            for n in (1, 2)
        },
    ),
    "RDropLoss": Curve(
        "logit of the first class in one view",
        (-6, 6),
        {
            "": lambda z: losses.r_drop_loss(
                None, ops.stack([rows(z, 0.0), ops.zeros((1, 2))], axis=1)
            )
        },
    ),
    "DPOLoss": Curve(
        "log-probability of the chosen response; the other three are -20",
        (-60, 0),
        {
            f"beta {b:g}": lambda x, b=b: losses.dpo_loss(
                [[-20.0, -20.0]], rows(x, -20.0), beta=b
            )
            for b in (0.1, 0.3)
        }
        | {
            "label_smoothing 0.2": lambda x: losses.dpo_loss(
                [[-20.0, -20.0]], rows(x, -20.0), label_smoothing=0.2
            )
        },
    ),
    "IPOLoss": Curve(
        "mean log-probability of the chosen response; the other three are -5",
        (-10, 0),
        {
            f"beta {b:g}": lambda x, b=b: losses.ipo_loss(
                [[-5.0, -5.0]], rows(x, -5.0), beta=b
            )
            for b in (0.1, 0.5)
        },
    ),
    "ORPOLoss": Curve(
        "mean log-probability of the chosen response; that of the other one is -1",
        (-4, -0.02),
        {
            f"beta {b:g}": lambda x, b=b: losses.orpo_loss(None, rows(x, -1.0), beta=b)
            for b in (0, 0.1, 1)
        },
    ),
    "SimPOLoss": Curve(
        "mean log-probability of the chosen response; that of the other one is -2",
        (-6, 0),
        {
            f"margin {m:g}": lambda x, m=m: losses.simpo_loss(
                None, rows(x, -2.0), margin=m
            )
            for m in (0, 1)
        },
    ),
    "RewardLoss": Curve(
        "reward of the chosen response; that of the other one is 0",
        (-6, 6),
        {
            f"margin {m:g}": lambda x, m=m: losses.reward_loss([m], rows(x, 0.0))
            for m in (0, 2)
        },
    ),
    "SigmoidFocalCrossentropy": Curve(
        "logit of a positive class",
        (-4, 6),
        {
            f"gamma {g}": lambda x, g=g: losses.sigmoid_focal_crossentropy(
                [[1.0]], rows(x), alpha=None, gamma=g, from_logits=True
            )
            for g in (0, 1, 2, 5)
        },
    ),
    "CategoricalFocalCrossentropy": Curve(
        *LOGIT,
        {
            f"gamma {g}": of_logit(
                losses.categorical_focal_crossentropy, [[1.0, 0.0]], gamma=g
            )
            for g in (0, 1, 2, 5)
        },
    ),
    "SparseCategoricalFocalCrossentropy": Curve(
        *LOGIT,
        {
            f"gamma {g}": of_logit(
                losses.sparse_categorical_focal_crossentropy, [0], gamma=g
            )
            for g in (0, 1, 2, 5)
        },
    ),
    "SmoothedCategoricalCrossentropy": Curve(
        *LOGIT,
        {
            f"label_smoothing {e}": of_logit(
                losses.smoothed_categorical_crossentropy,
                [[1.0, 0.0]],
                label_smoothing=e,
            )
            for e in (0.0, 0.1, 0.3)
        },
    ),
    "SmoothedSparseCategoricalCrossentropy": Curve(
        *LOGIT,
        {
            f"label_smoothing {e}": of_logit(
                losses.smoothed_sparse_categorical_crossentropy, [0], label_smoothing=e
            )
            for e in (0.0, 0.1, 0.3)
        },
    ),
    "chunked_linear_crossentropy": Curve(
        "feature $h$; the logits are $h$ and $-h$",
        (-3, 3),
        {
            f"label_smoothing {e}": lambda xs, e=e: losses.chunked_linear_crossentropy(
                ops.zeros_like(xs, "int32"),
                xs[:, None],
                [[1.0, -1.0]],
                label_smoothing=e,
            )
            for e in (0.0, 0.1, 0.3)
        },
        is_batch=True,
    ),
    "SparsemaxLoss": Curve(
        *LOGIT, {"": lambda x: losses.sparsemax_loss([[1.0, 0.0]], rows(x, 0.0))}
    ),
    "WeightedKappaLoss": Curve(
        "probability of the true class",
        (0.01, 0.99),
        {
            weightage: lambda x, w=weightage: losses.weighted_kappa_loss(
                [[1.0, 0, 0], [0, 0, 1.0]],
                ops.concatenate([rows(x, 1 - x, 0.0), [[0.1, 0.1, 0.8]]], 0),
                weightage=w,
            )
            for weightage in ("linear", "quadratic")
        },
    ),
    "SemiSupervisedCrossentropy": Curve(
        "logit of an unlabeled view; the other view has logit 4",
        (-4, 6),
        {
            name: lambda x, name=name: losses.semi_supervised_crossentropy(
                [-1],
                ops.stack([rows(4.0, 0.0), rows(x, 0.0)], axis=1),
                consistency=name,
                from_logits=True,
            )
            for name in ("fixmatch", "mse")
        },
    ),
    "ContrastiveLoss": Curve(
        "distance of the pair",
        (0, 2),
        {
            "positive pair": lambda x: losses.contrastive_loss([1], x[None]),
            "negative pair": lambda x: losses.contrastive_loss([0], x[None]),
        },
    ),
    "GIoULoss": Curve(
        "shift of a box of width 1 from its label",
        (-3, 3),
        {
            mode: lambda x, mode=mode: losses.giou_loss(
                [[0.0, 0.0, 1.0, 1.0]], rows(0.0, x, 1.0, x + 1), mode=mode
            )
            for mode in ("giou", "iou")
        },
    ),
    "ArcFaceLoss": Curve(
        *OWN,
        {
            f"margin {m}": of_angle(losses.arc_face_loss, margin=m, scale=16.0)
            for m in (0.0, 0.5)
        },
    ),
    "CosFaceLoss": Curve(
        *OWN,
        {
            f"margin {m}": of_angle(losses.cos_face_loss, margin=m, scale=16.0)
            for m in (0.0, 0.35)
        },
    ),
    "ProxyAnchorLoss": Curve(
        *OWN,
        {
            f"margin {m}": of_angle(losses.proxy_anchor_loss, margin=m, alpha=16.0)
            for m in (0.0, 0.1)
        },
    ),
    "ProxyNCALoss": Curve(
        *OWN,
        {
            f"temperature {t}": of_angle(losses.proxy_nca_loss, temperature=t)
            for t in (0.1, 0.5)
        },
    ),
    "SoftTripleLoss": Curve(
        *OWN,
        {
            f"margin {m}": of_angle(losses.soft_triple_loss, margin=m, scale=16.0)
            for m in (0.0, 0.1)
        },
    ),
    "CLIPLoss": Curve(
        *PAIR, {"temperature 0.5": paired(losses.clip_loss, temperature=0.5)}
    ),
    "SigLIPLoss": Curve(
        *PAIR,
        {
            "temperature 0.5, bias 0": paired(
                losses.siglip_loss, temperature=0.5, bias=0.0
            )
        },
    ),
    "NTXentLoss": Curve(*PAIR, {"default": paired(losses.nt_xent_loss)}),
    "VICRegLoss": Curve(*PAIR, {"default": paired(losses.vicreg_loss)}),
    "BarlowTwinsLoss": Curve(
        *PAIR,
        {
            f"off_diagonal {w:g}": paired(losses.barlow_twins_loss, off_diagonal=w)
            for w in (0.005, 0.5)
        },
    ),
    "NPairsLoss": Curve(*PAIR, {"": paired(losses.n_pairs_loss, from_embeddings=True)}),
    "NPairsMultilabelLoss": Curve(
        *PAIR,
        {
            name: lambda x, y=labels: losses.n_pairs_multilabel_loss(
                y, pairs(x), from_embeddings=True
            )
            for name, labels in {
                "no label shared": [[1, 0], [0, 1]],
                "one of two shared": [[1, 0], [1, 1]],
            }.items()
        },
    ),
    "TripletLoss": Curve(
        "degrees from anchor to positive; the negative is at 90",
        (-180, 180),
        {
            name: lambda x, soft=soft: losses.triplet_loss(
                [0], on_circle(0.0, x, 90.0)[None], soft=soft
            )
            for name, soft in (("margin 1", False), ("soft", True))
        },
    ),
    **{
        name: Curve(*ANGLE, {label: embedded(loss, **options)})
        for name, label, loss, options in (
            ("LiftedStructuredLoss", "margin 1", losses.lifted_structured_loss, {}),
            ("MultiSimilarityLoss", "default", losses.multi_similarity_loss, {}),
            (
                "SupervisedContrastiveLoss",
                "temperature 0.5",
                losses.supervised_contrastive_loss,
                {"temperature": 0.5},
            ),
            ("TripletHardLoss", "margin 1", losses.triplet_hard_loss, {}),
            ("TripletSemiHardLoss", "margin 1", losses.triplet_semi_hard_loss, {}),
        )
    },
}


def values_and_derivatives(of, xs, is_batch):
    """A loss and its derivative at each point."""
    points = torch.tensor(xs, dtype=torch.float32)
    if is_batch:
        points.requires_grad_()
        values = of(points)
        values.sum().backward()
        return values.detach().numpy(), points.grad.numpy()
    slope_and_value = torch.func.grad_and_value(lambda x: ops.mean(of(x)))
    derivatives, values = torch.func.vmap(slope_and_value)(points)
    return values.numpy(), derivatives.numpy()


def curve(name, path):
    """Draws a loss above its derivative, and says what is seen."""
    label, reach, lines, is_batch = CURVES[name]
    xs = np.linspace(*reach, 161)
    seen = []
    with figure(path, rows=2, height=4.6) as (above, below):
        for line, of in lines.items():
            values, derivatives = values_and_derivatives(of, xs, is_batch)
            above.plot(xs, values, label=line)
            below.plot(xs, derivatives, label=line)
            seen.append(
                f"{f'With {line}, the' if line else 'The'} loss {shape(xs, values)}; "
                f"its derivative {shape(xs, derivatives)}."
            )
        above.set(ylabel="loss", title=name)
        below.set(xlabel=label, ylabel="derivative")
        if any(lines):
            above.legend()
    return f"{name} against {label}. {' '.join(seen)}"


def caption(name):
    label, _, lines, _ = CURVES[name]
    values = f", for {', '.join(lines)}" if any(lines) else ""
    return (
        f"Top: the loss{values}. Bottom: its derivative with respect to the value on "
        f"the horizontal axis ({label}). The rest of the batch stays fixed."
    )


FIGURES = {f"losses/{name}": partial(curve, name) for name in CURVES}
