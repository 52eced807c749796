"""Continuous ranked probability scores (CRPS) of forecasts."""

import math
from typing import Unpack

from keras import ops

from tfx_extras._backend import backend
from tfx_extras._register import register
from tfx_extras._typed import typechecked
from tfx_extras.losses._base import FunctionLoss
from tfx_extras.losses._base import LossOptions
from tfx_extras.losses._base import predictions
from tfx_extras.losses.regression._parameters import exponential
from tfx_extras.losses.regression._parameters import one_target_each
from tfx_extras.losses.regression._parameters import parameters

__all__ = [
    "EnsembleCRPSLoss",
    "GaussianCRPSLoss",
    "ensemble_crps",
    "gaussian_crps",
]


@register
def gaussian_crps(y_true, y_pred):
    r"""Gaussian CRPS loss: continuous ranked probability score of a normal forecast.

    Function form of `GaussianCRPSLoss`, which has the formula.

    Args:
        y_true: Targets $y$, any real numbers, of shape `(...)` or `(..., 1)`.
        y_pred: Means $\mu$ and log scales $c$, any real numbers: of shape `(..., 2)`,
            or, in a direct call, a tuple of two tensors of the shape of `y_true`.

    Returns:
        One loss per target, in the unit of $y$, of shape `(...)`, in `float32` or
        wider.

    Raises:
        ValueError: If shapes do not match.

    Example:
        >>> loss = tfx_extras.losses.gaussian_crps([0.0, 2.0], [[0.0, 0.0], [1.0, 0.0]])
        >>> print(keras.ops.convert_to_numpy(loss).round(4))
        [0.2337 0.6024]
    """
    y, (mu, c) = parameters(y_true, y_pred, ("mean", "log scale"))
    sigma = exponential(c)
    error = y - mu
    w = error * exponential(-c)
    density = ops.exp(ops.square(w) / -2)
    spread = math.sqrt(2 / math.pi) * density - 1 / math.sqrt(math.pi)
    return error * ops.erf(w / math.sqrt(2)) + sigma * spread


@register
class GaussianCRPSLoss(FunctionLoss):
    r"""Gaussian CRPS loss: continuous ranked probability score of a normal forecast.

    Use it to train and to score forecasts of a normal distribution, for example of the
    weather or of demand. It is a proper score, like `GaussianNLLLoss`, but grows
    linearly with the error and stays finite as the scale approaches 0, so that outliers
    and too narrow forecasts do less harm. The model outputs a mean and a log scale,
    without an activation. For samples of a forecast, use `EnsembleCRPSLoss`. Keras has
    no equivalent; `keras.losses.MeanAbsoluteError` is the case of scale 0.

    $$ L = \sigma \left( w\, (2 \Phi(w) - 1) + 2 \varphi(w) - \frac1{\sqrt\pi} \right),
        \quad w = \frac{y - \mu}\sigma, \quad \sigma = e^c $$

    $y$ is a target, $\mu$ its predicted mean, and $c$ the logarithm of its predicted
    scale $\sigma$. $\Phi$ and $\varphi$ are the distribution function and the density
    of the standard normal distribution. The loss is the integral of the squared
    difference between the predicted distribution function and the step at $y$. It is
    never negative.

    Beyond $|c| = 40$, exponentials continue as straight lines, so that neither the loss
    nor its gradient overflows.

    Returns one loss per target, in the unit of $y$, of shape `(...)`, which `reduction`
    averages. Targets of shape `(batch, steps)` have losses of shape `(batch, steps)`,
    which the masks and the weights of sequences fit. Time and memory grow linearly with
    the number of targets.

    Args:
        **kwargs: `name`, `reduction` and `dtype`: see `LossOptions`.

    Call arguments:
        y_true: Targets $y$, any real numbers, of shape `(...)` or `(..., 1)`.
        y_pred: Means $\mu$ and log scales $c$, any real numbers: of shape `(..., 2)`,
            or, in a direct call, a tuple of two tensors of the shape of `y_true`.

    Raises:
        ValueError: If shapes do not match in a call.
        TypeError: If an argument has the wrong type or an unknown name.

    Example:
        >>> loss = tfx_extras.losses.GaussianCRPSLoss()
        >>> value = loss([0.0, 2.0], [[0.0, 0.0], [1.0, 0.0]])
        >>> print(f"{float(value):.4f}")
        0.4181

    Reference: Gneiting and Raftery, 2007.
        https://doi.org/10.1198/016214506000001437
    """

    function = staticmethod(gaussian_crps)

    @typechecked
    def __init__(self, **kwargs: Unpack[LossOptions]):
        super().__init__(**kwargs)


@register
def ensemble_crps(y_true, y_pred, fair: bool = True):
    r"""Ensemble CRPS loss: continuous ranked probability score of samples.

    Function form of `EnsembleCRPSLoss`, which has the formula.

    Args:
        y_true: Targets $y$, any real numbers, of shape `(...)` or `(..., 1)`.
        y_pred: Members $x$ of the ensemble, any real numbers, of shape
            `(..., members)`.
        fair: Whether to correct for the finite number of members, so that the best
            members are samples of the true distribution. It needs two members.

    Returns:
        One loss per target, in the unit of $y$, of shape `(...)`, in `float32` or
        wider.

    Raises:
        ValueError: If shapes do not match, or `fair` is set and there is one member.

    Example:
        >>> loss = tfx_extras.losses.ensemble_crps([1.0], [[0.0, 1.0, 3.0]])
        >>> print(keras.ops.convert_to_numpy(loss))
        [0.]
    """
    y_pred = predictions(y_pred)
    message = (
        "`y_pred` must have the members of the ensemble on its last axis, and `y_true` "
        "the same shape without this axis or with size 1 there. "
        "Received: y_true.shape={}, "
        f"y_pred.shape={tuple(y_pred.shape)}"
    )
    y, like = one_target_each(y_true, y_pred, message)
    y, _ = backend.same_shape(y, like)
    count = y_pred.shape[-1]
    if fair and count == 1:
        raise ValueError(
            "Argument `fair` must be False for an ensemble of one member. "
            f"Received: fair={fair}, y_pred.shape={tuple(y_pred.shape)}"
        )
    # Differences between members are those between their errors, which are smaller.
    error = ops.sort(y_pred - ops.expand_dims(y, -1), axis=-1)
    size = ops.shape(error)[-1]
    rank = ops.arange(size, dtype="int32")
    members = ops.cast(size, error.dtype)
    weight = ops.cast(2 * rank + 1 - size, error.dtype)
    weight = weight / (members - 1 if fair else members)
    # The absolute value by `sign`, as the gradient of `abs` is 1 at 0 in JAX.
    return ops.sum(error * (ops.sign(error) - weight), axis=-1) / members


@register
class EnsembleCRPSLoss(FunctionLoss):
    r"""Ensemble CRPS loss: continuous ranked probability score of samples.

    Use it to train and to score ensembles: several equally likely values per target,
    such as those of weather models, of a generator with noise as input, or of several
    networks. It needs no assumption about the distribution. If one network outputs all
    members without noise, set `fair=False`: with the fair loss, the outermost members
    move to the ends of the distribution and beyond. For the two parameters of a normal
    distribution, use `GaussianCRPSLoss`. Keras has no equivalent;
    `keras.losses.MeanAbsoluteError` is the case of one member.

    $$ L = \frac1M \sum_{i=1}^M |x_i - y|
        - \frac1{2 M (M - 1)} \sum_{i=1}^M \sum_{j=1}^M |x_i - x_j| $$

    $y$ is a target, $x_i$ a member of its ensemble, and $M$ the number of members. The
    first term draws the members towards the target, the second one apart. With
    `fair=False`, the denominator is $2 M^2$: the score of the ensemble as a
    distribution with $M$ steps, whose best members are too close together. The fair
    loss may be negative for a single target, but not on average.

    The differences are computed by sorting, in $O(M \log M)$ instead of $O(M^2)$. Where
    members are equal to each other or to the target, the loss has an edge, and the
    gradient is one of those on both sides.

    Returns one loss per target, in the unit of $y$, of shape `(...)`, which `reduction`
    averages. Targets of shape `(batch, steps)` have losses of shape `(batch, steps)`,
    which the masks and the weights of sequences fit. Memory grows linearly with the
    size of `y_pred`.

    Args:
        fair: Whether to correct for the finite number of members, so that the best
            members are samples of the true distribution. It needs two members.
        **kwargs: `name`, `reduction` and `dtype`: see `LossOptions`.

    Call arguments:
        y_true: Targets $y$, any real numbers, of shape `(...)` or `(..., 1)`.
        y_pred: Members $x$ of the ensemble, any real numbers, of shape
            `(..., members)`.

    Raises:
        ValueError: If, in a call, shapes do not match, or `fair` is set and there is
            one member.
        TypeError: If an argument has the wrong type or an unknown name.

    Example:
        >>> loss = tfx_extras.losses.EnsembleCRPSLoss(fair=False)
        >>> print(f"{float(loss([1.0], [[0.0, 1.0, 3.0]])):.4f}")
        0.3333

    Reference: Gneiting and Raftery, 2007.
        https://doi.org/10.1198/016214506000001437. The fair score: Ferro, 2014.
        https://doi.org/10.1002/qj.2270
    """

    function = staticmethod(ensemble_crps)

    @typechecked
    def __init__(self, fair: bool = True, **kwargs: Unpack[LossOptions]):
        super().__init__(**kwargs)
        self.fair = fair
