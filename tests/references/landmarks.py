"""The wing losses in NumPy."""

import numpy as np


def wing_loss(y_true, y_pred, width=10.0, curvature=2.0):
    """Feng et al., 2017, with its constant C."""
    e = np.abs(y_true - y_pred)
    c = width - width * np.log1p(width / curvature)
    return np.where(e < width, width * np.log1p(e / curvature), e - c).mean(-1)


def adaptive_wing_loss(y_true, y_pred, omega=14.0, theta=0.5, epsilon=1.0, alpha=2.1):
    """Wang et al., 2019, with its A and C."""
    e, k = np.abs(y_true - y_pred), alpha - y_true
    r = theta / epsilon
    a = omega / (1 + r**k) * k * r ** (k - 1) / epsilon
    c = theta * a - omega * np.log1p(r**k)
    near = omega * np.log1p((e / epsilon) ** k)
    return np.where(e < theta, near, a * e - c).mean(-1)
