"""Multi-label, Poly-1, noisy-label and long-tailed losses in NumPy, in float64.

This module imports nothing from `tfx_extras`. Values are per sample, before masks and
means.
"""

import math

import numpy as np

from tests.references.losses import EPSILON
from tests.references.losses import valid


def _log_p(z):
    """The logarithm of softmax, as -log(1 + sum_{k != c} exp(z_k - z_c))."""
    z = np.asarray(z, "float64")
    columns = []
    for c in range(z.shape[-1]):
        others = np.delete(z, c, -1) - z[..., c : c + 1]
        zero = np.zeros_like(others[..., :1])
        columns.append(-np.logaddexp.reduce(np.concatenate([zero, others], -1), -1))
    return np.stack(columns, axis=-1)


def _log_p_and_p(y_pred, from_logits):
    """The logarithms of probabilities, at least that of Keras's epsilon, and those."""
    if from_logits:
        log_p = _log_p(y_pred)
        return log_p, np.exp(log_p)
    total = y_pred.sum(-1, keepdims=True)
    p = y_pred / np.where(total == 0, 1, total)
    return np.log(np.maximum(p, EPSILON)), p


def _dense(loss):
    """Adds the arguments `axis` and `ignore_class` to a loss with classes last."""

    def of_any_axis(y_true, y_pred, *args, ignore_class=None, axis=-1, **kwargs):
        y, p = (np.moveaxis(np.asarray(a), axis, -1) for a in (y_true, y_pred))
        values = loss(y, p, *args, **kwargs)
        if ignore_class is None:
            return values
        return np.where(valid(y_true, ignore_class, axis, False), values, 0)

    return of_any_axis


def _sparse(loss):
    """The loss of one-hot labels, for integer labels."""

    def of_integers(y_true, y_pred, *args, ignore_class=None, axis=-1, **kwargs):
        y_pred = np.moveaxis(np.asarray(y_pred), axis, -1)
        y = (np.asarray(y_true)[..., None] == np.arange(y_pred.shape[-1])) * 1.0
        values = loss(y, y_pred, *args, **kwargs)
        return np.where(valid(y_true, ignore_class, axis, True), values, 0)

    return of_integers


def asymmetric_loss(
    y_true, y_pred, gamma_positive=1.0, gamma_negative=4.0, margin=0.05
):
    """Ridnik et al., 2020; the mean over classes."""
    y, z = y_true, np.asarray(y_pred, "float64")
    log_p, log_not_p = -np.logaddexp(0, -z), -np.logaddexp(0, z)
    if margin > 0:
        q = np.maximum(np.exp(log_p) - margin, 0)
        log_not_q = np.log1p(-q)
    else:
        q, log_not_q = np.exp(log_p), log_not_p
    positive = np.exp(gamma_positive * log_not_p) * log_p
    negative = q**gamma_negative * log_not_q
    return -(y * positive + (1 - y) * negative).mean(-1)


def zlpr_loss(y_true, y_pred):
    """Su et al., 2022: log(1 + sum_neg e^z) + log(1 + sum_pos e^-z)."""
    is_positive = np.asarray(y_true) > 0.5
    zero = np.zeros_like(y_pred[..., :1])

    def log_sum(z, condition):
        z = np.where(condition, z, -np.inf)
        return np.logaddexp.reduce(np.concatenate([zero, z], -1), -1)

    return log_sum(y_pred, ~is_positive) + log_sum(-y_pred, is_positive)


def _poly(log_p, epsilon):
    """Leng et al., 2022: sum_j (1 - p)^j / j + epsilon (1 - p)."""
    miss = -np.expm1(log_p)
    few = np.where(miss < 0.5, miss, 0)
    series = sum(few**j / j for j in range(2, 80))
    later = np.where(miss < 0.5, series, -log_p - miss)
    return (1 + epsilon) * miss + later


@_dense
def poly_categorical_crossentropy(
    y_true, y_pred, epsilon=1.0, label_smoothing=0.0, from_logits=False
):
    """Leng et al., 2022: -log p + epsilon (1 - p), of each class."""
    log_p, _ = _log_p_and_p(y_pred, from_logits)
    y = (1 - label_smoothing) * y_true + label_smoothing / y_true.shape[-1]
    return (y * _poly(log_p, epsilon)).sum(-1)


poly_sparse_categorical_crossentropy = _sparse(poly_categorical_crossentropy)


def poly_sigmoid_crossentropy(
    y_true,
    y_pred,
    epsilon=1.0,
    gamma=0.0,
    alpha=None,
    label_smoothing=0.0,
    from_logits=False,
):
    """Leng et al., 2022: focal loss + epsilon (1 - p)^(gamma + 1); the mean."""
    y = np.asarray(y_true, "float64")
    if from_logits:
        log_q, log_not_q = -np.logaddexp(0, -y_pred), -np.logaddexp(0, y_pred)
    else:
        log_q = np.log(np.maximum(y_pred, EPSILON))
        log_not_q = np.log(np.maximum(1 - y_pred, EPSILON))
    weight = 1.0 if alpha is None else alpha * y + (1 - alpha) * (1 - y)
    y = y * (1 - label_smoothing) + label_smoothing * 0.5
    miss = y * -np.expm1(log_q) + (1 - y) * -np.expm1(log_not_q)
    loss = y * _poly(log_q, epsilon) + (1 - y) * _poly(log_not_q, epsilon)
    return (weight * np.maximum(miss, 0) ** gamma * loss).mean(-1)


@_dense
def generalized_categorical_crossentropy(y_true, y_pred, q=0.7, from_logits=False):
    """Zhang and Sabuncu, 2018, eq. 6: (1 - p^q) / q."""
    log_p, _ = _log_p_and_p(y_pred, from_logits)
    return (y_true * (-log_p if q == 0 else -np.expm1(q * log_p) / q)).sum(-1)


generalized_sparse_categorical_crossentropy = _sparse(
    generalized_categorical_crossentropy
)


@_dense
def symmetric_categorical_crossentropy(
    y_true, y_pred, alpha=0.1, beta=1.0, log_zero=-4.0, from_logits=False
):
    """Wang et al., 2019: alpha CE + beta RCE, with log 0 = A."""
    log_p, p = _log_p_and_p(y_pred, from_logits)
    log_y = np.log(np.maximum(y_true, np.exp(log_zero)))
    return -(alpha * y_true * log_p + beta * p * log_y).sum(-1)


symmetric_sparse_categorical_crossentropy = _sparse(symmetric_categorical_crossentropy)


def _adjusted(y_true, y_pred, class_counts, tau=1.0, label_smoothing=0.0):
    """Menon et al., 2020: cross-entropy of z + tau log(prior)."""
    n = np.asarray(class_counts, "float64")
    log_p = _log_p(y_pred + tau * np.log(n / n.sum()))
    y = (1 - label_smoothing) * y_true + label_smoothing / y_true.shape[-1]
    return -(y * log_p).sum(-1)


logit_adjusted_crossentropy = _sparse(_adjusted)


def _with_margins(y_true, y_pred, class_counts, max_margin=0.5, scale=30.0):
    """Cao et al., 2019: margins n_c^(-1/4), of which the largest is `max_margin`."""
    margins = np.asarray(class_counts, "float64") ** -0.25
    margins = margins * max_margin / margins.max()
    return -(y_true * _log_p(scale * (y_pred - y_true * margins))).sum(-1)


ldam_loss = _sparse(_with_margins)


def _tempered_surprise(z, t):
    """-log of exp_t(z - lambda), whose sum is 1, by bisection."""
    z = np.asarray(z, "float64")
    below = z.max(-1, keepdims=True) - z
    classes = z.shape[-1]

    def surprise(shift):
        d = shift + below
        return d if t == 1 else np.log1p((t - 1) * d) / (t - 1)

    most = np.log(classes) if t == 1 else np.expm1((t - 1) * np.log(classes)) / (t - 1)
    low = np.zeros_like(below[..., :1])
    high = low + most
    for _ in range(120):
        middle = (low + high) / 2
        is_low = np.exp(-surprise(middle)).sum(-1, keepdims=True) > 1
        low, high = np.where(is_low, middle, low), np.where(is_low, high, middle)
    return surprise(high)


def _bi_tempered(y_true, y_pred, t1=0.8, t2=1.4, label_smoothing=0.0):
    """Amid et al., 2019: the Bregman divergence of the labels and exp_t(z - lambda)."""
    s = _tempered_surprise(y_pred, t2)
    y = (1 - label_smoothing) * y_true + label_smoothing / y_true.shape[-1]
    a, b = 1 - t1, 2 - t1
    with np.errstate(divide="ignore", invalid="ignore"):
        log_ratio = np.where(y == 0, 0, np.log(y) + s)
        # y (log_t y - log_t p) = y^b (1 - (p / y)^a) / a
        first = y**b * (log_ratio if a == 0 else -np.expm1(-a * log_ratio) / a)
    loss = first - (y**b - np.exp(-b * s)) / b
    near = np.where((np.abs(log_ratio) < 0.5) & (y > 0), log_ratio, 0)
    series = sum(
        (-near) ** j * (b ** (j - 1) - a ** (j - 1)) / math.factorial(j)
        for j in range(2, 30)
    )
    return np.where(near == 0, loss, y**b * series).sum(-1)


bi_tempered_loss = _dense(_bi_tempered)
sparse_bi_tempered_loss = _sparse(_bi_tempered)
