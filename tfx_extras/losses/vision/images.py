"""Losses of images: structural similarity and total variation."""

import math
from collections.abc import Sequence
from typing import Any
from typing import Unpack

import numpy as np
from keras import ops

from tfx_extras._backend import backend
from tfx_extras._checks import Number
from tfx_extras._checks import require
from tfx_extras._checks import require_each
from tfx_extras._register import register
from tfx_extras._typed import typechecked
from tfx_extras.losses._base import FunctionLoss
from tfx_extras.losses._base import LossOptions
from tfx_extras.losses._base import numbers
from tfx_extras.losses._base import predictions
from tfx_extras.losses._base import require_one_shape
from tfx_extras.losses._probabilities import at_least

__all__ = [
    "MSSSIMLoss",
    "SSIMLoss",
    "TotalVariationLoss",
    "ms_ssim_loss",
    "ssim_loss",
    "total_variation_loss",
]

SCALES = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # Wang et al., 2003
LEAST = 1e-6  # a smaller similarity of a scale would have a huge gradient
Weights = Sequence[Number] | np.ndarray  # one per scale


@register
def ssim_loss(
    y_true,
    y_pred,
    max_value: Number = 1.0,
    filter_size: int = 11,
    filter_sigma: Number = 1.5,
    k1: Number = 0.01,
    k2: Number = 0.03,
):
    r"""SSIM loss: structural dissimilarity of images.

    Function form of `SSIMLoss`, which has the formula.

    Args:
        y_true: Images $y$, of shape `(batch, height, width, channels)`.
        y_pred: Predicted images $\hat y$, of the same shape.
        max_value: $M$, in (0, inf): the difference between the largest and the smallest
            possible value of a pixel, such as 1 or 255.
        filter_size: Height and width of the window, in [1, inf). No side of the images
            may be smaller.
        filter_sigma: The standard deviation of the window, in (0, inf), in pixels.
        k1: $k_1$, in (0, inf).
        k2: $k_2$, in (0, inf).

    Returns:
        One loss per image, in [0, 2], of shape `(batch,)`, in `float32` or wider.

    Raises:
        ValueError: If the shapes do not match, or a side is smaller than the window.

    Example:
        >>> x = np.arange(128.0).reshape(1, 8, 16, 1) / 128
        >>> loss = tfx_extras.losses.ssim_loss(x, 1 - x, filter_size=7)
        >>> print(keras.ops.convert_to_numpy(loss).round(4))
        [1.9379]
    """
    maps = _sum_and_difference(y_true, y_pred, filter_size, 1)
    window = _window(filter_size, filter_sigma)
    a, b = _dissimilarities(maps, window, (k1 * max_value) ** 2, (k2 * max_value) ** 2)
    return _mean_of_each(a + b - a * b)


@register
class SSIMLoss(FunctionLoss):
    r"""SSIM loss: structural dissimilarity of images.

    Use it for image restoration, super-resolution and autoencoders, where images should
    look alike, alone or with a loss of pixels: `CombinedLoss([SSIMLoss(),
    keras.losses.MeanAbsoluteError()], weights=[0.85, 0.15])`. It compares local means,
    contrasts and structures, so a small shift of all pixels costs little. It says
    little about colors. `MSSSIMLoss` also compares larger structures.
    `keras.losses.MeanSquaredError` compares each pixel alone.

    $$ L = 1 - \frac1n \sum
        \frac{2 \mu \hat\mu + c_1}{\mu^2 + \hat\mu^2 + c_1} \cdot
        \frac{2 \sigma_{y \hat y} + c_2}{\sigma^2 + \hat\sigma^2 + c_2}, \quad
        c_i = (k_i M)^2 $$

    The sum is over all $n$ windows that are within the image, and over its channels.
    $\mu$ and $\hat\mu$ are the means, $\sigma^2$ and $\hat\sigma^2$ the variances and
    $\sigma_{y \hat y}$ the covariance of the pixels of $y$ and $\hat y$ in a window.
    They are weighted by a Gaussian, and the variances are not corrected for bias, as
    in the paper's implementation.

    The loss equals `1 - tf.image.ssim`, but is computed from the sum and the difference
    of the images. So small losses keep their digits: identical images have a loss of
    exactly 0, where others give about $10^{-7}$. Other implementations pad the images,
    or halve the loss as $(1 - \text{SSIM}) / 2$ (Kornia).

    Returns one loss per image, in [0, 2], of shape `(batch,)`, which `reduction`
    averages. Time and memory grow linearly with the number of pixels. The time also
    grows with `filter_size`, but not with its square, since the window is separable.

    Args:
        max_value: $M$, in (0, inf): the difference between the largest and the smallest
            possible value of a pixel, such as 1 or 255.
        filter_size: Height and width of the window, in [1, inf). No side of the images
            may be smaller.
        filter_sigma: The standard deviation of the window, in (0, inf), in pixels.
        k1: $k_1$, in (0, inf).
        k2: $k_2$, in (0, inf).
        **kwargs: `name`, `reduction` and `dtype`: see `LossOptions`.

    Call arguments:
        y_true: Images $y$, of shape `(batch, height, width, channels)`.
        y_pred: Predicted images $\hat y$, of the same shape.

    Raises:
        ValueError: If an argument is outside its interval, or, in a call, if the shapes
            do not match or a side is smaller than the window.
        TypeError: If an argument has the wrong type or an unknown name.

    Example:
        >>> loss = tfx_extras.losses.SSIMLoss(max_value=255)
        >>> x = np.full((1, 16, 16, 3), 128.0)
        >>> print(f"{float(loss(x, x / 2)):.4f}")
        0.1999

    Reference: Wang et al., 2004. https://doi.org/10.1109/TIP.2003.819861
    """

    function = staticmethod(ssim_loss)

    @typechecked
    def __init__(
        self,
        max_value: Number = 1.0,
        filter_size: int | np.integer = 11,
        filter_sigma: Number = 1.5,
        k1: Number = 0.01,
        k2: Number = 0.03,
        **kwargs: Unpack[LossOptions],
    ):
        super().__init__(**kwargs)
        self.max_value = require("max_value", max_value, "(0, inf)")
        self.filter_size = require("filter_size", filter_size, "[1, inf)")
        self.filter_sigma = require("filter_sigma", filter_sigma, "(0, inf)")
        self.k1 = require("k1", k1, "(0, inf)")
        self.k2 = require("k2", k2, "(0, inf)")


@register
def ms_ssim_loss(
    y_true,
    y_pred,
    max_value: Number = 1.0,
    filter_size: int = 11,
    filter_sigma: Number = 1.5,
    k1: Number = 0.01,
    k2: Number = 0.03,
    weights: Weights = SCALES,
):
    r"""MS-SSIM loss: structural dissimilarity of images at several scales.

    Function form of `MSSSIMLoss`, which has the formula.

    Args:
        y_true: Images $y$, of shape `(batch, height, width, channels)`.
        y_pred: Predicted images $\hat y$, of the same shape.
        max_value: $M$, in (0, inf): the difference between the largest and the smallest
            possible value of a pixel, such as 1 or 255.
        filter_size: Height and width of the window, in [1, inf). No side of the images
            may be smaller at the last scale.
        filter_sigma: The standard deviation of the window, in (0, inf), in pixels.
        k1: $k_1$, in (0, inf).
        k2: $k_2$, in (0, inf).
        weights: $w$, in (0, inf): the exponents of the scales, from fine to coarse. As
            many scales are compared as there are numbers.

    Returns:
        One loss per image, in [0, 1), of shape `(batch,)`, in `float32` or wider.

    Raises:
        ValueError: If the shapes do not match, a side is smaller than the window at the
            last scale, or `weights` is empty.

    Example:
        >>> x = np.arange(512.0).reshape(1, 16, 32, 1) / 512
        >>> loss = tfx_extras.losses.ms_ssim_loss(
        ...     x, x**2, filter_size=7, weights=[0.5, 0.5])
        >>> print(keras.ops.convert_to_numpy(loss).round(4))
        [0.1245]
    """
    weights = _require_scales(weights)
    maps = _sum_and_difference(y_true, y_pred, filter_size, len(weights))
    window = _window(filter_size, filter_sigma)
    c1, c2 = (k1 * max_value) ** 2, (k2 * max_value) ** 2
    logarithm = 0.0
    for scale, weight in enumerate(weights):
        if scale > 0:  # a side of odd length repeats its last pixel
            maps = ops.average_pool(
                maps, 2, 2, padding="same", data_format="channels_last"
            )
        a, b = _dissimilarities(maps, window, c1, c2)
        lost = b if scale < len(weights) - 1 else a + b - a * b
        lost = _mean_of_pixels(lost)
        is_lost = lost >= 1 - LEAST
        found = ops.log1p(-ops.where(is_lost, ops.zeros_like(lost), lost))
        least = ops.convert_to_tensor(math.log(LEAST), lost.dtype)
        logarithm = logarithm + weight * ops.where(is_lost, least, found)
    return _mean_of_channels(-ops.expm1(logarithm))


@register
class MSSSIMLoss(FunctionLoss):
    r"""MS-SSIM loss: structural dissimilarity of images at several scales.

    Use it for image restoration, super-resolution and autoencoders, where images should
    look alike at every scale, alone or with a loss of pixels:
    `CombinedLoss([MSSSIMLoss(), keras.losses.MeanAbsoluteError()], weights=[0.84,
    0.16])`. With the default window and 5 scales,
    each side needs 161 pixels or more; for smaller images, pass a smaller window or
    fewer `weights`, or use `SSIMLoss`. `keras.losses.MeanSquaredError` compares each
    pixel alone.

    $$ L = 1 - \frac1C \sum_{c=1}^C S_{m}^{w_m} \prod_{j=1}^{m-1} T_j^{w_j} $$

    $T_j$ is the mean, over the windows of scale $j$ out of $m$ and channel $c$ out of
    $C$, of the second factor in the formula of `SSIMLoss`, which compares contrast and
    structure. $S_m$ is the mean of both factors at the last scale. Each scale halves
    the images by the means of 2 x 2 pixels. An odd side repeats its last pixel first.
    $w$ are the weights.

    Means below $10^{-6}$ count as $10^{-6}$ and have gradient 0. So the loss of images
    without similarity is a little below 1, and its gradient is finite. It otherwise
    equals `1 - tf.image.ssim_multiscale`, whose gradient is NaN for such images
    (https://github.com/tensorflow/tensorflow/issues/50400). Identical images have a
    loss of exactly 0.

    Returns one loss per image, in [0, 1), of shape `(batch,)`, which `reduction`
    averages. Time and memory grow linearly with the number of pixels; they are about
    4/3 of those of `SSIMLoss`.

    Args:
        max_value: $M$, in (0, inf): the difference between the largest and the smallest
            possible value of a pixel, such as 1 or 255.
        filter_size: Height and width of the window, in [1, inf). No side of the images
            may be smaller at the last scale.
        filter_sigma: The standard deviation of the window, in (0, inf), in pixels.
        k1: $k_1$, in (0, inf).
        k2: $k_2$, in (0, inf).
        weights: $w$, in (0, inf): the exponents of the scales, from fine to coarse. As
            many scales are compared as there are numbers.
        **kwargs: `name`, `reduction` and `dtype`: see `LossOptions`.

    Call arguments:
        y_true: Images $y$, of shape `(batch, height, width, channels)`.
        y_pred: Predicted images $\hat y$, of the same shape.

    Raises:
        ValueError: If an argument is outside its interval, or, in a call, if the shapes
            do not match or a side is smaller than the window at the last scale.
        TypeError: If an argument has the wrong type or an unknown name.

    Example:
        >>> loss = tfx_extras.losses.MSSSIMLoss(filter_size=7, weights=[0.5, 0.5])
        >>> x = np.arange(512.0).reshape(1, 16, 32, 1) / 512
        >>> print(f"{float(loss(x, x / 2)):.4f}")
        0.2748

    Reference: Wang et al., 2003. https://doi.org/10.1109/ACSSC.2003.1292216
    """

    function = staticmethod(ms_ssim_loss)

    @typechecked
    def __init__(
        self,
        max_value: Number = 1.0,
        filter_size: int | np.integer = 11,
        filter_sigma: Number = 1.5,
        k1: Number = 0.01,
        k2: Number = 0.03,
        weights: Weights = SCALES,
        **kwargs: Unpack[LossOptions],
    ):
        super().__init__(**kwargs)
        self.max_value = require("max_value", max_value, "(0, inf)")
        self.filter_size = require("filter_size", filter_size, "[1, inf)")
        self.filter_sigma = require("filter_sigma", filter_sigma, "(0, inf)")
        self.k1 = require("k1", k1, "(0, inf)")
        self.k2 = require("k2", k2, "(0, inf)")
        self.weights = _require_scales(weights)


@register
def total_variation_loss(y_true, y_pred, mean: bool = False):
    r"""Total variation loss: the sum of the differences of neighboring pixels.

    Function form of `TotalVariationLoss`, which has the formula.

    Args:
        y_true: Ignored, since the loss does not depend on targets: `None`, or anything.
        y_pred: Images $\hat y$, of shape `(batch, height, width, channels)`.
        mean: Whether to take the mean of the differences along each axis, instead of
            their sum.

    Returns:
        One loss per image, in the unit of the pixels, of shape `(batch,)`, in `float32`
        or wider.

    Raises:
        ValueError: If `y_pred` does not have this shape.

    Example:
        >>> image = [[[[0.0], [1.0]], [[0.0], [3.0]]]]
        >>> loss = tfx_extras.losses.total_variation_loss(None, image)
        >>> print(keras.ops.convert_to_numpy(loss))
        [6.]
    """
    x = _images("y_pred", predictions(y_pred))
    total = 0.0
    for e in (x[:, 1:] - x[:, :-1], x[:, :, 1:] - x[:, :, :-1]):
        # Not abs, which has gradient 1 at 0 in JAX.
        size = ops.sum(e * ops.stop_gradient(ops.sign(e)), axis=(1, 2, 3))
        if mean:
            _, height, width, channels = ops.shape(e)
            count = ops.cast(height * width * channels, x.dtype)
            size = size / at_least(count, 1.0)
        total = total + size
    return total


@register
class TotalVariationLoss(FunctionLoss):
    r"""Total variation loss: the sum of the differences of neighboring pixels.

    Use it for image restoration, style transfer and generated images, to remove noise
    while edges stay sharp, added to a loss that compares the images with targets:
    `MSSSIMLoss() + 1e-5 * TotalVariationLoss()`. Alone, it is minimal for images of one
    color. Keras has no equivalent.

    $$ L = \sum_{i,j,c} |\hat y_{i+1,j,c} - \hat y_{ijc}| +
        \sum_{i,j,c} |\hat y_{i,j+1,c} - \hat y_{ijc}| $$

    $\hat y_{ijc}$ is the pixel in row $i$ and column $j$ of channel $c$. With `mean`,
    each of both sums is divided by the number of its terms, so that the loss does not
    depend on the size of the images. This is the anisotropic total variation, which
    `tf.image.total_variation` computes too. Where neighbors are equal, the gradient is
    0.

    Returns one loss per image, in the unit of the pixels, of shape `(batch,)`, which
    `reduction` averages. Time and memory grow linearly with the number of pixels.

    Args:
        mean: Whether to take the mean of the differences along each axis, instead of
            their sum.
        **kwargs: `name`, `reduction` and `dtype`: see `LossOptions`.

    Call arguments:
        y_true: Ignored, since the loss does not depend on targets: `None`, or anything.
        y_pred: Images $\hat y$, of shape `(batch, height, width, channels)`.

    Raises:
        ValueError: If `y_pred` does not have this shape in a call.
        TypeError: If an argument has the wrong type or an unknown name.

    Example:
        >>> loss = tfx_extras.losses.TotalVariationLoss(mean=True)
        >>> print(float(loss(None, [[[[0.0], [1.0]], [[0.0], [3.0]]]])))
        3.0

    Reference: Rudin et al., 1992. https://doi.org/10.1016/0167-2789(92)90242-F
    """

    function = staticmethod(total_variation_loss)

    @typechecked
    def __init__(self, mean: bool = False, **kwargs: Unpack[LossOptions]):
        super().__init__(**kwargs)
        self.mean = mean


def _require_scales(weights: Weights) -> list:
    """Returns one number per scale, or raises."""
    weights = require_each("weights", weights, "(0, inf)")
    if not weights:
        raise ValueError(
            "Argument `weights` must have one number per scale. Received: weights=[]"
        )
    return weights


def _sum_and_difference(y_true, y_pred, filter_size, scales):
    """Returns y + p and y - p as the channels of one tensor, after checks."""
    y_pred = _images("y_pred", predictions(y_pred))
    y_true = numbers(y_true, y_pred.dtype)
    require_one_shape(
        y_true,
        y_pred,
        "`y_true` and `y_pred` must have the same shape, `(batch, height, width, "
        f"channels)`. Received: y_true.shape={tuple(y_true.shape)}, "
        f"y_pred.shape={tuple(y_pred.shape)}",
    )
    if y_pred.shape[-1] is None:
        raise ValueError(
            "`y_pred` must have a known number of channels on its last axis. Received: "
            f"y_pred.shape={tuple(y_pred.shape)}"
        )
    least = (filter_size - 1) * 2 ** (scales - 1) + 1
    if any(side is not None and side < least for side in y_pred.shape[1:3]):
        few = " or fewer `weights`" if scales > 1 else ""
        raise ValueError(
            f"Height and width of the images must be at least {least} for "
            f"filter_size={filter_size} and {scales} scales. Use a smaller "
            f"`filter_size`{few}. Received: y_pred.shape={tuple(y_pred.shape)}"
        )
    y_true, y_pred = backend.same_shape(y_true, y_pred)
    return ops.concatenate([y_true + y_pred, y_true - y_pred], axis=-1)


def _images(name, x):
    shape = tuple(x.shape)
    if len(shape) != 4:
        gray = "For gray images, use `keras.ops.expand_dims(x, -1)`. "
        raise ValueError(
            f"`{name}` must hold images, of shape `(batch, height, width, channels)`. "
            f"{gray if len(shape) == 3 else ''}Received: {name}.shape={shape}"
        )
    return x


def _window(size: int, sigma: Any) -> np.ndarray:
    """Returns the weights of a window along one axis, which sum to 1."""
    places = np.arange(size) - (size - 1) / 2
    weights = np.exp(-0.5 * (places / sigma) ** 2)
    return weights / weights.sum()


def _dissimilarities(maps, window, c1, c2) -> tuple[Any, Any]:
    r"""Returns 1 minus each of both factors of SSIM, for each window and channel.

    With the sum $s$ and the difference $d$ of both images, $1 - l = \mu_d^2 /
    (\mu^2 + \hat\mu^2 + c_1)$ and $1 - t = \sigma_d^2 / (\sigma^2 + \hat\sigma^2 +
    c_2)$, where $\mu^2 + \hat\mu^2 = (\mu_s^2 + \mu_d^2) / 2$, and the same holds for
    variances. Nothing cancels if the images are nearly equal.
    """
    # The variances of pixels minus a constant are the same, and cancel less.
    count = ops.cast(ops.shape(maps)[1] * ops.shape(maps)[2], maps.dtype)
    center = ops.sum(ops.stop_gradient(maps), axis=(1, 2), keepdims=True) / count
    maps = maps - center
    maps = backend.filtered(ops.concatenate([maps, ops.square(maps)], -1), window)
    mean, square = ops.split(maps, 2, axis=-1)
    variance = at_least(square - ops.square(mean), 0.0)
    mean = ops.square(mean + center)
    mean_s, mean_d = ops.split(mean, 2, axis=-1)
    variance_s, variance_d = ops.split(variance, 2, axis=-1)
    return (
        mean_d / ((mean_s + mean_d) / 2 + c1),
        variance_d / ((variance_s + variance_d) / 2 + c2),
    )


def _mean_of_pixels(x):
    count = ops.cast(ops.shape(x)[1] * ops.shape(x)[2], x.dtype)
    return ops.sum(x, axis=(1, 2)) / count


def _mean_of_channels(x):
    return ops.sum(x, axis=-1) / ops.cast(ops.shape(x)[-1], x.dtype)


def _mean_of_each(x):
    return _mean_of_channels(_mean_of_pixels(x))
