"""Losses transcribed from their papers: NumPy, float64, by logarithms.

This module imports nothing from `tfx_extras`. Values are per sample, before masks and
means.
"""

import numpy as np

EPSILON = 1e-7  # Keras's epsilon, to which probabilities are clipped


def _log_odds_against(z):
    """log((1 - p_c) / p_c) for each class of the last axis."""
    z = np.asarray(z, "float64")
    classes = z.shape[-1]
    return np.stack(
        [
            np.logaddexp.reduce(np.delete(z, c, -1) - z[..., c : c + 1], axis=-1)
            for c in range(classes)
        ],
        axis=-1,
    )


def _classes(y_pred, from_logits):
    """-log p and 1 - p for each class."""
    if from_logits:
        r = _log_odds_against(y_pred)
        return np.logaddexp(0, r), np.exp(-np.logaddexp(0, -r))
    total = y_pred.sum(-1, keepdims=True)
    p = y_pred / np.where(total == 0, 1, total)
    return -np.log(np.maximum(p, EPSILON)), 1 - p


def _one_hot(y_true, classes):
    return (np.asarray(y_true)[..., None] == np.arange(classes)).astype("float64")


def _power(x, gamma):
    return np.ones_like(x) if gamma == 0 else np.maximum(x, 0) ** gamma


def valid(y_true, ignore_class, axis, sparse):
    """Which samples count."""
    if not sparse:
        y_true = np.argmax(np.asarray(y_true), axis)
    return np.asarray(y_true) != ignore_class


def sigmoid_focal_crossentropy(
    y_true, y_pred, alpha=0.25, gamma=2.0, label_smoothing=0.0, from_logits=False
):
    """Lin et al., 2017, eq. 5; the mean over classes, with soft labels as in Optax."""
    y = np.asarray(y_true, "float64")
    if from_logits:
        log_q, log_not_q = -np.logaddexp(0, -y_pred), -np.logaddexp(0, y_pred)
    else:
        log_q = np.log(np.maximum(y_pred, EPSILON))
        log_not_q = np.log(np.maximum(1 - y_pred, EPSILON))
    alpha_t = 1.0 if alpha is None else alpha * y + (1 - alpha) * (1 - y)
    y = y * (1 - label_smoothing) + label_smoothing * 0.5
    miss = y * np.exp(log_not_q) + (1 - y) * np.exp(log_q)
    entropy = -y * log_q - (1 - y) * log_not_q
    return (alpha_t * _power(miss, gamma) * entropy).mean(-1)


def categorical_focal_crossentropy(
    y_true,
    y_pred,
    alpha=0.25,
    gamma=2.0,
    label_smoothing=0.0,
    ignore_class=None,
    from_logits=False,
    axis=-1,
):
    """Lin et al., 2017: -sum_c alpha_c y_c (1 - p_c)^gamma log p_c."""
    y, y_pred = (np.moveaxis(np.asarray(a), axis, -1) for a in (y_true, y_pred))
    surprise, miss = _classes(y_pred, from_logits)
    y = (1 - label_smoothing) * y + label_smoothing / y.shape[-1]
    alpha = 1.0 if alpha is None else np.asarray(alpha)
    loss = (alpha * y * _power(miss, gamma) * surprise).sum(-1)
    if ignore_class is None:
        return loss
    return np.where(valid(y_true, ignore_class, axis, False), loss, 0)


def sparse_categorical_focal_crossentropy(
    y_true, y_pred, *args, ignore_class=None, axis=-1, **kwargs
):
    y = _one_hot(y_true, np.shape(y_pred)[axis])
    y_pred = np.moveaxis(np.asarray(y_pred), axis, -1)
    loss = categorical_focal_crossentropy(y, y_pred, *args, **kwargs)
    return np.where(valid(y_true, ignore_class, axis, True), loss, 0)


def smoothed_categorical_crossentropy(
    y_true,
    y_pred,
    label_smoothing=0.1,
    ignore_class=None,
    class_weight=None,
    z_loss=0.0,
    from_logits=False,
    axis=-1,
):
    """Szegedy et al., 2015, section 7; PaLM's z-loss: zeta log(Z)^2."""
    y, y_pred = (np.moveaxis(np.asarray(a), axis, -1) for a in (y_true, y_pred))
    surprise, _ = _classes(y_pred, from_logits)
    w = np.ones(y.shape[-1]) if class_weight is None else np.asarray(class_weight)
    y = (1 - label_smoothing) * y + label_smoothing / y.shape[-1]
    loss = (w * y * surprise).sum(-1)
    if from_logits:
        loss = loss + z_loss * np.logaddexp.reduce(y_pred, axis=-1) ** 2
    if ignore_class is None:
        return loss
    return np.where(valid(y_true, ignore_class, axis, False), loss, 0)


def smoothed_sparse_categorical_crossentropy(
    y_true, y_pred, *args, ignore_class=None, axis=-1, **kwargs
):
    y = _one_hot(y_true, np.shape(y_pred)[axis])
    y_pred = np.moveaxis(np.asarray(y_pred), axis, -1)
    loss = smoothed_categorical_crossentropy(y, y_pred, *args, **kwargs)
    return np.where(valid(y_true, ignore_class, axis, True), loss, 0)


def contrastive_loss(
    y_true, y_pred, margin=1.0, positive_margin=0.0, half=False, from_embeddings=False
):
    """Hadsell et al., 2006, eq. 4, with Y = 1 - y."""
    y, d = np.reshape(y_true, -1), y_pred
    if from_embeddings:
        d = np.linalg.norm(y_pred[:, 0] - y_pred[:, 1], axis=-1)
    d = np.reshape(d, -1)
    similar = np.where(d > positive_margin, d - positive_margin, 0) ** 2
    dissimilar = np.where(d < margin, margin - d, 0) ** 2
    return (y * similar + (1 - y) * dissimilar) / (2 if half else 1)


def huber(y_true, y_pred, delta=1.0):
    """Huber, 1964."""
    e = np.abs(y_true - y_pred)
    return np.where(
        e <= delta, np.minimum(e, delta) ** 2 / 2, delta * e - delta**2 / 2
    ).mean(-1)


def smooth_l1(y_true, y_pred, beta=1.0):
    """Girshick, 2015, eq. 3, with PyTorch's threshold beta."""
    e = np.abs(y_true - y_pred)
    if beta == 0:
        return e.mean(-1)
    return np.where(e < beta, np.minimum(e, beta) ** 2 / (2 * beta), e - beta / 2).mean(
        -1
    )


def pseudo_huber(y_true, y_pred, delta=1.0):
    """Charbonnier et al., 1997: delta^2 (sqrt(1 + (e / delta)^2) - 1)."""
    e = (y_true - y_pred) / delta
    return (delta**2 * np.expm1(np.log1p(e**2) / 2)).mean(-1)


def charbonnier_loss(y_true, y_pred, epsilon=1e-3):
    """Lai et al., 2017: sqrt(e^2 + epsilon^2)."""
    return np.hypot(y_true - y_pred, epsilon).mean(-1)


def general_robust_loss(y_true, y_pred, alpha=1.0, scale=1.0):
    """Barron, 2019: the general form and its limits."""
    q = ((y_true - y_pred) / scale) ** 2
    if alpha == 2:
        loss = q / 2
    elif alpha == 0:
        loss = np.log1p(q / 2)
    elif alpha == -np.inf:
        loss = -np.expm1(-q / 2)
    else:
        b = abs(alpha - 2)
        loss = b / alpha * np.expm1(alpha / 2 * np.log1p(q / b))
    return loss.mean(-1)
