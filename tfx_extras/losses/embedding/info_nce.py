"""Losses that tell the like of an anchor from all other samples by a softmax.

SigLIP's, by a sigmoid each.
"""

from typing import Unpack

from keras import ops

from tfx_extras._backend import backend
from tfx_extras._checks import Number
from tfx_extras._checks import require
from tfx_extras._register import register
from tfx_extras._typed import typechecked
from tfx_extras.losses._base import FunctionLoss
from tfx_extras.losses._base import LossOptions
from tfx_extras.losses._probabilities import at_least
from tfx_extras.losses._probabilities import log_add_exp
from tfx_extras.losses._probabilities import softplus
from tfx_extras.losses.embedding._distances import unit
from tfx_extras.losses.embedding._pairs import averaged
from tfx_extras.losses.embedding._pairs import collected
from tfx_extras.losses.embedding._pairs import count
from tfx_extras.losses.embedding._pairs import equal_labels
from tfx_extras.losses.embedding._pairs import labelled
from tfx_extras.losses.embedding._pairs import log_sum_exp
from tfx_extras.losses.embedding._pairs import own
from tfx_extras.losses.embedding._pairs import pairs
from tfx_extras.losses.embedding._pairs import square
from tfx_extras.losses.embedding._pairs import sum_where
from tfx_extras.losses.embedding._pairs import views

__all__ = [
    "CLIPLoss",
    "NTXentLoss",
    "SigLIPLoss",
    "SupervisedContrastiveLoss",
    "clip_loss",
    "nt_xent_loss",
    "siglip_loss",
    "supervised_contrastive_loss",
]


@register
def supervised_contrastive_loss(
    y_true, y_pred, temperature: Number = 0.1, gather: bool = False
):
    r"""Tells the samples with the label of an anchor from all other samples.

    $$ L = -\frac1{|A|} \sum_{i \in A} \frac1{|P_i|} \sum_{p \in P_i} \log
        \frac{e^{s_{ip} / \tau}}{\sum_{k \ne i} e^{s_{ik} / \tau}} $$

    Here $s$ is the cosine of two embeddings, $P_i$ are the other samples with the
    label of $i$, and $A$ the anchors that have any. The rest cost 0, with a
    gradient of 0.

    Time and memory grow as the square of the batch.

    Args:
        y_true: Labels, any integers or floats, of shape `(batch,)` or `(batch, 1)`.
        y_pred: Embeddings, of any length, of shape `(batch, features)`.
        temperature: $\tau$, in (0, inf): the lower, the more the nearest count.
        gather: Whether to take the samples of all replicas of a data-parallel run,
            which then gives the number of one device.

    Returns:
        One value per anchor, in nats, of shape `(batch,)`, in `float32` or wider,
        times $B / |A|$ for a batch of $B$, so that the mean of the values is $L$.

    Raises:
        ValueError: If the shapes are others.

    Example:
        >>> loss = tfx_extras.losses.supervised_contrastive_loss(
        ...     [0, 0, 1], [[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]], temperature=0.5)
        >>> print(keras.ops.convert_to_numpy(loss).round(3))
        [0.395 1.37  0.   ]

    Reference: Khosla et al., 2020, eq. 2. https://arxiv.org/abs/2004.11362
    """
    batch = pairs(y_true, y_pred, gather)
    s = backend.products(unit(batch.anchors), unit(batch.samples)) / temperature
    positives = count(batch.positives, s.dtype)
    has_positives = positives > 0
    partition = log_sum_exp(s, batch.positives | batch.negatives)
    nearness = sum_where(batch.positives, s) / at_least(positives, 1.0)
    loss = ops.where(has_positives, partition - nearness, ops.zeros_like(nearness))
    return averaged(loss, ops.cast(has_positives, s.dtype), gather)


@register
class SupervisedContrastiveLoss(FunctionLoss):
    r"""Tells the samples with the label of an anchor from all other samples.

    Class form of `supervised_contrastive_loss`, which has the formula.

    Args:
        temperature: $\tau$, in (0, inf): the lower, the more the nearest count.
        gather: Whether to take the samples of all replicas of a data-parallel run.
        **kwargs: Options of every loss: see `LossOptions`.

    Raises:
        ValueError: If an argument is outside its interval.

    Example:
        >>> loss = tfx_extras.losses.SupervisedContrastiveLoss(temperature=0.5)
        >>> value = loss([0, 0, 1], [[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]])
        >>> print(f"{float(value):.4f}")
        0.5881

    Reference: Khosla et al., 2020, eq. 2. https://arxiv.org/abs/2004.11362
    """

    function = staticmethod(supervised_contrastive_loss)

    @typechecked
    def __init__(
        self,
        temperature: Number = 0.1,
        gather: bool = False,
        **kwargs: Unpack[LossOptions],
    ):
        super().__init__(**kwargs)
        self.temperature = require("temperature", temperature, "(0, inf)")
        self.gather = gather


@register
def nt_xent_loss(y_true, y_pred, temperature: Number = 0.5, gather: bool = False):
    r"""Tells the other view of an image from the views of all other images.

    $$ L = -\frac1{2 B} \sum_{i=1}^{2 B} \log \frac{e^{s_{i i'} / \tau}}
        {\sum_{k \ne i} e^{s_{ik} / \tau}} $$

    Here $s$ is the cosine of the embeddings of two of the $2 B$ views, and $i'$ is
    the other view of the same image as $i$. It is the loss of SimCLR, also called
    the normalized, temperature-scaled cross-entropy.

    Time and memory grow as the square of the batch.

    Args:
        y_true: Which image each pair of views is of, of shape `(batch,)` or
            `(batch, 1)`: those of one image are no negatives of each other. `None`
            says that all are different.
        y_pred: Embeddings of two views, of any length, of shape
            `(batch, 2, features)`, or a tuple or list of two tensors of shape
            `(batch, features)`.
        temperature: $\tau$, in (0, inf): the lower, the more the nearest count.
        gather: Whether to take negatives from all replicas of a data-parallel run,
            which then gives the number of one device.

    Returns:
        The mean of both views of each image, in nats, of shape `(batch,)`, in
        `float32` or wider.

    Raises:
        ValueError: If the shapes are others.

    Example:
        >>> loss = tfx_extras.losses.nt_xent_loss(
        ...     None, [[[1.0, 0.0], [1.0, 0.0]], [[0.0, 1.0], [0.6, 0.8]]])
        >>> print(keras.ops.convert_to_numpy(loss).round(3))
        [0.46  0.595]

    Reference: Chen et al., 2020, eq. 1. https://arxiv.org/abs/2002.05709
    """
    a, b = (unit(view) for view in views(y_pred, 2))
    y_true, a = _labelled(y_true, a)
    all_a, before = collected(a, gather)
    all_b, _ = collected(b, gather)
    others, is_own = _others(y_true, a, all_a, gather, before)

    def loss(view, same_views, other_views):
        across = backend.products(view, other_views) / temperature
        within = backend.products(view, same_views) / temperature
        rest = log_add_exp(log_sum_exp(across, others), log_sum_exp(within, others))
        return softplus(rest - sum_where(is_own, across))

    return (loss(a, all_a, all_b) + loss(b, all_b, all_a)) / 2


@register
class NTXentLoss(FunctionLoss):
    r"""Tells the other view of an image from the views of all other images.

    Class form of `nt_xent_loss`, which has the formula. Labels say which image each
    pair of views is of: `None` if all are different.

    Args:
        temperature: $\tau$, in (0, inf): the lower, the more the nearest count.
        gather: Whether to take negatives from all replicas of a data-parallel run.
        **kwargs: Options of every loss: see `LossOptions`.

    Raises:
        ValueError: If an argument is outside its interval.

    Example:
        >>> loss = tfx_extras.losses.NTXentLoss()
        >>> value = loss(None, [[[1.0, 0.0], [1.0, 0.0]], [[0.0, 1.0], [0.6, 0.8]]])
        >>> print(f"{float(value):.4f}")
        0.5276

    Reference: Chen et al., 2020, eq. 1. https://arxiv.org/abs/2002.05709
    """

    function = staticmethod(nt_xent_loss)

    @typechecked
    def __init__(
        self,
        temperature: Number = 0.5,
        gather: bool = False,
        **kwargs: Unpack[LossOptions],
    ):
        super().__init__(**kwargs)
        self.temperature = require("temperature", temperature, "(0, inf)")
        self.gather = gather


@register
def clip_loss(
    y_true,
    y_pred,
    temperature: Number = 0.07,
    from_logits: bool = False,
    gather: bool = False,
):
    r"""Tells which text belongs to an image, and which image to a text.

    $$ L = -\frac1{2 B} \sum_{i=1}^B \left( \log \frac{e^{s_{ii} / \tau}}
        {\sum_k e^{s_{ik} / \tau}} + \log \frac{e^{s_{ii} / \tau}}
        {\sum_k e^{s_{ki} / \tau}} \right) $$

    Here $s_{ij}$ is the cosine of the embeddings of image $i$ and text $j$, or of
    whatever else comes in pairs. It is also called the symmetric InfoNCE loss.

    Time and memory grow as the square of the batch.

    Args:
        y_true: What each pair is of, of shape `(batch,)` or `(batch, 1)`: equal ones
            are no negatives of each other. `None` says that all are different.
        y_pred: Embeddings of both sides, of any length, of shape
            `(batch, 2, features)`, or a tuple or list of two tensors of shape
            `(batch, features)`. With `from_logits`, $s / \tau$ itself, of shape
            `(batch, batch)`, from a layer that learns its temperature.
        temperature: $\tau$, in (0, inf): the lower, the more the nearest count.
            Logits have theirs already.
        from_logits: Whether `y_pred` holds logits.
        gather: Whether to take negatives from all replicas of a data-parallel run,
            which then gives the number of one device. Not with `from_logits`.

    Returns:
        The mean of both directions for each pair, in nats, of shape `(batch,)`, in
        `float32` or wider.

    Raises:
        ValueError: If the shapes are others, or logits are to be gathered.

    Example:
        >>> loss = tfx_extras.losses.clip_loss(
        ...     None, [[2.0, 0.0], [1.0, 1.0]], from_logits=True)
        >>> print(keras.ops.convert_to_numpy(loss).round(3))
        [0.22  0.503]

    Reference: Radford et al., 2021, figure 3. https://arxiv.org/abs/2103.00020
    """
    logits, reverse, others, is_own = _two_sides(
        y_true, y_pred, temperature, from_logits, gather
    )
    matching = sum_where(is_own, logits)
    of_texts = softplus(log_sum_exp(logits, others) - matching)
    of_images = softplus(log_sum_exp(reverse, others) - matching)
    return (of_texts + of_images) / 2


@register
class CLIPLoss(FunctionLoss):
    r"""Tells which text belongs to an image, and which image to a text.

    Class form of `clip_loss`, which has the formula. Labels say what each pair is
    of: `None` if all are different.

    Args:
        temperature: $\tau$, in (0, inf): the lower, the more the nearest count.
            Logits have theirs already.
        from_logits: Whether predictions are logits, of shape `(batch, batch)`, and
            not embeddings, of shape `(batch, 2, features)`.
        gather: Whether to take negatives from all replicas of a data-parallel run.
            Not with `from_logits`.
        **kwargs: Options of every loss: see `LossOptions`.

    Raises:
        ValueError: If an argument is outside its interval, or logits are to be
            gathered.

    Example:
        >>> loss = tfx_extras.losses.CLIPLoss(temperature=0.5)
        >>> value = loss(None, [[[1.0, 0.0], [1.0, 0.0]], [[0.0, 1.0], [0.6, 0.8]]])
        >>> print(f"{float(value):.4f}")
        0.2987

    Reference: Radford et al., 2021, figure 3. https://arxiv.org/abs/2103.00020
    """

    function = staticmethod(clip_loss)

    @typechecked
    def __init__(
        self,
        temperature: Number = 0.07,
        from_logits: bool = False,
        gather: bool = False,
        **kwargs: Unpack[LossOptions],
    ):
        super().__init__(**kwargs)
        self.temperature = require("temperature", temperature, "(0, inf)")
        self.from_logits = from_logits
        self.gather = gather
        _require_embeddings(from_logits, gather)


@register
def siglip_loss(
    y_true,
    y_pred,
    temperature: Number = 0.1,
    bias: Number = -10.0,
    from_logits: bool = False,
    gather: bool = False,
):
    r"""Tells of each image and each text whether they belong together.

    $$ L = \frac1B \sum_{i=1}^B \sum_{j=1}^B \log \left( 1 + e^{-z_{ij}
        (s_{ij} / \tau + b)} \right), \quad z_{ij} = \begin{cases} 1 & i = j \\
        -1 & i \ne j \end{cases} $$

    Here $s_{ij}$ is the cosine of the embeddings of image $i$ and text $j$, or of
    whatever else comes in pairs.

    Time and memory grow as the square of the batch.

    Args:
        y_true: What each pair is of, of shape `(batch,)` or `(batch, 1)`: equal ones
            are no negatives of each other. `None` says that all are different.
        y_pred: Embeddings of both sides, of any length, of shape
            `(batch, 2, features)`, or a tuple or list of two tensors of shape
            `(batch, features)`. With `from_logits`, $s / \tau + b$ itself, of shape
            `(batch, batch)`, from a layer that learns both.
        temperature: $\tau$, in (0, inf): the lower, the more the nearest count.
            Logits have theirs already.
        bias: $b$, any number: negative, since most pairs do not belong together.
            Logits have theirs already.
        from_logits: Whether `y_pred` holds logits.
        gather: Whether to take negatives from all replicas of a data-parallel run,
            which then gives the number of one device. Not with `from_logits`.

    Returns:
        The sum for each image, in nats, of shape `(batch,)`, in `float32` or wider.

    Raises:
        ValueError: If the shapes are others, or logits are to be gathered.

    Example:
        >>> loss = tfx_extras.losses.siglip_loss(
        ...     None, [[2.0, -3.0], [-2.0, 1.0]], from_logits=True)
        >>> print(keras.ops.convert_to_numpy(loss).round(3))
        [0.176 0.44 ]

    Reference: Zhai et al., 2023, eq. 2. https://arxiv.org/abs/2303.15343
    """
    logits, _, others, is_own = _two_sides(
        y_true, y_pred, temperature, from_logits, gather
    )
    if not from_logits:
        logits = logits + bias
    pull = sum_where(is_own, softplus(-logits))
    return pull + sum_where(others, softplus(logits))


@register
class SigLIPLoss(FunctionLoss):
    r"""Tells of each image and each text whether they belong together.

    Class form of `siglip_loss`, which has the formula. Labels say what each pair is
    of: `None` if all are different.

    Args:
        temperature: $\tau$, in (0, inf): the lower, the more the nearest count.
            Logits have theirs already.
        bias: $b$, any number: negative, since most pairs do not belong together.
            Logits have theirs already.
        from_logits: Whether predictions are logits, of shape `(batch, batch)`, and
            not embeddings, of shape `(batch, 2, features)`.
        gather: Whether to take negatives from all replicas of a data-parallel run.
            Not with `from_logits`.
        **kwargs: Options of every loss: see `LossOptions`.

    Raises:
        ValueError: If an argument is outside its interval, or logits are to be
            gathered.

    Example:
        >>> loss = tfx_extras.losses.SigLIPLoss()
        >>> value = loss(None, [[[1.0, 0.0], [1.0, 0.0]], [[0.0, 1.0], [0.6, 0.8]]])
        >>> print(f"{float(value):.4f}")
        1.4191

    Reference: Zhai et al., 2023, eq. 2. https://arxiv.org/abs/2303.15343
    """

    function = staticmethod(siglip_loss)

    @typechecked
    def __init__(
        self,
        temperature: Number = 0.1,
        bias: Number = -10.0,
        from_logits: bool = False,
        gather: bool = False,
        **kwargs: Unpack[LossOptions],
    ):
        super().__init__(**kwargs)
        self.temperature = require("temperature", temperature, "(0, inf)")
        self.bias = require("bias", bias, "(-inf, inf)")
        self.from_logits = from_logits
        self.gather = gather
        _require_embeddings(from_logits, gather)


def _two_sides(y_true, y_pred, temperature, from_logits, gather):
    """Returns logits of one side against the other, the reverse, and which count."""
    _require_embeddings(from_logits, gather)
    if from_logits:
        y_true, logits = _labelled(y_true, square(y_pred))
        reverse, rows, columns, before = ops.transpose(logits), logits, logits, 0
    else:
        rows, other = (unit(side) for side in views(y_pred, 2))
        y_true, rows = _labelled(y_true, rows)
        columns, before = collected(rows, gather)
        logits = backend.products(rows, collected(other, gather)[0]) / temperature
        reverse = backend.products(other, columns) / temperature
    return logits, reverse, *_others(y_true, rows, columns, gather, before)


def _labelled(y_true, rows):
    return (None, rows) if y_true is None else labelled(y_true, rows)


def _others(y_true, rows, columns, gather, before):
    """Returns which columns are of other things than the row, and which is its own."""
    if y_true is None:
        is_own = own(rows, columns, before)
        return ~is_own, is_own
    same, is_own = equal_labels(y_true, gather, before)
    return ~same, is_own


def _require_embeddings(from_logits, gather) -> None:
    if gather and from_logits:
        raise ValueError(
            "Argument `gather` needs predictions that are embeddings: give "
            f"from_logits=False. Received: gather={gather}, from_logits={from_logits}"
        )
