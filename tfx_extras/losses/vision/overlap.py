"""Overlap losses of masks: Tversky, Dice, Jaccard, focal Tversky, generalized Dice."""

from typing import Any
from typing import NamedTuple
from typing import Unpack

import numpy as np
from keras import ops

from tfx_extras._backend import backend
from tfx_extras._checks import Number
from tfx_extras._checks import require
from tfx_extras._checks import require_one_of
from tfx_extras._register import register
from tfx_extras._typed import typechecked
from tfx_extras.losses._base import FunctionLoss
from tfx_extras.losses._base import LossOptions
from tfx_extras.losses._base import masked
from tfx_extras.losses._base import mean
from tfx_extras.losses._base import numbers
from tfx_extras.losses._base import predictions
from tfx_extras.losses._labels import ClassWeights
from tfx_extras.losses._labels import dense_labels
from tfx_extras.losses._labels import per_class
from tfx_extras.losses._labels import require_class_axis
from tfx_extras.losses._labels import require_ignore_class
from tfx_extras.losses._labels import require_weights
from tfx_extras.losses._labels import sparse_labels
from tfx_extras.losses._probabilities import TINY
from tfx_extras.losses._probabilities import at_least
from tfx_extras.losses.vision._pixels import ACTIVATIONS
from tfx_extras.losses.vision._pixels import OVER
from tfx_extras.losses.vision._pixels import in_rows
from tfx_extras.losses.vision._pixels import in_rows_of_classes
from tfx_extras.losses.vision._pixels import pixel_weights
from tfx_extras.losses.vision._pixels import probabilities

__all__ = [
    "DiceLoss",
    "FocalTverskyLoss",
    "GeneralizedDiceLoss",
    "JaccardLoss",
    "SparseDiceLoss",
    "SparseFocalTverskyLoss",
    "SparseGeneralizedDiceLoss",
    "SparseJaccardLoss",
    "SparseTverskyLoss",
    "TverskyLoss",
    "dice_loss",
    "focal_tversky_loss",
    "generalized_dice_loss",
    "jaccard_loss",
    "sparse_dice_loss",
    "sparse_focal_tversky_loss",
    "sparse_generalized_dice_loss",
    "sparse_jaccard_loss",
    "sparse_tversky_loss",
    "tversky_loss",
]

LEAST = (
    1e-7  # below this loss, a power below 1 continues as a line: its slope is finite
)
SMALLEST = 1e-15  # the smallest size of a class whose weight float32 holds


@register
def tversky_loss(
    y_true,
    y_pred,
    alpha: Number = 0.5,
    beta: Number = 0.5,
    gamma: Number = 1.0,
    smooth: Number = 1.0,
    class_weight: ClassWeights | None = None,
    ignore_class: int | None = None,
    activation: str | None = None,
    over: str = "sample",
    axis: int = -1,
    sample_weight=None,
):
    r"""Tversky loss: overlap of masks that weighs both kinds of error.

    Function form of `TverskyLoss`, which has the formula. It also takes the weights of
    the pixels, because they are part of the formula.

    Args:
        y_true: Labels $y$ in [0, 1], such as masks or one-hot labels, of the shape of
            `y_pred`. A last axis of size 1 may be missing.
        y_pred: Predictions, of shape `(batch, ..., classes)`, such as
            `(batch, height, width, classes)`: probabilities $q$ or, with `activation`,
            logits.
        alpha: $\alpha$, in [0, inf): the weight of false positives.
        beta: $\beta$, in [0, inf): the weight of false negatives. A larger weight than
            that of false positives favors recall.
        gamma: $\gamma$, in (0, inf): the exponent of the loss of each class.
        smooth: $S$, in [0, inf), in pixels: smooths the loss of small masks. With 0, a
            class without any true or predicted pixel has loss 0 and gradient 0.
        class_weight: $\omega$, in [0, inf): the weights of the classes, one per class.
            `None` gives all the weight 1. The weight 0 leaves a class out, such as the
            background.
        ignore_class: Pixels whose largest label is that of this class do not count, as
            if they had weight 0.
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
        >>> loss = tfx_extras.losses.tversky_loss(
        ...     [[[1], [1], [0]]], [[[1.0], [0.0], [0.5]]], alpha=0.5, beta=1.0)
        >>> print(keras.ops.convert_to_numpy(loss).round(4))
        [0.3846]
    """
    pixels = _dense_pixels(
        y_true,
        y_pred,
        ignore_class,
        activation,
        axis,
        sample_weight,
        "SparseTverskyLoss",
    )
    return _tversky(pixels, alpha, beta, gamma, smooth, class_weight, over)


@register
class TverskyLoss(FunctionLoss):
    r"""Tversky loss: overlap of masks that weighs both kinds of error.

    Use it for segmentation with class imbalance, such as small lesions, if false
    negatives should cost more than false positives, or less. With equal weights of 1/2
    it is `DiceLoss`, with weights of 1 `JaccardLoss`. Its gradient is noisy for tiny
    masks, so it is often added to a cross-entropy. `keras.losses.Tversky` sums over the
    batch and the classes by default, so that `sample_weight` cannot weigh images. It
    takes probabilities only, and up to Keras 3.15.1 its `alpha` weighs false negatives
    and its `beta` false positives.

    $$ L = \frac{\sum_c \omega_c L_c^\gamma}{\sum_c \omega_c}, \quad
        L_c = 1 - \frac{\text{TP}_c + S}
        {\text{TP}_c + \alpha\, \text{FP}_c + \beta\, \text{FN}_c + S} $$

    $$ \text{TP}_c = \sum_i w_i\, y_{ic}\, q_{ic}, \quad
        \text{FP}_c = \sum_i w_i\, (1 - y_{ic})\, q_{ic}, \quad
        \text{FN}_c = \sum_i w_i\, y_{ic}\, (1 - q_{ic}) $$

    $y_{ic}$ is the label of pixel $i$ for class $c$, $q_{ic}$ is its predicted
    probability, and $w_i$ is the weight of the pixel. $\text{TP}$, $\text{FP}$ and
    $\text{FN}$ are the true positives, false positives and false negatives of an image,
    in pixels. $\omega_c$ is the weight of the class and $S$ the smoothing term.

    With no true and no predicted pixel, the loss of a class is 0. With no true pixel
    and $n$ pixels that are predicted with certainty, it is $n \alpha / (n \alpha + S)$.
    Other packages differ in $S$: MONAI has 1e-5 by default, with which an empty mask
    has a loss of almost 1 and almost no gradient whatever is predicted.

    Errors are summed by themselves instead of being the difference of two overlaps, so
    small losses keep their digits.

    With `over="batch"`, the loss depends on the size of the batch, but an image without
    true pixels of a class disturbs the others less.

    An exponent below 1 has an infinite slope at 0, so a class whose $L_c$ is less than
    1e-7 has the loss $L_c\, 10^{7 (1 - \gamma)}$.

    Returns one loss per image, in [0, 1], of shape `(batch,)`, which `reduction`
    averages.

    `sample_weight` of shape `(batch,)` weighs images. With one weight per pixel, the
    weights, and the mask of the predictions, enter the sums, and an image has the mean
    weight of its pixels.

    Args:
        alpha: $\alpha$, in [0, inf): the weight of false positives.
        beta: $\beta$, in [0, inf): the weight of false negatives. A larger weight than
            that of false positives favors recall.
        gamma: $\gamma$, in (0, inf): the exponent of the loss of each class.
        smooth: $S$, in [0, inf), in pixels: smooths the loss of small masks. With 0, a
            class without any true or predicted pixel has loss 0 and gradient 0.
        class_weight: $\omega$, in [0, inf): the weights of the classes, one per class.
            `None` gives all the weight 1. The weight 0 leaves a class out, such as the
            background.
        ignore_class: Pixels whose largest label is that of this class do not count, as
            if they had weight 0.
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
        >>> loss = tfx_extras.losses.TverskyLoss(
        ...     alpha=0.3, beta=0.7, activation="sigmoid")
        >>> value = loss([[[1], [0]]], [[[2.0], [-1.0]]])
        >>> print(f"{float(value):.4f}")
        0.0803

    Reference: Salehi et al., 2017. https://arxiv.org/abs/1706.05721
    """

    function = staticmethod(tversky_loss)
    _weighs_pixels = True

    @typechecked
    def __init__(
        self,
        alpha: Number = 0.5,
        beta: Number = 0.5,
        gamma: Number = 1.0,
        smooth: Number = 1.0,
        class_weight: ClassWeights | None = None,
        ignore_class: int | np.integer | None = None,
        activation: str | None = None,
        over: str = "sample",
        axis: int = -1,
        **kwargs: Unpack[LossOptions],
    ):
        super().__init__(**kwargs)
        self.alpha = require("alpha", alpha, "[0, inf)")
        self.beta = require("beta", beta, "[0, inf)")
        self.gamma = require("gamma", gamma, "(0, inf)")
        self.smooth = require("smooth", smooth, "[0, inf)")
        self.class_weight = _require_some(class_weight)
        self.ignore_class = require_ignore_class(ignore_class)
        self.activation = require_one_of("activation", activation, ACTIVATIONS)
        self.over = require_one_of("over", over, OVER)
        self.axis = require_class_axis(axis)


@register
def sparse_tversky_loss(
    y_true,
    y_pred,
    alpha: Number = 0.5,
    beta: Number = 0.5,
    gamma: Number = 1.0,
    smooth: Number = 1.0,
    class_weight: ClassWeights | None = None,
    ignore_class: int | None = None,
    activation: str | None = None,
    over: str = "sample",
    axis: int = -1,
    sample_weight=None,
):
    r"""Sparse Tversky loss: Tversky loss for integer labels.

    Function form of `SparseTverskyLoss`, which has the formula. It also takes the
    weights of the pixels, because they are part of the formula.

    Args:
        y_true: Classes: integers in [0, classes), of the shape of `y_pred` without
            `axis`, or with a last axis of size 1.
        y_pred: Predictions, of shape `(batch, ..., classes)`, such as
            `(batch, height, width, classes)`: probabilities $q$ or, with `activation`,
            logits.
        alpha: $\alpha$, in [0, inf): the weight of false positives.
        beta: $\beta$, in [0, inf): the weight of false negatives. A larger weight than
            that of false positives favors recall.
        gamma: $\gamma$, in (0, inf): the exponent of the loss of each class.
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
        >>> loss = tfx_extras.losses.sparse_tversky_loss(
        ...     [[0, 1]], [[[1.0, 0.0], [0.5, 0.5]]], alpha=0.25, beta=0.75)
        >>> print(keras.ops.convert_to_numpy(loss).round(4))
        [0.1294]
    """
    pixels = _sparse_pixels(
        y_true, y_pred, ignore_class, activation, axis, sample_weight, "TverskyLoss"
    )
    return _tversky(pixels, alpha, beta, gamma, smooth, class_weight, over)


@register
class SparseTverskyLoss(FunctionLoss):
    r"""Sparse Tversky loss: Tversky loss for integer labels.

    Use it for semantic segmentation with integer labels and class imbalance, if false
    negatives should cost more than false positives, or less. With equal weights of 1/2
    it is `SparseDiceLoss`, with weights of 1 `SparseJaccardLoss`. Its gradient is noisy
    for tiny masks, so it is often added to a cross-entropy. Keras has no equivalent for
    integer labels: `keras.losses.Tversky` needs one-hot labels.

    $$ L = \frac{\sum_c \omega_c L_c^\gamma}{\sum_c \omega_c}, \quad
        L_c = 1 - \frac{\text{TP}_c + S}
        {\text{TP}_c + \alpha\, \text{FP}_c + \beta\, \text{FN}_c + S} $$

    $$ \text{TP}_c = \sum_i w_i\, y_{ic}\, q_{ic}, \quad
        \text{FP}_c = \sum_i w_i\, (1 - y_{ic})\, q_{ic}, \quad
        \text{FN}_c = \sum_i w_i\, y_{ic}\, (1 - q_{ic}) $$

    $y_{ic}$ is 1 if pixel $i$ belongs to class $c$ and 0 if not, $q_{ic}$ is its
    predicted probability, and $w_i$ is the weight of the pixel. $\text{TP}$,
    $\text{FP}$ and $\text{FN}$ are the true positives, false positives and false
    negatives of an image, in pixels. $\omega_c$ is the weight of the class and $S$ the
    smoothing term.

    The result equals `TverskyLoss` of one-hot labels.

    With `over="batch"`, the loss depends on the size of the batch, but an image without
    true pixels of a class disturbs the others less.

    Returns one loss per image, in [0, 1], of shape `(batch,)`, which `reduction`
    averages. It is NaN where a label is out of range and checking all labels would be
    slow: in compiled code and on a GPU.

    `sample_weight` of shape `(batch,)` weighs images. With one weight per pixel, the
    weights, and the mask of the predictions, enter the sums, and an image has the mean
    weight of its pixels.

    Args:
        alpha: $\alpha$, in [0, inf): the weight of false positives.
        beta: $\beta$, in [0, inf): the weight of false negatives. A larger weight than
            that of false positives favors recall.
        gamma: $\gamma$, in (0, inf): the exponent of the loss of each class.
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
        >>> loss = tfx_extras.losses.SparseTverskyLoss(activation="softmax")
        >>> value = loss([[0, 1]], [[[2.0, 0.0], [0.0, 1.0]]])
        >>> print(f"{float(value):.4f}")
        0.0972

    Reference: Salehi et al., 2017. https://arxiv.org/abs/1706.05721
    """

    function = staticmethod(sparse_tversky_loss)
    _weighs_pixels = True

    @typechecked
    def __init__(
        self,
        alpha: Number = 0.5,
        beta: Number = 0.5,
        gamma: Number = 1.0,
        smooth: Number = 1.0,
        class_weight: ClassWeights | None = None,
        ignore_class: int | np.integer | None = None,
        activation: str | None = None,
        over: str = "sample",
        axis: int = -1,
        **kwargs: Unpack[LossOptions],
    ):
        super().__init__(**kwargs)
        self.alpha = require("alpha", alpha, "[0, inf)")
        self.beta = require("beta", beta, "[0, inf)")
        self.gamma = require("gamma", gamma, "(0, inf)")
        self.smooth = require("smooth", smooth, "[0, inf)")
        self.class_weight = _require_some(class_weight)
        self.ignore_class = require_ignore_class(ignore_class)
        self.activation = require_one_of("activation", activation, ACTIVATIONS)
        self.over = require_one_of("over", over, OVER)
        self.axis = require_class_axis(axis)


@register
def dice_loss(
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
    r"""Dice loss: overlap (F1) of segmentation masks, for class imbalance.

    Function form of `DiceLoss`, which has the formula. It also takes the weights of the
    pixels, because they are part of the formula.

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
            if they had weight 0.
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
        >>> loss = tfx_extras.losses.dice_loss(
        ...     [[[1], [1], [0]], [[0], [0], [0]]],
        ...     [[[1.0], [0.5], [0.5]], [[0.0], [0.0], [0.0]]])
        >>> print(keras.ops.convert_to_numpy(loss).round(4))
        [0.1667 0.    ]
    """
    pixels = _dense_pixels(
        y_true, y_pred, ignore_class, activation, axis, sample_weight, "SparseDiceLoss"
    )
    return _tversky(pixels, 0.5, 0.5, 1.0, smooth, class_weight, over)


@register
class DiceLoss(FunctionLoss):
    r"""Dice loss: overlap (F1) of segmentation masks, for class imbalance.

    Use it for segmentation if the object covers few pixels: it compares areas, so the
    background does not dominate as in cross-entropy. Its gradient is noisy for tiny
    masks, so add a cross-entropy: `DiceLoss() + 0.5 * SigmoidFocalCrossentropy()`.
    `keras.losses.Dice` sums over the batch and the classes by default, so that
    `sample_weight` cannot weigh images. It takes probabilities only, and its loss of
    two empty masks is 1.

    $$ L = \frac{\sum_c \omega_c L_c}{\sum_c \omega_c}, \quad
        L_c = 1 - \frac{2\, \text{TP}_c + 2 S}
        {2\, \text{TP}_c + \text{FP}_c + \text{FN}_c + 2 S} $$

    $$ \text{TP}_c = \sum_i w_i\, y_{ic}\, q_{ic}, \quad
        \text{FP}_c = \sum_i w_i\, (1 - y_{ic})\, q_{ic}, \quad
        \text{FN}_c = \sum_i w_i\, y_{ic}\, (1 - q_{ic}) $$

    $y_{ic}$ is the label of pixel $i$ for class $c$, $q_{ic}$ is its predicted
    probability, and $w_i$ is the weight of the pixel. $\text{TP}$, $\text{FP}$ and
    $\text{FN}$ are the true positives, false positives and false negatives of an image,
    in pixels. $\omega_c$ is the weight of the class and $S$ the smoothing term.

    With no true and no predicted pixel, the loss of a class is 0. With no true pixel
    and $n$ pixels that are predicted with certainty, it is $n / (n + 2 S)$. Other
    packages differ in $S$: MONAI adds 1e-5 where this formula has $2 S$, and many add
    1. With 1e-5, an empty mask has a loss of almost 1 and almost no gradient whatever
    is predicted.

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
            if they had weight 0.
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
        >>> loss = tfx_extras.losses.DiceLoss(activation="sigmoid")
        >>> print(f"{float(loss([[[1], [0]]], [[[2.0], [-1.0]]])):.4f}")
        0.0935

    Reference: Milletari et al., 2016, whose denominator has squares.
        https://arxiv.org/abs/1606.04797
    """

    function = staticmethod(dice_loss)
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
        self.class_weight = _require_some(class_weight)
        self.ignore_class = require_ignore_class(ignore_class)
        self.activation = require_one_of("activation", activation, ACTIVATIONS)
        self.over = require_one_of("over", over, OVER)
        self.axis = require_class_axis(axis)


@register
def sparse_dice_loss(
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
    r"""Sparse Dice loss: Dice loss for integer labels.

    Function form of `SparseDiceLoss`, which has the formula. It also takes the weights
    of the pixels, because they are part of the formula.

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
        >>> loss = tfx_extras.losses.sparse_dice_loss(
        ...     [[0, 1]], [[[1.0, 0.0], [0.5, 0.5]]])
        >>> print(keras.ops.convert_to_numpy(loss).round(4))
        [0.127]
    """
    pixels = _sparse_pixels(
        y_true, y_pred, ignore_class, activation, axis, sample_weight, "DiceLoss"
    )
    return _tversky(pixels, 0.5, 0.5, 1.0, smooth, class_weight, over)


@register
class SparseDiceLoss(FunctionLoss):
    r"""Sparse Dice loss: Dice loss for integer labels.

    Use it for semantic segmentation with integer labels if a class covers few pixels:
    it compares areas, so frequent classes do not dominate as in cross-entropy. Its
    gradient is noisy for tiny masks, so add a cross-entropy. Keras has no equivalent
    for integer labels: `keras.losses.Dice` needs one-hot labels.

    $$ L = \frac{\sum_c \omega_c L_c}{\sum_c \omega_c}, \quad
        L_c = 1 - \frac{2\, \text{TP}_c + 2 S}
        {2\, \text{TP}_c + \text{FP}_c + \text{FN}_c + 2 S} $$

    $$ \text{TP}_c = \sum_i w_i\, y_{ic}\, q_{ic}, \quad
        \text{FP}_c = \sum_i w_i\, (1 - y_{ic})\, q_{ic}, \quad
        \text{FN}_c = \sum_i w_i\, y_{ic}\, (1 - q_{ic}) $$

    $y_{ic}$ is 1 if pixel $i$ belongs to class $c$ and 0 if not, $q_{ic}$ is its
    predicted probability, and $w_i$ is the weight of the pixel. $\text{TP}$,
    $\text{FP}$ and $\text{FN}$ are the true positives, false positives and false
    negatives of an image, in pixels. $\omega_c$ is the weight of the class and $S$ the
    smoothing term.

    The result equals `DiceLoss` of one-hot labels.

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
        >>> loss = tfx_extras.losses.SparseDiceLoss(activation="softmax")
        >>> value = loss([[0, 1]], [[[2.0, 0.0], [0.0, 1.0]]])
        >>> print(f"{float(value):.4f}")
        0.0972

    Reference: Milletari et al., 2016, whose denominator has squares.
        https://arxiv.org/abs/1606.04797
    """

    function = staticmethod(sparse_dice_loss)
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
        self.class_weight = _require_some(class_weight)
        self.ignore_class = require_ignore_class(ignore_class)
        self.activation = require_one_of("activation", activation, ACTIVATIONS)
        self.over = require_one_of("over", over, OVER)
        self.axis = require_class_axis(axis)


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
            if they had weight 0.
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
    pixels = _dense_pixels(
        y_true,
        y_pred,
        ignore_class,
        activation,
        axis,
        sample_weight,
        "SparseJaccardLoss",
    )
    return _tversky(pixels, 1.0, 1.0, 1.0, smooth, class_weight, over)


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
            if they had weight 0.
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
        self.class_weight = _require_some(class_weight)
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
    pixels = _sparse_pixels(
        y_true, y_pred, ignore_class, activation, axis, sample_weight, "JaccardLoss"
    )
    return _tversky(pixels, 1.0, 1.0, 1.0, smooth, class_weight, over)


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
        self.class_weight = _require_some(class_weight)
        self.ignore_class = require_ignore_class(ignore_class)
        self.activation = require_one_of("activation", activation, ACTIVATIONS)
        self.over = require_one_of("over", over, OVER)
        self.axis = require_class_axis(axis)


@register
def focal_tversky_loss(
    y_true,
    y_pred,
    alpha: Number = 0.3,
    beta: Number = 0.7,
    gamma: Number = 0.75,
    smooth: Number = 1.0,
    class_weight: ClassWeights | None = None,
    ignore_class: int | None = None,
    activation: str | None = None,
    over: str = "sample",
    axis: int = -1,
    sample_weight=None,
):
    r"""Focal Tversky loss: a power of the Tversky loss, for small structures.

    Function form of `FocalTverskyLoss`, which has the formula. It also takes the
    weights of the pixels, because they are part of the formula.

    Args:
        y_true: Labels $y$ in [0, 1], such as masks or one-hot labels, of the shape of
            `y_pred`. A last axis of size 1 may be missing.
        y_pred: Predictions, of shape `(batch, ..., classes)`, such as
            `(batch, height, width, classes)`: probabilities $q$ or, with `activation`,
            logits.
        alpha: $\alpha$, in [0, inf): the weight of false positives.
        beta: $\beta$, in [0, inf): the weight of false negatives. A larger weight than
            that of false positives favors recall.
        gamma: $\gamma$, in (0, inf): the exponent of the loss of each class.
        smooth: $S$, in [0, inf), in pixels: smooths the loss of small masks. With 0, a
            class without any true or predicted pixel has loss 0 and gradient 0.
        class_weight: $\omega$, in [0, inf): the weights of the classes, one per class.
            `None` gives all the weight 1. The weight 0 leaves a class out, such as the
            background.
        ignore_class: Pixels whose largest label is that of this class do not count, as
            if they had weight 0.
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
        >>> loss = tfx_extras.losses.focal_tversky_loss(
        ...     [[[1], [1], [0]]], [[[1.0], [0.5], [0.5]]])
        >>> print(keras.ops.convert_to_numpy(loss).round(4))
        [0.2608]
    """
    pixels = _dense_pixels(
        y_true,
        y_pred,
        ignore_class,
        activation,
        axis,
        sample_weight,
        "SparseFocalTverskyLoss",
    )
    return _tversky(pixels, alpha, beta, gamma, smooth, class_weight, over)


@register
class FocalTverskyLoss(FunctionLoss):
    r"""Focal Tversky loss: a power of the Tversky loss, for small structures.

    Use it for segmentation of small structures, such as lesions, of which few pixels
    should be missed. An exponent below 1, as in the paper, keeps the gradient large for
    masks that overlap almost completely. An exponent above 1 makes classes with little
    overlap count more. Keras has no equivalent: `keras.losses.Tversky` has no exponent.

    $$ L = \frac{\sum_c \omega_c L_c^\gamma}{\sum_c \omega_c}, \quad
        L_c = 1 - \frac{\text{TP}_c + S}
        {\text{TP}_c + \alpha\, \text{FP}_c + \beta\, \text{FN}_c + S} $$

    $$ \text{TP}_c = \sum_i w_i\, y_{ic}\, q_{ic}, \quad
        \text{FP}_c = \sum_i w_i\, (1 - y_{ic})\, q_{ic}, \quad
        \text{FN}_c = \sum_i w_i\, y_{ic}\, (1 - q_{ic}) $$

    $y_{ic}$ is the label of pixel $i$ for class $c$, $q_{ic}$ is its predicted
    probability, and $w_i$ is the weight of the pixel. $\text{TP}$, $\text{FP}$ and
    $\text{FN}$ are the true positives, false positives and false negatives of an image,
    in pixels. $\omega_c$ is the weight of the class and $S$ the smoothing term.

    This is `TverskyLoss` with other defaults, which are those of the authors' code.
    There, $\alpha = 0.7$ is the weight of false negatives. The exponent is applied to
    the loss of each class, not to their mean, as in some packages.

    An exponent below 1 has an infinite slope at 0, so a class whose $L_c$ is less than
    1e-7 has the loss $L_c\, 10^{7 (1 - \gamma)}$.

    With `over="batch"`, the loss depends on the size of the batch, but an image without
    true pixels of a class disturbs the others less.

    Returns one loss per image, in [0, 1], of shape `(batch,)`, which `reduction`
    averages.

    `sample_weight` of shape `(batch,)` weighs images. With one weight per pixel, the
    weights, and the mask of the predictions, enter the sums, and an image has the mean
    weight of its pixels.

    Args:
        alpha: $\alpha$, in [0, inf): the weight of false positives.
        beta: $\beta$, in [0, inf): the weight of false negatives. A larger weight than
            that of false positives favors recall.
        gamma: $\gamma$, in (0, inf): the exponent of the loss of each class.
        smooth: $S$, in [0, inf), in pixels: smooths the loss of small masks. With 0, a
            class without any true or predicted pixel has loss 0 and gradient 0.
        class_weight: $\omega$, in [0, inf): the weights of the classes, one per class.
            `None` gives all the weight 1. The weight 0 leaves a class out, such as the
            background.
        ignore_class: Pixels whose largest label is that of this class do not count, as
            if they had weight 0.
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
        >>> loss = tfx_extras.losses.FocalTverskyLoss(activation="sigmoid")
        >>> print(f"{float(loss([[[1], [0]]], [[[2.0], [-1.0]]])):.4f}")
        0.1508

    Reference: Abraham and Khan, 2018. https://arxiv.org/abs/1810.07842
    """

    function = staticmethod(focal_tversky_loss)
    _weighs_pixels = True

    @typechecked
    def __init__(
        self,
        alpha: Number = 0.3,
        beta: Number = 0.7,
        gamma: Number = 0.75,
        smooth: Number = 1.0,
        class_weight: ClassWeights | None = None,
        ignore_class: int | np.integer | None = None,
        activation: str | None = None,
        over: str = "sample",
        axis: int = -1,
        **kwargs: Unpack[LossOptions],
    ):
        super().__init__(**kwargs)
        self.alpha = require("alpha", alpha, "[0, inf)")
        self.beta = require("beta", beta, "[0, inf)")
        self.gamma = require("gamma", gamma, "(0, inf)")
        self.smooth = require("smooth", smooth, "[0, inf)")
        self.class_weight = _require_some(class_weight)
        self.ignore_class = require_ignore_class(ignore_class)
        self.activation = require_one_of("activation", activation, ACTIVATIONS)
        self.over = require_one_of("over", over, OVER)
        self.axis = require_class_axis(axis)


@register
def sparse_focal_tversky_loss(
    y_true,
    y_pred,
    alpha: Number = 0.3,
    beta: Number = 0.7,
    gamma: Number = 0.75,
    smooth: Number = 1.0,
    class_weight: ClassWeights | None = None,
    ignore_class: int | None = None,
    activation: str | None = None,
    over: str = "sample",
    axis: int = -1,
    sample_weight=None,
):
    r"""Sparse focal Tversky loss: focal Tversky loss for integer labels.

    Function form of `SparseFocalTverskyLoss`, which has the formula. It also takes the
    weights of the pixels, because they are part of the formula.

    Args:
        y_true: Classes: integers in [0, classes), of the shape of `y_pred` without
            `axis`, or with a last axis of size 1.
        y_pred: Predictions, of shape `(batch, ..., classes)`, such as
            `(batch, height, width, classes)`: probabilities $q$ or, with `activation`,
            logits.
        alpha: $\alpha$, in [0, inf): the weight of false positives.
        beta: $\beta$, in [0, inf): the weight of false negatives. A larger weight than
            that of false positives favors recall.
        gamma: $\gamma$, in (0, inf): the exponent of the loss of each class.
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
        >>> loss = tfx_extras.losses.sparse_focal_tversky_loss(
        ...     [[0, 1]], [[[1.0, 0.0], [0.5, 0.5]]])
        >>> print(keras.ops.convert_to_numpy(loss).round(4))
        [0.2113]
    """
    pixels = _sparse_pixels(
        y_true,
        y_pred,
        ignore_class,
        activation,
        axis,
        sample_weight,
        "FocalTverskyLoss",
    )
    return _tversky(pixels, alpha, beta, gamma, smooth, class_weight, over)


@register
class SparseFocalTverskyLoss(FunctionLoss):
    r"""Sparse focal Tversky loss: focal Tversky loss for integer labels.

    Use it for semantic segmentation of small structures with integer labels. An
    exponent below 1, as in the paper, keeps the gradient large for masks that overlap
    almost completely. An exponent above 1 makes classes with little overlap count more.
    Keras has no equivalent: `keras.losses.Tversky` has no exponent, and needs one-hot
    labels.

    $$ L = \frac{\sum_c \omega_c L_c^\gamma}{\sum_c \omega_c}, \quad
        L_c = 1 - \frac{\text{TP}_c + S}
        {\text{TP}_c + \alpha\, \text{FP}_c + \beta\, \text{FN}_c + S} $$

    $$ \text{TP}_c = \sum_i w_i\, y_{ic}\, q_{ic}, \quad
        \text{FP}_c = \sum_i w_i\, (1 - y_{ic})\, q_{ic}, \quad
        \text{FN}_c = \sum_i w_i\, y_{ic}\, (1 - q_{ic}) $$

    $y_{ic}$ is 1 if pixel $i$ belongs to class $c$ and 0 if not, $q_{ic}$ is its
    predicted probability, and $w_i$ is the weight of the pixel. $\text{TP}$,
    $\text{FP}$ and $\text{FN}$ are the true positives, false positives and false
    negatives of an image, in pixels. $\omega_c$ is the weight of the class and $S$ the
    smoothing term.

    The result equals `FocalTverskyLoss` of one-hot labels.

    With `over="batch"`, the loss depends on the size of the batch, but an image without
    true pixels of a class disturbs the others less.

    Returns one loss per image, in [0, 1], of shape `(batch,)`, which `reduction`
    averages. It is NaN where a label is out of range and checking all labels would be
    slow: in compiled code and on a GPU.

    `sample_weight` of shape `(batch,)` weighs images. With one weight per pixel, the
    weights, and the mask of the predictions, enter the sums, and an image has the mean
    weight of its pixels.

    Args:
        alpha: $\alpha$, in [0, inf): the weight of false positives.
        beta: $\beta$, in [0, inf): the weight of false negatives. A larger weight than
            that of false positives favors recall.
        gamma: $\gamma$, in (0, inf): the exponent of the loss of each class.
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
        >>> loss = tfx_extras.losses.SparseFocalTverskyLoss(activation="softmax")
        >>> value = loss([[0, 1]], [[[2.0, 0.0], [0.0, 1.0]]])
        >>> print(f"{float(value):.4f}")
        0.1739

    Reference: Abraham and Khan, 2018. https://arxiv.org/abs/1810.07842
    """

    function = staticmethod(sparse_focal_tversky_loss)
    _weighs_pixels = True

    @typechecked
    def __init__(
        self,
        alpha: Number = 0.3,
        beta: Number = 0.7,
        gamma: Number = 0.75,
        smooth: Number = 1.0,
        class_weight: ClassWeights | None = None,
        ignore_class: int | np.integer | None = None,
        activation: str | None = None,
        over: str = "sample",
        axis: int = -1,
        **kwargs: Unpack[LossOptions],
    ):
        super().__init__(**kwargs)
        self.alpha = require("alpha", alpha, "[0, inf)")
        self.beta = require("beta", beta, "[0, inf)")
        self.gamma = require("gamma", gamma, "(0, inf)")
        self.smooth = require("smooth", smooth, "[0, inf)")
        self.class_weight = _require_some(class_weight)
        self.ignore_class = require_ignore_class(ignore_class)
        self.activation = require_one_of("activation", activation, ACTIVATIONS)
        self.over = require_one_of("over", over, OVER)
        self.axis = require_class_axis(axis)


@register
def generalized_dice_loss(
    y_true,
    y_pred,
    power: Number = 2,
    smooth: Number = 1e-5,
    class_weight: ClassWeights | None = None,
    ignore_class: int | None = None,
    activation: str | None = None,
    over: str = "sample",
    axis: int = -1,
    sample_weight=None,
):
    r"""Generalized Dice loss: Dice loss that weighs each class by its size.

    Function form of `GeneralizedDiceLoss`, which has the formula. It also takes the
    weights of the pixels, because they are part of the formula.

    Args:
        y_true: Labels $y$ in [0, 1], such as masks or one-hot labels, of the shape of
            `y_pred`. A last axis of size 1 may be missing.
        y_pred: Predictions, of shape `(batch, ..., classes)`, such as
            `(batch, height, width, classes)`: probabilities $q$ or, with `activation`,
            logits.
        power: $r$, in [0, 2]: how strongly small classes are favored. 2 is the paper's,
            0 gives all classes the weight 1.
        smooth: $S$, in [0, inf): keeps the loss finite and smooth. With 0, an image
            without any true or predicted pixel has loss 0 and gradient 0.
        class_weight: $\omega$, in [0, inf): further weights of the classes, one per
            class. `None` gives all the weight 1. The weight 0 leaves a class out, such
            as the background.
        ignore_class: Pixels whose largest label is that of this class do not count, as
            if they had weight 0.
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
        >>> loss = tfx_extras.losses.generalized_dice_loss(
        ...     [[[1, 0], [1, 0], [0, 1]]], [[[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]]])
        >>> print(keras.ops.convert_to_numpy(loss).round(4))
        [0.1852]
    """
    pixels = _dense_pixels(
        y_true,
        y_pred,
        ignore_class,
        activation,
        axis,
        sample_weight,
        "SparseGeneralizedDiceLoss",
    )
    return _generalized_dice(pixels, power, smooth, class_weight, over)


@register
class GeneralizedDiceLoss(FunctionLoss):
    r"""Generalized Dice loss: Dice loss that weighs each class by its size.

    Use it for segmentation with several classes of very different sizes: each class is
    weighted by the inverse square of its area in the image, and one quotient is formed
    of all. Avoid it for images without any object: if no class is present, the loss and
    its gradient are 0, so nothing is learned from such an image. Keras has no
    equivalent: `keras.losses.Dice` has no weights of classes.

    $$ L = 1 - \frac{2 \sum_c \omega_c v_c\, \text{TP}_c + S}
        {\sum_c \omega_c v_c\, (2\, \text{TP}_c + \text{FP}_c + \text{FN}_c) + S},
        \quad v_c = \left( \sum_i w_i\, y_{ic} \right)^{-r} $$

    $$ \text{TP}_c = \sum_i w_i\, y_{ic}\, q_{ic}, \quad
        \text{FP}_c = \sum_i w_i\, (1 - y_{ic})\, q_{ic}, \quad
        \text{FN}_c = \sum_i w_i\, y_{ic}\, (1 - q_{ic}) $$

    $y_{ic}$ is the label of pixel $i$ for class $c$, $q_{ic}$ is its predicted
    probability, and $w_i$ is the weight of the pixel. $\text{TP}$, $\text{FP}$ and
    $\text{FN}$ are the true positives, false positives and false negatives of an image,
    in pixels. $\omega_c$ is a weight that you may give the class, $v_c$ weighs it by
    its size, and $S$ is the smoothing term.

    A class that is absent has the weight $v_c$ of the smallest class that is present.
    If none is present, all weights are 0. The weights are constants for the gradient.
    MONAI has the same formula and default, and computes the weights in `float32`.

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
        power: $r$, in [0, 2]: how strongly small classes are favored. 2 is the paper's,
            0 gives all classes the weight 1.
        smooth: $S$, in [0, inf): keeps the loss finite and smooth. With 0, an image
            without any true or predicted pixel has loss 0 and gradient 0.
        class_weight: $\omega$, in [0, inf): further weights of the classes, one per
            class. `None` gives all the weight 1. The weight 0 leaves a class out, such
            as the background.
        ignore_class: Pixels whose largest label is that of this class do not count, as
            if they had weight 0.
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
        >>> loss = tfx_extras.losses.GeneralizedDiceLoss(activation="softmax")
        >>> value = loss([[[1, 0], [0, 1]]], [[[2.0, 0.0], [0.0, 1.0]]])
        >>> print(f"{float(value):.4f}")
        0.1941

    Reference: Sudre et al., 2017. https://arxiv.org/abs/1707.03237
    """

    function = staticmethod(generalized_dice_loss)
    _weighs_pixels = True

    @typechecked
    def __init__(
        self,
        power: Number = 2,
        smooth: Number = 1e-5,
        class_weight: ClassWeights | None = None,
        ignore_class: int | np.integer | None = None,
        activation: str | None = None,
        over: str = "sample",
        axis: int = -1,
        **kwargs: Unpack[LossOptions],
    ):
        super().__init__(**kwargs)
        self.power = require("power", power, "[0, 2]")
        self.smooth = require("smooth", smooth, "[0, inf)")
        self.class_weight = _require_some(class_weight)
        self.ignore_class = require_ignore_class(ignore_class)
        self.activation = require_one_of("activation", activation, ACTIVATIONS)
        self.over = require_one_of("over", over, OVER)
        self.axis = require_class_axis(axis)


@register
def sparse_generalized_dice_loss(
    y_true,
    y_pred,
    power: Number = 2,
    smooth: Number = 1e-5,
    class_weight: ClassWeights | None = None,
    ignore_class: int | None = None,
    activation: str | None = None,
    over: str = "sample",
    axis: int = -1,
    sample_weight=None,
):
    r"""Sparse generalized Dice loss: generalized Dice for integer labels.

    Function form of `SparseGeneralizedDiceLoss`, which has the formula. It also takes
    the weights of the pixels, because they are part of the formula.

    Args:
        y_true: Classes: integers in [0, classes), of the shape of `y_pred` without
            `axis`, or with a last axis of size 1.
        y_pred: Predictions, of shape `(batch, ..., classes)`, such as
            `(batch, height, width, classes)`: probabilities $q$ or, with `activation`,
            logits.
        power: $r$, in [0, 2]: how strongly small classes are favored. 2 is the paper's,
            0 gives all classes the weight 1.
        smooth: $S$, in [0, inf): keeps the loss finite and smooth. With 0, an image
            without any true or predicted pixel has loss 0 and gradient 0.
        class_weight: $\omega$, in [0, inf): further weights of the classes, one per
            class. `None` gives all the weight 1. The weight 0 leaves a class out, such
            as the background.
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
        >>> loss = tfx_extras.losses.sparse_generalized_dice_loss(
        ...     [[0, 0, 1]], [[[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]]])
        >>> print(keras.ops.convert_to_numpy(loss).round(4))
        [0.1852]
    """
    pixels = _sparse_pixels(
        y_true,
        y_pred,
        ignore_class,
        activation,
        axis,
        sample_weight,
        "GeneralizedDiceLoss",
    )
    return _generalized_dice(pixels, power, smooth, class_weight, over)


@register
class SparseGeneralizedDiceLoss(FunctionLoss):
    r"""Sparse generalized Dice loss: generalized Dice for integer labels.

    Use it for semantic segmentation with integer labels and classes of very different
    sizes: each class is weighted by the inverse square of its area in the image, and
    one quotient is formed of all. Keras has no equivalent: `keras.losses.Dice` has no
    weights of classes, and needs one-hot labels.

    $$ L = 1 - \frac{2 \sum_c \omega_c v_c\, \text{TP}_c + S}
        {\sum_c \omega_c v_c\, (2\, \text{TP}_c + \text{FP}_c + \text{FN}_c) + S},
        \quad v_c = \left( \sum_i w_i\, y_{ic} \right)^{-r} $$

    $$ \text{TP}_c = \sum_i w_i\, y_{ic}\, q_{ic}, \quad
        \text{FP}_c = \sum_i w_i\, (1 - y_{ic})\, q_{ic}, \quad
        \text{FN}_c = \sum_i w_i\, y_{ic}\, (1 - q_{ic}) $$

    $y_{ic}$ is 1 if pixel $i$ belongs to class $c$ and 0 if not, $q_{ic}$ is its
    predicted probability, and $w_i$ is the weight of the pixel. $\text{TP}$,
    $\text{FP}$ and $\text{FN}$ are the true positives, false positives and false
    negatives of an image, in pixels. $\omega_c$ is a weight that you may give the
    class, $v_c$ weighs it by its size, and $S$ is the smoothing term.

    A class that is absent has the weight $v_c$ of the smallest class that is present.
    The weights are constants for the gradient. The result equals `GeneralizedDiceLoss`
    of one-hot labels.

    With `over="batch"`, the loss depends on the size of the batch, but an image without
    true pixels of a class disturbs the others less.

    Returns one loss per image, in [0, 1], of shape `(batch,)`, which `reduction`
    averages. It is NaN where a label is out of range and checking all labels would be
    slow: in compiled code and on a GPU.

    `sample_weight` of shape `(batch,)` weighs images. With one weight per pixel, the
    weights, and the mask of the predictions, enter the sums, and an image has the mean
    weight of its pixels.

    Args:
        power: $r$, in [0, 2]: how strongly small classes are favored. 2 is the paper's,
            0 gives all classes the weight 1.
        smooth: $S$, in [0, inf): keeps the loss finite and smooth. With 0, an image
            without any true or predicted pixel has loss 0 and gradient 0.
        class_weight: $\omega$, in [0, inf): further weights of the classes, one per
            class. `None` gives all the weight 1. The weight 0 leaves a class out, such
            as the background.
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
        >>> loss = tfx_extras.losses.SparseGeneralizedDiceLoss(activation="softmax")
        >>> value = loss([[0, 1]], [[[2.0, 0.0], [0.0, 1.0]]])
        >>> print(f"{float(value):.4f}")
        0.1941

    Reference: Sudre et al., 2017. https://arxiv.org/abs/1707.03237
    """

    function = staticmethod(sparse_generalized_dice_loss)
    _weighs_pixels = True

    @typechecked
    def __init__(
        self,
        power: Number = 2,
        smooth: Number = 1e-5,
        class_weight: ClassWeights | None = None,
        ignore_class: int | np.integer | None = None,
        activation: str | None = None,
        over: str = "sample",
        axis: int = -1,
        **kwargs: Unpack[LossOptions],
    ):
        super().__init__(**kwargs)
        self.power = require("power", power, "[0, 2]")
        self.smooth = require("smooth", smooth, "[0, inf)")
        self.class_weight = _require_some(class_weight)
        self.ignore_class = require_ignore_class(ignore_class)
        self.activation = require_one_of("activation", activation, ACTIVATIONS)
        self.over = require_one_of("over", over, OVER)
        self.axis = require_class_axis(axis)


class _Pixels(NamedTuple):
    """Labels and predictions, of shape `(batch, classes, pixels)`."""

    y: Any  # labels
    z: Any  # predictions
    activation: str | None
    w: Any  # weights of the pixels; `None` if all are 1
    is_mask: bool  # whether the weights are only where pixels count
    valid: Any  # which images count; `None` if all do
    known: Any  # in which images all labels are in range; `None` if that is not asked


def _dense_pixels(y_true, y_pred, ignore_class, activation, axis, weights, sparse):
    """The pixels of labels with an axis of classes."""
    y_pred = predictions(y_pred)
    y_true = numbers(y_true, y_pred.dtype)
    rank = len(y_pred.shape)
    is_last = axis in (-1, rank - 1)
    if is_last and len(y_true.shape) == rank - 1 and y_pred.shape[-1] == 1:
        y_true = ops.expand_dims(y_true, -1)
    labels, z = dense_labels(y_true, y_pred, ignore_class, axis, f"`{sparse}`")
    w, valid = _weights(weights, labels.valid, z)
    y, z = in_rows_of_classes(labels.shares), in_rows_of_classes(z)
    return _pixels(_Pixels(y, z, activation, w, weights is None, valid, None))


def _sparse_pixels(y_true, y_pred, ignore_class, activation, axis, weights, dense):
    """The pixels of integer labels."""
    labels, z = sparse_labels(y_true, y_pred, ignore_class, axis, f"`{dense}`")
    w, valid = _weights(weights, labels.valid, z)
    z = in_rows_of_classes(z)
    classes = ops.arange(ops.shape(z)[1], dtype=labels.classes.dtype)
    own = ops.expand_dims(in_rows(labels.classes), 1)
    y = ops.cast(own == ops.expand_dims(classes, -1), z.dtype)
    known = ops.all(in_rows(labels.known), axis=-1)
    return _pixels(_Pixels(y, z, activation, w, weights is None, valid, known))


def _weights(weights, valid, z):
    """Weights of shape `(batch, 1, pixels)`, and which images count."""
    w = pixel_weights(weights, valid, z[..., 0])
    w = None if w is None else ops.expand_dims(in_rows(w), 1)
    return w, None if valid is None else ops.any(in_rows(valid), axis=-1)


def _pixels(pixels: _Pixels) -> _Pixels:
    """The pixels, with zeros where they do not count."""
    y, z, w = pixels.y, pixels.z, pixels.w
    if w is None:
        return pixels
    # Not a product with 0, which would keep NaN and infinite gradients.
    y, z = (ops.where(w > 0, x, ops.zeros_like(x)) for x in (y, z))
    return pixels._replace(y=y, z=z)


def _counts(pixels: _Pixels, over: str):
    """True positives, false positives and false negatives of each image and class."""
    require_one_of("over", over, OVER)
    y, z, activation, w, *_ = pixels
    q = probabilities(z, activation)
    if backend.has_fast_rows(z) and (w is None or pixels.is_mask):
        # The gradient is that of q alone, and takes few passes over memory.
        sums = backend.with_slope(
            _sums,
            _slope_of_sums,
            [q, y],
            ops.stop_gradient(z),
            w,
            activation=activation,
        )
    else:
        sums, _ = _sums(q, y, z, w, activation)
    if over == "batch":
        sums = ops.sum(sums, axis=1, keepdims=True)
    return ops.unstack(sums, 3, axis=0)


def _sums(q, y, z, w, activation):
    """The three sums over pixels.

    None is the difference of two others, so those of a good prediction keep digits.
    """
    found = y * q
    wrong = q - found
    missed = y * _misses(q, found, wrong, z, activation)
    parts = (found, wrong, missed) if w is None else (w * found, w * wrong, w * missed)
    return ops.stack([ops.sum(x, axis=-1) for x in parts]), ()


def _misses(q, found, wrong, z, activation):
    """Returns 1 - q, with all digits for labels of 1, also where q rounds to 1."""
    if activation == "sigmoid":
        return ops.sigmoid(-z)
    if activation is None:
        return 1 - q
    # The other classes have this probability: those that are wrong, and of those that
    # are right, if the labels name several, all but this one.
    found = ops.sum(found, axis=1, keepdims=True)
    return ops.sum(wrong, axis=1, keepdims=True) + (found - q)


def _slope_of_sums(upstream, found, q, y, z, w, wanted, activation):
    """The gradients of `_sums` with respect to q and y."""
    tp, fp, fn = (ops.expand_dims(x, -1) for x in ops.unstack(upstream, 3, axis=0))
    of_q = y * (tp - fn - fp) + fp
    of_y = None
    if wanted[1]:
        found = y * q
        of_y = q * (tp - fp) + _misses(q, found, q - found, z, activation) * fn
        of_y = of_y if w is None else w * of_y
    return of_q if w is None else w * of_q, of_y


def _tversky(pixels, alpha, beta, gamma, smooth, class_weight, over):
    tp, fp, fn = _counts(pixels, over)
    wrong = alpha * fp + beta * fn
    loss = _ratio(wrong, tp + wrong + smooth)
    if gamma < 1:
        loss = loss * at_least(loss, LEAST) ** (gamma - 1)
    elif gamma > 1:
        loss = at_least(loss, TINY) ** gamma
    omega = _class_weights(class_weight, loss)
    if omega is None:
        return _settle(mean(loss), pixels)
    total = at_least(ops.sum(omega, axis=-1), TINY)
    return _settle(ops.sum(omega * loss, axis=-1) / total, pixels)


def _generalized_dice(pixels, power, smooth, class_weight, over):
    tp, fp, fn = _counts(pixels, over)
    size = ops.stop_gradient(tp + fn)
    omega = at_least(size, SMALLEST) ** -power
    omega = ops.where(size > 0, omega, ops.zeros_like(omega))
    # An absent class has the weight of the smallest class.
    omega = ops.where(size > 0, omega, backend.largest(omega, 0.0))
    of_user = _class_weights(class_weight, omega)
    if of_user is not None:
        omega = omega * of_user
    wrong = fp + fn
    both = ops.sum(omega * (2 * tp + wrong), axis=-1)
    return _settle(_ratio(ops.sum(omega * wrong, axis=-1), both + smooth), pixels)


def _class_weights(class_weight, like):
    """The weights of the classes, of the shape of `like`, or `None`."""
    if class_weight is None:
        return None
    omega = per_class("class_weight", class_weight, like.shape[-1], like.dtype)
    return omega * ops.ones_like(like)


def _ratio(x, y):
    """Returns `x / y`, or 0 with gradient 0 where `y` is 0."""
    is_zero = y <= TINY
    ratio = x / ops.where(is_zero, ops.ones_like(y), y)
    return ops.where(is_zero, ops.zeros_like(ratio), ratio)


def _settle(loss, pixels: _Pixels):
    """One loss per image: NaN if a label is out of range, masked if it is ignored."""
    loss = loss * ops.ones_like(ops.sum(pixels.z[:, :1, :1], axis=(1, 2)))
    if pixels.known is not None:
        nan = ops.convert_to_tensor(float("nan"), loss.dtype)
        loss = ops.where(pixels.known, loss, nan)
    return loss if pixels.valid is None else masked(loss, pixels.valid)


def _require_some(class_weight: Any) -> list | None:
    """Returns weights of classes of which one is positive, or raises."""
    weights = require_weights("class_weight", class_weight)
    if weights is not None and not any(weight > 0 for weight in weights):
        raise ValueError(
            "Argument `class_weight` must have a positive weight. "
            f"Received: class_weight={class_weight}"
        )
    return weights
