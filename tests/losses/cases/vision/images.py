"""Cases of the losses of images."""

import numpy as np

from tests.losses.cases._case import LossCase
from tests.references import images as references
from tfx_extras import losses


def images(height=7, width=6, channels=2):
    """Noise, and noisy copies of it: near, far, brighter and of lower contrast."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 257, (8, height, width, channels)) / 256
    e = rng.integers(-128, 129, y.shape) / 256
    p = y + e * np.array([0.125, 0.25, 0.5, 1, 0, 0, 2, 1])[:, None, None, None]
    p[4] = y[4] + 0.25
    p[5] = 0.5 * y[5] + 0.125
    return y, p


def anticorrelated_images():
    """The last images have similarity below 0 at each scale."""
    y, p = images()
    p[7] = 1 - y[7]
    return y, p


def larger_images():
    return images(11, 9, 1)


def single_images():
    """Labels do not matter."""
    x = np.round(np.random.default_rng(1).normal(size=(8, 3, 4, 2)) * 64) / 64
    x[1] *= 1e4
    x[2] *= 2.0**-4
    x[3] = np.sort(x[3], axis=0)
    return np.zeros(8, "int32"), x


def flat_images():
    """Some neighbors are equal."""
    y, x = single_images()
    x[4] = 0.5
    x[5, :, 1:3] = 1
    return y, x


SHAPES = (
    ((3,), (3, 8)),
    ((3, 8, 8), (3, 8, 8)),
    ((3, 8, 8), (3, 8, 8, 2)),
    ((1, 8, 8, 2), (3, 8, 8, 2)),
    ((3, 8, 8, 1), (3, 8, 8, 2)),
    ((3, 7, 8, 2), (3, 8, 8, 2)),
    ((3, 8, 8, 2), (3, 8, 2, 8, 2)),
    ((), ()),
)
SINGLE = (((3,), (3, 8)), ((3,), (3, 8, 8)), ((3,), (3, 8, 8, 2, 2)), ((), ()))
INVALID = (
    {"max_value": 0.0},
    {"filter_size": 0},
    {"filter_sigma": 0.0},
    {"k1": 0.0},
    {"k2": -1.0},
)
CHANGES = {
    "max_value": 4.0,
    "filter_size": 5,
    "filter_sigma": 0.5,
    "k1": 0.5,
    "k2": 0.5,
}
SSIM = (losses.ssim_loss, losses.SSIMLoss, references.ssim_loss)
MS_SSIM = (losses.ms_ssim_loss, losses.MSSSIMLoss, references.ms_ssim_loss)
TOTAL = (
    losses.total_variation_loss,
    losses.TotalVariationLoss,
    references.total_variation_loss,
)
SMALL = {"filter_size": 3, "filter_sigma": 1.0}
CASES = [
    LossCase(
        *SSIM,
        images,
        SMALL,
        changes=CHANGES,
        invalid=INVALID,
        unequal=SHAPES,
        last_is_known=True,
    ),
    LossCase(
        *SSIM,
        larger_images,
        {"filter_size": 4, "max_value": 2.0, "k1": 0.25, "k2": 0.125},
    ),
    LossCase(
        *MS_SSIM,
        images,
        SMALL | {"weights": [0.25, 0.75]},
        changes=CHANGES | {"filter_size": 2, "weights": [0.5, 0.25]},
        invalid=INVALID,
        unequal=SHAPES,
        last_is_known=True,
    ),
    LossCase(
        *MS_SSIM,
        anticorrelated_images,
        SMALL | {"weights": [1.0, 0.5]},
        smooth=images,
    ),
    LossCase(
        *MS_SSIM,
        larger_images,
        {"filter_size": 2, "weights": [0.5, 0.25, 0.25], "k1": 0.25, "k2": 0.125},
    ),
    LossCase(
        *TOTAL,
        flat_images,
        smooth=single_images,
        changes={"mean": True},
        unequal=SINGLE,
    ),
    LossCase(*TOTAL, single_images, {"mean": True}),
]
