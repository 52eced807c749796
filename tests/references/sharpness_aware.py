"""Sharpness-aware minimization from its papers, around momentum, on two small models.

NumPy, float64. This module imports nothing from `tfx_extras`.
"""

import numpy as np


def sharpness_aware(
    w, gradients_at, batches, lr, momentum=0.0, rho=0.05, adaptive=False, eta=0.0
):
    """Foret et al., 2020, algorithm 1; ASAM: Kwon et al., 2021, algorithm 1.

    Args:
        w: A list of arrays.
        gradients_at: A function of `w` and a batch that returns the gradients.
        batches: One batch for each step.
        lr: The learning rate.
        momentum: The momentum of the gradients of the second pass.
        rho: The distance of the second pass.
        adaptive: Whether the distance is scaled by the weights.
        eta: What is added to the size of the weights.

    Returns:
        The weights before the first step and after each.
    """
    v = [np.zeros_like(x) for x in w]
    recorded = [w]
    for batch in batches:
        g = gradients_at(w, batch)
        T = [np.abs(x) + eta if adaptive else np.ones_like(x) for x in w]  # noqa: N806
        norm = np.sqrt(sum(np.sum((t * d) ** 2) for t, d in zip(T, g, strict=True)))
        w_hat = [x + rho * t**2 * d / norm for x, t, d in zip(w, T, g, strict=True)]
        g_hat = gradients_at(w_hat, batch)
        v = [momentum * m - lr * d for m, d in zip(v, g_hat, strict=True)]
        w = [x + m for x, m in zip(w, v, strict=True)]
        recorded.append(w)
    return recorded


def of_softmax(w, batch):
    """The gradients of the mean cross-entropy of a linear classifier."""
    (kernel, bias), (x, y) = w, batch
    z = x @ kernel + bias
    p = np.exp(z - z.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    d = (p - np.eye(bias.size)[y]) / len(x)
    return [x.T @ d, d.sum(0)]


def of_squares(w, batch):
    """The gradients of the mean squared error of a linear model with one output."""
    (kernel, bias), (x, y) = w, batch
    d = 2 * (x @ kernel + bias - y) / len(x)
    return [x.T @ d, d.sum(0)]
