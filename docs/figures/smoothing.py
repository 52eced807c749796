"""Label smoothing and the weight of a focal loss."""

import numpy as np
from figures._style import figure

from tfx_extras import losses


def labels(path):
    """A smoothed label of three classes, and the loss of two classes."""
    with figure(path, columns=2, width=4.9, height=2.6, size=9) as (left, right):
        width = 0.25
        for i, e in enumerate((0.0, 0.1, 0.3)):
            label = (1 - e) * np.eye(3)[0] + e / 3
            left.bar(np.arange(3) + (i - 1) * width, label, width, label=f"$e$ = {e}")
        left.set(xlabel="class", xticks=range(3), title="smoothed label")
        left.legend(handlelength=1)
        logits = np.linspace(-2, 8, 201, dtype="float32")
        rows = np.stack([logits, np.zeros_like(logits)], axis=-1)
        for e in (0.0, 0.1, 0.3):
            loss = losses.smoothed_sparse_categorical_crossentropy(
                np.zeros(len(rows), int), rows, label_smoothing=e, from_logits=True
            )
            right.plot(logits, loss)
        right.set(xlabel="logit of the true class", title="loss")
    return (
        "Left: a label of three classes; with smoothing of 0.1 and 0.3, the true class "
        "has less than 1 and the others more than 0. Right: the loss of two classes "
        "against the logit of the true class; with smoothing it has a minimum."
    )


def focal_weight(path):
    """The weight of a sample against the probability of its class."""
    with figure(path) as axes:
        p = np.linspace(0, 1, 201)
        for gamma in (0, 0.5, 1, 2, 5):
            axes.plot(p, (1 - p) ** gamma, label=f"gamma {gamma}")
        axes.set(xlabel="probability of the true class", ylabel="$(1 - p)^\\gamma$")
        axes.set(title="weight of a sample in a focal loss")
        axes.legend()
    return (
        "The weight (1 - p)^gamma falls from 1 at p = 0 to 0 at p = 1, faster for "
        "larger gamma; it is 1 everywhere for gamma 0."
    )


def caption(name):
    return CAPTIONS[name]


CAPTIONS = {
    "labels": "A smoothed label of three classes, and the loss of two classes.",
    "focal_weight": "Focal losses weigh well-classified samples less.",
}


FIGURES = {"smoothing/labels": labels, "smoothing/focal_weight": focal_weight}
