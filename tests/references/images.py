"""The losses of images in NumPy."""

import numpy as np


def _window(size, sigma):
    i = np.arange(size) - (size - 1) / 2
    g = np.exp(-(i[:, None] ** 2 + i**2) / (2 * sigma**2))
    return g / g.sum()


def _means(x, window):
    windows = np.lib.stride_tricks.sliding_window_view(x, window.shape, axis=(1, 2))
    return np.einsum("bhwcij,ij->bhwc", windows, window)


def _factors(x, y, max_value, filter_size, filter_sigma, k1, k2):
    """Wang et al., 2004, eq. 13, and its second factor, with l and t apart."""
    w = _window(filter_size, filter_sigma)
    c1, c2 = (k1 * max_value) ** 2, (k2 * max_value) ** 2
    mx, my = _means(x, w), _means(y, w)
    vx, vy = _means(x * x, w) - mx * mx, _means(y * y, w) - my * my
    cov = _means(x * y, w) - mx * my
    t = (2 * cov + c2) / (vx + vy + c2)
    return (2 * mx * my + c1) / (mx * mx + my * my + c1), t


def ssim_loss(
    y_true, y_pred, max_value=1.0, filter_size=11, filter_sigma=1.5, k1=0.01, k2=0.03
):
    """Wang et al., 2004, eq. 13, for windows within the image."""
    settings = max_value, filter_size, filter_sigma, k1, k2
    luminance, structure = _factors(y_true, y_pred, *settings)
    return 1 - (luminance * structure).mean((1, 2, 3))


def _halved(x):
    """The means of 2 x 2 pixels; an odd side repeats its last pixel."""
    x = np.pad(x, [(0, 0), *[(0, n % 2) for n in x.shape[1:3]], (0, 0)], "edge")
    return (x[:, ::2] + x[:, 1::2])[:, :, ::2] / 4 + (x[:, ::2] + x[:, 1::2])[
        :, :, 1::2
    ] / 4


def ms_ssim_loss(
    y_true,
    y_pred,
    max_value=1.0,
    filter_size=11,
    filter_sigma=1.5,
    k1=0.01,
    k2=0.03,
    weights=(0.0448, 0.2856, 0.3001, 0.2363, 0.1333),
):
    """Wang et al., 2003, eq. 7, with the mean of each factor over windows."""
    settings = max_value, filter_size, filter_sigma, k1, k2
    product = 1.0
    for j, w in enumerate(weights):
        luminance, structure = _factors(y_true, y_pred, *settings)
        t = structure if j < len(weights) - 1 else luminance * structure
        product = product * np.maximum(t.mean((1, 2)), 1e-6) ** w
        y_true, y_pred = _halved(y_true), _halved(y_pred)
    return (1 - product).mean(-1)


def total_variation_loss(y_true, y_pred, mean=False):
    """The anisotropic total variation."""
    down, right = (np.abs(np.diff(y_pred, axis=axis)) for axis in (1, 2))
    join = np.mean if mean else np.sum
    return join(down, (1, 2, 3)) + join(right, (1, 2, 3))
