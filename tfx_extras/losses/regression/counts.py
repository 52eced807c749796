"""Losses for counts, rates and amounts: non-negative targets, many of them 0."""

from typing import Unpack

from keras import ops

from tfx_extras._backend import backend
from tfx_extras._checks import Number
from tfx_extras._checks import require
from tfx_extras._register import register
from tfx_extras._typed import typechecked
from tfx_extras.losses._base import FunctionLoss
from tfx_extras.losses._base import LossOptions
from tfx_extras.losses._base import aligned
from tfx_extras.losses._base import mean
from tfx_extras.losses._probabilities import TINY
from tfx_extras.losses._probabilities import at_least
from tfx_extras.losses._probabilities import log_add_exp
from tfx_extras.losses._probabilities import softplus
from tfx_extras.losses._slopes import elementwise
from tfx_extras.losses.regression._gamma import LOG_2_PI
from tfx_extras.losses.regression._gamma import stirling_error
from tfx_extras.losses.regression._parameters import LIMIT
from tfx_extras.losses.regression._parameters import exponential
from tfx_extras.losses.regression._parameters import limited
from tfx_extras.losses.regression._parameters import parameters

__all__ = [
    "NegativeBinomialNLLLoss",
    "PoissonNLLLoss",
    "TweedieLoss",
    "negative_binomial_nll",
    "poisson_nll",
    "tweedie_loss",
]

# Log dispersions between which nothing overflows. Below, it is a Poisson distribution.
LOW, HIGH = -30.0, 15.0


@register
def poisson_nll(y_true, y_pred):
    r"""Poisson NLL loss: negative log-likelihood of counts for predicted log rates.

    Function form of `PoissonNLLLoss`, which has the formula.

    Args:
        y_true: Counts $y$, in [0, inf), of shape `(..., values)`. Integers may have any
            dtype. They need not be whole.
        y_pred: Logarithms $x$ of the rates, any real numbers, of the same shape.

    Returns:
        One loss per sample, in nats, of shape `(...)`, in `float32` or wider.
        Predictions of shape `(batch,)` have one loss each. The loss is NaN where a
        count is negative and checking all counts would be slow: in compiled code and on
        a GPU.

    Raises:
        ValueError: If shapes do not match, or a count is found to be negative.

    Example:
        >>> loss = tfx_extras.losses.poisson_nll([0, 3], [0.0, 1.0])
        >>> print(keras.ops.convert_to_numpy(loss).round(3))
        [1.   1.51]
    """
    y, x = aligned(y_true, y_pred)
    _require_counts(y)
    if backend.has_fast_slopes(y):  # targets that have a gradient too
        return mean(_poisson(x, y)[0])
    return mean(elementwise(_poisson, x, y))


@register
class PoissonNLLLoss(FunctionLoss):
    r"""Poisson NLL loss: negative log-likelihood of counts for predicted log rates.

    Use it for count data, such as visits, defects or claims, whose variance is about
    their mean; if it is larger, use `NegativeBinomialNLLLoss`. The model outputs the
    logarithm of the rate, without an activation. `keras.losses.Poisson` takes the rate,
    is NaN where it is negative, and leaves out $\log y!$, so that it is no likelihood.

    $$ L = \frac1n \sum_{i=1}^n \left( e^{x_i} - y_i x_i + \log y_i! \right) $$

    $y_i$ is a count, $x_i$ the logarithm of its predicted rate, and $n$ the number of
    values on the last axis. $\log y!$ is $\log \Gamma(y + 1)$, so that numbers that are
    not whole, such as counts per unit of time, are allowed too. The terms are arranged
    so that large counts do not cancel: in `float32`, the formula as written loses all
    digits from a count of about a million.

    For an exposure $t$, such as hours or kilometers, add its logarithm to the output of
    the model. From $x = 40$, the exponential continues as a straight line, so that
    neither the loss nor its gradient overflows. PyTorch's `PoissonNLLLoss` leaves out
    $\log y!$ by default, and approximates it with `full=True`.

    Returns one loss per sample, in nats, of shape `(...)`, which `reduction` averages.
    Predictions of shape `(batch,)` have one loss each. The loss is NaN where a count is
    negative and checking all counts would be slow: in compiled code and on a GPU. Time
    and memory grow linearly with the number of predictions.

    Args:
        **kwargs: `name`, `reduction` and `dtype`: see `LossOptions`.

    Call arguments:
        y_true: Counts $y$, in [0, inf), of shape `(..., values)`. Integers may have any
            dtype. They need not be whole.
        y_pred: Logarithms $x$ of the rates, any real numbers, of the same shape.

    Raises:
        ValueError: If, in a call, shapes do not match, or a count is found to be
            negative.
        TypeError: If an argument has the wrong type or an unknown name.

    Example:
        >>> loss = tfx_extras.losses.PoissonNLLLoss()
        >>> print(f"{float(loss([0, 3], [0.0, 1.0])):.4f}")
        1.2550

    Reference: Cameron and Trivedi, 2013. https://doi.org/10.1017/CBO9781139013567
    """

    function = staticmethod(poisson_nll)

    @typechecked
    def __init__(self, **kwargs: Unpack[LossOptions]):
        super().__init__(**kwargs)


def _poisson(x, y):
    """The loss of each value, and its derivative."""
    is_zero, n, log_n = _positive(y)
    d, excess = limited(x - log_n, LIMIT)
    # n = 1 and d = x for a count of 0. A count below 0 gives NaN.
    grown = n * backend.where(is_zero, ops.exp(d), ops.expm1(d))
    slope = grown
    if excess is not None:
        grown = grown * (1 + excess)
    at_mean = _kept(_poisson_at_mean(n, log_n), is_zero)
    return grown - y * d + at_mean, (slope,)


def _require_counts(y, is_positive: bool = False) -> None:
    """Raises for a target below 0 (or at 0), if checking all of them costs little."""
    if _are_counts(y, is_positive):
        return
    try:
        backend.check(
            (y > 0 if is_positive else y >= 0) | ops.isnan(y),
            f"`y_true` must hold numbers in {'(0' if is_positive else '[0'}, inf).",
        )
    except ValueError as error:
        raise ValueError(f"{error}{_least(y)}") from None


def _are_counts(y, is_positive: bool = False) -> bool:
    """Whether all targets are known to be in range."""
    return backend.is_within(y, TINY if is_positive else 0.0, float("inf"))


def _least(y) -> str:
    """The minimum of targets, for the error, if it can be read."""
    try:
        return f" Received: y_true with a minimum of {ops.convert_to_numpy(y).min():g}"
    except RuntimeError:  # PyTorch cannot read values within a transform
        return ""


def _positive(y):
    """Returns where targets are 0, the targets with 1 there, and their logarithms."""
    is_zero = y == 0
    n = backend.where(is_zero, ops.ones_like(y), y)
    return is_zero, n, ops.log(n)


def _kept(x, is_zero):
    """Returns `x`, or 0 for targets of 0."""
    return backend.kept(x, ops.logical_not(is_zero))


def _poisson_at_mean(n, log_n):
    """The loss of a positive count for a rate of the same size: its minimum."""
    return (LOG_2_PI + log_n) / 2 + stirling_error(n)


@register
def negative_binomial_nll(y_true, y_pred, zero_inflated: bool = False):
    r"""Negative binomial NLL loss: likelihood of overdispersed counts, many of them 0.

    Function form of `NegativeBinomialNLLLoss`, which has the formula.

    Args:
        y_true: Counts $y$, in [0, inf), of shape `(...)` or `(..., 1)`. Integers may
            have any dtype. They need not be whole.
        y_pred: Log means $m$, log dispersions $a$ and, with `zero_inflated`, logits $z$
            of excess zeros, any real numbers: of shape `(..., 2)` or `(..., 3)`, or a
            tuple of tensors of the shape of `y_true`.
        zero_inflated: Whether a count may also be 0 for another reason, with a
            predicted probability.

    Returns:
        One loss per target, in nats, of shape `(...)`, in `float32` or wider. The loss
        is NaN where a count is negative and checking all counts would be slow: in
        compiled code and on a GPU.

    Raises:
        ValueError: If shapes do not match, or a count is found to be negative.

    Example:
        >>> loss = tfx_extras.losses.negative_binomial_nll(
        ...     [0, 3], [[0.0, 0.0], [1.0, -1.0]])
        >>> print(keras.ops.convert_to_numpy(loss).round(3))
        [0.693 1.891]
    """
    if not zero_inflated:
        y, (m, a) = parameters(y_true, y_pred, ("log mean", "log dispersion"))
        _require_counts(y)
        return _negative_binomial(y, m, a)
    names = ("log mean", "log dispersion", "zero logit")
    y, (m, a, z) = parameters(y_true, y_pred, names)
    _require_counts(y)
    nll = _negative_binomial(y, m, a)
    is_zero = y == 0
    of_zero = at_least(ops.where(is_zero, nll, ops.ones_like(nll)), TINY)
    # This is -log(p + (1 - p) exp(-nll)) for p = sigmoid(z), also where it is near 0.
    odds = ops.log(-ops.expm1(-of_zero)) - log_add_exp(z, -of_zero)
    return ops.where(is_zero, softplus(odds), softplus(z) + nll)


def _negative_binomial(y, m, a):
    """The loss, as a deviance plus the loss of a mean that equals the count.

    Both are small differences of the log-gamma functions of the formula, which are
    large.
    """
    is_zero, n, log_n = _positive(y)
    high, excess = limited(a, HIGH)
    r = ops.exp(-at_least(high, LOW))
    mu, total = exponential(m), y + r
    d = m - log_n
    difference = n * ops.expm1(limited(d, LIMIT)[0])
    relative = backend.where(is_zero, mu, difference) / total
    is_near = ops.abs(relative) < 0.5
    near = ops.log1p(backend.kept(relative, is_near))
    far = ops.log(backend.where(is_near, ops.ones_like(m), (mu + r) / total))
    deviance = total * backend.where(is_near, near, far) - y * d
    at_mean = ops.log1p(y / r) / 2 + stirling_error(r) - stirling_error(total)
    at_mean = at_mean + _poisson_at_mean(n, log_n)
    if excess is not None:
        at_mean = at_mean + excess
    return deviance + _kept(at_mean, is_zero)


@register
class NegativeBinomialNLLLoss(FunctionLoss):
    r"""Negative binomial NLL loss: likelihood of overdispersed counts, many of them 0.

    Use it for counts whose variance exceeds their mean (overdispersion): demand,
    insurance claims, reads of single cells. `zero_inflated` is for counts with more
    zeros than that. The model outputs a log mean and a log dispersion, without an
    activation. If the variance is about the mean, use `PoissonNLLLoss`. Keras has no
    equivalent; `keras.losses.Poisson` has no dispersion.

    $$ L = -\log \Gamma(y + r) + \log \Gamma(r) + \log y!
        + (y + r) \log(1 + \alpha \mu) - y \log(\alpha \mu), \quad
        \mu = e^m, \; \alpha = e^a, \; r = \frac1\alpha $$

    $y$ is a count, $m$ the logarithm of its predicted mean, and $a$ that of its
    dispersion. The variance is $\mu + \alpha \mu^2$ (NB2). With `zero_inflated`, a
    count is 0 with probability $p = \mathrm{sigmoid}(z)$, and negative binomial
    otherwise:

    $$ L_0(0) = -\log\left( p + (1 - p)\, e^{-L(0)} \right), \quad
        L_0(y) = -\log(1 - p) + L(y) \text{ for } y > 0 $$

    $\log y!$ is $\log \Gamma(y + 1)$, so that numbers that are not whole are allowed
    too. The terms are arranged so that they do not cancel: as written, in `float32`,
    they lose all digits for large counts and for small dispersions, where the
    distribution approaches that of Poisson. Dispersions below $a = -30$ count as 0.
    From $a = 15$, the loss continues as a straight line, and from $m = 40$ the
    exponential does, so that neither the loss nor its gradient overflows.

    Returns one loss per target, in nats, of shape `(...)`, which `reduction` averages.
    Targets of shape `(batch, steps)` have losses of shape `(batch, steps)`, which the
    masks and the weights of sequences fit. The loss is NaN where a count is negative
    and checking all counts would be slow: in compiled code and on a GPU. Time and
    memory grow linearly with the number of targets.

    Args:
        zero_inflated: Whether a count may also be 0 for another reason, with a
            predicted probability.
        **kwargs: `name`, `reduction` and `dtype`: see `LossOptions`.

    Call arguments:
        y_true: Counts $y$, in [0, inf), of shape `(...)` or `(..., 1)`. Integers may
            have any dtype. They need not be whole.
        y_pred: Log means $m$, log dispersions $a$ and, with `zero_inflated`, logits $z$
            of excess zeros, any real numbers: of shape `(..., 2)` or `(..., 3)`, or a
            tuple of tensors of the shape of `y_true`.

    Raises:
        ValueError: If, in a call, shapes do not match, or a count is found to be
            negative.
        TypeError: If an argument has the wrong type or an unknown name.

    Example:
        >>> loss = tfx_extras.losses.NegativeBinomialNLLLoss()
        >>> value = loss([0, 3], [[0.0, 0.0], [1.0, -1.0]])
        >>> print(f"{float(value):.4f}")
        1.2919

    Reference: Cameron and Trivedi, 2013. https://doi.org/10.1017/CBO9781139013567.
        Zero inflation: Lambert, 1992. https://doi.org/10.2307/1269547
    """

    function = staticmethod(negative_binomial_nll)

    @typechecked
    def __init__(self, zero_inflated: bool = False, **kwargs: Unpack[LossOptions]):
        super().__init__(**kwargs)
        self.zero_inflated = zero_inflated


@register
def tweedie_loss(y_true, y_pred, power: Number = 1.5):
    r"""Tweedie loss: deviance for non-negative amounts, many of them exactly 0.

    Function form of `TweedieLoss`, which has the formula.

    Args:
        y_true: Amounts $y$, in [0, inf), or in (0, inf) for `power=2`, of shape
            `(..., values)`.
        y_pred: Logarithms $x$ of the means, any real numbers, of the same shape.
        power: $p$, in [1, 2]: the variance grows with $\mu^p$. 1 is the Poisson, 2 the
            gamma distribution.

    Returns:
        One loss per sample, of shape `(...)`, in `float32` or wider. Predictions of
        shape `(batch,)` have one loss each. The loss is NaN where an amount is out of
        range and checking all amounts would be slow: in compiled code and on a GPU.

    Raises:
        ValueError: If shapes do not match, or an amount is found to be out of range.

    Example:
        >>> loss = tfx_extras.losses.tweedie_loss([0.0, 1.0], [0.0, 0.0])
        >>> print(keras.ops.convert_to_numpy(loss))
        [2. 4.]
    """
    y, x = aligned(y_true, y_pred)
    _require_counts(y, is_positive=power == 2)
    if not _are_counts(y, is_positive=power == 2):
        nan = ops.convert_to_tensor(float("nan"), y.dtype)
        y = ops.where(y <= 0 if power == 2 else y < 0, nan, y)
    return mean(_tweedie(y, x, power))


def _tweedie(y, x, power):
    if power == 1:
        return exponential(x) - y * x
    if power == 2:
        return x + y * exponential(-x)
    rise = exponential((2 - power) * x) / (2 - power)
    return rise + y * exponential((1 - power) * x) / (power - 1)


@register
class TweedieLoss(FunctionLoss):
    r"""Tweedie loss: deviance for non-negative amounts, many of them exactly 0.

    Use it for amounts that are often 0 and otherwise positive and skewed: insurance
    claims, rainfall, sales. With `power=2` it is the gamma loss, for positive targets
    such as sizes of claims or durations. The model outputs the logarithm of the mean,
    without an activation. Keras has no equivalent; `keras.losses.Poisson` is the case
    `power=1`, for rates instead of their logarithms.

    $$ L = \frac1n \sum_{i=1}^n \left( \frac{\mu_i^{2 - p}}{2 - p}
        - \frac{y_i\, \mu_i^{1 - p}}{1 - p} \right), \quad \mu = e^x $$

    $y_i$ is an amount, $x_i$ the logarithm of its predicted mean, $p$ is `power`, and
    $n$ the number of values on the last axis. The variance of $y$ is proportional to
    $\mu^p$. For $1 < p < 2$ it is the sum of a Poisson number of gamma-distributed
    amounts. For $p = 1$ the terms are $\mu - y \log \mu$, and for $p = 2$ they are
    $\log \mu + y / \mu$.

    The minimum is at $\mu = y$, and is not 0: the deviance, as in scikit-learn's
    `mean_tweedie_deviance`, is twice the difference of the loss from its minimum.
    LightGBM and XGBoost train with this loss. An exponential continues from an exponent
    of 40 as a straight line, so that neither the loss nor its gradient overflows.

    Returns one loss per sample, of shape `(...)`, which `reduction` averages.
    Predictions of shape `(batch,)` have one loss each. The loss is NaN where an amount
    is out of range and checking all amounts would be slow: in compiled code and on a
    GPU. Time and memory grow linearly with the number of predictions.

    Args:
        power: $p$, in [1, 2]: the variance grows with $\mu^p$. 1 is the Poisson, 2 the
            gamma distribution.
        **kwargs: `name`, `reduction` and `dtype`: see `LossOptions`.

    Call arguments:
        y_true: Amounts $y$, in [0, inf), or in (0, inf) for `power=2`, of shape
            `(..., values)`.
        y_pred: Logarithms $x$ of the means, any real numbers, of the same shape.

    Raises:
        ValueError: If an argument is outside its interval, or, in a call, if shapes do
            not match or an amount is found to be out of range.
        TypeError: If an argument has the wrong type or an unknown name.

    Example:
        >>> loss = tfx_extras.losses.TweedieLoss(power=1.5)
        >>> print(float(loss([0.0, 1.0], [0.0, 0.0])))
        3.0

    Reference: Jorgensen, 1987. https://doi.org/10.1111/j.2517-6161.1987.tb01685.x
    """

    function = staticmethod(tweedie_loss)

    @typechecked
    def __init__(self, power: Number = 1.5, **kwargs: Unpack[LossOptions]):
        super().__init__(**kwargs)
        self.power = require("power", power, "[1, 2]")
