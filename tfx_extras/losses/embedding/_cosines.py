"""Cross-entropies of cosines with the centers of classes."""

from typing import Any

from keras import ops

from tfx_extras.losses._batch import log_sum_exp
from tfx_extras.losses._labels import SparseLabels
from tfx_extras.losses._labels import sparse_labels
from tfx_extras.losses._probabilities import softplus
from tfx_extras.losses._probabilities import within


def cosines_of(y_true, y_pred) -> tuple[SparseLabels, Any]:
    """Returns the labels, and the cosines of each sample with each class's center."""
    labels, cosines = sparse_labels(y_true, y_pred, None, -1)
    message = "`y_pred` must hold cosines, in [-1, 1], not logits of a plain layer."
    cure = "Let `tfx_extras.layers.CosineDense` be the last layer of the model."
    return labels, within(cosines, -1.0, 1.0, message, cure)


def of_classes(labels: SparseLabels, cosines):
    """Returns which class is that of the sample, in the shape of the cosines."""
    classes = ops.arange(ops.shape(cosines)[-1], dtype=labels.classes.dtype)
    return labels.classes[..., None] == classes


def crossentropy(y_true, y_pred, asked, scale):
    """Cross-entropy of scaled cosines, with `asked` applied to the true class's."""
    labels, cosines = cosines_of(y_true, y_pred)
    own = ops.take_along_axis(cosines, labels.classes[..., None], axis=-1)[..., 0]
    logit = scale * asked(own)
    others = log_sum_exp(scale * cosines, ~of_classes(labels, cosines))
    return labels.settle(softplus(others - logit))
