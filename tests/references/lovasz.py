"""Lovasz losses from their paper: NumPy, float64. Imports nothing of ours."""

import numpy as np

from tests.references.losses import _log_odds_against


def _extension(errors, truth, w):
    """Berman et al., 2018, algorithm 1, with weights; `errors` of one image and class.

    The IoU is computed for each number of wrong pixels, by its definition.
    """
    counts = w > 0
    errors, truth, w = errors[counts], truth[counts], w[counts]
    order = np.argsort(-errors, kind="stable")
    errors, truth, w = errors[order], truth[order], w[order]
    total, before = (w * truth).sum(), 0.0
    loss = 0.0
    for k in range(1, len(errors) + 1):
        intersection = (w * truth)[k:].sum()
        union = total + (w * (1 - truth))[:k].sum()
        j = 1 - intersection / union
        loss += max(errors[k - 1], 0) * (j - before)
        before = j
    return loss, total > 0


def _weights(y_true, ignore_class, sample_weight):
    w = np.ones(y_true.shape) if sample_weight is None else np.array(sample_weight)
    return w if ignore_class is None else np.where(y_true == ignore_class, 0, w)


def _settled(loss, y_true, ignore_class):
    images = len(y_true)
    loss = np.broadcast_to(loss, (images,))
    if ignore_class is None:
        return loss
    return np.where((y_true != ignore_class).reshape(images, -1).any(-1), loss, 0)


def lovasz_hinge_loss(
    y_true, y_pred, ignore_class=None, over="sample", sample_weight=None
):
    """Berman et al., 2018, section 2.2."""
    rows = 1 if over == "batch" else len(y_true)
    w = _weights(y_true, ignore_class, sample_weight).reshape(rows, -1)
    y, z = y_true.reshape(rows, -1), y_pred.reshape(rows, -1)
    errors = 1 - z * (2 * y - 1)
    loss = [_extension(*row)[0] for row in zip(errors, y, w, strict=True)]
    return _settled(np.array(loss), y_true, ignore_class)


def lovasz_softmax_loss(
    y_true,
    y_pred,
    classes="present",
    ignore_class=None,
    from_logits=False,
    over="sample",
    axis=-1,
    sample_weight=None,
):
    """Berman et al., 2018, eq. 11 and 12."""
    y_pred = np.moveaxis(y_pred, axis, -1)
    rows = 1 if over == "batch" else len(y_true)
    w = _weights(y_true, ignore_class, sample_weight).reshape(rows, -1)
    y = y_true.reshape(rows, -1)
    p = y_pred.reshape(rows, -1, y_pred.shape[-1])
    miss = 1 - p
    if from_logits:
        r = _log_odds_against(p)
        p, miss = np.exp(-np.logaddexp(0, r)), np.exp(-np.logaddexp(0, -r))
    values = []
    for i in range(rows):
        of_classes = []
        for c in range(p.shape[-1]):
            is_own = y[i] == c
            errors = np.where(is_own, miss[i, :, c], p[i, :, c])
            value, is_present = _extension(errors, is_own * 1.0, w[i])
            if is_present or classes == "all":
                of_classes.append(value)
        values.append(np.mean(of_classes) if of_classes else 0.0)
    return _settled(np.array(values), y_true, ignore_class)
