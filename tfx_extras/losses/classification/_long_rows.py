"""Smoothed cross-entropy of logits with many classes, in few passes, and its gradient.

The statistics of a sample are `rest` and `largest`, which `Logits` explains.
"""

from keras import ops

from tfx_extras._backend import backend
from tfx_extras.losses._base import mean
from tfx_extras.losses._probabilities import Logits


def loss_of(p: Logits, others, own, weights, label_smoothing, z_loss):
    r"""The loss of samples; `p.values` are the logits of their `own` classes.

    Args:
        p: The statistics, and the logit of the own class minus the maximum.
        others: The mean of all logits times `weights`; 0 without smoothing.
        own: Classes, of shape `(..., 1)`.
        weights: One number, or one per class.
        label_smoothing: $e$.
        z_loss: $\zeta$.
    """
    loss = at(weights, own) * p.surprise(p.values) * (1 - label_smoothing)
    loss = ops.squeeze(loss, -1)
    if label_smoothing > 0:
        drift = mean_weight(weights) * p.log_partition() - others
        loss = loss + label_smoothing * drift
    return loss + z_loss * ops.square(p.log_partition())


def slope_of(
    upstream, z, found, own, weights, label_smoothing, z_loss, start=0, classes=None
):
    r"""$p_c (\sum_k w_k y'_k + 2 \zeta \log Z) - w_c y'_c$, times `upstream`.

    Args:
        upstream: The derivative with respect to the loss of each sample.
        z: Logits of all `classes`, or of consecutive ones.
        found: `rest` and `largest` of the sample.
        own: Classes, of shape `(..., 1)`.
        weights: One number, or one per class.
        label_smoothing: $e$.
        z_loss: $\zeta$.
        start: The class of the first logit.
        classes: The number of classes, if `z` does not hold all of them.
    """
    p = Logits(z - found[1], *found)
    pull = pull_of(p, own, weights, label_smoothing, z_loss)
    upstream = upstream[..., None]
    size = z.shape[-1]
    classes = classes or size
    numbers = ops.arange(classes, dtype=own.dtype)
    is_own = backend.columns(numbers, start, size) == own
    least = label_smoothing / classes
    y = ops.where(is_own, (1 - label_smoothing + least) * upstream, least * upstream)
    return p.share(p.values) * (pull * upstream) - part(weights, start, size) * y


def pull_of(p: Logits, own, weights, label_smoothing, z_loss):
    r"""The factor of $p_c$ in the gradient, $\sum_k w_k y'_k + 2 \zeta \log Z$."""
    pull = (1 - label_smoothing) * at(weights, own)
    pull = pull + label_smoothing * mean_weight(weights)
    return pull + 2 * z_loss * p.log_partition()[..., None]


def part(weights, start, size):
    """The weights of consecutive classes; a single number is the weight of all."""
    return weights if _is_one(weights) else backend.columns(weights, start, size)


def at(weights, classes):
    """The weights of these classes."""
    return weights if _is_one(weights) else ops.take(weights, classes, axis=0)


def mean_weight(weights):
    """The mean of the weights."""
    return weights if _is_one(weights) else mean(weights)


def _is_one(weights):
    return len(getattr(weights, "shape", ())) == 0


def log_total(share, rest, *_):
    """The logarithm of the sum of exponentials, which are at most 1, of a row.

    Args:
        share: The exponential of the own class.
        rest: The sum of the others, which may be tiny if `share` is 1.
    """
    is_likely = rest < share
    above = ops.where(is_likely, rest + (share - 1), ops.zeros_like(rest))
    return ops.where(is_likely, ops.log1p(above), ops.log(rest + share))


def surprise_of_own(y_pred, own):
    """-log(p) of the own class of each sample, from logits, in few passes over them.

    Args:
        y_pred: Logits, of any dtype.
        own: Classes, of shape `(..., 1)`.
    """
    return backend.with_slope(_surprise_of_own, _slope_of_surprise, (y_pred,), own)


def _surprise_of_own(z, own):
    surprise, *found = backend.surprise_of_one(z, own)
    return ops.squeeze(surprise, -1), found


def _slope_of_surprise(upstream, found, z, own, wanted):
    """$p_c - [c = y]$, times `upstream`."""
    share, rest, *kept = found
    unit = upstream[..., None] / (rest + share)
    # Not p - 1, which would lose digits.
    return (backend.scaled_shares(z, kept, unit, own, -rest * unit),)
