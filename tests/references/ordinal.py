"""The losses for ordinal classes in NumPy."""

import numpy as np


def _above(y, thresholds):
    return np.asarray(y, "int64").reshape(-1)[:, None] > np.arange(thresholds)


def _cross_entropy(above, z):
    return np.logaddexp(0, np.where(above, -z, z))


def coral_loss(y_true, y_pred, threshold_weight=None):
    """Cao et al., 2019: the sum over thresholds, weighted by their importance."""
    z = np.asarray(y_pred, "float64")
    shape, flat = z.shape[:-1], z.reshape(-1, z.shape[-1])
    above = _above(y_true, z.shape[-1])
    w = 1.0 if threshold_weight is None else np.asarray(threshold_weight)
    return (w * _cross_entropy(above, flat)).sum(-1).reshape(shape)


def corn_loss(y_true, y_pred):
    """Shi et al., 2021: the mean over the pairs of its conditional training sets."""
    z, y = np.asarray(y_pred, "float64"), np.asarray(y_true).reshape(-1)
    total, pairs = np.zeros(len(z)), 0
    for k in range(z.shape[-1]):
        inside = y > k - 1
        total[inside] += _cross_entropy(y[inside] > k, z[inside, k])
        pairs += inside.sum()
    return total * len(z) / max(pairs, 1)


def earth_mover_loss(y_true, y_pred, r=2.0, root=True, from_logits=False):
    """Talebi and Milanfar, 2017, eq. 1; the sums are of the smaller side."""
    x = np.asarray(y_pred, "float64")
    classes = x.shape[-1]
    if from_logits:
        p = np.exp(x - np.logaddexp.reduce(x, axis=-1, keepdims=True))
    else:
        p = x / x.sum(-1, keepdims=True)
    y = np.asarray(y_true)
    if y.ndim == x.ndim and y.shape[-1] != 1:
        d = np.abs(np.cumsum(y - p, -1))
    else:
        y = y.reshape(x.shape[:-1])[..., None]
        after = np.cumsum(p[..., ::-1], -1)[..., ::-1] - p
        after[..., :-1] = np.cumsum(p[..., :0:-1], -1)[..., ::-1]
        after[..., -1] = 0
        d = np.where(np.arange(classes) < y, np.cumsum(p, -1), after)
    mean = (d**r).mean(-1)
    return mean ** (1 / r) if root else mean


def ordinal_probabilities(logits, conditional):
    """The differences of the probabilities that thresholds are exceeded."""
    above = 1 / (1 + np.exp(-np.asarray(logits, "float64")))
    if conditional:
        above = np.cumprod(above, -1)
    ends = np.ones_like(above[..., :1])
    return np.concatenate([ends, above], -1) - np.concatenate([above, 0 * ends], -1)
