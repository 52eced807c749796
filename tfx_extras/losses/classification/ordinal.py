"""Losses for ordinal classification, and the probabilities of its classes."""

from typing import Any
from typing import Unpack

from keras import ops

from tfx_extras._backend import backend
from tfx_extras._checks import Number
from tfx_extras._checks import require
from tfx_extras._checks import require_each
from tfx_extras._precision import wide
from tfx_extras._register import register
from tfx_extras._typed import typechecked
from tfx_extras.losses._base import FunctionLoss
from tfx_extras.losses._base import LossOptions
from tfx_extras.losses._base import predictions
from tfx_extras.losses._base import require_numbers
from tfx_extras.losses._labels import ClassWeights
from tfx_extras.losses._labels import SparseLabels
from tfx_extras.losses._labels import class_of_each
from tfx_extras.losses._labels import dense_labels
from tfx_extras.losses._labels import sparse_labels
from tfx_extras.losses._probabilities import TINY
from tfx_extras.losses._probabilities import at_least
from tfx_extras.losses._probabilities import probabilities
from tfx_extras.losses._probabilities import require_shares

__all__ = [
    "CoralLoss",
    "CornLoss",
    "EarthMoverLoss",
    "coral_loss",
    "corn_loss",
    "earth_mover_loss",
    "ordinal_probabilities",
]

SURE = 1e30  # a logit whose loss and gradient are 0


@register
def coral_loss(y_true, y_pred, threshold_weight: ClassWeights | None = None):
    r"""CORAL loss: ordinal classification by one binary cross-entropy per threshold.

    Function form of `CoralLoss`, which has the formula.

    Args:
        y_true: Classes $y$: integers in [0, K), of the shape of `y_pred` without its
            last axis, or with a last axis of size 1.
        y_pred: Logits $z$, any real numbers, of shape `(batch, ..., K - 1)`: one for
            each threshold between $K$ classes.
        threshold_weight: $w$, in [0, inf): the weights of the thresholds, of shape
            `(K - 1,)`. `None` gives all the weight 1.

    Returns:
        One loss per sample, in nats, of shape `(batch, ...)`, in `float32` or wider. It
        is NaN where a label is out of range and checking all labels would be slow: in
        compiled code and on a GPU.

    Raises:
        ValueError: If the shapes do not match, `threshold_weight` does not have one
            number per threshold, or a label is found to be out of range.

    Example:
        >>> loss = tfx_extras.losses.coral_loss([0, 2], [[1.0, -1.0], [1.0, -1.0]])
        >>> print(keras.ops.convert_to_numpy(loss).round(4))
        [1.6265 1.6265]
    """
    labels, z = _thresholds(y_true, y_pred, "tfx_extras.layers.Coral(K)")
    own, thresholds = _places(labels, z)
    terms = -ops.log_sigmoid(ops.where(own > thresholds, z, -z))
    if threshold_weight is not None:
        terms = _per_threshold(threshold_weight, z) * terms
    return labels.settle(ops.sum(terms, axis=-1))


@register
class CoralLoss(FunctionLoss):
    r"""CORAL loss: ordinal classification by one binary cross-entropy per threshold.

    Use it for ordinal classification (ordinal regression), where the classes are
    ordered, such as ratings, ages or grades of a disease. CORAL predicts, for each
    threshold between two classes, whether the class is above it. All thresholds share
    the weights of the last layer and differ only in their biases; without that, the
    predictions may contradict each other, and `CornLoss` is the better choice. Keras
    has no equivalent.

    $$ L = \sum_{k=0}^{K-2} w_k \left( \log(1 + e^{z_k}) - [y > k]\, z_k \right) $$

    $z_k$ is the logit of threshold $k$ out of $K - 1$, so that
    $1 / (1 + e^{-z_k})$ is the probability that the class $y$ is greater than $k$.
    $[y > k]$ is 1 if it is and 0 if not, and $w_k$ is the weight of the threshold.

    The last layer is `tfx_extras.layers.Coral(K)`, which has $K - 1$ outputs, one
    fewer than there are classes.
    `ordinal_probabilities(logits, conditional=False)` returns the probabilities of the
    classes. The predicted class is the number of positive logits:
    `keras.ops.sum(logits > 0, axis=-1)`.

    The loss of a sample is the sum over the thresholds, not their mean, as in
    `coral-pytorch`, whose `importance_weights` are `threshold_weight`.

    Returns one loss per sample, in nats, of shape `(batch, ...)`, which `reduction`
    averages. It is NaN where a label is out of range and checking all labels would be
    slow: in compiled code and on a GPU. Time and memory grow linearly with the number
    of logits.

    Args:
        threshold_weight: $w$, in [0, inf): the weights of the thresholds, of shape
            `(K - 1,)`. `None` gives all the weight 1.
        **kwargs: `name`, `reduction` and `dtype`: see `LossOptions`.

    Call arguments:
        y_true: Classes $y$: integers in [0, K), of the shape of `y_pred` without its
            last axis, or with a last axis of size 1.
        y_pred: Logits $z$, any real numbers, of shape `(batch, ..., K - 1)`: one for
            each threshold between $K$ classes.

    Raises:
        ValueError: If a weight is outside its interval, or, in a call, if the shapes do
            not match, `threshold_weight` does not have one number per threshold, or a
            label is found to be out of range.
        TypeError: If an argument has the wrong type or an unknown name.

    Example:
        >>> logits = tfx_extras.layers.Coral(3)(keras.Input((8,)))
        >>> loss = tfx_extras.losses.CoralLoss(threshold_weight=[1.0, 0.5])
        >>> value = loss([0, 2], [[-2.0, -4.0], [3.0, 1.0]])
        >>> print(f"{float(value):.4f}")
        0.1706

    Reference: Cao et al., 2019. https://arxiv.org/abs/1901.07884
    """

    function = staticmethod(coral_loss)

    @typechecked
    def __init__(
        self,
        threshold_weight: ClassWeights | None = None,
        **kwargs: Unpack[LossOptions],
    ):
        super().__init__(**kwargs)
        if threshold_weight is not None:
            threshold_weight = require_each(
                "threshold_weight", threshold_weight, "[0, inf)"
            )
        self.threshold_weight = threshold_weight


@register
def corn_loss(y_true, y_pred, gather: bool = False):
    r"""CORN loss: ordinal classification by conditional probabilities.

    Function form of `CornLoss`, which has the formula.

    Args:
        y_true: Classes $y$: integers in [0, K), of shape `(batch,)` or `(batch, 1)`.
        y_pred: Logits $z$, any real numbers, of shape `(batch, K - 1)`: one for each
            threshold between $K$ classes.
        gather: Whether to count the pairs $N$ over all replicas of a data-parallel run.
            The loss then equals the loss of the whole batch on one device.

    Returns:
        One loss per sample, in nats, of shape `(batch,)`, in `float32` or wider, scaled
        by $B / N$ for batch size $B$. It is NaN where a label is out of range and
        checking all labels would be slow: in compiled code and on a GPU.

    Raises:
        ValueError: If the shapes do not match, or a label is found to be out of range.

    Example:
        >>> loss = tfx_extras.losses.corn_loss([0, 2], [[1.0, -1.0], [1.0, -1.0]])
        >>> print(keras.ops.convert_to_numpy(loss).round(3))
        [0.876 1.084]
    """
    labels, z = _thresholds(y_true, y_pred, "keras.layers.Dense(K - 1)", rank=2)
    own, thresholds = _places(labels, z)
    counts = own >= thresholds
    z = ops.where(own > thresholds, z, -z)
    # Not a product with 0, which would keep NaN and infinite gradients.
    z = ops.where(counts, z, ops.convert_to_tensor(SURE, z.dtype))
    loss = -ops.sum(ops.log_sigmoid(z), axis=-1)
    pairs = ops.sum(ops.cast(counts, z.dtype), axis=-1)
    if gather:
        pairs, _ = backend.gather(pairs)
    samples = ops.cast(ops.shape(pairs)[0], z.dtype)
    return labels.settle(loss * (samples / at_least(ops.sum(pairs), 1.0)))


@register
class CornLoss(FunctionLoss):
    r"""CORN loss: ordinal classification by conditional probabilities.

    Use it for ordinal classification (ordinal regression), where the classes are
    ordered, such as ratings, ages or grades of a disease. The probabilities of the
    thresholds never contradict each other, whatever the last layer is. `CoralLoss`
    needs `tfx_extras.layers.Coral`, whose thresholds share their weights. Keras has no
    equivalent.

    $$ L = \frac1N \sum_i \sum_{k=0}^{\min(y_i,\, K-2)} \left(
        \log(1 + e^{z_{ik}}) - [y_i > k]\, z_{ik} \right) $$

    $z_{ik}$ is the logit of threshold $k$ out of $K - 1$ for sample $i$.
    $1 / (1 + e^{-z_{ik}})$ is the probability that its class $y_i$ is greater than $k$
    if it is greater than $k - 1$. So only samples whose class is at least $k$ count at
    threshold $k$, and $N$ is the number of all such pairs of a sample and a threshold.
    $[y_i > k]$ is 1 if the class is greater than $k$ and 0 if not.

    The last layer is a dense layer with $K - 1$ outputs, one fewer than there are
    classes. `ordinal_probabilities(logits, conditional=True)` returns the probabilities
    of the classes. The predicted class is the number of thresholds that are exceeded
    with a probability above 1/2, which is the product of the conditional ones up to
    there: `keras.ops.sum(keras.ops.cumprod(keras.ops.sigmoid(logits), axis=-1) > 0.5,
    axis=-1)`.

    Returns one loss per sample, in nats, of shape `(batch,)`, which `reduction`
    averages. Each is scaled by $B / N$ for batch size $B$, so that their mean is $L$.
    This mean over pairs is that of `coral-pytorch` 1.4.0. The loss is NaN where a label
    is out of range and checking all labels would be slow: in compiled code and on a
    GPU. Time and memory grow linearly with the number of logits.

    Args:
        gather: Whether to count the pairs $N$ over all replicas of a data-parallel run.
            The loss then equals the loss of the whole batch on one device.
        **kwargs: `name`, `reduction` and `dtype`: see `LossOptions`.

    Call arguments:
        y_true: Classes $y$: integers in [0, K), of shape `(batch,)` or `(batch, 1)`.
        y_pred: Logits $z$, any real numbers, of shape `(batch, K - 1)`: one for each
            threshold between $K$ classes.

    Raises:
        ValueError: If the shapes do not match, or a label is found to be out of range.
        TypeError: If an argument has the wrong type or an unknown name.

    Example:
        >>> loss = tfx_extras.losses.CornLoss()
        >>> value = loss([0, 2], [[-2.0, -4.0], [3.0, 1.0]])
        >>> print(f"{float(value):.4f}")
        0.1629

    Reference: Shi et al., 2021. https://arxiv.org/abs/2111.08851
    """

    function = staticmethod(corn_loss)

    @typechecked
    def __init__(self, gather: bool = False, **kwargs: Unpack[LossOptions]):
        super().__init__(**kwargs)
        self.gather = gather


@register
def earth_mover_loss(
    y_true,
    y_pred,
    r: Number = 2.0,
    root: bool = True,
    from_logits: bool = False,
):
    r"""Earth mover loss (EMD): distance of distributions over ordered classes.

    Function form of `EarthMoverLoss`, which has the formula.

    Args:
        y_true: Classes: integers in [0, classes), of the shape of `y_pred` without its
            last axis, or labels $y$ in [0, 1], which sum to 1, of the shape of
            `y_pred`.
        y_pred: Predictions, of shape `(batch, ..., classes)`: probabilities, which are
            divided by their sum, or, with `from_logits`, logits.
        r: $r$, in [1, inf): the power of the differences. With 1 all count alike, with
            2 large ones count more.
        root: Whether to take the root of power $r$ of the mean.
        from_logits: Whether `y_pred` holds logits (any real numbers) instead of
            probabilities.

    Returns:
        One loss per sample, in [0, 1], of shape `(batch, ...)`, in `float32` or wider.
        It is NaN where a label is out of range and checking all labels would be slow:
        in compiled code and on a GPU.

    Raises:
        ValueError: If the shapes do not match, or a label is found to be out of range.

    Example:
        >>> loss = tfx_extras.losses.earth_mover_loss(
        ...     [0, 0], [[0.5, 0.5, 0.0, 0.0], [0.5, 0.0, 0.0, 0.5]], r=1)
        >>> print(keras.ops.convert_to_numpy(loss))
        [0.125 0.375]
    """
    settle, size, classes = _moved(y_true, y_pred, from_logits)

    def mean_power(size):
        powers = size if r == 1 else ops.square(size) if r == 2 else size**r
        return ops.sum(powers, axis=-1) / ops.cast(classes, size.dtype)

    if r == 1 or not root:
        return settle(mean_power(size))
    # Divide by the largest value first, so that powers do not underflow. The root is
    # homogeneous, so the largest may be a constant for the gradient.
    largest = backend.largest(ops.stop_gradient(size), 0.0)
    unit = ops.where(largest > 0, largest, ops.ones_like(largest))
    rest = at_least(mean_power(size / unit), TINY)  # 0 for equal distributions
    rest = ops.sqrt(rest) if r == 2 else rest ** (1 / r)
    return settle(largest[..., 0] * rest)


@register
class EarthMoverLoss(FunctionLoss):
    r"""Earth mover loss (EMD): distance of distributions over ordered classes.

    Use it for ordinal classification, where the classes are ordered and confusing
    distant classes is worse than confusing neighbors, and for distributions of ratings,
    as in NIMA. Cross-entropy ignores the order. Its gradient vanishes where the softmax
    is sure of a wrong class, so training often starts with
    `keras.losses.CategoricalCrossentropy` or adds it. `CoralLoss` and `CornLoss` do not
    have this weakness, but need another last layer.

    $$ L = \left( \frac1K \sum_{k=0}^{K-1} \left| \sum_{j \le k} (y_j - p_j) \right|^r
        \right)^{1/r} $$

    $y_j$ is the true and $p_j$ the predicted probability of class $j$ out of $K$, so
    that the inner sums compare the cumulative distributions. Without `root`, the outer
    exponent $1/r$ is left out. With $r = 1$, $L$ is the Wasserstein distance of both
    distributions, divided by $K$.

    With the defaults, it is the loss of NIMA. With `root=False`, it is $1/K$ times the
    squared loss of Hou et al. The loss of distributions that are equal is 0, and so is
    its gradient there.

    Returns one loss per sample, in [0, 1], of shape `(batch, ...)`, which `reduction`
    averages. It is NaN where a label is out of range and checking all labels would be
    slow: in compiled code and on a GPU. Time and memory grow linearly with the number
    of predictions.

    Args:
        r: $r$, in [1, inf): the power of the differences. With 1 all count alike, with
            2 large ones count more.
        root: Whether to take the root of power $r$ of the mean.
        from_logits: Whether `y_pred` holds logits (any real numbers) instead of
            probabilities.
        **kwargs: `name`, `reduction` and `dtype`: see `LossOptions`.

    Call arguments:
        y_true: Classes: integers in [0, classes), of the shape of `y_pred` without its
            last axis, or labels $y$ in [0, 1], which sum to 1, of the shape of
            `y_pred`.
        y_pred: Predictions, of shape `(batch, ..., classes)`: probabilities, which are
            divided by their sum, or, with `from_logits`, logits.

    Raises:
        ValueError: If an argument is outside its interval, or, in a call, if the shapes
            do not match, or a label is found to be out of range.
        TypeError: If an argument has the wrong type or an unknown name.

    Example:
        >>> loss = tfx_extras.losses.EarthMoverLoss()
        >>> value = loss([0, 1], [[0.5, 0.5, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0]])
        >>> print(float(value))
        0.125

    References:
        Talebi and Milanfar, 2017 (NIMA). https://arxiv.org/abs/1709.05424
        Hou et al., 2016. https://arxiv.org/abs/1611.05916
    """

    function = staticmethod(earth_mover_loss)

    @typechecked
    def __init__(
        self,
        r: Number = 2.0,
        root: bool = True,
        from_logits: bool = False,
        **kwargs: Unpack[LossOptions],
    ):
        super().__init__(**kwargs)
        self.r = require("r", r, "[1, inf)")
        self.root = root
        self.from_logits = from_logits


@typechecked
def ordinal_probabilities(logits, conditional: bool):
    r"""Ordinal probabilities: those of the classes, from the logits of thresholds.

    Use it after a model that was trained with `CoralLoss` or `CornLoss`, whose logits
    belong to the thresholds between the classes. Keras has no equivalent.

    $$ P(y = k) = P(y > k - 1) - P(y > k), \quad P(y > k) = \begin{cases}
        \sigma(z_k) & \text{CORAL} \\
        \prod_{j \le k} \sigma(z_j) & \text{CORN} \end{cases} $$

    $z_k$ is the logit of threshold $k$ out of $K - 1$, and
    $\sigma(z) = 1 / (1 + e^{-z})$. $P(y > -1)$ is 1 and $P(y > K - 1)$ is 0.

    The probabilities sum to 1. With `conditional`, none is negative. Without, those of
    neighbors are negative where logits increase, as they do not in CORAL, whose
    thresholds have decreasing biases.

    Args:
        logits: Logits $z$, any real numbers, of shape `(..., K - 1)`.
        conditional: Whether the logits are those of CORN (`True`), each under the
            condition that all thresholds before it are exceeded, or those of CORAL
            (`False`).

    Returns:
        Probabilities of the $K$ classes, of shape `(..., K)`, in `float32` or wider.

    Raises:
        ValueError: If `logits` has no axis.

    Example:
        >>> p = tfx_extras.losses.ordinal_probabilities(
        ...     [[0.0, 0.0]], conditional=True)
        >>> print(keras.ops.convert_to_numpy(p))
        [[0.5  0.25 0.25]]

    References:
        Cao et al., 2019. https://arxiv.org/abs/1901.07884
        Shi et al., 2021. https://arxiv.org/abs/2111.08851
    """
    require_numbers("logits", logits)
    z = ops.convert_to_tensor(logits)
    z = ops.cast(z, wide(z.dtype))
    if len(z.shape) == 0:
        raise ValueError(
            "`logits` must have one logit per threshold on its last axis. "
            f"Received: logits.shape={tuple(z.shape)}"
        )
    if conditional:
        above, below = ops.log_sigmoid(z), ops.log_sigmoid(-z)
        nothing = ops.zeros_like(z[..., :1])
        before = ops.concatenate([nothing, backend.cumsum(above)], axis=-1)
        return ops.exp(before + ops.concatenate([below, nothing], axis=-1))
    above, below = ops.sigmoid(z), ops.sigmoid(-z)
    # 1 minus a probability near 1 would lose digits.
    is_likely = z[..., 1:] > 0
    falls = above[..., :-1] - above[..., 1:]
    rises = below[..., 1:] - below[..., :-1]
    between = ops.where(is_likely, rises, falls)
    return ops.concatenate([below[..., :1], between, above[..., -1:]], axis=-1)


def _thresholds(
    y_true, y_pred, layer: str, rank: int | None = None
) -> tuple[SparseLabels, Any]:
    """Returns the labels, and the logits of the thresholds in `float32` or wider.

    `layer` is the last layer of the model, for the error.
    """
    z = predictions(y_pred)
    shape = tuple(z.shape)
    if len(shape) < 2 or len(shape) != (rank or len(shape)):
        dots = "" if rank else " ...,"
        raise ValueError(
            f"`y_pred` must hold the logits of K - 1 thresholds between K classes, of "
            f"shape `(batch,{dots} K - 1)`: let the last layer be `{layer}`. Received: "
            f"y_pred.shape={shape}"
        )
    classes = ops.shape(z)[-1] + 1
    likely = (
        "`y_pred` must have K - 1 logits for K classes: let the last layer be "
        f"`{layer}`. Do labels start at 1? Then subtract 1."
    )
    like = "`y_pred` without its last axis", f"y_pred.shape={shape}"
    labels = class_of_each(y_true, z[..., 0], classes, None, like, likely=likely)
    return labels, z


def _places(labels: SparseLabels, z) -> tuple[Any, Any]:
    """Returns the class of each sample, and the numbers of the thresholds."""
    own = ops.expand_dims(labels.classes, -1)
    return own, ops.arange(ops.shape(z)[-1], dtype=own.dtype)


def _per_threshold(threshold_weight, z) -> Any:
    weights = ops.convert_to_tensor(threshold_weight, z.dtype)
    if len(weights.shape) != 1 or z.shape[-1] not in (weights.shape[0], None):
        raise ValueError(
            "Argument `threshold_weight` must have one weight for each of the "
            f"{z.shape[-1]} thresholds on the last axis of `y_pred`. Received: "
            f"threshold_weight.shape={tuple(weights.shape)}, "
            f"y_pred.shape={tuple(z.shape)}"
        )
    return weights


def _moved(y_true, y_pred, from_logits) -> tuple[Any, Any, Any]:
    """Returns how to settle the loss, what is moved past each threshold, and K."""
    y_pred = predictions(y_pred)
    require_numbers("y_true", y_true)
    if not hasattr(y_true, "shape"):
        y_true = ops.convert_to_tensor(y_true)
    ranks = len(y_true.shape), len(y_pred.shape)
    is_dense = ranks[0] == ranks[1] and y_true.shape[-1:] != (1,)
    make = dense_labels if is_dense else sparse_labels
    labels, y_pred = make(y_true, y_pred, None, -1)
    p = ops.softmax(y_pred) if from_logits else probabilities(y_pred, False).values
    # Sums of probabilities only: 1 minus a sum near 1 would lose digits.
    before, after = _below(p), _above(p)
    if isinstance(labels, SparseLabels):
        own, places = _places(labels, before)
        moved = ops.where(places < own, before, after)
    else:
        y = labels.shares
        require_shares(y)
        moved = _below(y) * after - _above(y) * before
        moved = moved * ops.stop_gradient(ops.sign(moved))
    return labels.settle, moved, ops.shape(y_pred)[-1]


def _below(p):
    """The probability of the classes up to each threshold."""
    return backend.cumsum(p[..., :-1])


def _above(p):
    """The probability of the classes above each threshold."""
    return ops.flip(backend.cumsum(ops.flip(p[..., 1:], -1)), -1)
