"""Weighted kappa, a loss for ordinal classification."""

from typing import Any
from typing import Unpack

import numpy as np
from keras import ops

from tfx_extras._checks import Number
from tfx_extras._checks import require
from tfx_extras._checks import require_one_of
from tfx_extras._register import register
from tfx_extras._typed import typechecked
from tfx_extras.losses._base import FunctionLoss
from tfx_extras.losses._base import LossOptions
from tfx_extras.losses._base import predictions
from tfx_extras.losses._base import require_numbers
from tfx_extras.losses._base import require_one_shape
from tfx_extras.losses._labels import dense_labels
from tfx_extras.losses._labels import sparse_labels
from tfx_extras.losses._probabilities import TINY
from tfx_extras.losses._probabilities import in_unit_interval

__all__ = ["WeightedKappaLoss", "weighted_kappa_loss"]

WEIGHTAGES = {"linear": 1, "quadratic": 2}  # powers of the distance


@register
def weighted_kappa_loss(
    y_true,
    y_pred,
    num_classes: int | None = None,
    weightage: str = "quadratic",
    epsilon: Number = 1e-6,
    from_logits: bool = False,
    sample_weight=None,
):
    r"""Weighted kappa loss: agreement beyond chance, for ordinal classification.

    Function form of `WeightedKappaLoss`, which has the formula. It also takes the
    sample weights, because they are part of the formula.

    Args:
        y_true: Classes: integers in [0, classes), of shape `(batch,)` or `(batch, 1)`,
            or labels $y$ in [0, 1], of the shape of `y_pred`.
        y_pred: Predictions, of shape `(batch, classes)`: probabilities $p$, which sum
            to 1, or, with `from_logits`, logits.
        num_classes: The number of classes, in [2, inf). `None` takes that of `y_pred`.
        weightage: How the cost of confusing two classes grows with their distance:
            `"quadratic"` or `"linear"`.
        epsilon: $\epsilon$, in (0, inf): bounds the loss from below by
            $\log \epsilon$.
        from_logits: Whether `y_pred` holds logits (any real numbers) instead of
            probabilities.
        sample_weight: Weights of the samples, in [0, inf), of shape `(batch,)` or
            `(batch, 1)`. `None` gives all the weight 1.

    Returns:
        The loss in nats, of shape `(batch,)`, in `float32` or wider: the same number
        for each sample. It is NaN where a label is out of range and checking all labels
        would be slow: in compiled code and on a GPU.

    Raises:
        ValueError: If `y_pred` is not of shape `(batch, num_classes)`, the shape of
            `y_true` or `sample_weight` does not match it, a label is found to be out of
            range, or `weightage` is unknown.

    Example:
        >>> loss = tfx_extras.losses.weighted_kappa_loss(
        ...     [0, 1, 2], [[0.5, 0.5, 0.0], [0.25, 0.5, 0.25], [0.0, 0.0, 1.0]])
        >>> print(keras.ops.convert_to_numpy(loss).round(4))
        [-1.3863 -1.3863 -1.3863]
    """
    power = WEIGHTAGES[require_one_of("weightage", weightage, list(WEIGHTAGES))]
    p = _class_predictions(y_pred, num_classes)
    index = ops.arange(ops.shape(p)[-1], dtype=p.dtype)
    omega = ops.abs(ops.expand_dims(index, -1) - index) ** power
    cost = _costs(y_true, p, omega)
    s = _weights(sample_weight, p)
    # Not a product with 0, which would keep NaN and infinite gradients.
    counts = s > 0
    p, cost = (ops.where(counts, x, ops.zeros_like(x)) for x in (p, cost))
    p = ops.softmax(p) if from_logits else in_unit_interval(p)
    n = ops.sum(s * cost * p)
    d = ops.sum(ops.sum(s * cost, axis=0) * ops.sum(s * p, axis=0))
    is_settled = d <= TINY
    ratio = n / ops.where(is_settled, ops.ones_like(d), d)
    loss = ops.where(is_settled, ops.zeros_like(d), ops.log(ratio + epsilon))
    return loss * ops.ones_like(s[:, 0])


@register
class WeightedKappaLoss(FunctionLoss):
    r"""Weighted kappa loss: agreement beyond chance, for ordinal classification.

    Use it for ordinal classification, where the classes are ordered, such as ratings or
    grades of a disease, and confusing distant classes is worse than confusing
    neighbors. It is one number for the whole batch, so its value depends on the size
    of the batch and on the classes in it. Keras has no equivalent.

    $$ L = \log(N / D + \epsilon) $$

    $$ N = \sum_i s_i \sum_{j,k} y_{ij}\, \omega_{jk}\, p_{ik}, \quad
        D = \sum_{j,k} \left( \sum_i s_i y_{ij} \right) \omega_{jk}
            \left( \sum_i s_i p_{ik} \right) $$

    $y_{ij}$ is 1 if sample $i$ belongs to class $j$ and 0 if not, and $p_{ik}$ is the
    predicted probability of class $k$. $\omega_{jk}$ is the cost of predicting one of
    the classes $j$ and $k$ for the other: $(j - k)^2$ (`"quadratic"`) or $|j - k|$
    (`"linear"`). $s_i$ is the sample's fraction of the sum of the weights, which are
    equal unless `sample_weight` is given. $1 - N / D$ is Cohen's kappa: 1 for perfect
    agreement, 0 for agreement by chance.

    Returns the loss of the batch once per sample, in nats, of shape `(batch,)`, which
    `reduction` averages to the same number. `"sum"` gives that number times the sum of
    the weights.

    Sample weights and masks act only inside the formula: a sample of weight 0 changes
    nothing, and neither does a common factor of all weights. Where $D$ is 0, the loss
    and its gradient are 0: in a batch of a single class that is predicted with
    certainty, and in a batch whose weights are all 0. The loss is NaN where a label is
    out of range and checking all labels would be slow: in compiled code and on a GPU.

    With integer labels, the memory is that of the predictions. With labels of the shape
    of `y_pred`, it is `classes` times as much.

    Args:
        num_classes: The number of classes, in [2, inf). `None` takes that of `y_pred`.
        weightage: How the cost of confusing two classes grows with their distance:
            `"quadratic"` or `"linear"`.
        epsilon: $\epsilon$, in (0, inf): bounds the loss from below by
            $\log \epsilon$.
        from_logits: Whether `y_pred` holds logits (any real numbers) instead of
            probabilities.
        **kwargs: `name`, `reduction` and `dtype`: see `LossOptions`.

    Call arguments:
        y_true: Classes: integers in [0, classes), of shape `(batch,)` or `(batch, 1)`,
            or labels $y$ in [0, 1], of the shape of `y_pred`.
        y_pred: Predictions, of shape `(batch, classes)`: probabilities $p$, which sum
            to 1, or, with `from_logits`, logits.

    Raises:
        ValueError: If an argument is outside its interval, `weightage` is unknown,
            `y_pred` is not of shape `(batch, num_classes)`, the shape of `y_true` does
            not match it, or a label is found to be out of range.
        TypeError: If an argument has the wrong type or an unknown name.

    Example:
        >>> loss = tfx_extras.losses.WeightedKappaLoss(weightage="linear")
        >>> value = loss([0, 1], [[0.75, 0.25], [0.25, 0.75]])
        >>> print(f"{float(value):.4f}")
        -0.6931

    Reference: de la Torre et al., 2018.
        https://doi.org/10.1016/j.patrec.2017.05.018
    """

    function = staticmethod(weighted_kappa_loss)

    @typechecked
    def __init__(
        self,
        num_classes: int | np.integer | None = None,
        weightage: str = "quadratic",
        epsilon: Number = 1e-6,
        from_logits: bool = False,
        **kwargs: Unpack[LossOptions],
    ):
        super().__init__(**kwargs)
        if num_classes is not None:
            num_classes = require("num_classes", num_classes, "[2, inf)")
        self.num_classes = num_classes
        self.weightage = require_one_of("weightage", weightage, list(WEIGHTAGES))
        self.epsilon = require("epsilon", epsilon, "(0, inf)")
        self.from_logits = from_logits


def _class_predictions(y_pred, num_classes: int | None):
    """Returns predictions in `float32` or wider, checked for the number of classes."""
    y_pred = predictions(y_pred)
    shape = tuple(y_pred.shape)
    if len(shape) != 2 or (num_classes and shape[-1] not in (num_classes, None)):
        raise ValueError(
            "`y_pred` must have the shape `(batch, num_classes)`. "
            f"Received: num_classes={num_classes}, y_pred.shape={shape}"
        )
    return y_pred


def _costs(y_true, y_pred, omega) -> Any:
    """The cost of each class as a prediction, for each sample."""
    require_numbers("y_true", y_true)
    shape = np.shape(y_true) if isinstance(y_true, list | tuple) else y_true.shape
    if len(shape) == 2 and shape[-1] != 1:
        labels, _ = dense_labels(y_true, y_pred, None, -1)
        # Not a matrix product, in which a GPU would round the labels to a few digits.
        return ops.sum(ops.expand_dims(labels.shares, -1) * omega, axis=1)
    labels, _ = sparse_labels(y_true, y_pred, None, -1)
    costs = ops.take(omega, labels.classes, axis=0)
    nan = ops.full_like(costs, float("nan"))
    return ops.where(ops.expand_dims(labels.known, -1), costs, nan)


def _weights(sample_weight, y_pred):
    """Returns each sample's fraction of the sum of weights, of shape `(batch, 1)`."""
    samples = y_pred[:, :1]
    if sample_weight is None:
        sample_weight = ops.ones_like(samples)
    weights = ops.convert_to_tensor(sample_weight, y_pred.dtype)
    shape = tuple(weights.shape)
    if len(shape) == 1:
        weights = ops.expand_dims(weights, -1)
    require_one_shape(
        weights,
        samples,
        "`sample_weight` must have the shape `(batch,)` or `(batch, 1)`. "
        f"Received: sample_weight.shape={shape}, y_pred.shape={tuple(y_pred.shape)}",
    )
    total = ops.sum(weights)
    return weights / ops.where(total > 0, total, ops.ones_like(total))
