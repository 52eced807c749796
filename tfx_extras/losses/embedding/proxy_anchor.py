"""Proxy-Anchor loss."""

from typing import Unpack

from keras import ops

from tfx_extras._checks import Number
from tfx_extras._checks import require
from tfx_extras._register import register
from tfx_extras._typed import typechecked
from tfx_extras.losses._base import FunctionLoss
from tfx_extras.losses._base import LossOptions
from tfx_extras.losses._batch import collected
from tfx_extras.losses._batch import log_sum_exp
from tfx_extras.losses._probabilities import at_least
from tfx_extras.losses._probabilities import softplus
from tfx_extras.losses.embedding._cosines import cosines_of
from tfx_extras.losses.embedding._cosines import of_classes

__all__ = ["ProxyAnchorLoss", "proxy_anchor_loss"]


@register
def proxy_anchor_loss(
    y_true,
    y_pred,
    margin: Number = 0.1,
    alpha: Number = 32.0,
    gather: bool = False,
):
    r"""Proxy-Anchor loss: compares learned proxies of classes with the whole batch.

    Function form of `ProxyAnchorLoss`, which has the formula.

    Args:
        y_true: Classes $y$, integers in [0, classes), of shape `(batch,)` or
            `(batch, 1)`.
        y_pred: Cosines $s$, in [-1, 1], of shape `(batch, classes)`: the
            outputs of `tfx_extras.layers.CosineDense`. Values that rounding puts
            slightly outside are clipped.
        margin: $\delta$, in [0, 2]. Positives are pulled above the cosine $\delta$, and
            negatives pushed below $-\delta$.
        alpha: $\alpha$, in (0, inf). Larger values put more weight on the hardest
            samples of each proxy.
        gather: Whether to gather the samples of all replicas of a data-parallel run
            first, so that each proxy is compared with all of them. The loss then equals
            the loss of the whole batch on one device.

    Returns:
        The loss of the batch, in [0, inf), once per sample, of shape `(batch,)`, in
        `float32` or wider.

    Raises:
        ValueError: If there is not one class per sample, or if a class or cosine is
            found outside its interval.

    Example:
        >>> loss = tfx_extras.losses.proxy_anchor_loss(
        ...     [0, 1], [[0.9, 0.1], [0.9, 0.1]], alpha=4.0)
        >>> print(keras.ops.convert_to_numpy(loss).round(3))
        [2.961 2.961]
    """
    labels, s = cosines_of(y_true, y_pred)
    if len(s.shape) != 2:
        raise ValueError(
            "`y_pred` must hold the cosines of each sample, of shape `(batch, "
            f"classes)`. Received: y_pred.shape={tuple(s.shape)}"
        )
    everything = ops.zeros_like(s[:, 0])
    positives, _ = collected(of_classes(labels, s), gather)
    s, _ = collected(s, gather)
    s, positives = ops.transpose(s), ops.transpose(positives)  # (classes, batch)
    pull = softplus(log_sum_exp(-alpha * (s - margin), positives))
    push = softplus(log_sum_exp(alpha * (s + margin), ~positives))
    present = ops.sum(ops.cast(ops.any(positives, axis=-1), s.dtype))
    classes = ops.cast(ops.shape(s)[0], s.dtype)
    loss = ops.sum(pull) / at_least(present, 1.0) + ops.sum(push) / classes
    return labels.settle(everything + loss)


@register
class ProxyAnchorLoss(FunctionLoss):
    r"""Proxy-Anchor loss: compares learned proxies of classes with the whole batch.

    Use it for metric learning from class labels, as in image retrieval, which is
    evaluated by recall@k. Each class has a learned proxy, which is compared with all
    samples of the batch; the hardest get most weight. Batches need no mining, and
    should be large, with several samples of a class. `ProxyNCALoss` compares each
    sample on its own; `MultiSimilarityLoss` has no proxies. Keras has no equivalent.

    $$ L = \frac{1}{|P^+|} \sum_{p \in P^+} \log \left( 1 + \sum_{x \in X_p^+}
        e^{-\alpha (s_{xp} - \delta)} \right) + \frac{1}{|P|} \sum_{p \in P}
        \log \left( 1 + \sum_{x \in X_p^-} e^{\alpha (s_{xp} + \delta)} \right) $$

    $s_{xp}$ is the cosine of the embedding of sample $x$ and proxy $p$. $P$ is the set
    of all proxies, one per class, and $P^+$ those whose class is in the batch.
    $X_p^+$ are the samples of the batch of the class of $p$, and $X_p^-$ the others.
    $\delta$ is the margin. A sum over no samples is 0.

    The authors train the proxies with 100 times the learning rate of the embeddings:
    use `ParameterGroups`.

    Predictions must be cosines. The logits of a plain `Dense` layer are not cosines.
    Values outside [-1, 1] raise an error where the check costs no time, and are clipped
    elsewhere, for example in compiled JAX functions.

    Returns the loss of the batch once per sample, of shape `(batch,)`, which
    `reduction` averages. Weights and masks weight these equal values: they do not
    remove a sample from the sums. Time and memory grow linearly with the number of
    predictions.

    Args:
        margin: $\delta$, in [0, 2]. Positives are pulled above the cosine $\delta$, and
            negatives pushed below $-\delta$.
        alpha: $\alpha$, in (0, inf). Larger values put more weight on the hardest
            samples of each proxy.
        gather: Whether to gather the samples of all replicas of a data-parallel run
            first, so that each proxy is compared with all of them. The loss then equals
            the loss of the whole batch on one device.
        **kwargs: `name`, `reduction` and `dtype`: see `LossOptions`.

    Call arguments:
        y_true: Classes $y$, integers in [0, classes), of shape `(batch,)` or
            `(batch, 1)`.
        y_pred: Cosines $s$, in [-1, 1], of shape `(batch, classes)`: the
            outputs of `tfx_extras.layers.CosineDense`. Values that rounding puts
            slightly outside are clipped.

    Raises:
        ValueError: If an argument is outside its interval, or, in a call, if there is
            not one class per sample, or if a class or cosine is found outside its
            interval.
        TypeError: If an argument has the wrong type or an unknown name.

    Example:
        >>> cosines = tfx_extras.layers.CosineDense(10)(keras.Input((64,)))
        >>> loss = tfx_extras.losses.ProxyAnchorLoss(alpha=4.0)
        >>> print(f"{float(loss([0, 1], [[0.9, 0.1], [0.9, 0.1]])):.4f}")
        2.9612

    Reference: Kim et al., 2020. https://arxiv.org/abs/2003.13911
    """

    function = staticmethod(proxy_anchor_loss)

    @typechecked
    def __init__(
        self,
        margin: Number = 0.1,
        alpha: Number = 32.0,
        gather: bool = False,
        **kwargs: Unpack[LossOptions],
    ):
        super().__init__(**kwargs)
        self.margin = require("margin", margin, "[0, 2]")
        self.alpha = require("alpha", alpha, "(0, inf)")
        self.gather = gather
