"""Jaccard losses of masks."""

from typing import Unpack

import numpy as np

from tfx_extras._checks import Number
from tfx_extras._checks import require
from tfx_extras._checks import require_one_of
from tfx_extras._register import register
from tfx_extras._typed import typechecked
from tfx_extras.losses._base import FunctionLoss
from tfx_extras.losses._base import LossOptions
from tfx_extras.losses._labels import ClassWeights
from tfx_extras.losses._labels import require_class_axis
from tfx_extras.losses._labels import require_ignore_class
from tfx_extras.losses.vision._overlap import dense_pixels
from tfx_extras.losses.vision._overlap import require_some
from tfx_extras.losses.vision._overlap import sparse_pixels
from tfx_extras.losses.vision._overlap import tversky
from tfx_extras.losses.vision._pixels import ACTIVATIONS
from tfx_extras.losses.vision._pixels import OVER

__all__ = [
    "JaccardLoss",
    "SparseJaccardLoss",
    "jaccard_loss",
    "sparse_jaccard_loss",
]


@register
def jaccard_loss(
    y_true,
    y_pred,
    smooth: Number = 1.0,
    class_weight: ClassWeights | None = None,
    ignore_class: int | None = None,
    activation: str | None = None,
    over: str = "sample",
    axis: int = -1,
    sample_weight=None,
):
    r"""Jaccard loss (soft IoU): intersection over union of segmentation masks.

    Function form of `JaccardLoss`, which has the formula. It also takes the weights of
    the pixels, because they are part of the formula.

    Args:
        y_true: Labels $y$ in [0, 1], such as masks or one-hot labels, of the shape of
            `y_pred`. A last axis of size 1 may be missing.
        y_pred: Predictions, of shape `(batch, ..., classes)`, such as
            `(batch, height, width, classes)`: probabilities $q$ or, with `activation`,
            logits.
        smooth: $S$, in [0, inf), in pixels: smooths the loss of small masks. With 0, a
            class without any true or predicted pixel has loss 0 and gradient 0.
        class_weight: $\omega$, in [0, inf): the weights of the classes, one per class.
            `None` gives all the weight 1. The weight 0 leaves a class out, such as the
            background.
        ignore_class: Pixels whose largest label is that of this class do not count, as
            if they had weight 0. With a single class: pixels with this label.
        activation: How `y_pred` becomes probabilities: by `"sigmoid"`, for a single
            class or classes that may overlap, or by `"softmax"`, for classes that
            exclude each other. `None` takes probabilities. Logits are numerically more
            accurate.
        over: `"sample"` sums over the pixels of each image, `"batch"` over the pixels
            of the whole batch.
        axis: Axis of the classes. It must not be 0, the batch axis.
        sample_weight: Weights $w$ of the pixels, in [0, inf), of the shape of `y_pred`
            without `axis`. `None` gives all the weight 1.

    Returns:
        One loss per image, in [0, 1], of shape `(batch,)`, in `float32` or wider. With
        `over="batch"`, it is the same number for each image.

    Raises:
        ValueError: If shapes do not match, `activation` or `over` is unknown, or
            `class_weight` does not have one number per class.

    Example:
        >>> loss = tfx_extras.losses.jaccard_loss(
        ...     [[[1], [1], [0]], [[0], [0], [0]]],
        ...     [[[1.0], [0.5], [0.5]], [[0.0], [0.0], [0.0]]])
        >>> print(keras.ops.convert_to_numpy(loss).round(4))
        [0.2857 0.    ]
    """
    pixels = dense_pixels(
        y_true,
        y_pred,
        ignore_class,
        activation,
        axis,
        sample_weight,
        "SparseJaccardLoss",
    )
    return tversky(pixels, 1.0, 1.0, 1.0, smooth, class_weight, over)


@register
class JaccardLoss(FunctionLoss):
    r"""Jaccard loss (soft IoU): intersection over union of segmentation masks.

    Use it for segmentation that is measured by IoU, if the object covers few pixels. It
    ranks predictions of one image and class as `DiceLoss` does, but penalizes large
    errors more. `LovaszHingeLoss` and `LovaszSoftmaxLoss` are closer to the IoU of
    thresholded masks. Keras has no equivalent.

    $$ L = \frac{\sum_c \omega_c L_c}{\sum_c \omega_c}, \quad
        L_c = 1 - \frac{\text{TP}_c + S}
        {\text{TP}_c + \text{FP}_c + \text{FN}_c + S} $$

    $$ \text{TP}_c = \sum_i w_i\, y_{ic}\, q_{ic}, \quad
        \text{FP}_c = \sum_i w_i\, (1 - y_{ic})\, q_{ic}, \quad
        \text{FN}_c = \sum_i w_i\, y_{ic}\, (1 - q_{ic}) $$

    $y_{ic}$ is the label of pixel $i$ for class $c$, $q_{ic}$ is its predicted
    probability, and $w_i$ is the weight of the pixel. $\text{TP}$, $\text{FP}$ and
    $\text{FN}$ are the true positives, false positives and false negatives of an image,
    in pixels. $\omega_c$ is the weight of the class and $S$ the smoothing term.

    With no true and no predicted pixel, the loss of a class is 0. With no true pixel
    and $n$ pixels that are predicted with certainty, it is $n / (n + S)$. Other
    packages differ in $S$: MONAI adds 1e-5 to twice this numerator and denominator.
    With such a small term, an empty mask has a loss of almost 1 and almost no gradient
    whatever is predicted.

    Errors are summed by themselves instead of being the difference of two overlaps, so
    small losses keep their digits.

    With `over="batch"`, the loss depends on the size of the batch, but an image without
    true pixels of a class disturbs the others less.

    Returns one loss per image, in [0, 1], of shape `(batch,)`, which `reduction`
    averages.

    `sample_weight` of shape `(batch,)` weighs images. With one weight per pixel, the
    weights, and the mask of the predictions, enter the sums, and an image has the mean
    weight of its pixels.

    Args:
        smooth: $S$, in [0, inf), in pixels: smooths the loss of small masks. With 0, a
            class without any true or predicted pixel has loss 0 and gradient 0.
        class_weight: $\omega$, in [0, inf): the weights of the classes, one per class.
            `None` gives all the weight 1. The weight 0 leaves a class out, such as the
            background.
        ignore_class: Pixels whose largest label is that of this class do not count, as
            if they had weight 0. With a single class: pixels with this label.
        activation: How `y_pred` becomes probabilities: by `"sigmoid"`, for a single
            class or classes that may overlap, or by `"softmax"`, for classes that
            exclude each other. `None` takes probabilities. Logits are numerically more
            accurate.
        over: `"sample"` sums over the pixels of each image, `"batch"` over the pixels
            of the whole batch.
        axis: Axis of the classes. It must not be 0, the batch axis.
        **kwargs: `name`, `reduction` and `dtype`: see `LossOptions`.

    Call arguments:
        y_true: Labels $y$ in [0, 1], such as masks or one-hot labels, of the shape of
            `y_pred`. A last axis of size 1 may be missing.
        y_pred: Predictions, of shape `(batch, ..., classes)`, such as
            `(batch, height, width, classes)`: probabilities $q$ or, with `activation`,
            logits.

    Raises:
        ValueError: If an argument is outside its interval or unknown, all weights of
            the classes are 0, or, in a call, if shapes do not match or `class_weight`
            does not have one number per class.
        TypeError: If an argument has the wrong type or an unknown name.

    Example:
        >>> loss = tfx_extras.losses.JaccardLoss(activation="sigmoid")
        >>> print(f"{float(loss([[[1], [0]]], [[[2.0], [-1.0]]])):.4f}")
        0.1711

    Reference: Rahman and Wang, 2016.
        https://doi.org/10.1007/978-3-319-50835-1_22
    """

    function = staticmethod(jaccard_loss)
    _weighs_pixels = True

    @typechecked
    def __init__(
        self,
        smooth: Number = 1.0,
        class_weight: ClassWeights | None = None,
        ignore_class: int | np.integer | None = None,
        activation: str | None = None,
        over: str = "sample",
        axis: int = -1,
        **kwargs: Unpack[LossOptions],
    ):
        super().__init__(**kwargs)
        self.smooth = require("smooth", smooth, "[0, inf)")
        self.class_weight = require_some(class_weight)
        self.ignore_class = require_ignore_class(ignore_class)
        self.activation = require_one_of("activation", activation, ACTIVATIONS)
        self.over = require_one_of("over", over, OVER)
        self.axis = require_class_axis(axis)


@register
def sparse_jaccard_loss(
    y_true,
    y_pred,
    smooth: Number = 1.0,
    class_weight: ClassWeights | None = None,
    ignore_class: int | None = None,
    activation: str | None = None,
    over: str = "sample",
    axis: int = -1,
    sample_weight=None,
):
    r"""Sparse Jaccard loss (soft IoU): Jaccard loss for integer labels.

    Function form of `SparseJaccardLoss`, which has the formula. It also takes the
    weights of the pixels, because they are part of the formula.

    Args:
        y_true: Classes: integers in [0, classes), of the shape of `y_pred` without
            `axis`, or with a last axis of size 1.
        y_pred: Predictions, of shape `(batch, ..., classes)`, such as
            `(batch, height, width, classes)`: probabilities $q$ or, with `activation`,
            logits.
        smooth: $S$, in [0, inf), in pixels: smooths the loss of small masks. With 0, a
            class without any true or predicted pixel has loss 0 and gradient 0.
        class_weight: $\omega$, in [0, inf): the weights of the classes, one per class.
            `None` gives all the weight 1. The weight 0 leaves a class out, such as the
            background.
        ignore_class: Pixels with this label, any integer such as -1 or 255, do not
            count, as if they had weight 0.
        activation: How `y_pred` becomes probabilities: by `"softmax"`, for classes that
            exclude each other, or by `"sigmoid"`. `None` takes probabilities. Logits
            are numerically more accurate.
        over: `"sample"` sums over the pixels of each image, `"batch"` over the pixels
            of the whole batch.
        axis: Axis of the classes. It must not be 0, the batch axis.
        sample_weight: Weights $w$ of the pixels, in [0, inf), of the shape of `y_pred`
            without `axis`. `None` gives all the weight 1.

    Returns:
        One loss per image, in [0, 1], of shape `(batch,)`, in `float32` or wider. With
        `over="batch"`, it is the same number for each image. It is NaN where a label is
        out of range and checking all labels would be slow: in compiled code and on a
        GPU.

    Raises:
        ValueError: If shapes do not match, `activation` or `over` is unknown, or
            `class_weight` does not have one number per class, or a label is found to be
            out of range.

    Example:
        >>> loss = tfx_extras.losses.sparse_jaccard_loss(
        ...     [[0, 1]], [[[1.0, 0.0], [0.5, 0.5]]])
        >>> print(keras.ops.convert_to_numpy(loss).round(4))
        [0.225]
    """
    pixels = sparse_pixels(
        y_true, y_pred, ignore_class, activation, axis, sample_weight, "JaccardLoss"
    )
    return tversky(pixels, 1.0, 1.0, 1.0, smooth, class_weight, over)


@register
class SparseJaccardLoss(FunctionLoss):
    r"""Sparse Jaccard loss (soft IoU): Jaccard loss for integer labels.

    Use it for semantic segmentation with integer labels that is measured by mean IoU.
    It ranks predictions of one image and class as `SparseDiceLoss` does, but penalizes
    large errors more. `LovaszSoftmaxLoss` is closer to the IoU of the most probable
    classes. Keras has no equivalent.

    $$ L = \frac{\sum_c \omega_c L_c}{\sum_c \omega_c}, \quad
        L_c = 1 - \frac{\text{TP}_c + S}
        {\text{TP}_c + \text{FP}_c + \text{FN}_c + S} $$

    $$ \text{TP}_c = \sum_i w_i\, y_{ic}\, q_{ic}, \quad
        \text{FP}_c = \sum_i w_i\, (1 - y_{ic})\, q_{ic}, \quad
        \text{FN}_c = \sum_i w_i\, y_{ic}\, (1 - q_{ic}) $$

    $y_{ic}$ is 1 if pixel $i$ belongs to class $c$ and 0 if not, $q_{ic}$ is its
    predicted probability, and $w_i$ is the weight of the pixel. $\text{TP}$,
    $\text{FP}$ and $\text{FN}$ are the true positives, false positives and false
    negatives of an image, in pixels. $\omega_c$ is the weight of the class and $S$ the
    smoothing term.

    The result equals `JaccardLoss` of one-hot labels.

    With `over="batch"`, the loss depends on the size of the batch, but an image without
    true pixels of a class disturbs the others less.

    Returns one loss per image, in [0, 1], of shape `(batch,)`, which `reduction`
    averages. It is NaN where a label is out of range and checking all labels would be
    slow: in compiled code and on a GPU.

    `sample_weight` of shape `(batch,)` weighs images. With one weight per pixel, the
    weights, and the mask of the predictions, enter the sums, and an image has the mean
    weight of its pixels.

    Args:
        smooth: $S$, in [0, inf), in pixels: smooths the loss of small masks. With 0, a
            class without any true or predicted pixel has loss 0 and gradient 0.
        class_weight: $\omega$, in [0, inf): the weights of the classes, one per class.
            `None` gives all the weight 1. The weight 0 leaves a class out, such as the
            background.
        ignore_class: Pixels with this label, any integer such as -1 or 255, do not
            count, as if they had weight 0.
        activation: How `y_pred` becomes probabilities: by `"softmax"`, for classes that
            exclude each other, or by `"sigmoid"`. `None` takes probabilities. Logits
            are numerically more accurate.
        over: `"sample"` sums over the pixels of each image, `"batch"` over the pixels
            of the whole batch.
        axis: Axis of the classes. It must not be 0, the batch axis.
        **kwargs: `name`, `reduction` and `dtype`: see `LossOptions`.

    Call arguments:
        y_true: Classes: integers in [0, classes), of the shape of `y_pred` without
            `axis`, or with a last axis of size 1.
        y_pred: Predictions, of shape `(batch, ..., classes)`, such as
            `(batch, height, width, classes)`: probabilities $q$ or, with `activation`,
            logits.

    Raises:
        ValueError: If an argument is outside its interval or unknown, all weights of
            the classes are 0, or, in a call, if shapes do not match or `class_weight`
            does not have one number per class, or a label is found to be out of range.
        TypeError: If an argument has the wrong type or an unknown name.

    Example:
        >>> loss = tfx_extras.losses.SparseJaccardLoss(activation="softmax")
        >>> value = loss([[0, 1]], [[[2.0, 0.0], [0.0, 1.0]]])
        >>> print(f"{float(value):.4f}")
        0.1771

    Reference: Rahman and Wang, 2016.
        https://doi.org/10.1007/978-3-319-50835-1_22
    """

    function = staticmethod(sparse_jaccard_loss)
    _weighs_pixels = True

    @typechecked
    def __init__(
        self,
        smooth: Number = 1.0,
        class_weight: ClassWeights | None = None,
        ignore_class: int | np.integer | None = None,
        activation: str | None = None,
        over: str = "sample",
        axis: int = -1,
        **kwargs: Unpack[LossOptions],
    ):
        super().__init__(**kwargs)
        self.smooth = require("smooth", smooth, "[0, inf)")
        self.class_weight = require_some(class_weight)
        self.ignore_class = require_ignore_class(ignore_class)
        self.activation = require_one_of("activation", activation, ACTIVATIONS)
        self.over = require_one_of("over", over, OVER)
        self.axis = require_class_axis(axis)
