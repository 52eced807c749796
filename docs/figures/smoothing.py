"""Label smoothing and the weight of a focal loss."""

import numpy as np
from figures._style import figure

from tfx_extras import losses


def labels(path):
    """What becomes of a label, and of the loss of two classes."""
    with figure(path, columns=2) as (left, right):
        width = 0.25
        for i, e in enumerate((0.0, 0.1, 0.3)):
            label = (1 - e) * np.eye(3)[0] + e / 3
            left.bar(np.arange(3) + (i - 1) * width, label, width, label=f"$e$ = {e}")
        left.set(xlabel="class", ylabel="label", xticks=range(3), title="a label")
        left.legend()
        logits = np.linspace(-2, 8, 201, dtype="float32")
        rows = np.stack([logits, np.zeros_like(logits)], axis=-1)
        for e in (0.0, 0.1, 0.3):
            loss = losses.smoothed_sparse_categorical_crossentropy(
                np.zeros(len(rows), int), rows, label_smoothing=e, from_logits=True
            )
            right.plot(logits, loss)
        right.set(xlabel="logit of the true class, the other at 0", title="its loss")


def focal_weight(path):
    """How much a sample weighs, by how right it is."""
    with figure(path) as axes:
        p = np.linspace(0, 1, 201)
        for gamma in (0, 0.5, 1, 2, 5):
            axes.plot(p, (1 - p) ** gamma, label=f"gamma {gamma}")
        axes.set(xlabel="probability of the true class", ylabel="$(1 - p)^\\gamma$")
        axes.set(title="the weight of a focal loss")
        axes.legend()


FIGURES = {"smoothing/labels": labels, "smoothing/focal_weight": focal_weight}
