"""The self-supervised losses without negatives in NumPy."""

import numpy as np


def _off_diagonal(c):
    return (c**2).sum() - (np.diag(c) ** 2).sum()


def vicreg_loss(
    y_true, y_pred, invariance=25.0, variance=25.0, covariance=1.0, epsilon=1e-4
):
    """Bardes et al., 2021, with the variance term halved as in the authors' code."""
    a, b = y_pred[:, 0], y_pred[:, 1]
    s = ((a - b) ** 2).mean(axis=1)
    v = c = 0.0
    for z in (a, b):
        matrix = np.atleast_2d(np.cov(z, rowvar=False))
        deviation = np.sqrt(np.diag(matrix) + epsilon)
        v = v + np.maximum(0, 1 - deviation).mean() / 2
        c = c + _off_diagonal(matrix) / z.shape[1]
    return invariance * s + variance * v + covariance * c


def barlow_twins_loss(y_true, y_pred, off_diagonal=0.005, epsilon=1e-5):
    """Zbontar et al., 2021: the cross-correlation matrix should be the identity."""
    a, b = (
        (z - z.mean(axis=0)) / np.sqrt(z.var(axis=0) + epsilon)
        for z in (y_pred[:, 0], y_pred[:, 1])
    )
    c = a.T @ b / len(a)
    on_diagonal = ((1 - np.diag(c)) ** 2).sum()
    return np.full(len(a), on_diagonal + off_diagonal * _off_diagonal(c))


def _log_softmax(z):
    z = z - z.max(axis=-1, keepdims=True)
    return z - np.log(np.exp(z).sum(axis=-1, keepdims=True))


def dino_loss(
    y_true, y_pred, center=0.0, teacher_temperature=0.04, student_temperature=0.1
):
    """Caron et al., 2021, algorithm 1, for views on axis 1: one pair at a time."""
    terms = []
    for i in range(y_true.shape[1]):
        p = np.exp(_log_softmax((y_true[:, i] - center) / teacher_temperature))
        for j in range(y_pred.shape[1]):
            if i != j:
                log_q = _log_softmax(y_pred[:, j] / student_temperature)
                terms.append(-(p * log_q).sum(axis=-1))
    return np.mean(terms, axis=0)


def dino_center(y_true, center, momentum=0.9):
    """The center after a batch."""
    return momentum * center + (1 - momentum) * y_true.mean(axis=(0, 1))
