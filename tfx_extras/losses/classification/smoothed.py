"""Cross-entropies of smoothed labels."""

from typing import Unpack

import numpy as np
from keras import ops

from tfx_extras._backend import backend
from tfx_extras._checks import Number
from tfx_extras._checks import require
from tfx_extras._precision import wide
from tfx_extras._register import register
from tfx_extras._typed import typechecked
from tfx_extras.losses._base import FunctionLoss
from tfx_extras.losses._base import LossOptions
from tfx_extras.losses._base import mean
from tfx_extras.losses._base import predictions
from tfx_extras.losses._labels import ClassWeights
from tfx_extras.losses._labels import DenseLabels
from tfx_extras.losses._labels import SparseLabels
from tfx_extras.losses._labels import dense_labels
from tfx_extras.losses._labels import per_class
from tfx_extras.losses._labels import require_class_axis
from tfx_extras.losses._labels import require_ignore_class
from tfx_extras.losses._labels import require_weights
from tfx_extras.losses._labels import sparse_labels
from tfx_extras.losses._probabilities import Logits
from tfx_extras.losses._probabilities import probabilities
from tfx_extras.losses.classification._long_rows import loss_of
from tfx_extras.losses.classification._long_rows import slope_of

__all__ = [
    "SmoothedCategoricalCrossentropy",
    "SmoothedSparseCategoricalCrossentropy",
    "smoothed_categorical_crossentropy",
    "smoothed_sparse_categorical_crossentropy",
]


@register
def smoothed_categorical_crossentropy(
    y_true,
    y_pred,
    label_smoothing: Number = 0.1,
    ignore_class: int | None = None,
    class_weight: ClassWeights | None = None,
    z_loss: Number = 0.0,
    from_logits: bool = False,
    axis: int = -1,
):
    r"""Cross-entropy that asks for some probability of every class.

    $$ L = -\sum_{c=1}^C w_c\, y'_c \log p_c + \zeta \log^2 \sum_{c=1}^C e^{z_c} $$

    Here $p_c$ is the predicted probability of class $c$ out of $C$ and $z_c$ its
    logit. Of a label $y_c$, smoothing makes $y'_c = (1 - e)\, y_c + e / C$. The
    last term, that of PaLM, keeps logits from drifting.

    Differs from Keras in the default of `label_smoothing`, that of the paper, and
    in `class_weight` and `z_loss`. The value of a sample is that of
    `torch.nn.CrossEntropyLoss`, whose mean is one by weight.

    Args:
        y_true: Labels $y$ in [0, 1], of the shape of `y_pred`.
        y_pred: Predictions, of shape `(batch, ..., classes)`: probabilities,
            which need not sum to 1, or, with `from_logits`, any real numbers.
        label_smoothing: $e$, in [0, 1].
        ignore_class: Samples whose largest label is that of this class have loss
            0 and are left out of means.
        class_weight: $w$, in [0, inf), one per class, of shape `(classes,)`.
            `None` weighs all by 1.
        z_loss: $\zeta$, in [0, inf); 1e-4 in PaLM. It needs logits.
        from_logits: Whether `y_pred` holds logits. This is the more exact:
            probabilities below `keras.config.epsilon()` count as that.
        axis: The axis of the classes, not 0.

    Returns:
        The loss in nats, of the shape of `y_pred` without `axis`, in `float32` or
        wider.

    Raises:
        ValueError: If `y_true` and `y_pred` differ in shape, `class_weight` has not
            one number per class, or there is a `z_loss` without logits.

    Example:
        >>> loss = tfx_extras.losses.smoothed_categorical_crossentropy(
        ...     [[1, 0, 0], [0, 0, 1]], [[0.8, 0.1, 0.1], [0.2, 0.3, 0.5]])
        >>> print(keras.ops.convert_to_numpy(loss).round(4))
        [0.3618 0.7407]

    References:
        Szegedy et al., 2015, section 7. https://arxiv.org/abs/1512.00567
        Chowdhery et al., 2022, section 5. https://arxiv.org/abs/2204.02311
    """
    labels, y_pred = dense_labels(
        y_true, y_pred, ignore_class, axis, "`SmoothedSparseCategoricalCrossentropy`"
    )
    return labels.settle(
        _smoothed(labels, y_pred, label_smoothing, class_weight, z_loss, from_logits)
    )


@register
class SmoothedCategoricalCrossentropy(FunctionLoss):
    r"""Cross-entropy that asks for some probability of every class.

    Class form of `smoothed_categorical_crossentropy`, which has the
    formula.

    Args:
        label_smoothing: $e$, in [0, 1], how much of a label is spread evenly over
            the classes.
        ignore_class: Samples whose largest label is that of this class have
            loss 0 and are left out of means.
        class_weight: $w$, weights of the classes, in [0, inf), of shape
            `(classes,)`. `None` weighs all by 1.
        z_loss: $\zeta$, in [0, inf), how strongly logits are kept from drifting;
            1e-4 in PaLM. It needs `from_logits`.
        from_logits: Whether predictions are logits, the more exact.
        axis: The axis of the classes, not 0.
        **kwargs: Options of every loss: see `LossOptions`.

    Raises:
        ValueError: If an argument is outside its interval, or there is a `z_loss`
            without logits.

    Example:
        >>> loss = tfx_extras.losses.SmoothedCategoricalCrossentropy(
        ...     from_logits=True)
        >>> value = loss([[1, 0], [0, 1]], [[2.0, 0.0], [0.0, 1.0]])
        >>> print(f"{float(value):.4f}")
        0.2951

    References:
        Szegedy et al., 2015, section 7. https://arxiv.org/abs/1512.00567
        Chowdhery et al., 2022, section 5. https://arxiv.org/abs/2204.02311
    """

    function = staticmethod(smoothed_categorical_crossentropy)

    @typechecked
    def __init__(
        self,
        label_smoothing: Number = 0.1,
        ignore_class: int | np.integer | None = None,
        class_weight: ClassWeights | None = None,
        z_loss: Number = 0.0,
        from_logits: bool = False,
        axis: int = -1,
        **kwargs: Unpack[LossOptions],
    ):
        super().__init__(**kwargs)
        self.label_smoothing = require("label_smoothing", label_smoothing, "[0, 1]")
        self.ignore_class = require_ignore_class(ignore_class)
        self.class_weight = require_weights("class_weight", class_weight)
        self.z_loss = require("z_loss", z_loss, "[0, inf)")
        self.from_logits = from_logits
        self.axis = require_class_axis(axis)
        _require_logits(self.z_loss, from_logits)


@register
def smoothed_sparse_categorical_crossentropy(
    y_true,
    y_pred,
    label_smoothing: Number = 0.1,
    ignore_class: int | None = None,
    class_weight: ClassWeights | None = None,
    z_loss: Number = 0.0,
    from_logits: bool = False,
    axis: int = -1,
):
    r"""Cross-entropy that asks for some probability of every class.

    $$ L = -(1 - e)\, w_y \log p_y - \frac{e}{C} \sum_{c=1}^C w_c \log p_c
        + \zeta \log^2 \sum_{c=1}^C e^{z_c} $$

    Here $p_c$ is the predicted probability of class $c$ out of $C$, $z_c$ its
    logit, and $y$ the class of the sample. It is
    `smoothed_categorical_crossentropy` of one-hot labels, which are not built.

    Args:
        y_true: Classes $y$, integers in [0, classes), of the shape of `y_pred`
            without `axis`, or with a last axis of size 1.
        y_pred: Predictions, of shape `(batch, ..., classes)`: probabilities,
            which need not sum to 1, or, with `from_logits`, any real numbers.
        label_smoothing: $e$, in [0, 1].
        ignore_class: Samples with this label, any integer, such as -1 or 255,
            have loss 0 and are left out of means.
        class_weight: $w$, in [0, inf), one per class, of shape `(classes,)`.
            `None` weighs all by 1.
        z_loss: $\zeta$, in [0, inf); 1e-4 in PaLM. It needs logits.
        from_logits: Whether `y_pred` holds logits. This is the more exact:
            probabilities below `keras.config.epsilon()` count as that.
        axis: The axis of the classes, not 0.

    Returns:
        The loss in nats, of the shape of `y_pred` without `axis`, in `float32` or
        wider. It is NaN where the label is no class and looking at all labels
        would slow down: in compiled code, and on a GPU.

    Raises:
        ValueError: If the shape of `y_true` is another, `class_weight` has not one
            number per class, there is a `z_loss` without logits, or a label is
            seen to be no class.

    Example:
        >>> loss = tfx_extras.losses.smoothed_sparse_categorical_crossentropy(
        ...     [0, 2], [[0.8, 0.1, 0.1], [0.2, 0.3, 0.5]])
        >>> print(keras.ops.convert_to_numpy(loss).round(4))
        [0.3618 0.7407]

    References:
        Szegedy et al., 2015, section 7. https://arxiv.org/abs/1512.00567
        Chowdhery et al., 2022, section 5. https://arxiv.org/abs/2204.02311
    """
    labels, y_pred = sparse_labels(
        y_true,
        y_pred,
        ignore_class,
        axis,
        "`SmoothedCategoricalCrossentropy`",
        as_given=True,
    )
    return labels.settle(
        _smoothed(labels, y_pred, label_smoothing, class_weight, z_loss, from_logits)
    )


@register
class SmoothedSparseCategoricalCrossentropy(FunctionLoss):
    r"""Cross-entropy that asks for some probability of every class.

    Class form of `smoothed_sparse_categorical_crossentropy`, which has the
    formula.

    Labels stay the integers they are, whatever their number and `dtype`.

    Args:
        label_smoothing: $e$, in [0, 1], how much of a label is spread evenly over
            the classes.
        ignore_class: Samples with this label, any integer, such as -1 or 255, have
            loss 0 and are left out of means.
        class_weight: $w$, weights of the classes, in [0, inf), of shape
            `(classes,)`. `None` weighs all by 1.
        z_loss: $\zeta$, in [0, inf), how strongly logits are kept from drifting;
            1e-4 in PaLM. It needs `from_logits`.
        from_logits: Whether predictions are logits, the more exact.
        axis: The axis of the classes, not 0.
        **kwargs: Options of every loss: see `LossOptions`.

    Raises:
        ValueError: If an argument is outside its interval, or there is a `z_loss`
            without logits.

    Example:
        >>> loss = tfx_extras.losses.SmoothedSparseCategoricalCrossentropy(
        ...     from_logits=True)
        >>> value = loss([0, 2], [[2.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
        >>> print(f"{float(value):.4f}")
        0.4955

    References:
        Szegedy et al., 2015, section 7. https://arxiv.org/abs/1512.00567
        Chowdhery et al., 2022, section 5. https://arxiv.org/abs/2204.02311
    """

    function = staticmethod(smoothed_sparse_categorical_crossentropy)

    @typechecked
    def __init__(
        self,
        label_smoothing: Number = 0.1,
        ignore_class: int | np.integer | None = None,
        class_weight: ClassWeights | None = None,
        z_loss: Number = 0.0,
        from_logits: bool = False,
        axis: int = -1,
        **kwargs: Unpack[LossOptions],
    ):
        super().__init__(**kwargs)
        self.label_smoothing = require("label_smoothing", label_smoothing, "[0, 1]")
        self.ignore_class = require_ignore_class(ignore_class)
        self.class_weight = require_weights("class_weight", class_weight)
        self.z_loss = require("z_loss", z_loss, "[0, inf)")
        self.from_logits = from_logits
        self.axis = require_class_axis(axis)
        _require_logits(self.z_loss, from_logits)


def _smoothed(
    labels: DenseLabels | SparseLabels,
    y_pred,
    label_smoothing,
    class_weight,
    z_loss,
    from_logits,
):
    _require_logits(z_loss, from_logits)
    weights = per_class(
        "class_weight", class_weight, y_pred.shape[-1], wide(y_pred.dtype)
    )
    settings = {"label_smoothing": label_smoothing, "z_loss": z_loss}
    is_sparse = isinstance(labels, SparseLabels)
    if from_logits and is_sparse and backend.has_fast_rows(y_pred):
        own = labels.classes[..., None]
        return backend.with_slope(
            _of_long_rows, _slope_of_long_rows, (y_pred,), own, weights, **settings
        )
    p = probabilities(predictions(y_pred), from_logits)
    loss = labels.expected(p.surprise, p.values, weights, label_smoothing)
    if isinstance(p, Logits) and z_loss > 0:
        loss = loss + z_loss * ops.square(p.log_partition())
    return loss


def _of_long_rows(z, own, weights, label_smoothing, z_loss):
    """The same of logits, in three passes over them, and within 5e-7.

    They are made wide here, where no copy of them is: each pass reads what is given.
    """
    z = predictions(z)
    largest = backend.largest(z, float("-inf"))
    rest = backend.sum_less_one(ops.exp(z - largest))
    p = Logits(ops.take_along_axis(z, own, axis=-1) - largest, rest, largest)
    others = mean(weights * z) if label_smoothing > 0 else 0.0
    loss = loss_of(p, others, own, weights, label_smoothing, z_loss)
    return loss, (rest, largest)


def _slope_of_long_rows(upstream, found, z, own, weights, wanted, **settings):
    slope = slope_of(upstream, predictions(z), found, own, weights, **settings)
    return (ops.cast(slope, z.dtype),)


def _require_logits(z_loss, from_logits) -> None:
    if z_loss > 0 and not from_logits:
        raise ValueError(
            "Argument `z_loss` needs predictions that are logits: give "
            f"from_logits=True. Received: z_loss={z_loss}, from_logits={from_logits}"
        )
