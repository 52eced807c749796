"""Wrappers transcribed from their papers, around gradient descent with momentum.

NumPy, float64, one loop each. This module imports nothing from `tfx_extras`. The
functions return the weights, and the average if there is one.
"""

import re

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


def moving_average(
    w,
    gradients,
    lr,
    momentum,
    decay=0.99,
    start_step=0,
    warmup=False,
    warmup_gamma=None,
    warmup_power=2 / 3,
):
    """Polyak averaging with an exponential window.

    Warm-up as in TensorFlow, as in timm and diffusers ("inverse"), or as in Karras et
    al., 2023, equation 10 ("power").
    """
    a, v = w, np.zeros_like(w)
    for t, g in enumerate(gradients, start=1):
        v = momentum * v - lr * g
        w = w + v
        d, n = decay, t - 1 - start_step
        if n < 0:
            d = 0
        elif warmup == "inverse":
            d = min(d, 1 - (1 + (n + 1) / (warmup_gamma or 1)) ** -warmup_power)
        elif warmup == "power":
            d = (1 - 1 / (n + 1)) ** ((warmup_gamma or 6.94) + 1)
        elif warmup:
            d = min(d, (1 + n) / (10 + n))
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


def schedule_free(
    w,
    gradients,
    lr,
    momentum,
    beta=0.9,
    weight_decay=0.0,
    weight_decay_exclude=(),
    weight_lr_power=2.0,
    r=0.0,
):
    """Defazio et al., 2024, algorithm 1, with the weights of the average of their code.

    `lr` may be a function of the number of the step.
    """
    x = y = z = w
    v, total, largest = np.zeros_like(w), 0.0, 0.0
    if any(re.search(pattern, "w") for pattern in weight_decay_exclude):
        weight_decay = 0.0
    for t, g in enumerate(gradients, start=1):
        rate = lr(t) if callable(lr) else lr
        v = momentum * v - rate * g
        z = z + v - rate * weight_decay * y
        largest = max(largest, rate)
        k = t**r * largest**weight_lr_power
        total = total + k
        c = k / total if total > 0 else 0.0
        x = (1 - c) * x + c * z
        y = beta * x + (1 - beta) * z
    return y, x
