"""What overlap losses share: pixels of classes, and the sums over them."""

from typing import Any
from typing import NamedTuple

from keras import ops

from tfx_extras._backend import backend
from tfx_extras._checks import require_one_of
from tfx_extras.losses._base import masked
from tfx_extras.losses._base import mean
from tfx_extras.losses._base import numbers
from tfx_extras.losses._base import predictions
from tfx_extras.losses._labels import dense_labels
from tfx_extras.losses._labels import per_class
from tfx_extras.losses._labels import require_weights
from tfx_extras.losses._labels import sparse_labels
from tfx_extras.losses._probabilities import TINY
from tfx_extras.losses._probabilities import at_least
from tfx_extras.losses._probabilities import require_shares
from tfx_extras.losses.vision._pixels import OVER
from tfx_extras.losses.vision._pixels import in_rows
from tfx_extras.losses.vision._pixels import in_rows_of_classes
from tfx_extras.losses.vision._pixels import pixel_weights
from tfx_extras.losses.vision._pixels import probabilities

# Below this loss, a power below 1 continues as a line, whose slope is finite.
LEAST = 1e-7


class Pixels(NamedTuple):
    """Labels and predictions, of shape `(batch, classes, pixels)`."""

    y: Any  # labels
    z: Any  # predictions
    activation: str | None
    w: Any  # weights of the pixels; `None` if all are 1
    is_mask: bool  # whether the weights are only where pixels count
    valid: Any  # which images count; `None` if all do
    known: Any  # in which images all labels are in range; `None` if that is not asked


def dense_pixels(y_true, y_pred, ignore_class, activation, axis, weights, sparse):
    """The pixels of labels with an axis of classes."""
    y_pred = predictions(y_pred)
    y_true = numbers(y_true, y_pred.dtype)
    rank = len(y_pred.shape)
    is_last = axis in (-1, rank - 1)
    if is_last and len(y_true.shape) == rank - 1 and y_pred.shape[-1] == 1:
        y_true = ops.expand_dims(y_true, -1)
    labels, z = dense_labels(y_true, y_pred, ignore_class, axis, f"`{sparse}`")
    w, valid = _weights(weights, labels.valid, z)
    y, z = in_rows_of_classes(labels.shares), in_rows_of_classes(z)
    pixels = _pixels(Pixels(y, z, activation, w, weights is None, valid, None))
    require_shares(pixels.y)
    return pixels


def sparse_pixels(y_true, y_pred, ignore_class, activation, axis, weights, dense):
    """The pixels of integer labels."""
    labels, z = sparse_labels(y_true, y_pred, ignore_class, axis, f"`{dense}`")
    w, valid = _weights(weights, labels.valid, z)
    z = in_rows_of_classes(z)
    classes = ops.arange(ops.shape(z)[1], dtype=labels.classes.dtype)
    own = ops.expand_dims(in_rows(labels.classes), 1)
    y = ops.cast(own == ops.expand_dims(classes, -1), z.dtype)
    known = ops.all(in_rows(labels.known), axis=-1)
    return _pixels(Pixels(y, z, activation, w, weights is None, valid, known))


def _weights(weights, valid, z):
    """Weights of shape `(batch, 1, pixels)`, and which images count."""
    w = pixel_weights(weights, valid, z[..., 0])
    w = None if w is None else ops.expand_dims(in_rows(w), 1)
    return w, None if valid is None else ops.any(in_rows(valid), axis=-1)


def _pixels(pixels: Pixels) -> Pixels:
    """The pixels, with zeros where they do not count."""
    y, z, w = pixels.y, pixels.z, pixels.w
    if w is None:
        return pixels
    # Not a product with 0, which would keep NaN and infinite gradients.
    y, z = (backend.kept(x, w > 0) for x in (y, z))
    return pixels._replace(y=y, z=z)


def counts(pixels: Pixels, over: str):
    """True positives, false positives and false negatives of each image and class."""
    require_one_of("over", over, OVER)
    y, z, activation, w, *_ = pixels
    q = probabilities(z, activation)
    is_constant = w is None or pixels.is_mask
    if not is_constant:
        is_constant = backend.asks_for(w, False, True) is False
    if backend.has_fast_rows(z) and is_constant:
        # The gradient is that of q alone, and takes few passes over memory.
        sums = backend.with_slope(
            _sums,
            _slope_of_sums,
            [q, y],
            ops.stop_gradient(z),
            w,
            activation=activation,
            is_sparse=pixels.known is not None,
        )
    else:
        sums, _ = _sums(q, y, z, w, activation, pixels.known is not None)
    if over == "batch":
        sums = ops.sum(sums, axis=1, keepdims=True)
    return ops.unstack(sums, 3, axis=0)


def _sums(q, y, z, w, activation, is_sparse):
    """The three sums over pixels.

    None is the difference of two others, so those of a good prediction keep digits.
    """

    def sums(q, y, z, w):
        found = y * q
        wrong = q - found
        missed = y * _misses(q, found, wrong, z, activation, is_sparse)
        terms = found, wrong, missed
        terms = terms if w is None else [w * x for x in terms]
        return ops.stack([ops.sum(x, axis=-1) for x in terms])

    return backend.summed_in_parts(sums, q, y, z, w), ()


def _misses(q, found, wrong, z, activation, is_sparse):
    """Returns 1 - q, with all digits for labels of 1, also where q rounds to 1."""
    if activation == "sigmoid":
        return ops.sigmoid(-z)
    if activation is None:
        return 1 - q
    # The other classes have this probability: those that are wrong, and of those that
    # are right, if the labels name several, all but this one.
    wrong = ops.sum(wrong, axis=1, keepdims=True)
    if is_sparse:
        return wrong
    return wrong + (ops.sum(found, axis=1, keepdims=True) - q)


def _slope_of_sums(upstream, found, q, y, z, w, wanted, activation, is_sparse):
    """The gradients of `_sums` with respect to q and y."""
    tp, fp, fn = (ops.expand_dims(x, -1) for x in ops.unstack(upstream, 3, axis=0))
    of_q = y * (tp - fn - fp) + fp
    of_y = None
    if wanted[1]:
        found = y * q
        misses = _misses(q, found, q - found, z, activation, is_sparse)
        of_y = q * (tp - fp) + misses * fn
        of_y = of_y if w is None else w * of_y
    return of_q if w is None else w * of_q, of_y


def tversky(pixels, alpha, beta, gamma, smooth, class_weight, over):
    tp, fp, fn = counts(pixels, over)
    wrong = alpha * fp + beta * fn
    loss = ratio(wrong, tp + wrong + smooth)
    if gamma < 1:
        loss = loss * at_least(loss, LEAST) ** (gamma - 1)
    elif gamma > 1:
        loss = at_least(loss, TINY) ** gamma
    omega = class_weights(class_weight, loss)
    if omega is None:
        return settle(mean(loss), pixels)
    total = at_least(ops.sum(omega, axis=-1), TINY)
    return settle(ops.sum(omega * loss, axis=-1) / total, pixels)


def class_weights(class_weight, like):
    """The weights of the classes, of the shape of `like`, or `None`."""
    if class_weight is None:
        return None
    omega = per_class("class_weight", class_weight, like.shape[-1], like.dtype)
    return omega * ops.ones_like(like)


def ratio(x, y):
    """Returns `x / y`, or 0 with gradient 0 where `y` is 0."""
    is_zero = y <= TINY
    y = ops.where(is_zero, ops.ones_like(y), y)
    # JAX divides gradients by the square of the denominator, which may underflow. XLA
    # would undo a division of both by `y`, but not a multiplication.
    scale = ops.stop_gradient(1 / y)
    ratio = (x * scale) / (y * scale)
    return ops.where(is_zero, ops.zeros_like(ratio), ratio)


def settle(loss, pixels: Pixels):
    """One loss per image: NaN if a label is out of range, masked if it is ignored."""
    loss = loss * ops.ones_like(ops.sum(pixels.z[:, :1, :1], axis=(1, 2)))
    if pixels.known is not None:
        nan = ops.convert_to_tensor(float("nan"), loss.dtype)
        loss = ops.where(pixels.known, loss, nan)
    return loss if pixels.valid is None else masked(loss, pixels.valid)


def require_some(class_weight: Any) -> list | None:
    """Returns weights of classes of which one is positive, or raises."""
    weights = require_weights("class_weight", class_weight)
    if weights is not None and not any(weight > 0 for weight in weights):
        raise ValueError(
            "Argument `class_weight` must have a positive weight. "
            f"Received: class_weight={class_weight}"
        )
    return weights
