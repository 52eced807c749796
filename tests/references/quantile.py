"""The pinball loss from its paper: NumPy, float64. Imports nothing of ours."""

import numpy as np


def pinball_loss(y_true, y_pred, tau=0.5):
    """Koenker and Bassett, 1978: the mean of max(tau e, (tau - 1) e)."""
    y_true, y_pred, tau = (np.asarray(a, "float64") for a in (y_true, y_pred, tau))
    if tau.ndim > 0 and y_true.shape != y_pred.shape:
        y_true = y_true.reshape(*y_pred.shape[:-1], 1)
    e = y_true - y_pred
    return np.maximum(tau * e, (tau - 1) * e).mean(-1)
