"""Dice and generalized Dice losses of masks."""

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
from tfx_extras.losses._labels import ClassWeights
from tfx_extras.losses._labels import require_class_axis
from tfx_extras.losses._labels import require_ignore_class
from tfx_extras.losses._probabilities import at_least
from tfx_extras.losses.vision._overlap import class_weights
from tfx_extras.losses.vision._overlap import counts
from tfx_extras.losses.vision._overlap import dense_pixels
from tfx_extras.losses.vision._overlap import ratio
from tfx_extras.losses.vision._overlap import require_some
from tfx_extras.losses.vision._overlap import settle
from tfx_extras.losses.vision._overlap import sparse_pixels
from tfx_extras.losses.vision._overlap import tversky
from tfx_extras.losses.vision._pixels import ACTIVATIONS
from tfx_extras.losses.vision._pixels import OVER

__all__ = [
    "DiceLoss",
    "GeneralizedDiceLoss",
    "SparseDiceLoss",
    "SparseGeneralizedDiceLoss",
    "dice_loss",
    "generalized_dice_loss",
    "sparse_dice_loss",
    "sparse_generalized_dice_loss",
]

SMALLEST = 1e-15  # the smallest size of a class whose weight float32 holds


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
        >>> loss = tfx_extras.losses.dice_loss(
        ...     [[[1], [1], [0]], [[0], [0], [0]]],
        ...     [[[1.0], [0.5], [0.5]], [[0.0], [0.0], [0.0]]])
        >>> print(keras.ops.convert_to_numpy(loss).round(4))
        [0.1667 0.    ]
    """
    pixels = dense_pixels(
        y_true, y_pred, ignore_class, activation, axis, sample_weight, "SparseDiceLoss"
    )
    return tversky(pixels, 0.5, 0.5, 1.0, smooth, class_weight, over)


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
        self.class_weight = require_some(class_weight)
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
    pixels = sparse_pixels(
        y_true, y_pred, ignore_class, activation, axis, sample_weight, "DiceLoss"
    )
    return tversky(pixels, 0.5, 0.5, 1.0, smooth, class_weight, over)


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
        self.class_weight = require_some(class_weight)
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
        >>> loss = tfx_extras.losses.generalized_dice_loss(
        ...     [[[1, 0], [1, 0], [0, 1]]], [[[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]]])
        >>> print(keras.ops.convert_to_numpy(loss).round(4))
        [0.1852]
    """
    pixels = dense_pixels(
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
        self.class_weight = require_some(class_weight)
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
    pixels = sparse_pixels(
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
        self.class_weight = require_some(class_weight)
        self.ignore_class = require_ignore_class(ignore_class)
        self.activation = require_one_of("activation", activation, ACTIVATIONS)
        self.over = require_one_of("over", over, OVER)
        self.axis = require_class_axis(axis)


def _generalized_dice(pixels, power, smooth, class_weight, over):
    tp, fp, fn = counts(pixels, over)
    size = ops.stop_gradient(tp + fn)
    omega = at_least(size, SMALLEST) ** -power
    omega = ops.where(size > 0, omega, ops.zeros_like(omega))
    # An absent class has the weight of the smallest class.
    omega = ops.where(size > 0, omega, backend.largest(omega, 0.0))
    of_user = class_weights(class_weight, omega)
    if of_user is not None:
        omega = omega * of_user
    wrong = fp + fn
    both = ops.sum(omega * (2 * tp + wrong), axis=-1)
    return settle(ratio(ops.sum(omega * wrong, axis=-1), both + smooth), pixels)
