"""Losses for long-tailed data, in which classes have very different numbers of samples.

They take the number of training samples of each class.
"""

from typing import Any
from typing import Unpack

import numpy as np
from keras import ops

from tfx_extras._backend import backend
from tfx_extras._checks import Number
from tfx_extras._checks import require
from tfx_extras._register import register
from tfx_extras._typed import typechecked
from tfx_extras.losses._base import FunctionLoss
from tfx_extras.losses._base import LossOptions
from tfx_extras.losses._labels import ClassWeights
from tfx_extras.losses._labels import require_class_axis
from tfx_extras.losses._labels import require_ignore_class
from tfx_extras.losses._labels import sparse_labels
from tfx_extras.losses._probabilities import within
from tfx_extras.losses.classification.smoothed import crossentropy

__all__ = [
    "LDAMLoss",
    "LogitAdjustedCrossentropy",
    "effective_number_weights",
    "ldam_loss",
    "logit_adjusted_crossentropy",
]

POSITIVE = (
    "Argument `class_counts` must be in (0, inf) for each class. Leave out classes "
    "without training samples, or count them once."
)


@typechecked
def effective_number_weights(
    class_counts: ClassWeights, beta: Number = 0.999
) -> list[float]:
    r"""Class-balanced weights: the inverse of the effective number of samples.

    Use it to weight the classes of imbalanced data less extremely than by their inverse
    frequency. Pass the result as `class_weight` of a smoothed cross-entropy, as `alpha`
    of a categorical focal loss, or as `class_weight=dict(enumerate(weights))` to `fit`.
    Keras has no equivalent.

    $$ w_c = \frac{C\, v_c}{\sum_{k=1}^C v_k}, \quad
        v_c = \frac{1 - \beta}{1 - \beta^{n_c}} $$

    $n_c$ is the number of training samples of class $c$ out of $C$. The more samples
    a class has, the more of them are nearly duplicates: its effective number of samples
    is $1 / v_c$. The weights have the mean 1; the code of the authors scales them in
    the same way.

    Args:
        class_counts: $n$, in (0, inf): the number of training samples of each class.
        beta: $\beta$, in [0, 1]: 0 gives all classes the weight 1, and 1 weights them
            by their inverse frequency. Usual values are 0.9, 0.99, 0.999 and 0.9999;
            $1 / (1 - \beta)$ is the number of samples from which more of them hardly
            count.

    Returns:
        A list of one weight per class.

    Raises:
        ValueError: If `beta` is outside its interval, or a class has no samples.
        TypeError: If an argument has the wrong type.

    Example:
        >>> weights = tfx_extras.losses.effective_number_weights([1000, 100, 10])
        >>> print([round(weight, 3) for weight in weights])
        [0.042, 0.28, 2.678]

    Reference: Cui et al., 2019. https://arxiv.org/abs/1901.05555
    """
    require("beta", beta, "[0, 1]")
    n = _counts(class_counts)
    if beta == 0:
        weights = np.ones_like(n)
    elif beta == 1:
        weights = n.min() / n
    else:
        # Of many classes with few samples, 1 - beta**n would lose digits.
        weights = 1 / -np.expm1(n * np.log(np.float64(beta)))
    return (weights / weights.mean()).tolist()


@register
def logit_adjusted_crossentropy(
    y_true,
    y_pred,
    class_counts: ClassWeights,
    tau: Number = 1.0,
    label_smoothing: Number = 0.0,
    ignore_class: int | None = None,
    axis: int = -1,
):
    r"""Logit-adjusted cross-entropy: balanced softmax for long-tailed classes.

    Function form of `LogitAdjustedCrossentropy`, which has the formula.

    Args:
        y_true: Classes $y$: integers in [0, classes), of the shape of `y_pred` without
            `axis`, or with a last axis of size 1.
        y_pred: Logits $z$, any real numbers, of shape `(batch, ..., classes)`.
        class_counts: $n$, in (0, inf): the number of training samples of each class, of
            shape `(classes,)`. Only their ratios matter.
        tau: $\tau$, in [0, inf): how much the logits are adjusted. 0 gives
            cross-entropy.
        label_smoothing: $e$, in [0, 1]: the fraction of each label's probability that
            is spread uniformly over all classes.
        ignore_class: Samples with this label, any integer such as -1 or 255, have loss
            0 and do not count in the mean.
        axis: Axis of the classes. It must not be 0, the batch axis.

    Returns:
        The loss in nats, of the shape of `y_pred` without `axis`, in `float32` or
        wider. It is NaN where a label is out of range and checking all labels would be
        slow: in compiled code and on a GPU.

    Raises:
        ValueError: If the shapes do not match, `class_counts` does not have one
            positive number per class, or a label is found to be out of range.

    Example:
        >>> loss = tfx_extras.losses.logit_adjusted_crossentropy(
        ...     [0, 1], [[1.0, 0.0], [1.0, 0.0]], class_counts=[90, 10])
        >>> print(keras.ops.convert_to_numpy(loss).round(4))
        [0.0401 3.2373]
    """
    labels, z = sparse_labels(y_true, y_pred, ignore_class, axis)
    n = _tensor(class_counts, z)
    z = z + tau * (ops.log(n) - ops.log(ops.sum(n)))
    return labels.settle(crossentropy(labels, z, label_smoothing, from_logits=True))


@register
class LogitAdjustedCrossentropy(FunctionLoss):
    r"""Logit-adjusted cross-entropy: balanced softmax for long-tailed classes.

    Use it for multi-class classification with class imbalance when rare classes matter
    as much as frequent ones, as in the mean accuracy of the classes. Weights of rare
    classes lose their effect once a model fits its training data; the adjustment does
    not. `keras.losses.SparseCategoricalCrossentropy` is the case $\tau = 0$.

    $$ L = -\log \frac{e^{z_y + \tau \log \pi_y}}
        {\sum_{c=1}^C e^{z_c + \tau \log \pi_c}}, \quad
        \pi_c = \frac{n_c}{\sum_{k=1}^C n_k} $$

    $z_c$ is the logit of class $c$ out of $C$, $y$ the class of the sample, $n_c$ the
    number of training samples of a class and $\pi_c$ its share. With label smoothing,
    the loss is $1 - e$ times this, plus $e / C$ times the sum of this over all classes
    $y$. With $\tau = 1$ it is the balanced softmax, which adds $\log n_c$ to the
    logits. Another paper found it independently.

    **Adjust the logits in training only.** Predict from the plain logits $z$, such as
    the class with the largest $z_c$: they are already those of balanced classes.

    Returns one loss per sample, in nats, of the shape of `y_pred` without `axis`, which
    `reduction` averages. It is NaN where a label is out of range and checking all
    labels would be slow: in compiled code and on a GPU. Time and memory grow linearly
    with the number of predictions.

    It takes logits only: to adjust probabilities, give their logarithms.

    Args:
        class_counts: $n$, in (0, inf): the number of training samples of each class, of
            shape `(classes,)`. Only their ratios matter.
        tau: $\tau$, in [0, inf): how much the logits are adjusted. 0 gives
            cross-entropy.
        label_smoothing: $e$, in [0, 1]: the fraction of each label's probability that
            is spread uniformly over all classes.
        ignore_class: Samples with this label, any integer such as -1 or 255, have loss
            0 and do not count in the mean.
        axis: Axis of the classes. It must not be 0, the batch axis.
        **kwargs: `name`, `reduction` and `dtype`: see `LossOptions`.

    Call arguments:
        y_true: Classes $y$: integers in [0, classes), of the shape of `y_pred` without
            `axis`, or with a last axis of size 1.
        y_pred: Logits $z$, any real numbers, of shape `(batch, ..., classes)`.

    Raises:
        ValueError: If an argument is outside its interval, the shapes do not match,
            `class_counts` does not have one positive number per class, or a label is
            found to be out of range.
        TypeError: If an argument has the wrong type or an unknown name.

    Example:
        >>> labels = np.array([0, 0, 0, 1])  # of all training samples
        >>> loss = tfx_extras.losses.LogitAdjustedCrossentropy(np.bincount(labels))
        >>> print(f"{float(loss([0, 1], [[1.0, 0.0], [1.0, 0.0]])):.4f}")
        1.1650

    References:
        Menon et al., 2020. https://arxiv.org/abs/2007.07314
        Ren et al., 2020. https://arxiv.org/abs/2007.10740
    """

    function = staticmethod(logit_adjusted_crossentropy)

    @typechecked
    def __init__(
        self,
        class_counts: ClassWeights,
        tau: Number = 1.0,
        label_smoothing: Number = 0.0,
        ignore_class: int | np.integer | None = None,
        axis: int = -1,
        **kwargs: Unpack[LossOptions],
    ):
        super().__init__(**kwargs)
        self.class_counts = _required_counts(class_counts)
        self.tau = require("tau", tau, "[0, inf)")
        self.label_smoothing = require("label_smoothing", label_smoothing, "[0, 1]")
        self.ignore_class = require_ignore_class(ignore_class)
        self.axis = require_class_axis(axis)


@register
def ldam_loss(
    y_true,
    y_pred,
    class_counts: ClassWeights,
    max_margin: Number = 0.5,
    scale: Number = 30.0,
):
    r"""LDAM loss: softmax cross-entropy with larger margins for rarer classes.

    Function form of `LDAMLoss`, which has the formula.

    Args:
        y_true: Classes $y$, integers in [0, classes), of shape `(...)` or `(..., 1)`.
        y_pred: Cosines $\cos \theta$, in [-1, 1], of shape `(..., classes)`: the
            outputs of `tfx_extras.layers.CosineDense`. Values that rounding puts
            slightly outside are clipped.
        class_counts: $n$, in (0, inf): the number of training samples of each class, of
            shape `(classes,)`. Only their ratios matter.
        max_margin: $M$, in [0, 2]: the margin of the rarest class.
        scale: $s$, in (0, inf): the factor that turns cosines into logits.

    Returns:
        One loss per sample, in nats, of shape `(...)`, in `float32` or wider.

    Raises:
        ValueError: If there is not one class per sample, `class_counts` does not have
            one positive number per class, or a class or cosine is found outside its
            interval.

    Example:
        >>> loss = tfx_extras.losses.ldam_loss([0, 1], [[0.9, 0.1], [0.9, 0.1]],
        ...     class_counts=[160, 10], scale=4.0)
        >>> print(keras.ops.convert_to_numpy(loss).round(3))
        [0.105 5.206]
    """
    labels, cosines = sparse_labels(y_true, y_pred, None, -1)
    message = "`y_pred` must hold cosines, in [-1, 1], not logits of a plain layer."
    cure = "Let `tfx_extras.layers.CosineDense` be the last layer of the model."
    cosines = within(cosines, -1.0, 1.0, message, cure)
    n = _tensor(class_counts, cosines)
    margins = max_margin * ops.sqrt(ops.sqrt(ops.min(n) / n))
    own = labels.classes[..., None]
    z = backend.less_at(scale * cosines, own, scale * ops.take(margins, own, axis=0))
    return labels.settle(crossentropy(labels, z, from_logits=True))


@register
class LDAMLoss(FunctionLoss):
    r"""LDAM loss: softmax cross-entropy with larger margins for rarer classes.

    Use it for multi-class classification with class imbalance when rare classes have so
    few samples that a model memorizes them. The paper trains with it first, and then
    weights the classes as well (deferred re-weighting): for the last epochs, pass
    `class_weight=dict(enumerate(weights))` to `fit`, with the weights of
    `effective_number_weights`. It needs a layer whose outputs are cosines;
    `LogitAdjustedCrossentropy` takes logits. Keras has no equivalent.

    $$ L = -\log \frac{e^{s (\cos \theta_y - m_y)}}{e^{s (\cos \theta_y - m_y)}
        + \sum_{c \ne y} e^{s \cos \theta_c}}, \quad
        m_c = M \left( \frac{n_\text{min}}{n_c} \right)^{1/4} $$

    $\theta_c$ is the angle between the features of a sample and the center of class
    $c$, $y$ the class of the sample, $n_c$ the number of training samples of a class,
    $n_\text{min}$ the smallest of them, and $s$ the scale. $m_c$ is the margin of a
    class, and $M$ the largest of them. With equal numbers the loss is `CosFaceLoss`.

    Predictions must be cosines. The logits of a plain `Dense` layer are not cosines.
    Values outside [-1, 1] raise an error where the check costs no time, and are clipped
    elsewhere, for example in compiled JAX functions. The example of `ArcFaceLoss` has a
    layer that returns cosines.

    Returns one loss per sample, in nats, of shape `(...)`, which `reduction` averages.
    Time and memory grow linearly with the number of predictions.

    The defaults are those of the code of the authors.

    Args:
        class_counts: $n$, in (0, inf): the number of training samples of each class, of
            shape `(classes,)`. Only their ratios matter.
        max_margin: $M$, in [0, 2]: the margin of the rarest class.
        scale: $s$, in (0, inf): the factor that turns cosines into logits.
        **kwargs: `name`, `reduction` and `dtype`: see `LossOptions`.

    Call arguments:
        y_true: Classes $y$, integers in [0, classes), of shape `(...)` or `(..., 1)`.
        y_pred: Cosines $\cos \theta$, in [-1, 1], of shape `(..., classes)`: the
            outputs of `tfx_extras.layers.CosineDense`. Values that rounding puts
            slightly outside are clipped.

    Raises:
        ValueError: If an argument is outside its interval, or, in a call, if there is
            not one class per sample, `class_counts` does not have one positive number
            per class, or a class or cosine is found outside its interval.
        TypeError: If an argument has the wrong type or an unknown name.

    Example:
        >>> loss = tfx_extras.losses.LDAMLoss(class_counts=[160, 10], scale=4.0)
        >>> print(f"{float(loss([0, 1], [[0.9, 0.1], [0.9, 0.1]])):.4f}")
        2.6553

    Reference: Cao et al., 2019. https://arxiv.org/abs/1906.07413
    """

    function = staticmethod(ldam_loss)

    @typechecked
    def __init__(
        self,
        class_counts: ClassWeights,
        max_margin: Number = 0.5,
        scale: Number = 30.0,
        **kwargs: Unpack[LossOptions],
    ):
        super().__init__(**kwargs)
        self.class_counts = _required_counts(class_counts)
        self.max_margin = require("max_margin", max_margin, "[0, 2]")
        self.scale = require("scale", scale, "(0, inf)")


def _required_counts(class_counts: ClassWeights) -> list[Any]:
    """Returns counts as a list of numbers, which a saved configuration needs."""
    _counts(class_counts)
    return [n.item() if isinstance(n, np.generic) else n for n in class_counts]


def _counts(class_counts: ClassWeights) -> np.ndarray:
    """Returns the number of samples of each class, in `float64`, or raises."""
    n = np.asarray(class_counts, "float64")
    if n.ndim != 1 or len(n) == 0:
        raise ValueError(
            "Argument `class_counts` must have one number for each class. "
            f"Received: class_counts.shape={n.shape}"
        )
    is_wrong = ~((n > 0) & (n < np.inf))
    if is_wrong.any():
        first = int(is_wrong.argmax())
        raise ValueError(
            f"{POSITIVE} Received: class_counts[{first}]={class_counts[first]}"
        )
    return n


def _tensor(class_counts, y_pred):
    """Returns counts as a tensor of the dtype of predictions, one for each class.

    Functions do so, because compilers do not read the values of arrays.
    """
    n = backend.constants(class_counts, y_pred)
    shape, classes = tuple(n.shape), y_pred.shape[-1]
    if len(shape) != 1 or classes not in (None, shape[0]):
        raise ValueError(
            "Argument `class_counts` must have one number for each of the "
            f"{classes} classes. Received: class_counts.shape={shape}"
        )
    try:
        backend.check((n > 0) & (n < float("inf")), POSITIVE)
    except ValueError as error:
        raise ValueError(f"{error} Received: class_counts={class_counts}") from None
    return n
