"""Lovasz losses, which optimize the intersection over union (IoU) of masks."""

from typing import Any
from typing import Unpack

import numpy as np
from keras import ops

from tfx_extras._backend import backend
from tfx_extras._checks import require_one_of
from tfx_extras._register import register
from tfx_extras._typed import typechecked
from tfx_extras.losses._base import FunctionLoss
from tfx_extras.losses._base import LossOptions
from tfx_extras.losses._base import masked
from tfx_extras.losses._base import predictions
from tfx_extras.losses._base import without_last
from tfx_extras.losses._labels import class_of_each
from tfx_extras.losses._labels import require_class_axis
from tfx_extras.losses._labels import require_ignore_class
from tfx_extras.losses._labels import sparse_labels
from tfx_extras.losses._probabilities import in_unit_interval
from tfx_extras.losses.vision._pixels import OVER
from tfx_extras.losses.vision._pixels import in_rows
from tfx_extras.losses.vision._pixels import in_rows_of_classes
from tfx_extras.losses.vision._pixels import pixel_weights

__all__ = [
    "LovaszHingeLoss",
    "LovaszSoftmaxLoss",
    "lovasz_hinge_loss",
    "lovasz_softmax_loss",
]

CLASSES = ("present", "all")
LAST = -1e30  # the error of pixels without weight, which are sorted to the end


@register
def lovasz_hinge_loss(
    y_true,
    y_pred,
    ignore_class: int | None = None,
    over: str = "sample",
    sample_weight=None,
):
    r"""Lovasz hinge loss: optimizes the IoU of binary segmentation masks.

    Function form of `LovaszHingeLoss`, which has the formula. It also takes the weights
    of the pixels, because they are part of the formula.

    Args:
        y_true: Masks $y$ of zeros and ones, of the shape of `y_pred`. Either may have a
            last axis of size 1 that the other lacks.
        y_pred: Logits $z$, any real numbers, of shape `(batch, ...)`, such as
            `(batch, height, width)`.
        ignore_class: Pixels with this label, any integer such as -1 or 255, do not
            count, as if they had weight 0.
        over: `"sample"` sorts the pixels of each image, `"batch"` those of the whole
            batch.
        sample_weight: Weights $w$ of the pixels, in [0, inf), of the shape of `y_pred`.
            `None` gives all the weight 1.

    Returns:
        One loss per image, of shape `(batch,)`, in `float32` or wider. With
        `over="batch"`, it is the same number for each image. It is NaN where a label is
        out of range and checking all labels would be slow: in compiled code and on a
        GPU.

    Raises:
        ValueError: If shapes do not match, `over` is unknown, or a label is found to be
            neither 0 nor 1.

    Example:
        >>> loss = tfx_extras.losses.lovasz_hinge_loss(
        ...     [[1, 1, 0], [0, 0, 0]], [[2.0, 0.0, -0.5], [-2.0, -3.0, -1.0]])
        >>> print(keras.ops.convert_to_numpy(loss).round(4))
        [0.5833 0.    ]
    """
    z = _binary_logits(y_pred)
    shape = tuple(z.shape)
    like = "`y_pred`", f"y_pred.shape={shape}"
    labels = class_of_each(y_true, z, 2, ignore_class, like)
    w = pixel_weights(sample_weight, labels.valid, z)
    is_object = labels.classes == 1
    errors = 1 - ops.where(is_object, z, -z)
    rows = (x if x is None else in_rows(x) for x in (errors, is_object, w))
    loss, _ = _lovasz(*_joined(rows, over))
    return _settle(loss, z, labels)


@register
class LovaszHingeLoss(FunctionLoss):
    r"""Lovasz hinge loss: optimizes the IoU of binary segmentation masks.

    Use it to fine-tune a binary segmentation model that is measured by the intersection
    over union (Jaccard index) of thresholded masks, after training with cross-entropy,
    or added to it. Avoid it alone from the start and for images without an object,
    where only the most wrong pixel has a gradient. It sorts all pixels, so it is slower
    than `JaccardLoss`, which is a smooth alternative. Keras has no equivalent.

    $$ L = \sum_{k=1}^n \max(e_{(k)}, 0)\, (J_k - J_{k-1}), \quad
        e_i = 1 - z_i\, (2 y_i - 1) $$

    $$ J_k = 1 - \frac{\sum_i w_i y_i - \sum_{i \le k} w_{(i)} y_{(i)}}
        {\sum_i w_i y_i + \sum_{i \le k} w_{(i)} (1 - y_{(i)})}, \quad J_0 = 0 $$

    $z_i$ is the logit of pixel $i$, $y_i$ its label, $w_i$ its weight, and $e_i$ its
    hinge error. $(k)$ is the pixel with the $k$-th largest error. $J_k$ is 1 minus the
    IoU if exactly the pixels $(1)$ to $(k)$ are wrong. The gradient treats the
    differences of $J$ as constants, because they change only when the order changes.
    They are computed in a form that does not cancel, so the gradient of large images
    keeps its digits.

    Without an object, the loss is $\max(1 + \max_i z_i, 0)$. A pixel of weight 0
    changes nothing. If no pixel counts, the loss is 0.

    Returns one loss per image, of shape `(batch,)`, which `reduction` averages. It is
    NaN where a label is out of range and checking all labels would be slow: in compiled
    code and on a GPU. The authors' code averages the images too (`per_image=True`), or
    has one loss for the pixels of all images: `over="batch"`.

    `sample_weight` of shape `(batch,)` weighs images. With one weight per pixel, the
    weights, and the mask of the predictions, enter the sums, and an image has the mean
    weight of its pixels.

    Args:
        ignore_class: Pixels with this label, any integer such as -1 or 255, do not
            count, as if they had weight 0.
        over: `"sample"` sorts the pixels of each image, `"batch"` those of the whole
            batch.
        **kwargs: `name`, `reduction` and `dtype`: see `LossOptions`.

    Call arguments:
        y_true: Masks $y$ of zeros and ones, of the shape of `y_pred`. Either may have a
            last axis of size 1 that the other lacks.
        y_pred: Logits $z$, any real numbers, of shape `(batch, ...)`, such as
            `(batch, height, width)`.

    Raises:
        ValueError: If `over` is unknown, or, in a call, if shapes do not match or a
            label is found to be neither 0 nor 1.
        TypeError: If an argument has the wrong type or an unknown name.

    Example:
        >>> loss = tfx_extras.losses.LovaszHingeLoss()
        >>> print(float(loss([[1, 0]], [[0.5, 0.5]])))
        1.0

    Reference: Berman et al., 2018. https://arxiv.org/abs/1705.08790
    """

    function = staticmethod(lovasz_hinge_loss)
    _weighs_pixels = True

    @typechecked
    def __init__(
        self,
        ignore_class: int | np.integer | None = None,
        over: str = "sample",
        **kwargs: Unpack[LossOptions],
    ):
        super().__init__(**kwargs)
        self.ignore_class = require_ignore_class(ignore_class)
        self.over = require_one_of("over", over, OVER)

    def _pixels(self, y_pred):
        return _binary_logits(y_pred)


@register
def lovasz_softmax_loss(
    y_true,
    y_pred,
    classes: str = "present",
    ignore_class: int | None = None,
    from_logits: bool = False,
    over: str = "sample",
    axis: int = -1,
    sample_weight=None,
):
    r"""Lovasz-Softmax loss: optimizes the mean IoU of semantic segmentation.

    Function form of `LovaszSoftmaxLoss`, which has the formula. It also takes the
    weights of the pixels, because they are part of the formula.

    Args:
        y_true: Classes: integers in [0, classes), of the shape of `y_pred` without
            `axis`, or with a last axis of size 1.
        y_pred: Predictions, of shape `(batch, ..., classes)`, such as
            `(batch, height, width, classes)`: probabilities $p$ or, with `from_logits`,
            logits.
        classes: `"present"` averages over the classes that occur in the labels,
            `"all"` over all classes.
        ignore_class: Pixels with this label, any integer such as -1 or 255, do not
            count, as if they had weight 0.
        from_logits: Whether `y_pred` holds logits (any real numbers) instead of
            probabilities. Logits are numerically more accurate.
        over: `"sample"` sorts the pixels of each image, `"batch"` those of the whole
            batch.
        axis: Axis of the classes. It must not be 0, the batch axis.
        sample_weight: Weights $w$ of the pixels, in [0, inf), of the shape of `y_pred`
            without `axis`. `None` gives all the weight 1.

    Returns:
        One loss per image, in [0, 1], of shape `(batch,)`, in `float32` or wider. With
        `over="batch"`, it is the same number for each image. It is NaN where a label is
        out of range and checking all labels would be slow: in compiled code and on a
        GPU.

    Raises:
        ValueError: If shapes do not match, `y_pred` has a single class, `classes` or
            `over` is unknown, or a label is found to be out of range.

    Example:
        >>> loss = tfx_extras.losses.lovasz_softmax_loss(
        ...     [[0, 1]], [[[1.0, 0.0], [0.5, 0.5]]])
        >>> print(keras.ops.convert_to_numpy(loss).round(4))
        [0.375]
    """
    require_one_of("classes", classes, CLASSES)
    labels, y_pred = sparse_labels(
        y_true, y_pred, ignore_class, axis, "`SparseJaccardLoss`"
    )
    if y_pred.shape[-1] == 1:
        raise ValueError(
            "`y_pred` must have two classes or more. For a single class, use "
            f"`LovaszHingeLoss`. Received: y_pred.shape={tuple(y_pred.shape)}, with "
            "the class axis last"
        )
    w = pixel_weights(sample_weight, labels.valid, y_pred[..., 0])
    z = in_rows_of_classes(y_pred)
    if w is not None:
        w = ops.expand_dims(in_rows(w), 1)
        # Not only errors, through which NaN would reach a gradient.
        z = ops.where(w > 0, z, ops.zeros_like(z))
    numbers = ops.arange(ops.shape(z)[1], dtype=labels.classes.dtype)
    is_own = ops.expand_dims(in_rows(labels.classes), 1) == ops.expand_dims(numbers, -1)
    p = ops.softmax(z, axis=1) if from_logits else in_unit_interval(z)
    errors = ops.where(is_own, _misses(p, is_own, from_logits), p)
    errors, is_own, w = _joined((errors, is_own, w), over)
    loss, is_present = _lovasz(errors, is_own, w)  # of each image and class
    counted = ops.ones_like(loss)
    if classes == "present":
        counted = ops.cast(is_present, loss.dtype)
        # Not a product, which XLA replaces by a choice that loses NaN.
        is_kept = ops.logical_or(is_present, ops.isnan(loss))
        loss = ops.where(is_kept, loss, ops.zeros_like(loss))
    count = ops.sum(counted, axis=-1)
    loss = ops.sum(loss, axis=-1) / ops.where(count > 0, count, ops.ones_like(count))
    return _settle(loss, y_pred[..., 0], labels)


@register
class LovaszSoftmaxLoss(FunctionLoss):
    r"""Lovasz-Softmax loss: optimizes the mean IoU of semantic segmentation.

    Use it to fine-tune a model for semantic segmentation that is measured by the mean
    intersection over union (mIoU) of the classes, after training with cross-entropy, or
    added to it. Avoid it alone from the start, and `classes="all"` if most images lack
    most classes. It sorts all pixels once per class, so it is slower than
    `SparseJaccardLoss`, which is a smooth alternative. Keras has no equivalent.

    $$ L = \frac1{|C|} \sum_{c \in C} \sum_{k=1}^n e_{c(k)}\, (J_{ck} - J_{c,k-1}),
        \quad e_{ci} = \left| [y_i = c] - p_{ic} \right| $$

    $$ J_{ck} = 1 - \frac{\sum_i w_i [y_i = c] - \sum_{i \le k} w_{(i)} [y_{(i)} = c]}
        {\sum_i w_i [y_i = c] + \sum_{i \le k} w_{(i)} [y_{(i)} \ne c]},
        \quad J_{c0} = 0 $$

    $p_{ic}$ is the predicted probability that pixel $i$ has class $c$, $y_i$ is its
    class, $w_i$ its weight, and $e_{ci}$ its error for that class. $(k)$ is the pixel
    with the $k$-th largest error, which depends on the class. $J_{ck}$ is 1 minus the
    IoU of the class if exactly the pixels $(1)$ to $(k)$ are wrong. $C$ are the classes
    that are averaged. The gradient treats the differences of $J$ as constants, because
    they change only when the order changes. They are computed in a form that does not
    cancel, so the gradient of large images keeps its digits.

    With `"all"`, a class that is absent has its largest probability as its loss. A
    pixel of weight 0 changes nothing. If no pixel counts, the loss is 0.

    Returns one loss per image, in [0, 1], of shape `(batch,)`, which `reduction`
    averages. It is NaN where a label is out of range and checking all labels would be
    slow: in compiled code and on a GPU. The authors' code has one loss for the pixels
    of all images by default: `over="batch"`. It takes probabilities first, then labels.

    `sample_weight` of shape `(batch,)` weighs images. With one weight per pixel, the
    weights, and the mask of the predictions, enter the sums, and an image has the mean
    weight of its pixels. Memory is several times that of the predictions.

    Args:
        classes: `"present"` averages over the classes that occur in the labels,
            `"all"` over all classes.
        ignore_class: Pixels with this label, any integer such as -1 or 255, do not
            count, as if they had weight 0.
        from_logits: Whether `y_pred` holds logits (any real numbers) instead of
            probabilities. Logits are numerically more accurate.
        over: `"sample"` sorts the pixels of each image, `"batch"` those of the whole
            batch.
        axis: Axis of the classes. It must not be 0, the batch axis.
        **kwargs: `name`, `reduction` and `dtype`: see `LossOptions`.

    Call arguments:
        y_true: Classes: integers in [0, classes), of the shape of `y_pred` without
            `axis`, or with a last axis of size 1.
        y_pred: Predictions, of shape `(batch, ..., classes)`, such as
            `(batch, height, width, classes)`: probabilities $p$ or, with `from_logits`,
            logits.

    Raises:
        ValueError: If an argument is outside its interval or unknown, or, in a call, if
            shapes do not match, `y_pred` has a single class, or a label is found to be
            out of range.
        TypeError: If an argument has the wrong type or an unknown name.

    Example:
        >>> loss = tfx_extras.losses.LovaszSoftmaxLoss(from_logits=True)
        >>> value = loss([[0, 1]], [[[2.0, 0.0], [0.0, 1.0]]])
        >>> print(f"{float(value):.4f}")
        0.2315

    Reference: Berman et al., 2018. https://arxiv.org/abs/1705.08790
    """

    function = staticmethod(lovasz_softmax_loss)
    _weighs_pixels = True

    @typechecked
    def __init__(
        self,
        classes: str = "present",
        ignore_class: int | np.integer | None = None,
        from_logits: bool = False,
        over: str = "sample",
        axis: int = -1,
        **kwargs: Unpack[LossOptions],
    ):
        super().__init__(**kwargs)
        self.classes = require_one_of("classes", classes, CLASSES)
        self.ignore_class = require_ignore_class(ignore_class)
        self.from_logits = from_logits
        self.over = require_one_of("over", over, OVER)
        self.axis = require_class_axis(axis)


def _misses(p, is_own, from_logits):
    """1 minus the probabilities of the own classes, also where they round to 1."""
    if not from_logits:
        return 1 - p
    nothing = ops.convert_to_tensor(0.0, p.dtype)
    return ops.sum(ops.where(is_own, nothing, p), axis=1, keepdims=True)


def _binary_logits(y_pred):
    """Returns logits in `float32` or wider, without a last axis of size 1."""
    z = predictions(y_pred)
    if len(z.shape) < 2:
        raise ValueError(
            "`y_pred` must have the shape `(batch, ...)`, with one axis or more for "
            f"the pixels. Received: y_pred.shape={tuple(z.shape)}"
        )
    return without_last(z) if len(z.shape) > 2 and z.shape[-1] == 1 else z


def _joined(tensors, over: str):
    """Returns tensors whose first axis is the images and whose last axis is the pixels.

    With `over="batch"`, the whole batch becomes one image.
    """
    require_one_of("over", over, OVER)
    if over == "sample":
        return tuple(tensors)
    return tuple(x if x is None else _one_image(x) for x in tensors)


def _one_image(x):
    x = backend.moveaxis(x, 0, -2)  # (classes, images, pixels)
    *classes, images, pixels = ops.shape(x)
    return ops.reshape(x, (1, *classes, images * pixels))


def _lovasz(errors, truth, w) -> tuple[Any, Any]:
    """The Lovasz extension of 1 minus the IoU, of each row, and where truth occurs."""
    signed = ops.cast(truth, errors.dtype) * 2 - 1
    if w is not None:
        errors = ops.where(w > 0, errors, ops.convert_to_tensor(LAST, errors.dtype))
        signed = w * signed
    order = ops.argsort(ops.stop_gradient(-errors), axis=-1)
    errors, signed = (ops.take_along_axis(x, order, axis=-1) for x in (errors, signed))
    positive, negative = ops.relu(signed), ops.relu(-signed)
    total = ops.sum(positive, axis=-1, keepdims=True)
    missed = ops.relu(total - backend.cumsum(positive))
    union = total + backend.cumsum(negative)
    # A positive pixel takes its weight from the intersection, a negative pixel adds it
    # to the union. The difference of both values of J would lose the digits of both.
    before = union - negative
    one = ops.ones_like(union)
    share = ops.where(before > 0, missed / ops.where(before > 0, before, one), one)
    slope = (positive + negative * share) / ops.where(union > 0, union, one)
    errors = ops.where(errors <= 0, ops.zeros_like(errors), errors)  # keeps NaN
    loss = ops.sum(errors * ops.stop_gradient(slope), axis=-1)
    return loss, total[..., 0] > 0


def _settle(loss, pixels, labels):
    """One loss per image: NaN if a label is out of range, masked if it is ignored."""
    axes = tuple(range(1, len(pixels.shape)))
    images = ops.ones_like(pixels[(slice(None), *[0] * len(axes))])
    nan = ops.convert_to_tensor(float("nan"), loss.dtype)
    loss = ops.where(ops.all(labels.known, axis=axes), loss * images, nan)
    if labels.valid is None:
        return loss
    return masked(loss, ops.any(labels.valid, axis=axes))
