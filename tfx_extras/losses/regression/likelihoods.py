"""Negative log-likelihoods of distributions whose parameters a model predicts."""

import math
from typing import Unpack

from keras import ops

from tfx_extras._backend import backend
from tfx_extras._checks import Number
from tfx_extras._checks import require
from tfx_extras._register import register
from tfx_extras._typed import typechecked
from tfx_extras.losses._base import FunctionLoss
from tfx_extras.losses._base import LossOptions
from tfx_extras.losses._base import numbers
from tfx_extras.losses._base import predictions
from tfx_extras.losses._base import require_one_shape
from tfx_extras.losses._probabilities import at_least
from tfx_extras.losses._probabilities import log_add_exp
from tfx_extras.losses._probabilities import of_logits
from tfx_extras.losses._probabilities import softplus
from tfx_extras.losses.regression._gamma import LOG_2_PI
from tfx_extras.losses.regression._gamma import stirling_error
from tfx_extras.losses.regression._parameters import LIMIT
from tfx_extras.losses.regression._parameters import exponential
from tfx_extras.losses.regression._parameters import parameters

__all__ = [
    "EvidentialLoss",
    "GaussianNLLLoss",
    "MixtureNLLLoss",
    "StudentTNLLLoss",
    "evidential_loss",
    "evidential_moments",
    "gaussian_nll",
    "mixture_nll",
    "student_t_nll",
]

FAR = 1e9  # 1 + FAR**2 is FAR**2, in `float64` too


@register
def gaussian_nll(y_true, y_pred, beta: Number = 0.0, full: bool = False):
    r"""Gaussian NLL loss: negative log-likelihood for a predicted mean and variance.

    Function form of `GaussianNLLLoss`, which has the formula.

    Args:
        y_true: Targets $y$, any real numbers, of shape `(...)` or `(..., 1)`.
        y_pred: Means $\mu$ and log-variances $s$, any real numbers: of shape
            `(..., 2)`, or, in a direct call, a tuple of two tensors of the shape
            of `y_true`.
        beta: $\beta$, in [0, 1]: the power of the variance that weights each target. 0
            gives the likelihood, 1 the gradient of a squared error for the mean, and
            0.5 is a compromise (beta-NLL).
        full: Whether to add the constant $\frac12 \log(2 \pi)$.

    Returns:
        One loss per target, in nats, of shape `(...)`, in `float32` or wider.

    Raises:
        ValueError: If shapes do not match.

    Example:
        >>> loss = tfx_extras.losses.gaussian_nll([0.0, 2.0], [[0.0, 0.0], [1.0, 0.0]])
        >>> print(keras.ops.convert_to_numpy(loss))
        [0.  0.5]
    """
    y, (mu, s) = parameters(y_true, y_pred, ("mean", "log-variance"))
    loss = (s + ops.square(y - mu) * exponential(-s)) / 2
    if full:
        loss = loss + LOG_2_PI / 2
    if beta == 0:
        return loss
    return ops.stop_gradient(exponential(beta * at_least(s, -LIMIT))) * loss


@register
class GaussianNLLLoss(FunctionLoss):
    r"""Gaussian NLL loss: negative log-likelihood for a predicted mean and variance.

    Use it for regression with uncertainty, where the noise differs between samples
    (heteroscedastic regression), or for forecasts of a normal distribution. The model
    has two outputs per target: a mean, and the logarithm of the variance, without an
    activation. `GaussianCRPSLoss` scores the same forecast and is less sensitive to
    outliers. Keras has no equivalent; `keras.losses.MeanSquaredError` fits a mean only.

    $$ L = \frac12 \left( s + (y - \mu)^2 e^{-s} \right) e^{\beta s} $$

    $y$ is a target, $\mu$ its predicted mean, and $s = \log \sigma^2$ the logarithm of
    its predicted variance. `full` adds $\frac12 \log(2 \pi)$ to the sum in parentheses,
    after which $L$ is the negative logarithm of the density if $\beta = 0$. No gradient
    flows through the factor $e^{\beta s}$.

    The loss is negative where the density exceeds 1, which is no error: its minimum is
    unbounded as the variance approaches 0. Where the mean is hard to learn, the
    variance grows instead, and the gradient of the mean, which is divided by it,
    vanishes. `beta=0.5` avoids that (Seitzer et al., 2022).

    If a model outputs a standard deviation $\sigma$, pass
    `(mean, 2 * keras.ops.log(sigma))`. Below $s = -40$, a standard deviation of 2e-9,
    the factor $e^{-s}$ continues as a straight line, so that neither the loss nor its
    gradient overflows. PyTorch's `GaussianNLLLoss` takes the variance and clips it at
    1e-6, where its gradient is lost.

    Returns one loss per target, in nats, of shape `(...)`, which `reduction` averages.
    Targets of shape `(batch, steps)` have losses of shape `(batch, steps)`, which the
    masks and the weights of sequences fit. Time and memory grow linearly with the
    number of targets.

    Args:
        beta: $\beta$, in [0, 1]: the power of the variance that weights each target. 0
            gives the likelihood, 1 the gradient of a squared error for the mean, and
            0.5 is a compromise (beta-NLL).
        full: Whether to add the constant $\frac12 \log(2 \pi)$.
        **kwargs: `name`, `reduction` and `dtype`: see `LossOptions`.

    Call arguments:
        y_true: Targets $y$, any real numbers, of shape `(...)` or `(..., 1)`.
        y_pred: Means $\mu$ and log-variances $s$, any real numbers: of shape
            `(..., 2)`, or, in a direct call, a tuple of two tensors of the shape
            of `y_true`.

    Raises:
        ValueError: If an argument is outside its interval, or if shapes do not match in
            a call.
        TypeError: If an argument has the wrong type or an unknown name.

    Example:
        >>> loss = tfx_extras.losses.GaussianNLLLoss(full=True)
        >>> value = loss([0.0, 2.0], [[0.0, 0.0], [1.0, 0.0]])
        >>> print(f"{float(value):.4f}")
        1.1689

    Reference: Nix and Weigend, 1994. https://doi.org/10.1109/ICNN.1994.374138.
        beta-NLL: Seitzer et al., 2022. https://arxiv.org/abs/2203.09168
    """

    function = staticmethod(gaussian_nll)

    @typechecked
    def __init__(
        self, beta: Number = 0.0, full: bool = False, **kwargs: Unpack[LossOptions]
    ):
        super().__init__(**kwargs)
        self.beta = require("beta", beta, "[0, 1]")
        self.full = full


@register
def student_t_nll(y_true, y_pred, degrees: Number | None = None):
    r"""Student-t NLL loss: likelihood of a heavy-tailed distribution for outliers.

    Function form of `StudentTNLLLoss`, which has the formula.

    Args:
        y_true: Targets $y$, any real numbers, of shape `(...)` or `(..., 1)`.
        y_pred: Locations $\mu$, log scales $c$ and, unless `degrees` is given, raw
            degrees of freedom $r$, any real numbers: of shape `(..., 3)`, or
            `(..., 2)` with `degrees`, or a tuple of tensors of the shape of `y_true`.
        degrees: $\nu$, in (0, inf): degrees of freedom. Fewer have heavier tails; 1 is
            the Cauchy distribution. `None` predicts them for each target.

    Returns:
        One loss per target, in nats, of shape `(...)`, in `float32` or wider.

    Raises:
        ValueError: If shapes do not match.

    Example:
        >>> loss = tfx_extras.losses.student_t_nll(
        ...     [0.0, 100.0], [[0.0, 0.0], [0.0, 0.0]], degrees=4)
        >>> print(keras.ops.convert_to_numpy(loss).round(3))
        [ 0.981 20.542]
    """
    names = ("location", "log scale", "degrees of freedom")
    if degrees is not None:
        y, (mu, c) = parameters(y_true, y_pred, names[:2])
        nu = ops.convert_to_tensor(degrees, y.dtype)
    else:
        y, (mu, c, r) = parameters(y_true, y_pred, names)
        nu = 2 + softplus(r)
    error = y - mu
    t = error * exponential(-c) / ops.sqrt(nu)
    log = _log_of_square(t, error, c, nu)
    return _log_beta(nu / 2) + c + (nu + 1) / 2 * log


def _log_of_square(t, error, c, nu):
    """Returns log(1 + t**2), where t = error * exp(-c) / sqrt(nu)."""
    if not backend.may_exceed(ops.abs(t), FAR):
        return ops.log1p(ops.square(t))
    is_far, one = ops.abs(t) > FAR, ops.ones_like(t)
    near, far = ops.where(is_far, one, t), ops.where(is_far, ops.abs(error), one)
    far = 2 * (ops.log(far) - c) - ops.log(nu)  # where the square would overflow
    return ops.where(is_far, far, ops.log1p(ops.square(near)))


def _log_beta(x):
    """Returns log Gamma(x) - log Gamma(x + 1/2) + log(2 pi x) / 2.

    For large x it is log(2 pi) / 2. The logarithms themselves would lose all digits.
    """
    difference = stirling_error(x) - stirling_error(x + 0.5)
    return (LOG_2_PI + 1) / 2 - x * ops.log1p(0.5 / x) + difference


@register
class StudentTNLLLoss(FunctionLoss):
    r"""Student-t NLL loss: likelihood of a heavy-tailed distribution for outliers.

    Use it for regression with uncertainty when targets have outliers or heavy tails, as
    in financial time series. The model has a location, a log scale and, unless
    `degrees` is given, raw degrees of freedom per target, without an activation. An
    error far outside the scale costs its logarithm only. Keras has no equivalent;
    `keras.losses.Huber` is robust too, but fits no scale.

    $$ L = \log \Gamma\!\left(\frac\nu2\right)
        - \log \Gamma\!\left(\frac{\nu + 1}2\right) + \frac12 \log(\nu \pi) + c
        + \frac{\nu + 1}2 \log\!\left( 1 + \frac{e^2}\nu \right), \quad
        e = (y - \mu)\, e^{-c} $$

    $y$ is a target, $\mu$ its predicted location, $c = \log \sigma$ the logarithm of
    its predicted scale, and $\nu$ the degrees of freedom. If they are predicted,
    $\nu = 2 + \mathrm{softplus}(r)$ for the raw output $r$, as in GluonTS, so that the
    variance $\sigma^2 \nu / (\nu - 2)$ is finite. For large $\nu$, the distribution is
    normal. The loss is computed without the difference of two log-gamma functions,
    which loses all digits for large $\nu$.

    The loss may be negative, because a density may exceed 1. Neither the loss nor its
    gradient overflows, however large the error and however small the scale.

    Returns one loss per target, in nats, of shape `(...)`, which `reduction` averages.
    Targets of shape `(batch, steps)` have losses of shape `(batch, steps)`, which the
    masks and the weights of sequences fit. Time and memory grow linearly with the
    number of targets.

    Args:
        degrees: $\nu$, in (0, inf): degrees of freedom. Fewer have heavier tails; 1 is
            the Cauchy distribution. `None` predicts them for each target.
        **kwargs: `name`, `reduction` and `dtype`: see `LossOptions`.

    Call arguments:
        y_true: Targets $y$, any real numbers, of shape `(...)` or `(..., 1)`.
        y_pred: Locations $\mu$, log scales $c$ and, unless `degrees` is given, raw
            degrees of freedom $r$, any real numbers: of shape `(..., 3)`, or
            `(..., 2)` with `degrees`, or a tuple of tensors of the shape of `y_true`.

    Raises:
        ValueError: If an argument is outside its interval, or if shapes do not match in
            a call.
        TypeError: If an argument has the wrong type or an unknown name.

    Example:
        >>> loss = tfx_extras.losses.StudentTNLLLoss()
        >>> value = loss([0.0, 3.0], [[0.0, 0.0, 1.0], [1.0, 0.5, 1.0]])
        >>> print(f"{float(value):.4f}")
        1.6396

    Reference: Lange et al., 1989. https://doi.org/10.1080/01621459.1989.10478852
    """

    function = staticmethod(student_t_nll)

    @typechecked
    def __init__(self, degrees: Number | None = None, **kwargs: Unpack[LossOptions]):
        super().__init__(**kwargs)
        if degrees is not None:
            degrees = require("degrees", degrees, "(0, inf)")
        self.degrees = degrees


@register
def evidential_loss(y_true, y_pred, coefficient: Number = 0.01):
    r"""Evidential loss: regression with uncertainty by a normal-inverse-gamma prior.

    Function form of `EvidentialLoss`, which has the formula.

    Args:
        y_true: Targets $y$, any real numbers, of shape `(...)` or `(..., 1)`.
        y_pred: Means $\gamma$ and the raw outputs for $\nu$, $\alpha$ and $\beta$, any
            real numbers: of shape `(..., 4)`, or, in a direct call, a tuple of four
            tensors of the shape of `y_true`.
        coefficient: $\lambda$, in [0, inf): the weight of the regularizer.

    Returns:
        One loss per target, in nats, of shape `(...)`, in `float32` or wider.

    Raises:
        ValueError: If shapes do not match.

    Example:
        >>> loss = tfx_extras.losses.evidential_loss([0.0, 2.0], [[0.0] * 4] * 2)
        >>> print(keras.ops.convert_to_numpy(loss).round(3))
        [0.992 2.764]
    """
    names = ("mean", "raw nu", "raw alpha", "raw beta")
    y, (gamma, *raw) = parameters(y_true, y_pred, names)
    nu, alpha = softplus(raw[0]), 1 + softplus(raw[1])
    log_nu, log_beta = _log_softplus(raw[0]), _log_softplus(raw[2])
    # The logarithm of sqrt(omega / nu), which is the scale times sqrt(2 alpha).
    c = (math.log(2) + log_add_exp(log_beta, log_beta - log_nu)) / 2
    error = y - gamma
    log = _log_of_square(error * exponential(-c), error, c, ops.ones_like(c))
    likelihood = _log_beta(alpha) + c - ops.log(2 * alpha) / 2 + (alpha + 0.5) * log
    if coefficient == 0:
        return likelihood
    # The gradient of `ops.abs` at 0 is 1 on JAX.
    distance = error * ops.stop_gradient(ops.sign(error))
    return likelihood + coefficient * distance * (2 * nu + alpha)


def _log_softplus(x):
    """log(log(1 + exp(x))), which is x where exp(x) underflows."""
    is_low = x <= -LIMIT
    inside = ops.where(is_low, ops.full_like(x, -LIMIT), x)
    return ops.where(is_low, x, ops.log(softplus(inside)))


@register
class EvidentialLoss(FunctionLoss):
    r"""Evidential loss: regression with uncertainty by a normal-inverse-gamma prior.

    Use it for deep evidential regression, to compare with published results or to
    continue with a model that was trained so. For a predicted distribution without a
    regularizer, `StudentTNLLLoss` fits the same distributions. To learn where a model
    lacks data, average several models: the epistemic variance of this loss is not
    identified by the data, as explained below. Keras has no equivalent.

    $$ L = \frac12 \log \frac\pi\nu - \alpha \log \omega
        + \left( \alpha + \frac12 \right) \log\!\left( \nu (y - \gamma)^2 + \omega
        \right) + \log \frac{\Gamma(\alpha)}{\Gamma(\alpha + \frac12)}
        + \lambda\, |y - \gamma|\, (2 \nu + \alpha), \quad
        \omega = 2 \beta (1 + \nu) $$

    $y$ is a target and $\gamma$ its predicted mean. The other outputs $r$ of the model
    are raw, without an activation: $\nu = \mathrm{softplus}(r_\nu)$,
    $\alpha = 1 + \mathrm{softplus}(r_\alpha)$ and
    $\beta = \mathrm{softplus}(r_\beta)$. They are the parameters of a
    normal-inverse-gamma distribution of the mean and variance of the target. The first
    four terms are minus the log-likelihood: the target has a Student-t distribution
    with $2 \alpha$ degrees of freedom, the location $\gamma$ and the squared scale
    $\beta (1 + \nu) / (\nu \alpha)$. The last term, with the weight $\lambda$, asks for
    little evidence where the error is large. `evidential_moments` turns the outputs
    into a mean and variances.

    The likelihood depends on $\nu$ and $\beta$ through $\beta (1 + \nu) / \nu$ alone.
    Without the regularizer, any $\nu$ is as good as any other, and with it, $\nu$
    shrinks towards 0 at a speed that depends on the error and on $\lambda$, not on how
    much data there is (Meinert et al., 2023). The split of the predicted variance into
    noise and lack of data is therefore a heuristic. The sum of both is a fit.

    The loss and its gradient are finite for raw outputs up to 1e6 in size, also where
    the parameters underflow. The authors' code has `coeff=1.0` as its default, and
    their examples set 0.01. The scale of $\lambda$ depends on the unit of the
    targets: standardize them.

    Returns one loss per target, in nats, of shape `(...)`, which `reduction` averages.
    Targets of shape `(batch, steps)` have losses of shape `(batch, steps)`, which the
    masks and the weights of sequences fit. Time and memory grow linearly with the
    number of targets.

    Args:
        coefficient: $\lambda$, in [0, inf): the weight of the regularizer.
        **kwargs: `name`, `reduction` and `dtype`: see `LossOptions`.

    Call arguments:
        y_true: Targets $y$, any real numbers, of shape `(...)` or `(..., 1)`.
        y_pred: Means $\gamma$ and the raw outputs for $\nu$, $\alpha$ and $\beta$, any
            real numbers: of shape `(..., 4)`, or, in a direct call, a tuple of four
            tensors of the shape of `y_true`.

    Raises:
        ValueError: If an argument is outside its interval, or if shapes do not match in
            a call.
        TypeError: If an argument has the wrong type or an unknown name.

    Example:
        >>> loss = tfx_extras.losses.EvidentialLoss(coefficient=0.1)
        >>> value = loss([0.0, 2.0], [[0.0, 0.0, 0.0, 0.0], [1.0, 2.0, 1.0, 0.0]])
        >>> print(f"{float(value):.4f}")
        1.6671

    References:
        Amini et al., 2020. https://arxiv.org/abs/1910.02600
        Meinert et al., 2023. https://arxiv.org/abs/2205.10060
    """

    function = staticmethod(evidential_loss)

    @typechecked
    def __init__(self, coefficient: Number = 0.01, **kwargs: Unpack[LossOptions]):
        super().__init__(**kwargs)
        self.coefficient = require("coefficient", coefficient, "[0, inf)")


def evidential_moments(y_pred):
    r"""Evidential moments: mean, noise variance and epistemic variance of outputs.

    Use it after a model that was trained with `EvidentialLoss`. Do not take the
    epistemic variance for a measurement of how much the model lacks data: the
    likelihood does not identify it, and its size depends on the regularizer and on
    training (Meinert et al., 2023). Compare it between samples at most, and average
    several models for an estimate. Keras has no equivalent.

    $$ \mathrm E[\mu] = \gamma, \qquad \mathrm E[\sigma^2] = \frac\beta{\alpha - 1},
        \qquad \mathrm{Var}[\mu] = \frac\beta{\nu (\alpha - 1)} $$

    $\gamma$ is the first output, and $\nu = \mathrm{softplus}(r_\nu)$,
    $\alpha = 1 + \mathrm{softplus}(r_\alpha)$ and $\beta = \mathrm{softplus}(r_\beta)$
    are made of the raw outputs. $\mathrm E[\sigma^2]$ is the expected variance of the
    noise (aleatoric) and $\mathrm{Var}[\mu]$ the variance of the mean (epistemic). The
    target itself has their sum as its predicted variance, which is that of the
    Student-t distribution that was fitted.

    Args:
        y_pred: Outputs of the model: means $\gamma$ and the raw outputs for $\nu$,
            $\alpha$ and $\beta$, any real numbers, of shape `(..., 4)`, or a tuple of
            four tensors of one shape.

    Returns:
        A tuple of the mean, the aleatoric variance and the epistemic variance, each of
        shape `(...)`, in `float32` or wider. A variance too large for the dtype is
        infinite.

    Raises:
        ValueError: If there are not four outputs.

    Example:
        >>> moments = tfx_extras.losses.evidential_moments([[0.5, 0.0, 0.0, 0.0]])
        >>> print([f"{float(x[0]):.3f}" for x in moments])
        ['0.500', '1.000', '1.443']

    References:
        Amini et al., 2020, eq. 5. https://arxiv.org/abs/1910.02600
        Meinert et al., 2023. https://arxiv.org/abs/2205.10060
    """
    if isinstance(y_pred, list | tuple) and any(hasattr(p, "shape") for p in y_pred):
        y_pred = ops.stack([predictions(p) for p in y_pred], axis=-1)
    y_pred = predictions(y_pred)
    if len(y_pred.shape) < 1 or y_pred.shape[-1] not in (4, None):
        raise ValueError(
            "`y_pred` must have the 4 outputs mean, raw nu, raw alpha and raw beta on "
            f"its last axis. Received: y_pred.shape={tuple(y_pred.shape)}"
        )
    gamma, *raw = ops.unstack(y_pred, 4, axis=-1)
    log_nu, log_alpha_less_1, log_beta = map(_log_softplus, raw)
    log_noise = log_beta - log_alpha_less_1
    return gamma, ops.exp(log_noise), ops.exp(log_noise - log_nu)


@register
def mixture_nll(y_true, y_pred, minimum_log_scale: Number = -7.0):
    r"""Mixture NLL loss: likelihood of a mixture of normal distributions (MDN).

    Function form of `MixtureNLLLoss`, which has the formula.

    Args:
        y_true: Targets $y$, any real numbers, of shape `(..., D)`; for $D = 1$ the last
            axis may be missing.
        y_pred: Any real numbers, of shape `(..., K (2 D + 1))`: on the last axis $K$
            logits $z$, then the means $\mu$ of the first component, of the second, and
            so on, $K D$ in all, then as many log scales $c$.
        minimum_log_scale: The least log scale, in [-20, inf). Smaller ones count as
            this one, without a gradient.

    Returns:
        One loss per sample, in nats, of shape `(...)`, in `float32` or wider.

    Raises:
        ValueError: If shapes do not match.

    Example:
        >>> loss = tfx_extras.losses.mixture_nll(
        ...     [-1.0, 1.0], [[0.0, 0.0, -1.0, 1.0, 0.0, 0.0]] * 2)
        >>> print(keras.ops.convert_to_numpy(loss).round(4))
        [1.4852 1.4852]
    """
    y, z, mu, c = _components(y_true, y_pred)
    c = at_least(c, minimum_log_scale)
    e = (ops.expand_dims(y, -2) - mu) * ops.exp(-c)
    size = mu.shape[-1]
    log_density = -ops.sum(ops.square(e) / 2 + c, axis=-1) - size * LOG_2_PI / 2
    z = of_logits(z)
    return -of_logits(log_density - z.surprise(z.values)).log_partition()


def _components(y_true, y_pred):
    """Returns targets `(..., D)`, logits `(..., K)`, and means and log scales."""
    y_pred = predictions(y_pred)
    y_true = numbers(y_true, y_pred.dtype)
    shapes = tuple(y_true.shape), tuple(y_pred.shape)
    if len(shapes[0]) == len(shapes[1]) - 1:
        y_true = ops.expand_dims(y_true, -1)
    size, columns = (x.shape[-1] if len(x.shape) else 0 for x in (y_true, y_pred))
    message = (
        "`y_pred` must have `K * (2 * D + 1)` values on its last axis, for `K` "
        "components and the `D` values on the last axis of `y_true`, and the shape of "
        f"`y_true` before it. Received: y_true.shape={shapes[0]}, "
        f"y_pred.shape={shapes[1]}"
    )
    if len(shapes[1]) < 2 or not size or not columns or columns % (2 * size + 1):
        raise ValueError(message)
    like = y_pred[..., :size]
    require_one_shape(y_true, like, message)
    y_true, _ = backend.same_shape(y_true, like)
    count = columns // (2 * size + 1)
    shape = (*ops.shape(y_pred)[:-1], 2, count, size)
    mu, c = ops.unstack(ops.reshape(y_pred[..., count:], shape), 2, axis=-3)
    return y_true, y_pred[..., :count], mu, c


@register
class MixtureNLLLoss(FunctionLoss):
    r"""Mixture NLL loss: likelihood of a mixture of normal distributions (MDN).

    Use it to train a mixture density network (MDN): for targets that may take one of
    several values for the same input, as in inverse problems, where a mean would lie
    between them. The last layer is `Dense(K * (2 * D + 1))` without an activation. For
    one component, `GaussianNLLLoss` is simpler. Keras has no equivalent.

    $$ L = -\log \sum_{k=1}^K \pi_k \prod_{d=1}^D \frac1{\sqrt{2 \pi}\, \sigma_{kd}}
        \exp\!\left( -\frac{(y_d - \mu_{kd})^2}{2 \sigma_{kd}^2} \right), \quad
        \pi = \mathrm{softmax}(z), \quad \sigma = e^c $$

    $y$ is a target with $D$ values, and $K$ is the number of components, which follows
    from the shapes. $\pi_k$ is the weight of a component, which the logits $z$ give,
    and $\mu_{kd}$ and $\sigma_{kd}$ are its mean and its scale. The loss is computed
    from logarithms, so that it is exact where every density underflows.

    The likelihood has no maximum: a component that shrinks onto one target gains
    without bound. `minimum_log_scale` limits that. The loss may be negative, because a
    density may exceed 1. Initial means that differ, for example by a bias, keep
    components from becoming equal.

    Returns one loss per sample, in nats, of shape `(...)`, which `reduction` averages.
    Time and memory grow linearly with the size of `y_pred`.

    Args:
        minimum_log_scale: The least log scale, in [-20, inf). Smaller ones count as
            this one, without a gradient.
        **kwargs: `name`, `reduction` and `dtype`: see `LossOptions`.

    Call arguments:
        y_true: Targets $y$, any real numbers, of shape `(..., D)`; for $D = 1$ the last
            axis may be missing.
        y_pred: Any real numbers, of shape `(..., K (2 D + 1))`: on the last axis $K$
            logits $z$, then the means $\mu$ of the first component, of the second, and
            so on, $K D$ in all, then as many log scales $c$.

    Raises:
        ValueError: If an argument is outside its interval, or if shapes do not match in
            a call.
        TypeError: If an argument has the wrong type or an unknown name.

    Example:
        >>> loss = tfx_extras.losses.MixtureNLLLoss()
        >>> value = loss([[-1.0], [1.0]], [[0.0, 0.0, -1.0, 1.0, 0.0, 0.0]] * 2)
        >>> print(f"{float(value):.4f}")
        1.4852

    Reference: Bishop, 1994. https://publications.aston.ac.uk/id/eprint/373
    """

    function = staticmethod(mixture_nll)

    @typechecked
    def __init__(self, minimum_log_scale: Number = -7.0, **kwargs: Unpack[LossOptions]):
        super().__init__(**kwargs)
        self.minimum_log_scale = require(
            "minimum_log_scale", minimum_log_scale, "[-20, inf)"
        )
