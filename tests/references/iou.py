"""Losses for boxes from their papers: NumPy, float64. Imports nothing of ours."""

import numpy as np


def _over(x, y):
    return np.divide(x, y, out=np.zeros_like(x), where=y > 0)


def _sides(boxes):
    """Rezatofighi et al., 2019, algorithm 2, line 1: sorts the corners."""
    corners = np.sort(np.asarray(boxes, "float64").reshape(*boxes.shape[:-1], 2, 2), -2)
    return corners[..., 0, :], corners[..., 1, :]


def _aspect(sides):
    """arctan(w / h); NaN for a point."""
    w, h = sides[..., 0], sides[..., 1]
    return np.where((w > 0) | (h > 0), np.arctan2(w, h), np.nan)


def giou_loss(y_true, y_pred, mode="giou", alpha=None):
    """Algorithm 2; Zheng et al., 2020, eq. 7 to 11; `alpha` may be held constant."""
    (t1, t2), (p1, p2) = _sides(y_true), _sides(y_pred)
    shared = np.maximum(np.minimum(t2, p2) - np.maximum(t1, p1), 0).prod(-1)
    union = (t2 - t1).prod(-1) + (p2 - p1).prod(-1) - shared
    around = np.maximum(t2, p2) - np.minimum(t1, p1)
    loss = 1 - _over(shared, union)
    if mode == "iou":
        return loss
    if mode == "giou":
        return loss + _over(around.prod(-1) - union, around.prod(-1))
    centers = (p1 + p2 - t1 - t2) / 2
    diou = loss + _over((centers**2).sum(-1), (around**2).sum(-1))
    if mode == "diou":
        return diou
    v = 4 / np.pi**2 * np.nan_to_num(_aspect(t2 - t1) - _aspect(p2 - p1)) ** 2
    return diou + (_over(v, loss + v) if alpha is None else alpha) * v


def alpha(y_true, y_pred):
    """The weight of v, from the loss with alpha 0 and with alpha 1."""
    none, one = (giou_loss(y_true, y_pred, "ciou", alpha=a) for a in (0, 1))
    v = one - none
    return _over(v, giou_loss(y_true, y_pred, "iou") + v)
