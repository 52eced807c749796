"""The weighted kappa loss from its paper: NumPy, float64. Imports nothing of ours."""

import numpy as np


def weighted_kappa_loss(
    y_true,
    y_pred,
    num_classes=None,
    weightage="quadratic",
    epsilon=1e-6,
    from_logits=False,
    sample_weight=None,
):
    """De la Torre et al., 2018: log(N / D), with `epsilon` as in TensorFlow Addons."""
    p = np.asarray(y_pred, "float64")
    batch, classes = p.shape
    if from_logits:
        p = np.exp(p - np.logaddexp.reduce(p, axis=-1, keepdims=True))
    y = np.asarray(y_true)
    if y.size == batch:
        y = np.eye(classes)[y.astype(int).reshape(-1)]
    s = np.ones(batch) if sample_weight is None else np.reshape(sample_weight, -1)
    power = {"linear": 1, "quadratic": 2}[weightage]
    n = d = 0.0
    for j in range(classes):
        for k in range(classes):
            w = abs(j - k) ** power
            n += w * (s * y[:, j] * p[:, k]).sum()
            d += w * (s * y[:, j]).sum() * (s * p[:, k]).sum() / s.sum()
    return np.full(batch, np.log(n / d + epsilon) if d > 0 else 0.0)
