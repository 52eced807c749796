"""Consistency losses: predictions for several views of a sample should agree."""

from typing import Any
from typing import Unpack

import keras
import numpy as np
from keras import ops

from tfx_extras._register import register
from tfx_extras._typed import typechecked
from tfx_extras.losses._base import FunctionLoss
from tfx_extras.losses._base import LossOptions
from tfx_extras.losses._base import aligned
from tfx_extras.losses._base import predictions
from tfx_extras.losses._probabilities import at_least

__all__ = ["JensenShannonLoss", "RDropLoss", "jensen_shannon_loss", "r_drop_loss"]

LEAST = 1e-18  # its square, in the gradient of a quotient, is a normal number


@register
def jensen_shannon_loss(y_true, y_pred):
    r"""Jensen-Shannon loss (AugMix): consistency of predictions for several views.

    Function form of `JensenShannonLoss`, which has the formula.

    Args:
        y_true: Ignored, since the views are compared with each other: `None`, or
            anything.
        y_pred: Logits, any real numbers, of shape `(batch, views, ..., classes)`, or a
            tuple or list of two or more tensors of shape `(batch, ..., classes)`.

    Returns:
        One loss per sample, in nats, in [0, $\log V$], of shape `(batch, ...)`, in
        `float32` or wider.

    Raises:
        ValueError: If shapes do not match, or there are fewer than two views.

    Example:
        >>> loss = tfx_extras.losses.jensen_shannon_loss(
        ...     None, [[[1.0, 0.0], [1.0, 0.0]], [[9.0, 0.0], [0.0, 9.0]]])
        >>> print(keras.ops.convert_to_numpy(loss).round(4))
        [0.     0.6919]
    """
    z = _views(y_pred)
    p = ops.softmax(z, axis=-1)
    first = p[:, :1]
    # The mean of equal views is exactly the same.
    views = ops.cast(ops.shape(p)[1], p.dtype)
    middle = first + ops.sum(p - first, axis=1, keepdims=True) / views
    excess = p - middle
    # A smaller share of the mean is not seen in the excess, and its logarithm is 0.
    least = float(np.finfo(keras.backend.standardize_dtype(p.dtype)).eps) - 1
    share = at_least(excess / at_least(middle, LEAST), least)
    # The excess sums to 0. Subtracting it makes each term positive.
    terms = p * ops.log1p(share) - excess
    return ops.sum(terms, axis=(1, -1)) / views


@register
class JensenShannonLoss(FunctionLoss):
    r"""Jensen-Shannon loss (AugMix): consistency of predictions for several views.

    Use it to make the predictions of a classifier agree for several augmentations of
    the same sample, as in AugMix. It needs no labels and is added to a cross-entropy of
    the view that is not augmented: AugMix has three views and a weight of 12. Keras has
    no equivalent.

    $$ L = \frac1V \sum_{v=1}^V \sum_{c=1}^C p_{vc} \log \frac{p_{vc}}{\bar p_c}, \quad
        \bar p = \frac1V \sum_{v=1}^V p_v $$

    $p_{vc}$ is the probability of class $c$ out of $C$ in view $v$ out of $V$, the
    softmax of its logits. The loss is the Jensen-Shannon divergence: the mean
    Kullback-Leibler divergence of the views from their mean $\bar p$. It is 0 if all
    views agree, and at most $\log V$. The gradient flows into all views.

    A model with the views on an axis of its own learns from both losses with
    `keras.Model.add_loss`, or in a custom `compute_loss`:
    `crossentropy(y, logits[:, 0]) + 12 * JensenShannonLoss()(None, logits)`.

    Returns one loss per sample, in nats, of shape `(batch, ...)`, which `reduction`
    averages. Time and memory grow linearly with the number of logits.

    Args:
        **kwargs: `name`, `reduction` and `dtype`: see `LossOptions`.

    Call arguments:
        y_true: Ignored, since the views are compared with each other: `None`, or
            anything.
        y_pred: Logits, any real numbers, of shape `(batch, views, ..., classes)`, or a
            tuple or list of two or more tensors of shape `(batch, ..., classes)`.

    Raises:
        ValueError: If shapes do not match, or there are fewer than two views, in a
            call.
        TypeError: If an argument has the wrong type or an unknown name.

    Example:
        >>> loss = tfx_extras.losses.JensenShannonLoss()
        >>> value = loss(None, [[[2.0, 0.0], [1.0, 0.0], [0.0, 0.0]]])
        >>> print(f"{float(value):.4f}")
        0.0606

    Reference: Hendrycks et al., 2019. https://arxiv.org/abs/1912.02781
    """

    function = staticmethod(jensen_shannon_loss)

    @typechecked
    def __init__(self, **kwargs: Unpack[LossOptions]):
        super().__init__(**kwargs)


@register
def r_drop_loss(y_true, y_pred):
    r"""R-Drop loss: consistency of two predictions with different dropout.

    Function form of `RDropLoss`, which has the formula.

    Args:
        y_true: Ignored, since the views are compared with each other: `None`, or
            anything.
        y_pred: Logits, any real numbers, of shape `(batch, 2, ..., classes)`, or a
            tuple or list of two tensors of shape `(batch, ..., classes)`.

    Returns:
        One loss per sample, in nats, in [0, inf), of shape `(batch, ...)`, in `float32`
        or wider.

    Raises:
        ValueError: If shapes do not match, or there are not two views.

    Example:
        >>> loss = tfx_extras.losses.r_drop_loss(
        ...     None, [[[1.0, 0.0], [1.0, 0.0]], [[9.0, 0.0], [0.0, 9.0]]])
        >>> print(keras.ops.convert_to_numpy(loss).round(4))
        [0.     8.9978]
    """
    z = _views(y_pred, 2)
    log_p, log_q = ops.unstack(ops.log_softmax(z, axis=-1), 2, axis=1)
    is_left_out = ops.maximum(log_p, log_q) == float("-inf")  # logits of -inf
    log_p, log_q = (
        ops.where(is_left_out, ops.zeros_like(x), x) for x in (log_p, log_q)
    )
    terms = (ops.exp(log_p) - ops.exp(log_q)) * (log_p - log_q)
    return ops.sum(terms, axis=-1) / 2


@register
class RDropLoss(FunctionLoss):
    r"""R-Drop loss: consistency of two predictions with different dropout.

    Use it to regularize a classifier with dropout: each sample passes the model twice,
    and both predictions should agree. It needs no labels and is added, with a weight,
    to the cross-entropies of both predictions. For more than two predictions, use
    `JensenShannonLoss`, which is also bounded. Keras has no equivalent;
    `keras.losses.KLDivergence` has one of both directions, and takes probabilities.

    $$ L = \frac12 \left( \sum_{c=1}^C p_c \log \frac{p_c}{q_c} +
        \sum_{c=1}^C q_c \log \frac{q_c}{p_c} \right) $$

    $p_c$ and $q_c$ are the probabilities of class $c$ out of $C$ in both predictions,
    the softmax of their logits. The loss is the mean of the Kullback-Leibler
    divergences in both directions. It is 0 if both agree, and not bounded. The gradient
    flows into both predictions.

    Returns one loss per sample, in nats, of shape `(batch, ...)`, which `reduction`
    averages. Time and memory grow linearly with the number of logits.

    Args:
        **kwargs: `name`, `reduction` and `dtype`: see `LossOptions`.

    Call arguments:
        y_true: Ignored, since the views are compared with each other: `None`, or
            anything.
        y_pred: Logits, any real numbers, of shape `(batch, 2, ..., classes)`, or a
            tuple or list of two tensors of shape `(batch, ..., classes)`.

    Raises:
        ValueError: If shapes do not match, or there are not two views, in a call.
        TypeError: If an argument has the wrong type or an unknown name.

    Example:
        >>> loss = tfx_extras.losses.RDropLoss()
        >>> value = loss(None, [[[2.0, 0.0], [1.0, 0.0]]])
        >>> print(f"{float(value):.4f}")
        0.0749

    Reference: Liang et al., 2021. https://arxiv.org/abs/2106.14448
    """

    function = staticmethod(r_drop_loss)

    @typechecked
    def __init__(self, **kwargs: Unpack[LossOptions]):
        super().__init__(**kwargs)


def _views(y_pred, count: int | None = None) -> Any:
    """Returns the logits of all views on axis 1, in `float32` or wider."""
    if isinstance(y_pred, tuple | list) and all(hasattr(x, "shape") for x in y_pred):
        first = predictions(y_pred[0]) if y_pred else None
        z = (
            ops.stack([aligned(x, first)[0] for x in y_pred], axis=1)
            if y_pred
            else None
        )
    else:
        z = predictions(y_pred)
    shape = () if z is None else tuple(z.shape)
    found = shape[1] if len(shape) > 2 else 0
    if found is not None and (found != count if count else found < 2):
        number = count or "views"
        raise ValueError(
            f"`y_pred` must have shape `(batch, {number}, ..., classes)`, or be a "
            f"tuple or list of {count or 'two or more'} tensors of shape `(batch, ..., "
            f"classes)`. Received: y_pred.shape={shape}"
        )
    return z
