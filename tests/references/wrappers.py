"""Wrappers transcribed from their papers, around gradient descent with momentum.

NumPy, float64, one loop each. This module imports nothing from `tfx_extras`. The
functions return the weights, and the average if there is one.
"""

import numpy as np


def lookahead(w, gradients, lr, momentum, sync_period=6, slow_step_size=0.5):
    """Zhang et al., 2019, algorithm 1."""
    phi, theta, v = w, w, np.zeros_like(w)
    for t, g in enumerate(gradients, start=1):
        v = momentum * v - lr * g
        theta = theta + v
        if t % sync_period == 0:
            phi = phi + slow_step_size * (theta - phi)
            theta = phi
    return theta, None


def moving_average(w, gradients, lr, momentum, decay=0.99, start_step=0, warmup=False):
    """Polyak averaging with an exponential window; warm-up as in TensorFlow."""
    a, v = w, np.zeros_like(w)
    for t, g in enumerate(gradients, start=1):
        v = momentum * v - lr * g
        w = w + v
        d, n = decay, t - 1 - start_step
        if warmup:
            d = min(d, (1 + n) / (10 + n))
        if n < 0:
            d = 0
        a = d * a + (1 - d) * w
    return w, a


def swa(w, gradients, lr, momentum, start, period):
    """Izmailov et al., 2018, algorithm 1: the mean of the snapshots."""
    snapshots, v = [], np.zeros_like(w)
    for t, g in enumerate(gradients, start=1):
        v = momentum * v - lr * g
        w = w + v
        if t >= start and (t - start) % period == 0:
            snapshots.append(w)
    return w, np.mean(snapshots, axis=0)
