"""Optimizers transcribed from their papers: NumPy, float64, one loop each.

They import nothing from `tfx_extras`, and keep the papers' letters.
"""

import numpy as np


def rectification(t, beta_2, threshold):
    """Liu et al., 2019, algorithm 2: r_t, or None while it is not used."""
    rho_inf = 2 / (1 - beta_2) - 1
    rho = rho_inf - 2 * t * beta_2**t / (1 - beta_2**t)
    if rho < threshold:
        return None
    return np.sqrt(
        (rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho)
    )


def adabelief(
    w,
    gradients,
    lr,
    beta_1=0.9,
    beta_2=0.999,
    epsilon=1e-14,
    rectify=True,
    amsgrad=False,
    sma_threshold=5.0,
    weight_decay=0.0,
):
    """Zhuang et al., 2020, algorithm 2; rectified as in Liu et al., 2019."""
    m, s, s_max = np.zeros_like(w), np.zeros_like(w), np.zeros_like(w)
    for t, g in enumerate(gradients, start=1):
        m = beta_1 * m + (1 - beta_1) * g
        s = beta_2 * s + (1 - beta_2) * (g - m) ** 2 + epsilon
        s_max = np.maximum(s_max, s)
        m_hat = m / (1 - beta_1**t)
        s_hat = (s_max if amsgrad else s) / (1 - beta_2**t)
        step = m_hat / (np.sqrt(s_hat) + epsilon)
        if rectify:
            r = rectification(t, beta_2, sma_threshold)
            step = m_hat if r is None else r * step
        w = w - lr * (step + weight_decay * w)
    return w


def radam(
    w,
    gradients,
    lr,
    beta_1=0.9,
    beta_2=0.999,
    epsilon=1e-7,
    amsgrad=False,
    sma_threshold=5.0,
    weight_decay=0.0,
):
    """Liu et al., 2019, algorithm 2."""
    m, v, v_max = np.zeros_like(w), np.zeros_like(w), np.zeros_like(w)
    for t, g in enumerate(gradients, start=1):
        m = beta_1 * m + (1 - beta_1) * g
        v = beta_2 * v + (1 - beta_2) * g**2
        v_max = np.maximum(v_max, v)
        m_hat = m / (1 - beta_1**t)
        v_hat = (v_max if amsgrad else v) / (1 - beta_2**t)
        r = rectification(t, beta_2, sma_threshold)
        step = m_hat if r is None else r * m_hat / (np.sqrt(v_hat) + epsilon)
        w = w - lr * (step + weight_decay * w)
    return w


def lamb(
    w,
    gradients,
    lr,
    beta_1=0.9,
    beta_2=0.999,
    epsilon=1e-6,
    max_trust_ratio=np.inf,
    weight_decay=0.0,
):
    """You et al., 2019, algorithm 2, with phi(z) = z; the ratio may have a bound."""
    m, v = np.zeros_like(w), np.zeros_like(w)
    for t, g in enumerate(gradients, start=1):
        m = beta_1 * m + (1 - beta_1) * g
        v = beta_2 * v + (1 - beta_2) * g**2
        m_hat, v_hat = m / (1 - beta_1**t), v / (1 - beta_2**t)
        # 0 / 0 is 0: a weight without gradient, and an epsilon of 0.
        scale = np.sqrt(v_hat) + epsilon
        r = np.divide(m_hat, scale, out=np.zeros_like(w), where=scale > 0)
        u = r + weight_decay * w
        w_norm, u_norm = np.linalg.norm(w), np.linalg.norm(u)
        ratio = w_norm / u_norm if w_norm > 0 and u_norm > 0 else 1.0
        w = w - lr * min(ratio, max_trust_ratio) * u
    return w
