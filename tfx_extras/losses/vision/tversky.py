"""Tversky and focal Tversky losses of masks."""

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
    "FocalTverskyLoss",
    "SparseFocalTverskyLoss",
    "SparseTverskyLoss",
    "TverskyLoss",
    "focal_tversky_loss",
    "sparse_focal_tversky_loss",
    "sparse_tversky_loss",
    "tversky_loss",
]


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
        >>> loss = tfx_extras.losses.tversky_loss(
        ...     [[[1], [1], [0]]], [[[1.0], [0.0], [0.5]]], alpha=0.5, beta=1.0)
        >>> print(keras.ops.convert_to_numpy(loss).round(4))
        [0.3846]
    """
    pixels = dense_pixels(
        y_true,
        y_pred,
        ignore_class,
        activation,
        axis,
        sample_weight,
        "SparseTverskyLoss",
    )
    return tversky(pixels, alpha, beta, gamma, smooth, class_weight, over)


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
        self.class_weight = require_some(class_weight)
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
    pixels = sparse_pixels(
        y_true, y_pred, ignore_class, activation, axis, sample_weight, "TverskyLoss"
    )
    return tversky(pixels, alpha, beta, gamma, smooth, class_weight, over)


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
        self.class_weight = require_some(class_weight)
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
        >>> loss = tfx_extras.losses.focal_tversky_loss(
        ...     [[[1], [1], [0]]], [[[1.0], [0.5], [0.5]]])
        >>> print(keras.ops.convert_to_numpy(loss).round(4))
        [0.2608]
    """
    pixels = dense_pixels(
        y_true,
        y_pred,
        ignore_class,
        activation,
        axis,
        sample_weight,
        "SparseFocalTverskyLoss",
    )
    return tversky(pixels, alpha, beta, gamma, smooth, class_weight, over)


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
        self.class_weight = require_some(class_weight)
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
    pixels = sparse_pixels(
        y_true,
        y_pred,
        ignore_class,
        activation,
        axis,
        sample_weight,
        "FocalTverskyLoss",
    )
    return tversky(pixels, alpha, beta, gamma, smooth, class_weight, over)


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
        self.class_weight = require_some(class_weight)
        self.ignore_class = require_ignore_class(ignore_class)
        self.activation = require_one_of("activation", activation, ACTIVATIONS)
        self.over = require_one_of("over", over, OVER)
        self.axis = require_class_axis(axis)
