"""The preference losses in NumPy, by logarithms."""

import numpy as np


def _log_sigmoid(x):
    return -np.logaddexp(0, -x)


def _difference(values):
    return values[:, 0] - values[:, 1]


def dpo_loss(y_true, y_pred, beta=0.1, label_smoothing=0.0):
    """Rafailov et al., 2023, and Mitchell, 2023."""
    h = beta * (_difference(y_pred) - _difference(y_true))
    e = label_smoothing
    return -(1 - e) * _log_sigmoid(h) - e * _log_sigmoid(-h)


def ipo_loss(y_true, y_pred, beta=0.1):
    """Azar et al., 2023, eq. 17."""
    return (_difference(y_pred) - _difference(y_true) - 1 / (2 * beta)) ** 2


def orpo_loss(y_true, y_pred, beta=0.1):
    """Hong et al., 2024, eq. 4 and 7, and the cross-entropy of the chosen response."""
    odds = y_pred - np.log(-np.expm1(y_pred))
    return -y_pred[:, 0] - beta * _log_sigmoid(_difference(odds))


def simpo_loss(y_true, y_pred, beta=2.0, margin=1.0):
    """Meng et al., 2024."""
    return -_log_sigmoid(beta * _difference(y_pred) - margin)


def reward_loss(y_true, y_pred):
    """Ouyang et al., 2022, with the margins of Touvron et al., 2023."""
    return -_log_sigmoid(_difference(y_pred) - y_true.reshape(-1))


def sequence_log_probabilities(y_true, y_pred, mean=False, ignore_class=None):
    """The sum of the logarithms of softmaxes, token by token."""
    total = np.zeros(y_true.shape[:-1])
    for at in np.ndindex(total.shape):
        rows = [row for row in zip(y_true[at], y_pred[at], strict=True)
                if row[0] != ignore_class]  # fmt: skip
        for y, z in rows:
            total[at] += z[y] - np.logaddexp.reduce(z)
        if mean:
            total[at] /= max(len(rows), 1)
    return total
