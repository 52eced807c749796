"""Contrastive losses (InfoNCE): each anchor's positives against all other samples.

They use a softmax, except SigLIP, which uses a sigmoid for each pair.
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
from tfx_extras.losses._batch import averaged
from tfx_extras.losses._batch import collected
from tfx_extras.losses._batch import count
from tfx_extras.losses._batch import log_sum_exp
from tfx_extras.losses._batch import own
from tfx_extras.losses._batch import sum_where
from tfx_extras.losses._probabilities import at_least
from tfx_extras.losses._probabilities import log_add_exp
from tfx_extras.losses._probabilities import softplus
from tfx_extras.losses.embedding._distances import unit
from tfx_extras.losses.embedding._pairs import equal_labels
from tfx_extras.losses.embedding._pairs import labelled
from tfx_extras.losses.embedding._pairs import pairs
from tfx_extras.losses.embedding._pairs import square
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
    r"""Supervised contrastive loss (SupCon): InfoNCE whose positives share a label.

    Function form of `SupervisedContrastiveLoss`, which has the formula.

    Args:
        y_true: Labels, any integers or floats, of shape `(batch,)` or `(batch, 1)`.
            Integers are compared exactly, however large.
        y_pred: Embeddings, of shape `(batch, features)`. The loss normalizes them to
            length 1.
        temperature: $\tau$, in (0, inf). Smaller values put more weight on the most
            similar samples.
        gather: Whether to gather the samples of all replicas of a data-parallel run
            first, so that each anchor is compared with all of them. The loss then
            equals the loss of the whole batch on one device.

    Returns:
        One loss per anchor, in nats, of shape `(batch,)`, in `float32` or wider, scaled
        by $B / |A|$ for batch size $B$.

    Raises:
        ValueError: If shapes do not match.

    Example:
        >>> loss = tfx_extras.losses.supervised_contrastive_loss(
        ...     [0, 0, 1], [[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]], temperature=0.5)
        >>> print(keras.ops.convert_to_numpy(loss).round(3))
        [0.395 1.37  0.   ]
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
    r"""Supervised contrastive loss (SupCon): InfoNCE whose positives share a label.

    Use it for metric learning and contrastive learning from class labels, for example
    to pretrain an encoder before a linear classifier. It uses all pairs of the batch,
    without hard mining. Each batch must hold several samples of the same label, since
    anchors without a positive contribute nothing. Keras has no equivalent;
    `keras.losses.Circle` takes the same inputs, but has another formula and needs
    embeddings of length 1.

    $$ L = -\frac1{|A|} \sum_{i \in A} \frac1{|P_i|} \sum_{p \in P_i} \log
        \frac{e^{s_{ip} / \tau}}{\sum_{k \ne i} e^{s_{ik} / \tau}} $$

    $s$ is the cosine of two embeddings, $\tau$ the temperature, $P_i$ the set of other
    samples with the label of $i$, and $A$ the set of anchors that have at least one
    such sample. All other anchors have loss 0 and gradient 0.

    Returns one loss per anchor, in nats, of shape `(batch,)`, which `reduction`
    averages. Each is scaled by $B / |A|$ for batch size $B$, so that their mean is $L$.
    Time and memory grow with the square of the batch size.

    Args:
        temperature: $\tau$, in (0, inf). Smaller values put more weight on the most
            similar samples.
        gather: Whether to gather the samples of all replicas of a data-parallel run
            first, so that each anchor is compared with all of them. The loss then
            equals the loss of the whole batch on one device.
        **kwargs: `name`, `reduction` and `dtype`: see `LossOptions`.

    Call arguments:
        y_true: Labels, any integers or floats, of shape `(batch,)` or `(batch, 1)`.
            Integers are compared exactly, however large.
        y_pred: Embeddings, of shape `(batch, features)`. The loss normalizes them to
            length 1.

    Raises:
        ValueError: If an argument is outside its interval, or if shapes do not match in
            a call.
        TypeError: If an argument has the wrong type or an unknown name.

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
    r"""NT-Xent loss (SimCLR): contrasts two views of an image with all other images.

    Function form of `NTXentLoss`, which has the formula.

    Args:
        y_true: Which image each pair of views shows, as a label of shape `(batch,)` or
            `(batch, 1)`. Views of the same image are not treated as negatives of each
            other. `None` means that all images are different.
        y_pred: Embeddings of two views, of shape `(batch, 2, features)`, or a tuple or
            list of two tensors of shape `(batch, features)`. The loss normalizes them
            to length 1.
        temperature: $\tau$, in (0, inf). Smaller values put more weight on the most
            similar samples.
        gather: Whether to gather the samples of all replicas of a data-parallel run
            first, so that each anchor is compared with all of them. The loss then
            equals the loss of the whole batch on one device.

    Returns:
        One loss per image, in nats, of shape `(batch,)`, in `float32` or wider: the
        mean over its two views.

    Raises:
        ValueError: If shapes do not match.

    Example:
        >>> loss = tfx_extras.losses.nt_xent_loss(
        ...     None, [[[1.0, 0.0], [1.0, 0.0]], [[0.0, 1.0], [0.6, 0.8]]])
        >>> print(keras.ops.convert_to_numpy(loss).round(3))
        [0.46  0.595]
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
    r"""NT-Xent loss (SimCLR): contrasts two views of an image with all other images.

    Use it for self-supervised contrastive learning without labels, as in SimCLR. Both
    views are augmentations of the same image, and the views of all other images in the
    batch are negatives. It is InfoNCE with cosines, also called the normalized
    temperature-scaled cross-entropy. Small batches have few negatives; `gather` adds
    the samples of all devices. Keras has no equivalent.

    $$ L = -\frac1{2 B} \sum_{i=1}^{2 B} \log \frac{e^{s_{i i'} / \tau}}
        {\sum_{k \ne i} e^{s_{ik} / \tau}} $$

    $s$ is the cosine of the embeddings of two of the $2 B$ views of $B$ images, $i'$ is
    the other view of the image of $i$, and $\tau$ is the temperature.

    Returns one loss per image, in nats, of shape `(batch,)`, which `reduction`
    averages. Each is the mean over the two views of the image. Time and memory grow
    with the square of the batch size.

    Args:
        temperature: $\tau$, in (0, inf). Smaller values put more weight on the most
            similar samples.
        gather: Whether to gather the samples of all replicas of a data-parallel run
            first, so that each anchor is compared with all of them. The loss then
            equals the loss of the whole batch on one device.
        **kwargs: `name`, `reduction` and `dtype`: see `LossOptions`.

    Call arguments:
        y_true: Which image each pair of views shows, as a label of shape `(batch,)` or
            `(batch, 1)`. Views of the same image are not treated as negatives of each
            other. `None` means that all images are different.
        y_pred: Embeddings of two views, of shape `(batch, 2, features)`, or a tuple or
            list of two tensors of shape `(batch, features)`. The loss normalizes them
            to length 1.

    Raises:
        ValueError: If an argument is outside its interval, or if shapes do not match in
            a call.
        TypeError: If an argument has the wrong type or an unknown name.

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
    r"""CLIP loss (symmetric InfoNCE): matches each image with its text in a batch.

    Function form of `CLIPLoss`, which has the formula.

    Args:
        y_true: What each pair shows, as a label of shape `(batch,)` or `(batch, 1)`.
            Pairs with the same label are not treated as negatives of each other. `None`
            means that all pairs are different.
        y_pred: Embeddings of both sides, of shape `(batch, 2, features)`, or a tuple or
            list of two tensors of shape `(batch, features)`. The loss normalizes them
            to length 1. With `from_logits`, the logits $s / \tau$, of shape
            `(batch, batch)`, from a layer that learns the temperature.
        temperature: $\tau$, in (0, inf). Smaller values put more weight on the most
            similar samples. Ignored with `from_logits`, since logits already include
            it.
        from_logits: Whether `y_pred` holds logits, of shape `(batch, batch)`, instead
            of embeddings.
        gather: Whether to gather the samples of all replicas of a data-parallel run
            first, so that each anchor is compared with all of them. The loss then
            equals the loss of the whole batch on one device. It cannot be combined with
            `from_logits`.

    Returns:
        One loss per pair, in nats, of shape `(batch,)`, in `float32` or wider: the mean
        of both directions.

    Raises:
        ValueError: If shapes do not match, or `gather` is combined with `from_logits`.

    Example:
        >>> loss = tfx_extras.losses.clip_loss(
        ...     None, [[2.0, 0.0], [1.0, 1.0]], from_logits=True)
        >>> print(keras.ops.convert_to_numpy(loss).round(3))
        [0.22  0.503]
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
    r"""CLIP loss (symmetric InfoNCE): matches each image with its text in a batch.

    Use it for contrastive learning of two encoders whose inputs come in pairs, such as
    images and their texts. All other pairs of the batch are negatives, so small batches
    have few. `gather` adds the samples of all devices, and `SigLIPLoss` works better
    with small batches (Zhai et al., 2023). Keras has no equivalent.

    $$ L = -\frac1{2 B} \sum_{i=1}^B \left( \log \frac{e^{s_{ii} / \tau}}
        {\sum_k e^{s_{ik} / \tau}} + \log \frac{e^{s_{ii} / \tau}}
        {\sum_k e^{s_{ki} / \tau}} \right) $$

    $s_{ij}$ is the cosine of the embeddings of image $i$ and text $j$, or of any other
    two sides of a pair, $\tau$ is the temperature and $B$ the number of pairs.

    Returns one loss per pair, in nats, of shape `(batch,)`, which `reduction` averages.
    Each is the mean of both directions, from image to text and from text to image. Time
    and memory grow with the square of the batch size.

    Args:
        temperature: $\tau$, in (0, inf). Smaller values put more weight on the most
            similar samples. Ignored with `from_logits`, since logits already include
            it.
        from_logits: Whether `y_pred` holds logits, of shape `(batch, batch)`, instead
            of embeddings.
        gather: Whether to gather the samples of all replicas of a data-parallel run
            first, so that each anchor is compared with all of them. The loss then
            equals the loss of the whole batch on one device. It cannot be combined with
            `from_logits`.
        **kwargs: `name`, `reduction` and `dtype`: see `LossOptions`.

    Call arguments:
        y_true: What each pair shows, as a label of shape `(batch,)` or `(batch, 1)`.
            Pairs with the same label are not treated as negatives of each other. `None`
            means that all pairs are different.
        y_pred: Embeddings of both sides, of shape `(batch, 2, features)`, or a tuple or
            list of two tensors of shape `(batch, features)`. The loss normalizes them
            to length 1. With `from_logits`, the logits $s / \tau$, of shape
            `(batch, batch)`, from a layer that learns the temperature.

    Raises:
        ValueError: If an argument is outside its interval, or `gather` is combined with
            `from_logits`, or if shapes do not match in a call.
        TypeError: If an argument has the wrong type or an unknown name.

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
    r"""SigLIP loss: sigmoid loss that classifies all image-text pairs of a batch.

    Function form of `SigLIPLoss`, which has the formula.

    Args:
        y_true: What each pair shows, as a label of shape `(batch,)` or `(batch, 1)`.
            Pairs with the same label are not treated as negatives of each other. `None`
            means that all pairs are different.
        y_pred: Embeddings of both sides, of shape `(batch, 2, features)`, or a tuple or
            list of two tensors of shape `(batch, features)`. The loss normalizes them
            to length 1. With `from_logits`, the logits $s / \tau + b$, of shape
            `(batch, batch)`, from a layer that learns temperature and bias.
        temperature: $\tau$, in (0, inf). Smaller values put more weight on the most
            similar samples. Ignored with `from_logits`, since logits already include
            it.
        bias: $b$, in (-inf, inf). It should be negative, since most combinations do not
            match. Ignored with `from_logits`, since logits already include it.
        from_logits: Whether `y_pred` holds logits, of shape `(batch, batch)`, instead
            of embeddings.
        gather: Whether to gather the samples of all replicas of a data-parallel run
            first, so that each anchor is compared with all of them. The loss then
            equals the loss of the whole batch on one device. It cannot be combined with
            `from_logits`.

    Returns:
        One loss per image, in nats, of shape `(batch,)`, in `float32` or wider: the sum
        over all texts.

    Raises:
        ValueError: If shapes do not match, or `gather` is combined with `from_logits`.

    Example:
        >>> loss = tfx_extras.losses.siglip_loss(
        ...     None, [[2.0, -3.0], [-2.0, 1.0]], from_logits=True)
        >>> print(keras.ops.convert_to_numpy(loss).round(3))
        [0.176 0.44 ]
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
    r"""SigLIP loss: sigmoid loss that classifies all image-text pairs of a batch.

    Use it for contrastive learning of two encoders whose inputs come in pairs, such as
    images and their texts. Each combination of an image and a text is a binary
    classification, without a softmax over the batch; this works better than `CLIPLoss`
    with small batches (Zhai et al., 2023). Keras has no equivalent.

    $$ L = \frac1B \sum_{i=1}^B \sum_{j=1}^B \log \left( 1 + e^{-z_{ij}
        (s_{ij} / \tau + b)} \right), \quad z_{ij} = \begin{cases} 1 & i = j \\
        -1 & i \ne j \end{cases} $$

    $s_{ij}$ is the cosine of the embeddings of image $i$ and text $j$, or of any other
    two sides of a pair. $z_{ij}$ is 1 if both belong together and -1 if not, $\tau$ is
    the temperature, $b$ the bias and $B$ the number of pairs.

    Returns one loss per image, in nats, of shape `(batch,)`, which `reduction`
    averages. Each is the sum over all texts. Time and memory grow with the square of
    the batch size.

    Args:
        temperature: $\tau$, in (0, inf). Smaller values put more weight on the most
            similar samples. Ignored with `from_logits`, since logits already include
            it.
        bias: $b$, in (-inf, inf). It should be negative, since most combinations do not
            match. Ignored with `from_logits`, since logits already include it.
        from_logits: Whether `y_pred` holds logits, of shape `(batch, batch)`, instead
            of embeddings.
        gather: Whether to gather the samples of all replicas of a data-parallel run
            first, so that each anchor is compared with all of them. The loss then
            equals the loss of the whole batch on one device. It cannot be combined with
            `from_logits`.
        **kwargs: `name`, `reduction` and `dtype`: see `LossOptions`.

    Call arguments:
        y_true: What each pair shows, as a label of shape `(batch,)` or `(batch, 1)`.
            Pairs with the same label are not treated as negatives of each other. `None`
            means that all pairs are different.
        y_pred: Embeddings of both sides, of shape `(batch, 2, features)`, or a tuple or
            list of two tensors of shape `(batch, features)`. The loss normalizes them
            to length 1. With `from_logits`, the logits $s / \tau + b$, of shape
            `(batch, batch)`, from a layer that learns temperature and bias.

    Raises:
        ValueError: If an argument is outside its interval, or `gather` is combined with
            `from_logits`, or if shapes do not match in a call.
        TypeError: If an argument has the wrong type or an unknown name.

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
    """Returns logits for both directions, and masks of negatives and matches."""
    _require_embeddings(from_logits, gather)
    if from_logits:
        cure = "For embeddings use from_logits=False."
        y_true, logits = _labelled(y_true, square(y_pred, cure))
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
    """Returns which columns are negatives of each row, and which one matches it."""
    if y_true is None:
        is_own = own(rows, columns, before)
        return ~is_own, is_own
    same, is_own = equal_labels(y_true, gather, before)
    return ~same, is_own


def _require_embeddings(from_logits, gather) -> None:
    if gather and from_logits:
        raise ValueError(
            "Argument `gather` needs embeddings: set from_logits=False. "
            f"Received: gather={gather}, from_logits={from_logits}"
        )
