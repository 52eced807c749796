"""Cross-entropies of cosines with a margin for the true class."""

import math
from typing import Unpack

from keras import ops

from tfx_extras._checks import Number
from tfx_extras._checks import require
from tfx_extras._register import register
from tfx_extras._typed import typechecked
from tfx_extras.losses._base import FunctionLoss
from tfx_extras.losses._base import LossOptions
from tfx_extras.losses.embedding._cosines import crossentropy
from tfx_extras.losses.embedding._distances import root

__all__ = ["ArcFaceLoss", "CosFaceLoss", "arc_face_loss", "cos_face_loss"]


@register
def arc_face_loss(y_true, y_pred, margin: Number = 0.5, scale: Number = 64.0):
    r"""ArcFace loss: softmax cross-entropy with an additive margin on the angle.

    Function form of `ArcFaceLoss`, which has the formula.

    Args:
        y_true: Classes $y$, integers in [0, classes), of shape `(...)` or `(..., 1)`.
        y_pred: Cosines $\cos \theta$, in [-1, 1], of shape `(..., classes)`: the
            outputs of `tfx_extras.layers.CosineDense`. Values that rounding puts
            slightly outside are clipped.
        margin: $m$, in [0, pi], in radians.
        scale: $s$, in (0, inf): the factor that turns cosines into logits.

    Returns:
        One loss per sample, in nats, of shape `(...)`, in `float32` or wider.

    Raises:
        ValueError: If there is not one class per sample, or if a class or cosine is
            found outside its interval.

    Example:
        >>> loss = tfx_extras.losses.arc_face_loss([0, 1], [[0.9, 0.1], [0.9, 0.1]],
        ...     scale=4.0)
        >>> print(keras.ops.convert_to_numpy(loss).round(3))
        [0.136 5.163]
    """

    def asked(cosine):
        sine = root((1 - cosine) * (1 + cosine))
        later = cosine * math.cos(margin) - sine * math.sin(margin)
        return ops.where(cosine < -math.cos(margin), -2 - later, later)

    return crossentropy(y_true, y_pred, asked, scale)


@register
class ArcFaceLoss(FunctionLoss):
    r"""ArcFace loss: softmax cross-entropy with an additive margin on the angle.

    Use it for metric learning with many classes, as in face recognition. You train a
    classifier and keep its embeddings, to compare samples of classes that were not in
    the training set. It needs a center for each class; `TripletSemiHardLoss` and
    `SupervisedContrastiveLoss` need none. Keras has no equivalent.

    $$ L = -\log \frac{e^{s \cos(\theta_y + m)}}{e^{s \cos(\theta_y + m)}
        + \sum_{j \ne y} e^{s \cos \theta_j}} $$

    $\theta_j$ is the angle between an embedding and the center of class $j$, $y$ is the
    true class, $m$ the margin and $s$ the scale. Beyond $\theta_y + m = \pi$, which the
    paper leaves open, the cosine would increase again. There, it is replaced by
    $-2 - \cos(\theta_y + m)$, which keeps decreasing.

    Predictions must be cosines. The logits of a plain `Dense` layer are not cosines.
    Values outside [-1, 1] raise an error where the check costs no time, and are clipped
    elsewhere, for example in compiled JAX functions.

    Returns one loss per sample, in nats, of shape `(...)`, which `reduction` averages.
    Time and memory grow linearly with the number of predictions.

    Args:
        margin: $m$, in [0, pi], in radians.
        scale: $s$, in (0, inf): the factor that turns cosines into logits.
        **kwargs: `name`, `reduction` and `dtype`: see `LossOptions`.

    Call arguments:
        y_true: Classes $y$, integers in [0, classes), of shape `(...)` or `(..., 1)`.
        y_pred: Cosines $\cos \theta$, in [-1, 1], of shape `(..., classes)`: the
            outputs of `tfx_extras.layers.CosineDense`. Values that rounding puts
            slightly outside are clipped.

    Raises:
        ValueError: If an argument is outside its interval, or, in a call, if there is
            not one class per sample, or if a class or cosine is found outside its
            interval.
        TypeError: If an argument has the wrong type or an unknown name.

    Example:
        A layer whose outputs are cosines, for embeddings of any length:

        >>> cosines = tfx_extras.layers.CosineDense(10)(keras.Input((64,)))
        >>> loss = tfx_extras.losses.ArcFaceLoss(scale=4.0)
        >>> print(f"{float(loss([0, 1], [[0.9, 0.1], [0.9, 0.1]])):.4f}")
        2.6496

    Reference: Deng et al., 2018, eq. 3. https://arxiv.org/abs/1801.07698
    """

    function = staticmethod(arc_face_loss)

    @typechecked
    def __init__(
        self,
        margin: Number = 0.5,
        scale: Number = 64.0,
        **kwargs: Unpack[LossOptions],
    ):
        super().__init__(**kwargs)
        self.margin = require("margin", margin, f"[0, {math.pi}]")
        self.scale = require("scale", scale, "(0, inf)")


@register
def cos_face_loss(y_true, y_pred, margin: Number = 0.35, scale: Number = 64.0):
    r"""CosFace loss: softmax cross-entropy with an additive margin on the cosine.

    Function form of `CosFaceLoss`, which has the formula.

    Args:
        y_true: Classes $y$, integers in [0, classes), of shape `(...)` or `(..., 1)`.
        y_pred: Cosines $\cos \theta$, in [-1, 1], of shape `(..., classes)`: the
            outputs of `tfx_extras.layers.CosineDense`. Values that rounding puts
            slightly outside are clipped.
        margin: $m$, in [0, 2].
        scale: $s$, in (0, inf): the factor that turns cosines into logits.

    Returns:
        One loss per sample, in nats, of shape `(...)`, in `float32` or wider.

    Raises:
        ValueError: If there is not one class per sample, or if a class or cosine is
            found outside its interval.

    Example:
        >>> loss = tfx_extras.losses.cos_face_loss([0, 1], [[0.9, 0.1], [0.9, 0.1]],
        ...     scale=4.0)
        >>> print(keras.ops.convert_to_numpy(loss).round(3))
        [0.153 4.61 ]
    """
    return crossentropy(y_true, y_pred, lambda cosine: cosine - margin, scale)


@register
class CosFaceLoss(FunctionLoss):
    r"""CosFace loss: softmax cross-entropy with an additive margin on the cosine.

    Use it for metric learning with many classes, as in face recognition. You train a
    classifier and keep its embeddings, to compare samples of classes that were not in
    the training set. It subtracts the margin from the cosine, where `ArcFaceLoss` adds
    it to the angle; both need a center for each class. Keras has no equivalent.

    $$ L = -\log \frac{e^{s (\cos \theta_y - m)}}{e^{s (\cos \theta_y - m)}
        + \sum_{j \ne y} e^{s \cos \theta_j}} $$

    $\theta_j$ is the angle between an embedding and the center of class $j$, $y$ is the
    true class, $m$ the margin and $s$ the scale.

    Predictions must be cosines. The logits of a plain `Dense` layer are not cosines.
    Values outside [-1, 1] raise an error where the check costs no time, and are clipped
    elsewhere, for example in compiled JAX functions. The example of `ArcFaceLoss` has a
    layer that returns cosines.

    Returns one loss per sample, in nats, of shape `(...)`, which `reduction` averages.
    Time and memory grow linearly with the number of predictions.

    Args:
        margin: $m$, in [0, 2].
        scale: $s$, in (0, inf): the factor that turns cosines into logits.
        **kwargs: `name`, `reduction` and `dtype`: see `LossOptions`.

    Call arguments:
        y_true: Classes $y$, integers in [0, classes), of shape `(...)` or `(..., 1)`.
        y_pred: Cosines $\cos \theta$, in [-1, 1], of shape `(..., classes)`: the
            outputs of `tfx_extras.layers.CosineDense`. Values that rounding puts
            slightly outside are clipped.

    Raises:
        ValueError: If an argument is outside its interval, or, in a call, if there is
            not one class per sample, or if a class or cosine is found outside its
            interval.
        TypeError: If an argument has the wrong type or an unknown name.

    Example:
        >>> loss = tfx_extras.losses.CosFaceLoss(scale=4.0)
        >>> print(f"{float(loss([0, 1], [[0.9, 0.1], [0.9, 0.1]])):.4f}")
        2.3815

    Reference: Wang et al., 2018, eq. 4. https://arxiv.org/abs/1801.09414
    """

    function = staticmethod(cos_face_loss)

    @typechecked
    def __init__(
        self,
        margin: Number = 0.35,
        scale: Number = 64.0,
        **kwargs: Unpack[LossOptions],
    ):
        super().__init__(**kwargs)
        self.margin = require("margin", margin, "[0, 2]")
        self.scale = require("scale", scale, "(0, inf)")
