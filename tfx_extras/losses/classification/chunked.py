"""Cross-entropy of a linear layer, computed without holding all logits in memory."""

import functools
import itertools

from keras import ops

from tfx_extras._backend import backend
from tfx_extras._checks import Number
from tfx_extras._checks import require
from tfx_extras._precision import wide
from tfx_extras._register import register
from tfx_extras.losses._labels import ClassWeights
from tfx_extras.losses._labels import class_of_each
from tfx_extras.losses._labels import per_class
from tfx_extras.losses._probabilities import Logits
from tfx_extras.losses.classification._long_rows import at
from tfx_extras.losses.classification._long_rows import loss_of
from tfx_extras.losses.classification._long_rows import part
from tfx_extras.losses.classification._long_rows import pull_of
from tfx_extras.losses.classification._long_rows import slope_of

__all__ = ["chunked_linear_crossentropy"]

# Matrix products with fewer classes are slow; more logits do not fit in a cache.
FEWEST = 512
LOGITS = 2**22
LOWEST = -1e38  # below all logits, but finite, so that differences are not NaN


@register
def chunked_linear_crossentropy(
    y_true,
    hidden,
    kernel,
    bias=None,
    label_smoothing: Number = 0.0,
    ignore_class: int | None = None,
    class_weight: ClassWeights | None = None,
    z_loss: Number = 0.0,
    chunk_size: int | None = None,
):
    r"""Chunked linear cross-entropy: logits of many classes never all in memory.

    Use it for classifiers with very many classes, such as language models with a large
    vocabulary, whose logits would not fit in memory. `ChunkedLinearCrossentropy` is the
    layer that owns the kernel and trains with `fit`. It costs time: the logits are
    computed again for the gradient. `keras.losses.SparseCategoricalCrossentropy` after
    a `keras.layers.Dense` computes the same cross-entropy, without `label_smoothing`,
    `class_weight` and `z_loss`, but holds all logits and their gradients.

    $$ L = -(1 - e)\, w_y \log p_y - \frac{e}{C} \sum_{c=1}^C w_c \log p_c
        + \zeta \log^2 \sum_{c=1}^C e^{z_c}, \qquad z = h K + b $$

    $h$ are the features of a sample in `hidden`, $K$ is the `kernel` and $b$ the `bias`
    of the layer. $z_c$ is the logit of class $c$ out of $C$, $p_c$ its softmax and
    $w_c$ its weight. $y$ is the class of the sample. The result equals
    `smoothed_sparse_categorical_crossentropy` of the logits `hidden @ kernel + bias`,
    but these are computed for `chunk_size` classes at a time and discarded. The
    gradient computes them again, which takes one matrix product in addition to the
    three of a linear layer with a loss.

    The memory, in addition to inputs and gradients, is that of about two chunks of
    logits, each of `chunk_size` numbers per sample. A linear layer with a loss holds at
    least one logit per sample and class. Second derivatives are available on JAX only.

    Args:
        y_true: Classes $y$: integers in [0, classes), of the shape of `hidden` without
            its last axis, or with a last axis of size 1.
        hidden: $h$, of shape `(batch, ..., features)`.
        kernel: $K$, of shape `(features, classes)`.
        bias: $b$, of shape `(classes,)`. `None` is 0.
        label_smoothing: $e$, in [0, 1]: the fraction of each label's probability that
            is spread uniformly over all classes.
        ignore_class: Samples with this label, any integer such as -1 or 255, have loss
            0 and do not count in the mean.
        class_weight: $w$, in [0, inf): one weight per class, of shape `(classes,)`.
            `None` gives all the weight 1.
        z_loss: $\zeta$, in [0, inf): the weight of the last term, which keeps logits
            from drifting; 1e-4 in PaLM.
        chunk_size: The number of classes that are computed at a time, in [1, inf).
            `None` chooses as many as make four million logits, at least 512, or 1024
            where the size of the batch is unknown. The result does not depend on it.

    Returns:
        The loss in nats, of the shape of `hidden` without its last axis, in `float32`
        or wider. It is NaN where a label is out of range and checking all labels would
        be slow: in compiled code and on a GPU. Gradients are summed in that dtype and
        then cast to the dtype of the tensor that they belong to.

    Raises:
        ValueError: If the shapes do not match, `chunk_size` is less than 1, or a label
            is found to be out of range.

    Example:
        >>> loss = tfx_extras.losses.chunked_linear_crossentropy(
        ...     [0, 2], [[1.0, 0.0], [0.0, 2.0]], [[2.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
        >>> print(keras.ops.convert_to_numpy(loss).round(4))
        [0.4076 0.2395]

    References:
        Wijmans et al., 2024. https://arxiv.org/abs/2411.09009
        Szegedy et al., 2015, section 7. https://arxiv.org/abs/1512.00567
        Chowdhery et al., 2022, section 5. https://arxiv.org/abs/2204.02311
    """
    return crossentropy_of(
        y_true,
        hidden,
        kernel,
        bias,
        label_smoothing,
        ignore_class,
        class_weight,
        z_loss,
        chunk_size,
    )


def crossentropy_of(
    y_true,
    hidden,
    kernel,
    bias,
    label_smoothing,
    ignore_class,
    class_weight,
    z_loss,
    chunk_size,
    is_training=False,
):
    """The function itself; `is_training`: whether a gradient is needed, if known."""
    # A NumPy array has no gradient; a variable says whether it is trained.
    frozen = [
        not getattr(x, "trainable", ops.is_tensor(x)) for x in (hidden, kernel, bias)
    ]
    hidden, kernel = ops.convert_to_tensor(hidden), ops.convert_to_tensor(kernel)
    bias = None if bias is None else ops.convert_to_tensor(bias)
    _require_shapes(hidden, kernel, bias)
    features, classes = kernel.shape
    received = f"hidden.shape={tuple(hidden.shape)}"
    like = "`hidden` without the feature axis", received
    labels = class_of_each(y_true, hidden[..., 0], classes, ignore_class, like)

    types = {wide(x.dtype) for x in (hidden, kernel, bias) if x is not None}
    dtype = max(types)  # `float64` if there is one
    rows = ops.reshape(ops.cast(hidden, dtype), (-1, features))
    bias = None if bias is None else ops.cast(bias, dtype)
    fixed = (
        ops.reshape(ops.cast(labels.classes, "int32"), (-1, 1)),
        per_class("class_weight", class_weight, classes, dtype),
    )
    settings = {
        "once": True,
        "label_smoothing": label_smoothing,
        "z_loss": z_loss,
        "size": _chunk(rows.shape[0], classes, chunk_size),
    }
    given = (rows, kernel, bias)
    asked = [
        backend.asks_for(x, is_frozen, is_training)
        for x, is_frozen in zip(given, frozen, strict=True)
    ]
    if asked == [True, False, False]:
        # Without `stop_gradient`, TensorFlow records operations on frozen variables.
        frozen = [x if x is None else ops.stop_gradient(x) for x in (kernel, bias)]
        loss = backend.with_slope(
            _loss_ahead, _slope_ahead, (rows,), *frozen, *fixed, **settings
        )
    else:
        loss = backend.with_slope(
            _loss, _slopes, given, *fixed, frozen=frozen, **settings
        )
    return labels.settle(ops.reshape(loss, ops.shape(labels.classes)))


def _loss(
    hidden, kernel, bias, own, weights, label_smoothing, z_loss, size, ahead=False
):
    """The loss of each sample, and statistics of its logits, from chunk after chunk.

    With `ahead`, the statistics are the gradient with respect to `hidden`: the mean of
    the columns of the kernel weighted by the probabilities, minus that weighted by the
    labels. Without it, all logits would be computed again.
    """
    classes = kernel.shape[-1]
    zeros = ops.zeros_like(hidden[..., :1])

    def step(start, size, found):
        largest, rest, at_own, others, *means = found
        columns = _columns(kernel, start, size, hidden.dtype)
        z = _logits(hidden, columns, bias, start)
        before, largest = largest, backend.largest(z, LOWEST)
        largest = ops.where(before > largest, before, largest)
        # `rest` leaves out the maximum, whose exponential is 1.
        shares, fading = ops.exp(z - largest), ops.exp(before - largest)
        rest = (1 + rest) * fading + backend.sum_less_one(shares)
        place, is_here = _place(own, start, size, classes)
        here = ops.where(is_here, place, ops.zeros_like(place))
        at_own = ops.where(is_here, ops.take_along_axis(z, here, axis=-1), at_own)
        if label_smoothing > 0:
            others = others + ops.sum(part(weights, start, size) * z, -1) / classes
        if ahead:
            by_share = means[0] * fading + shares @ ops.transpose(columns)
            by_weight = means[1] + ops.sum(part(weights, start, size) * columns, -1)
            means = by_share, by_weight
        return largest, rest, at_own, others, *means

    lowest = zeros + LOWEST
    found = lowest, -1 + zeros, zeros, zeros[..., 0]
    if ahead:
        found += ops.zeros_like(hidden), ops.zeros(hidden.shape[-1:], hidden.dtype)
    largest, rest, at_own, others, *means = _in_chunks(step, classes, size, found)
    p = Logits(at_own - largest, rest, largest)
    loss = loss_of(p, others, own, weights, label_smoothing, z_loss)
    if not ahead:
        return loss, (rest, largest)
    of_hidden = (
        pull_of(p, own, weights, label_smoothing, z_loss) * means[0] / (1 + rest)
    )
    of_own = ops.take(kernel, ops.squeeze(own, -1), axis=-1)
    of_own = ops.cast(ops.transpose(of_own), hidden.dtype)
    of_hidden = of_hidden - (1 - label_smoothing) * at(weights, own) * of_own
    return loss, (of_hidden - label_smoothing / classes * means[1],)


_loss_ahead = functools.partial(_loss, ahead=True)


def _slope_ahead(upstream, found, *_, **__):
    return (upstream[..., None] * found[0],)


def _slopes(
    upstream, found, hidden, kernel, bias, own, weights, size, wanted, **settings
):
    """The gradients that are wanted, from logits that are computed again."""
    classes = kernel.shape[-1]
    across = ops.transpose(hidden)

    def step(start, size, slopes):
        columns = _columns(kernel, start, size, hidden.dtype)
        z = _logits(hidden, columns, bias, start)
        of_z = slope_of(
            upstream, z, found, own, weights, **settings, start=start, classes=classes
        )

        def of_hidden(before):
            return before + of_z @ ops.transpose(columns)

        def of_kernel(before):
            of_columns = ops.cast(across @ of_z, kernel.dtype)
            return backend.with_columns(before, of_columns, start)

        def of_bias(before):
            return backend.with_columns(before, ops.sum(of_z, axis=0), start)

        each = itertools.compress((of_hidden, of_kernel, of_bias), wanted)
        return tuple(add(slope) for add, slope in zip(each, slopes, strict=True))

    given = itertools.compress((hidden, kernel, bias), wanted)
    slopes = iter(_in_chunks(step, classes, size, tuple(map(ops.zeros_like, given))))
    return tuple(next(slopes) if is_wanted else None for is_wanted in wanted)


def _in_chunks(step, classes, size, carried):
    """Returns `carried` after `step(start, size, carried)` for each chunk."""
    carried = backend.repeat(
        classes // size, lambda i, carried: step(i * size, size, carried), carried
    )
    rest = classes % size
    return step(classes - rest, rest, carried) if rest else carried


def _place(own, start, size, classes):
    """The place of each sample's own class in a chunk, and whether it is there."""
    parts = backend.parts(classes)
    part, place = own // (classes // parts), own % (classes // parts)
    place, size = place - start // parts, size // parts
    return part * size + place, (place >= 0) & (place < size)


def _columns(kernel, start, size, dtype):
    return ops.cast(backend.columns(kernel, start, size), dtype)


def _logits(hidden, columns, bias, start):
    z = hidden @ columns
    return z if bias is None else z + part(bias, start, columns.shape[-1])


def _chunk(rows, classes, chunk_size):
    most = 1024 if rows is None else max(FEWEST, LOGITS // max(rows, 1))
    size = -(-classes // -(-classes // most))  # chunks of nearly equal size
    if chunk_size is not None:
        size = min(int(require("chunk_size", chunk_size, "[1, inf)")), classes)
    parts = backend.parts(classes)
    return -(-size // parts) * parts


def _require_shapes(hidden, kernel, bias):
    of_hidden, of_kernel = tuple(hidden.shape), tuple(kernel.shape)
    of_bias = None if bias is None else tuple(bias.shape)
    is_layer = len(of_hidden) > 1 and of_hidden[-1:] + of_kernel[1:] == of_kernel
    if len(of_kernel) != 2 or not is_layer or of_bias not in (None, of_kernel[1:]):
        raise ValueError(
            "`hidden` must have the shape `(batch, ..., features)`, `kernel` the shape "
            "`(features, classes)` and `bias` the shape `(classes,)`. Received: "
            f"hidden.shape={of_hidden}, kernel.shape={of_kernel}, bias.shape={of_bias}"
        )
