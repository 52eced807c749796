"""The consistency losses in NumPy, by logarithms."""

import numpy as np


def _log_softmax(z):
    return z - np.logaddexp.reduce(z, axis=-1, keepdims=True)


def _divergence(log_p, log_q):
    return (np.exp(log_p) * (log_p - log_q)).sum(-1)


def jensen_shannon_loss(y_true, y_pred):
    """Hendrycks et al., 2019: the mean divergence from the mean of the views."""
    log_p = _log_softmax(y_pred)
    views = log_p.shape[1]
    log_mean = np.logaddexp.reduce(log_p, axis=1) - np.log(views)
    return sum(_divergence(log_p[:, v], log_mean) for v in range(views)) / views


def r_drop_loss(y_true, y_pred):
    """Liang et al., 2021, eq. 2: the mean of both directions."""
    a, b = np.moveaxis(_log_softmax(y_pred), 1, 0)
    return (_divergence(a, b) + _divergence(b, a)) / 2
