"""Overlap losses from their papers: NumPy, float64. Imports nothing of ours."""

import numpy as np

from tests.references.losses import _log_odds_against
from tests.references.losses import _one_hot
from tests.references.losses import valid


def _probabilities(y_pred, activation):
    """q and 1 - q."""
    if activation is None:
        return y_pred, 1 - y_pred
    r = -y_pred if activation == "sigmoid" else _log_odds_against(y_pred)
    return np.exp(-np.logaddexp(0, r)), np.exp(-np.logaddexp(0, -r))


def _counts(y, y_pred, is_valid, activation, over, sample_weight):
    """True positives, false positives and false negatives of each image and class."""
    q, miss = _probabilities(y_pred, activation)
    w = np.ones(y.shape[:-1]) if sample_weight is None else np.asarray(sample_weight)
    w = (w if is_valid is None else w * is_valid)[..., None]
    axes = tuple(range(1, y.ndim - 1))
    axes = (0, *axes) if over == "batch" else axes
    sums = (
        np.sum(np.where(w > 0, w * x, 0), axis=axes, keepdims=over == "batch")
        for x in (y * q, (1 - y) * q, y * miss)
    )
    return tuple(x.reshape(-1, y.shape[-1]) for x in sums)


def _settled(loss, is_valid, images):
    loss = np.broadcast_to(loss, (images,))
    if is_valid is None:
        return loss
    return np.where(is_valid.reshape(images, -1).any(-1), loss, 0)


def _quotient(x, y):
    return np.divide(x, y, out=np.zeros_like(x), where=y > 0)


def _dense(y_true, y_pred, ignore_class, axis):
    if y_true.ndim < y_pred.ndim:
        y_true = y_true[..., None]
    is_valid = None
    if ignore_class is not None:
        is_valid = valid(y_true, ignore_class, axis, False)
    return *(np.moveaxis(x, axis, -1) for x in (y_true, y_pred)), is_valid


def _sparse(y_true, y_pred, ignore_class, axis):
    y_pred = np.moveaxis(y_pred, axis, -1)
    is_valid = None
    if ignore_class is not None:
        is_valid = valid(y_true, ignore_class, axis, True)
    return _one_hot(y_true, y_pred.shape[-1]), y_pred, is_valid


def tversky_loss(
    y_true,
    y_pred,
    alpha=0.5,
    beta=0.5,
    gamma=1.0,
    smooth=1.0,
    class_weight=None,
    ignore_class=None,
    activation=None,
    over="sample",
    axis=-1,
    sample_weight=None,
    form=_dense,
):
    """Salehi et al., 2017, and the power of Abraham and Khan, 2018, a line near 0.

    1 - (TP + S) / (TP + alpha FP + beta FN + S), as one fraction.
    """
    y, y_pred, is_valid = form(y_true, y_pred, ignore_class, axis)
    tp, fp, fn = _counts(y, y_pred, is_valid, activation, over, sample_weight)
    wrong = alpha * fp + beta * fn
    loss = _quotient(wrong, tp + wrong + smooth)
    least = 1e-7 if gamma < 1 else 0
    loss = loss * np.maximum(loss, least) ** (gamma - 1)
    loss = np.average(loss, axis=-1, weights=class_weight)
    return _settled(loss, is_valid, len(y))


def dice_loss(y_true, y_pred, smooth=1.0, **kwargs):
    return tversky_loss(y_true, y_pred, 0.5, 0.5, 1.0, smooth, **kwargs)


def jaccard_loss(y_true, y_pred, smooth=1.0, **kwargs):
    return tversky_loss(y_true, y_pred, 1.0, 1.0, 1.0, smooth, **kwargs)


def focal_tversky_loss(
    y_true, y_pred, alpha=0.3, beta=0.7, gamma=0.75, smooth=1.0, **kwargs
):
    return tversky_loss(y_true, y_pred, alpha, beta, gamma, smooth, **kwargs)


def generalized_dice_loss(
    y_true,
    y_pred,
    power=2,
    smooth=1e-5,
    class_weight=None,
    ignore_class=None,
    activation=None,
    over="sample",
    axis=-1,
    sample_weight=None,
    form=_dense,
):
    """Sudre et al., 2017, with the weights of MONAI for absent classes."""
    y, y_pred, is_valid = form(y_true, y_pred, ignore_class, axis)
    tp, fp, fn = _counts(y, y_pred, is_valid, activation, over, sample_weight)
    size = tp + fn
    is_there = size > 0
    v = np.where(is_there, np.where(is_there, size, 1) ** -float(power), 0)
    v = np.where(is_there, v, v.max(-1, keepdims=True))
    if class_weight is not None:
        v = v * np.asarray(class_weight)
    both = (v * (2 * tp + fp + fn)).sum(-1)
    return _settled(_quotient((v * (fp + fn)).sum(-1), both + smooth), is_valid, len(y))


def sparse(function):
    """The form of a reference for integer labels."""

    def reference(y_true, y_pred, **kwargs):
        return function(y_true, y_pred, form=_sparse, **kwargs)

    return reference


sparse_tversky_loss = sparse(tversky_loss)
sparse_dice_loss = sparse(dice_loss)
sparse_jaccard_loss = sparse(jaccard_loss)
sparse_focal_tversky_loss = sparse(focal_tversky_loss)
sparse_generalized_dice_loss = sparse(generalized_dice_loss)
