"""Self-supervised losses without negatives: features that vary and do not correlate."""

from typing import Any
from typing import Unpack

from keras import ops

from tfx_extras._backend import backend
from tfx_extras._checks import Number
from tfx_extras._checks import require
from tfx_extras._register import register
from tfx_extras._typed import typechecked
from tfx_extras.losses._base import FunctionLoss
from tfx_extras.losses._base import LossOptions
from tfx_extras.losses._base import mean
from tfx_extras.losses._batch import collected
from tfx_extras.losses._batch import own
from tfx_extras.losses._probabilities import at_least
from tfx_extras.losses.embedding._pairs import views

__all__ = ["BarlowTwinsLoss", "VICRegLoss", "barlow_twins_loss", "vicreg_loss"]


@register
def vicreg_loss(
    y_true,
    y_pred,
    invariance: Number = 25.0,
    variance: Number = 25.0,
    covariance: Number = 1.0,
    epsilon: Number = 1e-4,
    gather: bool = False,
):
    r"""VICReg loss: self-supervised learning by variance, invariance and covariance.

    Function form of `VICRegLoss`, which has the formula.

    Args:
        y_true: Ignored, since the views are compared with each other: `None`, or
            anything.
        y_pred: Embeddings of two views, of shape `(batch, 2, features)`, or a tuple or
            list of two tensors of shape `(batch, features)`.
        invariance: $\lambda$, in [0, inf): the weight of the distance of the views.
        variance: $\mu$, in [0, inf): the weight of the term that keeps the standard
            deviation of each feature above 1.
        covariance: $\nu$, in [0, inf): the weight of the squared covariances.
        epsilon: $\epsilon$, in (0, inf). It is added to variances, and keeps the
            gradient finite where all embeddings are equal.
        gather: Whether to gather the samples of all replicas of a data-parallel run
            first, so that variances and covariances are those of all of them. The loss
            then equals the loss of the whole batch on one device.

    Returns:
        One loss per sample, in [0, inf), of shape `(batch,)`, in `float32` or wider:
        its own distance of the views, plus the terms of the whole batch.

    Raises:
        ValueError: If shapes do not match.

    Example:
        >>> loss = tfx_extras.losses.vicreg_loss(
        ...     None, [[[1.0, 0.0], [1.0, 0.0]], [[0.0, 1.0], [0.6, 0.8]]])
        >>> print(keras.ops.convert_to_numpy(loss).round(3))
        [11.131 16.131]
    """
    a, b = views(y_pred, 2)
    distance = mean(ops.square(a - b))
    all_a, all_b = _centered(a, gather), _centered(b, gather)
    spread = (_spread(all_a, epsilon) + _spread(all_b, epsilon)) / 2
    correlation = _correlation(all_a) + _correlation(all_b)
    return invariance * distance + (variance * spread + covariance * correlation)


@register
class VICRegLoss(FunctionLoss):
    r"""VICReg loss: self-supervised learning by variance, invariance and covariance.

    Use it for self-supervised learning without labels and without negatives, where
    `NTXentLoss` would need large batches. Both views are augmentations of the same
    sample, or come from two models, even of two modalities. Embeddings are neither
    normalized nor compared between samples: the variance term keeps them from
    collapsing to one point, and the covariance term from repeating a feature.
    `BarlowTwinsLoss` standardizes features and has one weight less. Keras has no
    equivalent.

    $$ L = \frac{\lambda}{B D} \sum_{i=1}^B \sum_{d=1}^D (a_{id} - b_{id})^2
        + \frac{\mu}{2} \left( v(a) + v(b) \right) + \nu \left( c(a) + c(b) \right) $$
    $$ v(z) = \frac1D \sum_{d=1}^D \max\left( 0,\, 1 - \sqrt{C_{dd} + \epsilon} \right),
        \quad c(z) = \frac1D \sum_{d \ne e} C_{de}^2 $$

    $a$ and $b$ are the embeddings of both views, of $B$ samples and $D$ features. $C$
    is the covariance matrix of the features of $z$, which is $a$ or $b$, over the
    batch, divided by $B - 1$. $\lambda$, $\mu$ and $\nu$ are the weights of invariance,
    variance and covariance, and $\epsilon$ is a small number.

    The paper's formula does not halve the variance term. The authors' code does, and
    their weights are chosen for it, so this loss does too. If all embeddings are equal,
    the loss is $\mu (1 - \sqrt\epsilon)$.

    Returns one loss per sample, of shape `(batch,)`, which `reduction` averages: the
    term of its own two views, plus the terms of the whole batch, so that the mean is
    $L$. Time grows with the batch size times the square of the number of features, and
    memory with that square. The variance of a batch of one sample counts as 0.

    Args:
        invariance: $\lambda$, in [0, inf): the weight of the distance of the views.
        variance: $\mu$, in [0, inf): the weight of the term that keeps the standard
            deviation of each feature above 1.
        covariance: $\nu$, in [0, inf): the weight of the squared covariances.
        epsilon: $\epsilon$, in (0, inf). It is added to variances, and keeps the
            gradient finite where all embeddings are equal.
        gather: Whether to gather the samples of all replicas of a data-parallel run
            first, so that variances and covariances are those of all of them. The loss
            then equals the loss of the whole batch on one device.
        **kwargs: `name`, `reduction` and `dtype`: see `LossOptions`.

    Call arguments:
        y_true: Ignored, since the views are compared with each other: `None`, or
            anything.
        y_pred: Embeddings of two views, of shape `(batch, 2, features)`, or a tuple or
            list of two tensors of shape `(batch, features)`.

    Raises:
        ValueError: If an argument is outside its interval, or if shapes do not match in
            a call.
        TypeError: If an argument has the wrong type or an unknown name.

    Example:
        >>> loss = tfx_extras.losses.VICRegLoss()
        >>> value = loss(None, [[[1.0, 0.0], [1.0, 0.0]], [[0.0, 1.0], [0.6, 0.8]]])
        >>> print(f"{float(value):.4f}")
        13.6309

    Reference: Bardes et al., 2021. https://arxiv.org/abs/2105.04906
    """

    function = staticmethod(vicreg_loss)

    @typechecked
    def __init__(
        self,
        invariance: Number = 25.0,
        variance: Number = 25.0,
        covariance: Number = 1.0,
        epsilon: Number = 1e-4,
        gather: bool = False,
        **kwargs: Unpack[LossOptions],
    ):
        super().__init__(**kwargs)
        self.invariance = require("invariance", invariance, "[0, inf)")
        self.variance = require("variance", variance, "[0, inf)")
        self.covariance = require("covariance", covariance, "[0, inf)")
        self.epsilon = require("epsilon", epsilon, "(0, inf)")
        self.gather = gather


@register
def barlow_twins_loss(
    y_true,
    y_pred,
    off_diagonal: Number = 0.005,
    epsilon: Number = 1e-5,
    gather: bool = False,
):
    r"""Barlow Twins loss: self-supervised learning by decorrelated features.

    Function form of `BarlowTwinsLoss`, which has the formula.

    Args:
        y_true: Ignored, since the views are compared with each other: `None`, or
            anything.
        y_pred: Embeddings of two views, of shape `(batch, 2, features)`, or a tuple or
            list of two tensors of shape `(batch, features)`.
        off_diagonal: $\lambda$, in [0, inf): the weight of the squared correlations of
            different features.
        epsilon: $\epsilon$, in (0, inf). It is added to variances, and keeps the
            gradient finite where all embeddings are equal.
        gather: Whether to gather the samples of all replicas of a data-parallel run
            first, so that correlations are those of all of them. The loss then equals
            the loss of the whole batch on one device.

    Returns:
        The loss of the batch, in [0, inf), once per sample, of shape `(batch,)`, in
        `float32` or wider.

    Raises:
        ValueError: If shapes do not match.

    Example:
        >>> loss = tfx_extras.losses.barlow_twins_loss(
        ...     None, [[[1.0, 0.0], [0.9, 0.1]], [[0.0, 1.0], [0.2, 0.8]]])
        >>> print(keras.ops.convert_to_numpy(loss).round(4))
        [0.01 0.01]
    """
    a, b = views(y_pred, 2)
    everything = ops.zeros_like(mean(a))
    (a, of_a), (b, of_b) = (
        _standardized(_centered(view, gather), epsilon) for view in (a, b)
    )
    samples = _samples(a)
    # 1 minus the correlation of a feature with itself, without a difference that would
    # cancel where the views agree.
    missing = ops.sum(ops.square(a - b), axis=0) / samples + epsilon * (of_a + of_b)
    across = _between(a, b) / samples
    total = ops.sum(ops.square(missing / 2)) + off_diagonal * _off_diagonal(across)
    return everything + total


@register
class BarlowTwinsLoss(FunctionLoss):
    r"""Barlow Twins loss: self-supervised learning by decorrelated features.

    Use it for self-supervised learning without labels and without negatives, where
    `NTXentLoss` would need large batches. Both views are augmentations of the same
    sample. Each feature should be the same in both views, and not correlate with other
    features, so that embeddings cannot collapse. It works best with embeddings of
    thousands of features. `VICRegLoss` does not standardize features, and its two views
    may come from different models. Keras has no equivalent.

    $$ L = \sum_{d=1}^D (1 - C_{dd})^2 + \lambda \sum_{d \ne e} C_{de}^2, \quad
        C_{de} = \frac1B \sum_{i=1}^B \frac{a_{id} - \bar a_d}{\sigma(a_d)}\,
        \frac{b_{ie} - \bar b_e}{\sigma(b_e)} $$

    $a$ and $b$ are the embeddings of both views, of $B$ samples and $D$ features.
    $\bar a_d$ is the mean of a feature over the batch, and $\sigma(a_d)$ the square
    root of its variance plus $\epsilon$, separately in each view. $C$ is the matrix of
    correlations of the features of one view with the features of the other, and
    $\lambda$ the weight of the elements off its diagonal.

    If all embeddings are equal, or the batch has one sample, the loss is $D$, with
    gradient 0. $L$ is a sum over features, so it grows with their number.

    Returns $L$ once per sample, of shape `(batch,)`, which `reduction` averages, since
    the formula has no terms of single samples. Time grows with the batch size times the
    square of the number of features, and memory with that square.

    Args:
        off_diagonal: $\lambda$, in [0, inf): the weight of the squared correlations of
            different features.
        epsilon: $\epsilon$, in (0, inf). It is added to variances, and keeps the
            gradient finite where all embeddings are equal.
        gather: Whether to gather the samples of all replicas of a data-parallel run
            first, so that correlations are those of all of them. The loss then equals
            the loss of the whole batch on one device.
        **kwargs: `name`, `reduction` and `dtype`: see `LossOptions`.

    Call arguments:
        y_true: Ignored, since the views are compared with each other: `None`, or
            anything.
        y_pred: Embeddings of two views, of shape `(batch, 2, features)`, or a tuple or
            list of two tensors of shape `(batch, features)`.

    Raises:
        ValueError: If an argument is outside its interval, or if shapes do not match in
            a call.
        TypeError: If an argument has the wrong type or an unknown name.

    Example:
        >>> loss = tfx_extras.losses.BarlowTwinsLoss()
        >>> value = loss(None, [[[1.0, 0.0], [0.9, 0.1]], [[0.0, 1.0], [0.2, 0.8]]])
        >>> print(f"{float(value):.4f}")
        0.0100

    Reference: Zbontar et al., 2021. https://arxiv.org/abs/2103.03230
    """

    function = staticmethod(barlow_twins_loss)

    @typechecked
    def __init__(
        self,
        off_diagonal: Number = 0.005,
        epsilon: Number = 1e-5,
        gather: bool = False,
        **kwargs: Unpack[LossOptions],
    ):
        super().__init__(**kwargs)
        self.off_diagonal = require("off_diagonal", off_diagonal, "[0, inf)")
        self.epsilon = require("epsilon", epsilon, "(0, inf)")
        self.gather = gather


def _samples(z) -> Any:
    """The number of samples, at least 1, as a number of the dtype of `z`."""
    return at_least(ops.cast(ops.shape(z)[0], z.dtype), 1.0)


def _freedom(z) -> Any:
    """The degrees of freedom of a variance, at least 1."""
    return at_least(ops.cast(ops.shape(z)[0], z.dtype) - 1, 1.0)


def _centered(view, gather):
    """The embeddings of all samples, minus their mean."""
    z, _ = collected(view, gather)
    return z - ops.sum(z, axis=0, keepdims=True) / _samples(z)


def _standardized(z, epsilon) -> tuple[Any, Any]:
    """Centered embeddings over their deviations, and the inverse variances."""
    inverse = 1 / (ops.sum(ops.square(z), axis=0) / _samples(z) + epsilon)
    return z * ops.sqrt(inverse), inverse


def _spread(z, epsilon):
    """How far standard deviations are below 1, in the mean over the features."""
    missing = 1 - ops.sqrt(ops.sum(ops.square(z), axis=0) / _freedom(z) + epsilon)
    return mean(at_least(missing, 0.0))


def _correlation(z):
    """The sum of the squared covariances of different features, over their number."""
    features = ops.cast(ops.shape(z)[-1], z.dtype)
    return _off_diagonal(_between(z, z) / _freedom(z)) / features


def _between(a, b):
    """The inner products of all features of `a` and `b`, of shape `(D, D)`."""
    return backend.products(ops.transpose(a), ops.transpose(b))


def _off_diagonal(matrix):
    """The sum of the squares of all elements that are not on the diagonal."""
    is_own = own(matrix, matrix, 0)
    return ops.sum(ops.where(is_own, ops.zeros_like(matrix), ops.square(matrix)))
