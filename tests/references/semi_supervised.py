"""The semi-supervised losses, transcribed from their papers: NumPy, float64.

This module imports nothing from `tfx_extras`.
"""

import numpy as np

from tests.references.losses import _classes


def semi_supervised_crossentropy(
    y_true,
    y_pred,
    consistency="fixmatch",
    unlabeled_weight=1.0,
    threshold=None,
    temperature=None,
    label_smoothing=0.0,
    ignore_label=-1,
    from_logits=False,
    held=None,
):
    """The loss of each sample. Targets are made from `held`, by default `y_pred`."""
    held = y_pred if held is None else held
    threshold = {"uda": 0.8}.get(consistency, 0.95) if threshold is None else threshold
    temperature = 0.4 if temperature is None else temperature
    labels = np.reshape(y_true, -1)
    labeled = labels != ignore_label
    student_learns = consistency == "mse"
    loss = np.zeros(len(labels))
    for b in range(len(labels)):
        two = y_pred[b] if y_pred.ndim == 3 else np.stack([y_pred[b], y_pred[b]])
        target = held[b][0] if held.ndim == 3 else held[b]
        if labeled[b]:
            surprise, _ = _classes(two[int(student_learns)], from_logits)
            classes = len(surprise)
            y = np.full(classes, label_smoothing / classes)
            y[int(labels[b])] += 1 - label_smoothing
            loss[b] = (y * surprise).sum() * len(labels) / labeled.sum()
            continue
        surprise, _ = _classes(two[1], from_logits)
        target, _ = _classes(target, from_logits)
        p, q = np.exp(-surprise), np.exp(-target)
        if consistency in ("fixmatch", "pseudo_label"):  # FixMatch, eq. 4
            term = surprise[q.argmax()] * (q.max() >= threshold)
        elif consistency == "uda":  # UDA, section 2.3
            sharp = np.exp(-(target - target.min()) / temperature)
            sharp /= sharp.sum()
            term = (sharp * surprise).sum() * (q.max() >= threshold)
        elif consistency == "mse":  # Laine and Aila, algorithm 1
            term = ((p - q) ** 2).sum() / len(p)
        elif consistency == "entropy":  # Grandvalet and Bengio, eq. 7
            term = (p * surprise).sum()
        else:
            term = 0
        loss[b] = unlabeled_weight * term * len(labels) / (~labeled).sum()
    return loss
