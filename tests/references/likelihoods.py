"""Likelihoods and scores of forecasts: NumPy, float64. Imports nothing of ours."""

import math

import numpy as np

_log_gamma = np.vectorize(math.lgamma, otypes=["float64"])
_erf = np.vectorize(math.erf, otypes=["float64"])


def _parts(y_true, y_pred):
    """The targets, and each parameter, in the shape of the predictions."""
    each = np.moveaxis(y_pred, -1, 0)
    return (np.reshape(y_true, each.shape[1:]), *each)


def gaussian_nll(y_true, y_pred, beta=0.0, full=False, held=None):
    """Seitzer et al., 2022, by the log-variance; `held` gets no gradient."""
    y, mu, s = _parts(y_true, y_pred)
    _, _, fixed = _parts(y_true, y_pred if held is None else held)
    constant = np.log(2 * np.pi) if full else 0
    return np.exp(fixed) ** beta * (s + (y - mu) ** 2 / np.exp(s) + constant) / 2


def student_t_nll(y_true, y_pred, degrees=None):
    """Minus the logarithm of the density, which Lange et al., 1989 model."""
    if degrees is None:
        y, mu, c, r = _parts(y_true, y_pred)
        nu = 2 + np.logaddexp(0, r)
    else:
        (y, mu, c), nu = _parts(y_true, y_pred), np.float64(degrees)
    e = (y - mu) / np.exp(c)
    gammas = _log_gamma(nu / 2) - _log_gamma((nu + 1) / 2)
    return (
        gammas
        + np.log(nu * np.pi) / 2
        + c
        + (nu + 1)
        / 2
        * np.logaddexp(0, 2 * np.log(np.maximum(np.abs(e), 1e-300)) - np.log(nu))
    )


def evidential_loss(y_true, y_pred, coefficient=0.01):
    """Amini et al., 2020, equations 8 and 9, as written."""
    y, gamma, *raw = _parts(y_true, y_pred)
    nu, alpha, beta = (np.logaddexp(0, r) for r in raw)
    alpha = alpha + 1
    omega = 2 * beta * (1 + nu)
    likelihood = (
        np.log(np.pi / nu) / 2
        - alpha * np.log(omega)
        + (alpha + 0.5) * np.log(nu * (y - gamma) ** 2 + omega)
        + _log_gamma(alpha)
        - _log_gamma(alpha + 0.5)
    )
    return likelihood + coefficient * np.abs(y - gamma) * (2 * nu + alpha)


def mixture_nll(y_true, y_pred, minimum_log_scale=-7.0):
    """Bishop, 1994, with a scale for each value."""
    y = y_true if y_true.ndim == y_pred.ndim else y_true[..., None]
    size = y.shape[-1]
    count = y_pred.shape[-1] // (2 * size + 1)
    z, mu, c = np.split(y_pred, [count, count * (1 + size)], axis=-1)
    mu, c = (a.reshape(*y.shape[:-1], count, size) for a in (mu, c))
    c = np.maximum(c, minimum_log_scale)
    weights = z - np.logaddexp.reduce(z, axis=-1, keepdims=True)
    density = -((y[..., None, :] - mu) ** 2) / (2 * np.exp(2 * c)) - c
    density = (density - np.log(2 * np.pi) / 2).sum(-1)
    return -np.logaddexp.reduce(weights + density, axis=-1)


def poisson_nll(y_true, y_pred):
    """Minus the logarithm of the probability of a count, for its log rate."""
    y = y_true
    return (np.exp(y_pred) - y * y_pred + _log_gamma(y + 1)).mean(-1)


def negative_binomial_nll(y_true, y_pred, zero_inflated=False):
    """Cameron and Trivedi, 2013 (NB2): the gammas as a product over whole counts."""
    y, m, a, *z = _parts(y_true, y_pred)
    alpha, mu = np.exp(a), np.exp(m)
    rising = np.vectorize(lambda n, b: np.log1p(np.arange(n) * b).sum())(y, alpha)
    loss = _log_gamma(y + 1) - rising + (y + 1 / alpha) * np.log1p(alpha * mu) - y * m
    if not zero_inflated:
        return loss
    # -log(p + (1 - p) exp(-L)) and -log(1 - p) + L, for the odds p / (1 - p) = exp(z).
    zero = np.log1p(-np.expm1(-loss) / (np.exp(z[0]) + np.exp(-loss)))
    return np.where(y == 0, zero, np.logaddexp(0, z[0]) + loss)


def tweedie_loss(y_true, y_pred, power=1.5):
    """Jorgensen, 1987: minus the part of the log-likelihood that has the mean."""
    y, mu, p = y_true, np.exp(y_pred), power
    if p == 1:
        return (mu - y * np.log(mu)).mean(-1)
    if p == 2:
        return (np.log(mu) + y / mu).mean(-1)
    return (mu ** (2 - p) / (2 - p) - y * mu ** (1 - p) / (1 - p)).mean(-1)


def gaussian_crps(y_true, y_pred):
    """Gneiting and Raftery, 2007, with the opposite sign."""
    y, mu, c = _parts(y_true, y_pred)
    sigma = np.exp(c)
    w = (y - mu) / sigma
    density = np.exp(-(w**2) / 2) / np.sqrt(2 * np.pi)
    return sigma * (w * _erf(w / np.sqrt(2)) + 2 * density - 1 / np.sqrt(np.pi))


def ensemble_crps(y_true, y_pred, fair=True):
    """Ferro, 2014, by all pairs of members."""
    y = np.reshape(y_true, (*y_pred.shape[:-1], 1))
    count = y_pred.shape[-1]
    apart = np.abs(y_pred[..., :, None] - y_pred[..., None, :]).sum((-1, -2))
    pairs = count * (count - 1 if fair else count)
    return np.abs(y_pred - y).mean(-1) - apart / (2 * pairs)


def cox_loss(y_true, y_pred, ties="efron", gather=False):
    """Cox, 1972, and Efron, 1977: event by event, in the order of the batch."""
    time, event = y_true.T
    eta = y_pred.reshape(-1)
    value = np.zeros(len(eta))
    for i in np.flatnonzero(event):
        tied = (time == time[i]) & (event != 0)
        weight = (time >= time[i]) * 1.0
        if ties == "efron":
            weight = weight - tied * tied[:i].sum() / tied.sum()
        risks = np.where(weight > 0, eta - eta[i], -np.inf)
        most = risks.max()
        rest = weight @ np.exp(risks - most) - 1
        value[i] = most + np.log1p(rest)
    return value * len(eta) / max(np.count_nonzero(event), 1)
