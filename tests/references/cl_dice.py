"""The clDice loss from its paper: NumPy, float64. Imports nothing of ours."""

import itertools

import numpy as np

from tests.references.overlap import _probabilities


def _of_neighbors(x, steps, choose, neutral):
    """The minimum or maximum over the neighbors at `steps` that are in the image."""
    sides = x.shape[2:]
    padded = np.pad(x, [(0, 0)] * 2 + [(1, 1)] * len(sides), constant_values=neutral)
    each = []
    for step in steps:
        parts = (slice(1 + s, 1 + s + n) for s, n in zip(step, sides, strict=True))
        each.append(padded[(slice(None), slice(None), *parts)])
    return choose(np.stack(each), axis=0)


def skeleton(x, iterations):
    """Shit et al., 2020, algorithm 1, of masks of shape `(batch, classes, ...)`."""
    cube = list(itertools.product((-1, 0, 1), repeat=x.ndim - 2))
    cross = [step for step in cube if np.abs(step).sum() <= 1]

    def eroded(x):
        return _of_neighbors(x, cross, np.min, np.inf)

    def opened(x):
        return _of_neighbors(eroded(x), cube, np.max, -np.inf)

    k = np.maximum(x - opened(x), 0)
    for _ in range(iterations):
        x = eroded(x)
        d = np.maximum(x - opened(x), 0)
        k = k + np.maximum(d - k * d, 0)
    return k


def cl_dice_loss(
    y_true,
    y_pred,
    iterations=3,
    smooth=1.0,
    activation=None,
    axis=-1,
    sample_weight=None,
):
    """Shit et al., 2020, algorithm 2, of each image."""
    if y_true.ndim < y_pred.ndim:
        y_true = y_true[..., None]
    y, y_pred = (np.moveaxis(x, axis, -1) for x in (y_true, y_pred))
    q, miss = _probabilities(y_pred, activation)
    w = np.ones(y.shape[:-1]) if sample_weight is None else np.asarray(sample_weight)
    w = w[..., None]
    y, q = np.where(w > 0, y, 0), np.where(w > 0, q, 0)

    def skeletons(x):
        return np.moveaxis(skeleton(np.moveaxis(x, -1, 1), iterations), 1, -1)

    axes = tuple(range(1, y.ndim))
    of_q, of_y = w * skeletons(q), w * skeletons(y)
    t = ((of_q * y).sum(axes) + smooth) / (of_q.sum(axes) + smooth)
    s = ((of_y * q).sum(axes) + smooth) / (of_y.sum(axes) + smooth)
    # 1 - 2 t s / (t + s), in which both misses are computed without cancellation.
    not_t = (of_q * (1 - y)).sum(axes) / (of_q.sum(axes) + smooth)
    not_s = (of_y * miss).sum(axes) / (of_y.sum(axes) + smooth)
    return (not_t * s + not_s * t) / (t + s)
