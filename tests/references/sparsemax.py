"""Sparsemax and its loss from the paper: NumPy, float64. Imports nothing of ours."""

import numpy as np


def threshold(z):
    """Martins and Astudillo, 2016, algorithm 1, for one vector."""
    k = len(z)
    while True:
        largest = np.sort(z)[::-1][:k]
        if 1 + k * largest[-1] > largest.sum():
            return (largest.sum() - 1) / k
        k -= 1


def sparsemax(z, axis=-1):
    def project(z):
        z = z - z.max()
        return np.maximum(z - threshold(z), 0)

    return np.apply_along_axis(project, axis, np.asarray(z, "float64"))


def sparsemax_loss(y_true, y_pred, axis=-1):
    """Equation 21: -q.z + sum over the support of (z^2 - tau^2) / 2 + |q|^2 / 2."""
    q, z = (np.moveaxis(np.asarray(a, "float64"), axis, -1) for a in (y_true, y_pred))
    loss = np.empty(z.shape[:-1])
    for at in np.ndindex(loss.shape):
        x = z[at] - z[at].max()
        tau = threshold(x)
        squares = np.where(x > tau, np.maximum(x, -1) ** 2 - tau**2, 0)
        loss[at] = -q[at] @ x + squares.sum() / 2 + q[at] @ q[at] / 2
    return loss
