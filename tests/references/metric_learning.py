"""Losses of pairs and triplets from their papers: NumPy, float64, anchor by anchor.

This module imports nothing from `tfx_extras`. Each anchor has one value; their mean is
the paper's number.
"""

import math

import numpy as np


def l2(x, y):
    return np.sqrt(squared_l2(x, y))


def squared_l2(x, y):
    return ((x[..., :, None, :] - y[..., None, :, :]) ** 2).sum(-1)


def cosine(x, y):
    def unit(v):
        length = np.linalg.norm(v, axis=-1, keepdims=True)
        return v / np.where(length == 0, 1, length)

    return unit(x) @ np.swapaxes(unit(y), -1, -2)


def angular(x, y):
    return np.maximum(1 - cosine(x, y), 0)


def manhattan(x, y):
    return np.abs(x[..., :, None, :] - y[..., None, :, :]).sum(-1)


DISTANCES = {"L2": l2, "squared-L2": squared_l2, "angular": angular}


def _distances(metric, x, y):
    return DISTANCES.get(metric, manhattan)(x, y)


def _alike(y_true, i):
    """Indices of the positives of anchor `i`, and of its negatives."""
    labels = np.asarray(y_true).reshape(-1)
    same = labels == labels[i]
    others = np.arange(len(labels)) != i
    return np.flatnonzero(same & others), np.flatnonzero(~same)


def _scaled(totals, terms):
    return np.asarray(totals, "float64") * len(totals) / max(sum(terms), 1)


def triplet_semi_hard_loss(
    y_true, y_pred, margin=1.0, distance_metric="L2", gather=False
):
    """Schroff et al., 2015, section 3.2."""
    d = _distances(distance_metric, y_pred, y_pred)
    totals, terms = [], []
    for a in range(len(y_pred)):
        positives, negatives = _alike(y_true, a)
        total = 0.0
        for p in positives:
            if len(negatives):
                beyond = [d[a, n] for n in negatives if d[a, n] > d[a, p]]
                nearest = min(beyond) if beyond else max(d[a, negatives])
                total += max(margin + d[a, p] - nearest, 0)
        totals.append(total)
        terms.append(len(positives) if len(negatives) else 0)
    return _scaled(totals, terms)


def triplet_hard_loss(
    y_true, y_pred, margin=1.0, soft=False, distance_metric="L2", gather=False
):
    """Hermans et al., 2017, eq. 5."""
    d = _distances(distance_metric, y_pred, y_pred)
    totals, terms = [], []
    for a in range(len(y_pred)):
        positives, negatives = _alike(y_true, a)
        both = len(positives) > 0 and len(negatives) > 0
        total = 0.0
        if both:
            gap = max(d[a, positives]) - min(d[a, negatives])
            total = np.logaddexp(0, gap) if soft else max(gap + margin, 0)
        totals.append(total)
        terms.append(both)
    return _scaled(totals, terms)


def triplet_loss(
    y_true, y_pred, margin=1.0, soft=False, swap=False, distance_metric="L2"
):
    """Schroff et al., 2015, eq. 2."""
    values = []
    for triplet in y_pred:
        d = _distances(distance_metric, triplet, triplet)
        d_an = min(d[0, 2], d[1, 2]) if swap else d[0, 2]
        gap = d[0, 1] - d_an
        values.append(np.logaddexp(0, gap) if soft else max(gap + margin, 0))
    return np.array(values)


def lifted_structured_loss(
    y_true, y_pred, margin=1.0, distance_metric="L2", gather=False
):
    """Song et al., 2015, eq. 4."""
    d = _distances(distance_metric, y_pred, y_pred)
    totals, terms = [], []
    for i in range(len(y_pred)):
        positives, negatives = _alike(y_true, i)
        total = 0.0
        for j in positives:
            _, others = _alike(y_true, j)
            pushes = [*(margin - d[i, negatives]), *(margin - d[j, others])]
            if pushes:
                total += max(np.logaddexp.reduce(pushes) + d[i, j], 0) ** 2 / 2
        totals.append(total)
        terms.append(len(positives) if len(negatives) else 0)
    return _scaled(totals, terms)


def multi_similarity_loss(
    y_true, y_pred, alpha=2.0, beta=50.0, base=0.5, epsilon=0.1, gather=False
):
    """Wang et al., 2019, eq. 11 to 15."""
    s = cosine(y_pred, y_pred)
    values = []
    for i in range(len(y_pred)):
        positives, negatives = _alike(y_true, i)
        value = 0.0
        if len(positives) and len(negatives):
            hard = [p for p in positives if s[i, p] - epsilon < max(s[i, negatives])]
            near = [n for n in negatives if s[i, n] + epsilon > min(s[i, positives])]
            pull = sum(math.exp(-alpha * (s[i, p] - base)) for p in hard)
            push = sum(math.exp(beta * (s[i, n] - base)) for n in near)
            value = math.log1p(pull) / alpha + math.log1p(push) / beta
        values.append(value)
    return np.array(values)


def _log_softmax(rows):
    return rows - np.logaddexp.reduce(rows, -1, keepdims=True)


def _inner(y_pred, from_embeddings):
    if not from_embeddings:
        return y_pred
    return y_pred[:, 0] @ y_pred[:, 1].T


def n_pairs_loss(y_true, y_pred, from_embeddings=False, gather=False):
    """Sohn, 2016, eq. 7, with the labels of TensorFlow Addons."""
    labels = np.asarray(y_true).reshape(-1)
    same = (labels[:, None] == labels).astype("float64")
    shares = same / same.sum(-1, keepdims=True)
    return -(shares * _log_softmax(_inner(y_pred, from_embeddings))).sum(-1)


def n_pairs_multilabel_loss(y_true, y_pred, from_embeddings=False, gather=False):
    """The same, with shares proportional to the number of labels in common."""
    shared = np.asarray(y_true) @ np.asarray(y_true).T
    total = shared.sum(-1, keepdims=True)
    shares = shared / np.where(total == 0, 1, total)
    values = -(shares * _log_softmax(_inner(y_pred, from_embeddings))).sum(-1)
    return _scaled(values, (total > 0).sum(-1))


def supervised_contrastive_loss(y_true, y_pred, temperature=0.1, gather=False):
    """Khosla et al., 2020, eq. 2."""
    s = cosine(y_pred, y_pred) / temperature
    totals, terms = [], []
    for i in range(len(y_pred)):
        positives, negatives = _alike(y_true, i)
        rest = np.concatenate([positives, negatives]).astype(int)
        total = 0.0
        if len(positives):
            total = np.mean(np.logaddexp.reduce(s[i, rest]) - s[i, positives])
        totals.append(total)
        terms.append(len(positives) > 0)
    return _scaled(totals, terms)


def _against(others, own):
    """-log of the share of `own`, exact even if it is nearly 1."""
    return np.logaddexp(0, np.logaddexp.reduce([-np.inf, *others]) - own)


def nt_xent_loss(y_true, y_pred, temperature=0.5, gather=False):
    """Chen et al., 2020, eq. 1; images with the same label are not negatives."""
    count = len(y_pred)
    labels = np.arange(count) if y_true is None else np.asarray(y_true).reshape(-1)
    views = np.concatenate([y_pred[:, 0], y_pred[:, 1]])
    images = np.tile(np.arange(count), 2)
    s = cosine(views, views) / temperature
    values = np.zeros(count)
    for i in range(2 * count):
        twin = (i + count) % (2 * count)
        rest = [k for k in range(2 * count) if labels[images[k]] != labels[images[i]]]
        values[images[i]] += _against(s[i, rest], s[i, twin])
    return values / 2


def _two_sides(y_true, y_pred, temperature, from_logits):
    count = len(y_pred)
    labels = np.arange(count) if y_true is None else np.asarray(y_true).reshape(-1)
    negatives = labels[:, None] != labels
    if not from_logits:
        y_pred = cosine(y_pred[:, 0], y_pred[:, 1]) / temperature
    return y_pred, negatives


def clip_loss(y_true, y_pred, temperature=0.07, from_logits=False, gather=False):
    """Radford et al., 2021, figure 3."""
    s, negatives = _two_sides(y_true, y_pred, temperature, from_logits)
    values = []
    for i in range(len(s)):
        rest = np.flatnonzero(negatives[i])
        values.append(
            (_against(s[i, rest], s[i, i]) + _against(s[rest, i], s[i, i])) / 2
        )
    return np.array(values)


def siglip_loss(
    y_true, y_pred, temperature=0.1, bias=-10.0, from_logits=False, gather=False
):
    """Zhai et al., 2023, eq. 2."""
    s, negatives = _two_sides(y_true, y_pred, temperature, from_logits)
    s = s if from_logits else s + bias
    push = np.where(negatives, np.logaddexp(0, s), 0).sum(-1)
    return np.logaddexp(0, -np.diagonal(s)) + push


def _margin(y_true, y_pred, asked, scale):
    values = []
    for y, row in zip(np.asarray(y_true, int).reshape(-1), y_pred, strict=True):
        logits = scale * np.clip(row, -1, 1)
        own = scale * asked(np.clip(row[y], -1, 1))
        values.append(_against(np.delete(logits, y), own))
    return np.array(values)


def arc_face_loss(y_true, y_pred, margin=0.5, scale=64.0):
    """Deng et al., 2018, eq. 3, continued monotonically beyond pi."""

    def asked(cosine):
        angle = math.acos(cosine) + margin
        return math.cos(angle) if angle <= math.pi else -2 - math.cos(angle)

    return _margin(y_true, y_pred, asked, scale)


def cos_face_loss(y_true, y_pred, margin=0.35, scale=64.0):
    """Wang et al., 2018, eq. 4."""
    return _margin(y_true, y_pred, lambda cosine: cosine - margin, scale)


def proxy_nca_loss(y_true, y_pred, temperature=1 / 9):
    """Teh et al., 2020: squared distances of unit vectors in a softmax."""
    values = []
    for y, row in zip(np.asarray(y_true, int).reshape(-1), y_pred, strict=True):
        z = -(2 - 2 * np.clip(row, -1, 1)) / temperature
        values.append(_against(np.delete(z, y), z[y]))
    return np.array(values)


def soft_triple_loss(y_true, y_pred, scale=20.0, margin=0.01):
    """Qian et al., 2019, of the similarities S."""
    return _margin(y_true, y_pred, lambda s: s - margin, scale)


def proxy_anchor_loss(y_true, y_pred, margin=0.1, alpha=32.0, gather=False):
    """Kim et al., 2020, proxy by proxy, once per sample."""
    y_true = np.asarray(y_true, int).reshape(-1)
    pull, push = [], []
    for p, s in enumerate(np.clip(y_pred, -1, 1).T):
        near, far = s[y_true == p], s[y_true != p]
        if len(near):
            pull.append(np.log(1 + np.exp(-alpha * (near - margin)).sum()))
        push.append(np.log(1 + np.exp(alpha * (far + margin)).sum()))
    return np.full(len(y_true), np.sum(pull) / max(1, len(pull)) + np.mean(push))
