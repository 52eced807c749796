"""Cross-entropies with label smoothing."""

from typing import Any
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
from tfx_extras.losses.classification._long_rows import at
from tfx_extras.losses.classification._long_rows import log_total
from tfx_extras.losses.classification._long_rows import mean_weight

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
    r"""Smoothed categorical cross-entropy: cross-entropy with label smoothing.

    Function form of `SmoothedCategoricalCrossentropy`, which has the formula.

    Args:
        y_true: Labels $y$ in [0, 1], such as one-hot labels, of the shape of `y_pred`.
        y_pred: Predictions, of shape `(batch, ..., classes)`: probabilities, which are
            divided by their sum, or, with `from_logits`, logits.
        label_smoothing: $e$, in [0, 1]: the fraction of each label's probability that
            is spread uniformly over all classes.
        ignore_class: Samples whose largest label is that of this class have loss 0 and
            do not count in the mean.
        class_weight: $w$, in [0, inf): one weight per class, of shape `(classes,)`.
            `None` gives all the weight 1.
        z_loss: $\zeta$, in [0, inf): the weight of the last term, which keeps logits
            from drifting; 1e-4 in PaLM. It needs `from_logits=True`.
        from_logits: Whether `y_pred` holds logits (any real numbers) instead of
            probabilities. Logits are numerically more accurate: probabilities are
            clipped to at least `keras.config.epsilon()`.
        axis: Axis of the classes. It must not be 0, the batch axis.

    Returns:
        The loss in nats, of the shape of `y_pred` without `axis`, in `float32` or
        wider.

    Raises:
        ValueError: If `y_true` and `y_pred` differ in shape, `class_weight` does not
            have one number per class, or `z_loss` is given without logits.

    Example:
        >>> loss = tfx_extras.losses.smoothed_categorical_crossentropy(
        ...     [[1, 0, 0], [0, 0, 1]], [[0.8, 0.1, 0.1], [0.2, 0.3, 0.5]])
        >>> print(keras.ops.convert_to_numpy(loss).round(4))
        [0.3618 0.7407]
    """
    labels, y_pred = dense_labels(
        y_true, y_pred, ignore_class, axis, "`SmoothedSparseCategoricalCrossentropy`"
    )
    return labels.settle(
        crossentropy(labels, y_pred, label_smoothing, class_weight, z_loss, from_logits)
    )


@register
class SmoothedCategoricalCrossentropy(FunctionLoss):
    r"""Smoothed categorical cross-entropy: cross-entropy with label smoothing.

    Use it for multi-class classification with label smoothing, which keeps a model from
    becoming overconfident, with class weights for imbalanced data, or with `z_loss`,
    which keeps logits from drifting. With smoothing the minimum of the loss is above 0,
    so compare losses only at the same `label_smoothing`.
    `keras.losses.CategoricalCrossentropy` has label smoothing too, by default 0, but no
    `class_weight`, `ignore_class` or `z_loss`.

    $$ L = -\sum_{c=1}^C w_c\, y'_c \log p_c + \zeta \log^2 \sum_{c=1}^C e^{z_c} $$

    $p_c$ is the predicted probability of class $c$ out of $C$, $z_c$ its logit and
    $w_c$ its weight. Label smoothing replaces each label $y_c$ by
    $y'_c = (1 - e)\, y_c + e / C$. The last term is the z-loss of PaLM.

    Returns one loss per sample, in nats, of the shape of `y_pred` without `axis`, which
    `reduction` averages.

    The default of `label_smoothing` is that of the paper. The loss of each sample
    equals that of `torch.nn.CrossEntropyLoss`. The mean differs with class weights,
    because PyTorch divides by the sum of the weights. For integer labels, use
    `SmoothedSparseCategoricalCrossentropy`.

    Args:
        label_smoothing: $e$, in [0, 1]: the fraction of each label's probability that
            is spread uniformly over all classes.
        ignore_class: Samples whose largest label is that of this class have loss 0 and
            do not count in the mean.
        class_weight: $w$, in [0, inf): one weight per class, of shape `(classes,)`.
            `None` gives all the weight 1.
        z_loss: $\zeta$, in [0, inf): the weight of the last term, which keeps logits
            from drifting; 1e-4 in PaLM. It needs `from_logits=True`.
        from_logits: Whether `y_pred` holds logits (any real numbers) instead of
            probabilities. Logits are numerically more accurate: probabilities are
            clipped to at least `keras.config.epsilon()`.
        axis: Axis of the classes. It must not be 0, the batch axis.
        **kwargs: `name`, `reduction` and `dtype`: see `LossOptions`.

    Call arguments:
        y_true: Labels $y$ in [0, 1], such as one-hot labels, of the shape of `y_pred`.
        y_pred: Predictions, of shape `(batch, ..., classes)`: probabilities, which are
            divided by their sum, or, with `from_logits`, logits.

    Raises:
        ValueError: If an argument is outside its interval, `y_true` and `y_pred` differ
            in shape, `class_weight` does not have one number per class, or `z_loss` is
            given without logits.
        TypeError: If an argument has the wrong type or an unknown name.

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
    r"""Smoothed sparse categorical cross-entropy: label smoothing for integer labels.

    Function form of `SmoothedSparseCategoricalCrossentropy`, which has the formula.

    Args:
        y_true: Classes $y$: integers in [0, classes), of the shape of `y_pred` without
            `axis`, or with a last axis of size 1.
        y_pred: Predictions, of shape `(batch, ..., classes)`: probabilities, which are
            divided by their sum, or, with `from_logits`, logits.
        label_smoothing: $e$, in [0, 1]: the fraction of each label's probability that
            is spread uniformly over all classes.
        ignore_class: Samples with this label, any integer such as -1 or 255, have loss
            0 and do not count in the mean.
        class_weight: $w$, in [0, inf): one weight per class, of shape `(classes,)`.
            `None` gives all the weight 1.
        z_loss: $\zeta$, in [0, inf): the weight of the last term, which keeps logits
            from drifting; 1e-4 in PaLM. It needs `from_logits=True`.
        from_logits: Whether `y_pred` holds logits (any real numbers) instead of
            probabilities. Logits are numerically more accurate: probabilities are
            clipped to at least `keras.config.epsilon()`.
        axis: Axis of the classes. It must not be 0, the batch axis.

    Returns:
        The loss in nats, of the shape of `y_pred` without `axis`, in `float32` or
        wider. It is NaN where a label is out of range and checking all labels would be
        slow: in compiled code and on a GPU.

    Raises:
        ValueError: If the shapes do not match, `class_weight` does not have one number
            per class, `z_loss` is given without logits, or a label is found to be out
            of range.

    Example:
        >>> loss = tfx_extras.losses.smoothed_sparse_categorical_crossentropy(
        ...     [0, 2], [[0.8, 0.1, 0.1], [0.2, 0.3, 0.5]])
        >>> print(keras.ops.convert_to_numpy(loss).round(4))
        [0.3618 0.7407]
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
        crossentropy(labels, y_pred, label_smoothing, class_weight, z_loss, from_logits)
    )


@register
class SmoothedSparseCategoricalCrossentropy(FunctionLoss):
    r"""Smoothed sparse categorical cross-entropy: label smoothing for integer labels.

    Use it for multi-class classification with integer labels and label smoothing, which
    keeps a model from becoming overconfident, with class weights for imbalanced data,
    or with `z_loss`, which keeps logits from drifting. With smoothing the minimum of
    the loss is above 0, so compare losses only at the same `label_smoothing`.
    `keras.losses.SparseCategoricalCrossentropy` has no `label_smoothing`,
    `class_weight` or `z_loss`.

    $$ L = -(1 - e)\, w_y \log p_y - \frac{e}{C} \sum_{c=1}^C w_c \log p_c
        + \zeta \log^2 \sum_{c=1}^C e^{z_c} $$

    $p_c$ is the predicted probability of class $c$ out of $C$, $z_c$ its logit, $w_c$
    its weight, and $y$ the class of the sample. $e$ is the label smoothing. The last
    term is the z-loss of PaLM. The result equals `SmoothedCategoricalCrossentropy` of
    one-hot labels, which are never built.

    Returns one loss per sample, in nats, of the shape of `y_pred` without `axis`, which
    `reduction` averages. It is NaN where a label is out of range and checking all
    labels would be slow: in compiled code and on a GPU.

    Integer labels are never converted to floating point, so large class numbers stay
    exact whatever the `dtype`. For a large vocabulary whose logits do not fit in
    memory, see `chunked_linear_crossentropy`.

    Args:
        label_smoothing: $e$, in [0, 1]: the fraction of each label's probability that
            is spread uniformly over all classes.
        ignore_class: Samples with this label, any integer such as -1 or 255, have loss
            0 and do not count in the mean.
        class_weight: $w$, in [0, inf): one weight per class, of shape `(classes,)`.
            `None` gives all the weight 1.
        z_loss: $\zeta$, in [0, inf): the weight of the last term, which keeps logits
            from drifting; 1e-4 in PaLM. It needs `from_logits=True`.
        from_logits: Whether `y_pred` holds logits (any real numbers) instead of
            probabilities. Logits are numerically more accurate: probabilities are
            clipped to at least `keras.config.epsilon()`.
        axis: Axis of the classes. It must not be 0, the batch axis.
        **kwargs: `name`, `reduction` and `dtype`: see `LossOptions`.

    Call arguments:
        y_true: Classes $y$: integers in [0, classes), of the shape of `y_pred` without
            `axis`, or with a last axis of size 1.
        y_pred: Predictions, of shape `(batch, ..., classes)`: probabilities, which are
            divided by their sum, or, with `from_logits`, logits.

    Raises:
        ValueError: If an argument is outside its interval, the shapes do not match,
            `class_weight` does not have one number per class, `z_loss` is given without
            logits, or a label is found to be out of range.
        TypeError: If an argument has the wrong type or an unknown name.

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


def crossentropy(
    labels: DenseLabels | SparseLabels,
    y_pred: Any,
    label_smoothing: Any = 0.0,
    class_weight: ClassWeights | None = None,
    z_loss: Any = 0.0,
    from_logits: bool = False,
) -> Any:
    """Returns the smoothed cross-entropy of each sample, before masks."""
    _require_logits(z_loss, from_logits)
    weights = per_class(
        "class_weight", class_weight, y_pred.shape[-1], wide(y_pred.dtype)
    )
    settings: Any = {"label_smoothing": label_smoothing, "z_loss": z_loss}
    is_sparse = isinstance(labels, SparseLabels)
    if from_logits and is_sparse and backend.has_fast_shares(y_pred):
        own = labels.classes[..., None]
        return backend.with_slope(
            _of_rows, _slope_of_rows, (y_pred,), own, weights, **settings
        )
    p = probabilities(predictions(y_pred), from_logits)
    loss = labels.expected(p.surprise, p.values, weights, label_smoothing)
    if isinstance(p, Logits) and z_loss > 0:
        loss = loss + z_loss * ops.square(p.log_partition())
    return loss


def _of_rows(z, own, weights, label_smoothing, z_loss):
    """The cross-entropy of logits, in few passes over them."""
    weigh = weights if label_smoothing > 0 else None
    surprise, *found = backend.surprise_of_one(z, own, weigh)
    # A number from `weights` is a `float32`, and must only multiply tensors.
    loss = at(weights, own) * surprise * (1 - label_smoothing)
    if label_smoothing > 0:
        *found, others = found
        drift = mean_weight(weights) * log_total(*found) - others
        loss = loss + label_smoothing * drift
    if z_loss > 0:
        loss = loss + z_loss * ops.square(found[2] + log_total(*found))
    return ops.squeeze(loss, -1), found


def _slope_of_rows(upstream, found, z, own, weights, wanted, label_smoothing, z_loss):
    r"""$p_c (\sum_k w_k y'_k + 2 \zeta \log Z) - w_c y'_c$, times `upstream`."""
    share, rest, *kept = found
    upstream, less = upstream[..., None], None
    unit = upstream / (rest + share)
    own_weight = at(weights, own)
    scale = own_weight * unit * (1 - label_smoothing)
    at_own = -rest * scale  # not p - 1, which would lose digits
    if label_smoothing > 0:
        pull = mean_weight(weights) * unit * label_smoothing
        each = upstream * (label_smoothing / z.shape[-1])
        scale, less = scale + pull, (each, weights)
        at_own = at_own + share * pull - own_weight * each
    if z_loss > 0:
        pull = (kept[0] + log_total(*found)) * unit * (2 * z_loss)
        scale, at_own = scale + pull, at_own + share * pull
    return (backend.scaled_shares(z, kept, scale, own, at_own, less),)


def _require_logits(z_loss, from_logits) -> None:
    if z_loss > 0 and not from_logits:
        raise ValueError(
            "Argument `z_loss` needs logits as predictions. Did you mean "
            f"from_logits=True? Received: z_loss={z_loss}, from_logits={from_logits}"
        )
