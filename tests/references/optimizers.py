"""Optimizers transcribed from their papers: NumPy, float64, one loop each.

This module imports nothing from `tfx_extras`, and keeps the papers' letters.
"""

import numpy as np


def rectification(t, beta_2, threshold):
    """Liu et al., 2019, algorithm 2: r_t, or None while it is undefined."""
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
    """You et al., 2019, algorithm 2, with phi(z) = z and a maximum trust ratio."""
    m, v = np.zeros_like(w), np.zeros_like(w)
    for t, g in enumerate(gradients, start=1):
        m = beta_1 * m + (1 - beta_1) * g
        v = beta_2 * v + (1 - beta_2) * g**2
        m_hat, v_hat = m / (1 - beta_1**t), v / (1 - beta_2**t)
        # 0 / 0 is taken as 0, for a weight without gradient and an epsilon of 0.
        scale = np.sqrt(v_hat) + epsilon
        r = np.divide(m_hat, scale, out=np.zeros_like(w), where=scale > 0)
        u = r + weight_decay * w
        w_norm, u_norm = np.linalg.norm(w), np.linalg.norm(u)
        ratio = w_norm / u_norm if w_norm > 0 and u_norm > 0 else 1.0
        w = w - lr * min(ratio, max_trust_ratio) * u
    return w


def shrunk(x, eta, l1, l2):
    """Duchi and Singer, 2009: the step for l1 |w| + l2 w^2 / 2."""
    return np.sign(x) * np.maximum(np.abs(x) - eta * l1, 0) / (1 + eta * l2)


def yogi(
    w,
    gradients,
    lr,
    beta_1=0.9,
    beta_2=0.999,
    epsilon=1e-3,
    initial_accumulator_value=1e-6,
    l1_regularization_strength=0.0,
    l2_regularization_strength=0.0,
    activation="sign",
    weight_decay=0.0,
):
    """Zaheer et al., 2018, algorithm 2; bias correction as in Kingma and Ba, 2014."""
    m, v = np.zeros_like(w), np.full_like(w, initial_accumulator_value)
    sign = np.sign if activation == "sign" else lambda x: np.tanh(10 * x)
    for t, g in enumerate(gradients, start=1):
        m = beta_1 * m + (1 - beta_1) * g
        v = v - (1 - beta_2) * sign(v - g**2) * g**2
        eta = lr * np.sqrt(1 - beta_2**t) / (1 - beta_1**t) / (np.sqrt(v) + epsilon)
        x = w - lr * weight_decay * w - eta * m
        w = shrunk(x, eta, l1_regularization_strength, l2_regularization_strength)
    return w


def novograd(
    w,
    gradients,
    lr,
    beta_1=0.9,
    beta_2=0.999,
    epsilon=1e-7,
    grad_averaging=False,
    amsgrad=False,
    weight_decay=0.0,
):
    """Ginsburg et al., 2019, algorithm 1; m may be an average, as in section 3."""
    m, v, v_max = np.zeros_like(w), 0.0, 0.0
    has_begun = False
    for g in gradients:
        square = np.sum(g**2)
        is_first, has_begun = not has_begun, has_begun or square > 0
        v = square if is_first else beta_2 * v + (1 - beta_2) * square
        v_max = max(v_max, v)
        d = g / (np.sqrt(v_max if amsgrad else v) + epsilon) + weight_decay * w
        m = beta_1 * m + (1 if is_first or not grad_averaging else 1 - beta_1) * d
        w = w - lr * m
    return w


def proximal_adagrad(
    w,
    gradients,
    lr,
    initial_accumulator_value=0.1,
    l1_regularization_strength=0.0,
    l2_regularization_strength=0.0,
    weight_decay=0.0,
):
    """Duchi and Singer, 2009, with Adagrad's rates."""
    a = np.full_like(w, initial_accumulator_value)
    for g in gradients:
        a = a + g**2
        eta = lr / np.sqrt(a)
        x = w - lr * weight_decay * w - eta * g
        w = shrunk(x, eta, l1_regularization_strength, l2_regularization_strength)
    return w


def cocob(w, gradients, lr, alpha=100.0, weight_decay=0.0):
    """Orabona and Tommasi, 2017, algorithm 2; their g is ours with the sign changed."""
    bet, theta, magnitudes, reward = np.zeros((4, *w.shape))
    largest = np.full_like(w, 1e-8)
    for g in -np.asarray(gradients):
        largest = np.maximum(largest, np.abs(g))
        magnitudes = magnitudes + np.abs(g)
        reward = np.maximum(reward + bet * g, 0)
        theta = theta + g
        fraction = theta / (largest * np.maximum(magnitudes + largest, alpha * largest))
        before, bet = bet, fraction * (largest + reward)
        w = w - lr * weight_decay * w + lr * (bet - before)
    return w


def conditional_gradient(
    w, gradients, lr, radius=1.0, norm="frobenius", epsilon=1e-7, weight_decay=0.0
):
    """Ravi et al., 2018, algorithm 1 and table 1."""
    for g in gradients:
        if norm == "frobenius":
            d = g / (np.linalg.norm(g) + epsilon)
        else:
            u, s, vh = np.linalg.svd(g, full_matrices=False)
            d = np.outer(u[:, 0], vh[0]) * (s[0] > 0)
        w = w - lr * weight_decay * w
        w = (1 - lr) * w - lr * radius * d
    return w


def adam(
    w,
    gradients,
    lr,
    beta_1=0.9,
    beta_2=0.999,
    epsilon=1e-7,
    amsgrad=False,
    weight_decay=0.0,
    rows=None,
):
    """Kingma and Ba, 2014, end of section 2; updates only `rows[t]` if given."""
    w, m, v, v_max = w.copy(), *np.zeros((3, *w.shape))
    for t, g in enumerate(gradients, start=1):
        i = slice(None) if rows is None else rows[t - 1]
        w -= lr * weight_decay * w
        m[i] = beta_1 * m[i] + (1 - beta_1) * g[i]
        v[i] = beta_2 * v[i] + (1 - beta_2) * g[i] ** 2
        v_max[i] = np.maximum(v_max[i], v[i])
        largest = v_max[i] if amsgrad else v[i]
        alpha = lr * np.sqrt(1 - beta_2**t) / (1 - beta_1**t)
        w[i] -= alpha * m[i] / (np.sqrt(largest) + epsilon)
    return w


def adamw(
    w,
    gradients,
    lr,
    beta_1=0.9,
    beta_2=0.999,
    epsilon=1e-8,
    nesterov=False,
    amsgrad=False,
    weight_decay=0.01,
):
    """Loshchilov and Hutter, 2017, algorithm 2; Nesterov as in Dozat, 2016."""
    m, v, v_max = np.zeros_like(w), np.zeros_like(w), np.zeros_like(w)
    for t, g in enumerate(gradients, start=1):
        m = beta_1 * m + (1 - beta_1) * g
        v = beta_2 * v + (1 - beta_2) * g**2
        v_max = np.maximum(v_max, v)
        m_hat = m / (1 - beta_1**t)
        if nesterov:
            ahead = beta_1 * m / (1 - beta_1 ** (t + 1))
            m_hat = ahead + (1 - beta_1) * g / (1 - beta_1**t)
        v_hat = (v_max if amsgrad else v) / (1 - beta_2**t)
        w = w - lr * (m_hat / (np.sqrt(v_hat) + epsilon) + weight_decay * w)
    return w


def adopt(
    w,
    gradients,
    lr,
    beta_1=0.9,
    beta_2=0.9999,
    epsilon=1e-6,
    clip_power=0.25,
    weight_decay=0.0,
):
    """Taniguchi et al., 2024, algorithm 2; weight by weight where gradients are 0."""
    m, v = np.zeros_like(w), np.zeros_like(w)
    for t, g in enumerate(gradients, start=1):
        n = g / np.maximum(np.sqrt(v), epsilon)
        if clip_power is not None:
            limit = (t - 1) ** clip_power
            n = np.clip(n, -limit, limit)
        is_first = v == 0
        m = beta_1 * m + (1 - beta_1) * np.where(is_first, 0, n)
        if t > 1:
            w = w - lr * (m + weight_decay * w)
        v = np.where(is_first, g**2, beta_2 * v + (1 - beta_2) * g**2)
    return w


def ademamix(
    w,
    gradients,
    lr,
    beta_1=0.9,
    beta_2=0.999,
    beta_3=0.9999,
    alpha=5.0,
    warmup_steps=None,
    epsilon=1e-8,
    weight_decay=0.0,
):
    """Pagliardini et al., 2024, algorithm 1, with its two schedules."""
    m_1, m_2, v = np.zeros_like(w), np.zeros_like(w), np.zeros_like(w)
    for t, g in enumerate(gradients, start=1):
        a, b = alpha, beta_3
        if warmup_steps:
            a = min(t / warmup_steps * alpha, alpha)
            log_3, part = np.log(beta_3), t / warmup_steps
            b = np.exp(log_3 / part)  # the limit for a beta_1 of 0
            if beta_1:
                log_1 = np.log(beta_1)
                b = np.exp(log_1 * log_3 / ((1 - part) * log_3 + part * log_1))
            b = min(b, beta_3)
        m_1 = beta_1 * m_1 + (1 - beta_1) * g
        m_2 = b * m_2 + (1 - b) * g
        v = beta_2 * v + (1 - beta_2) * g**2
        step = m_1 / (1 - beta_1**t) + a * m_2
        step = step / (np.sqrt(v / (1 - beta_2**t)) + epsilon)
        w = w - lr * (step + weight_decay * w)
    return w


def adan(
    w,
    gradients,
    lr,
    beta_1=0.98,
    beta_2=0.92,
    beta_3=0.99,
    epsilon=1e-8,
    proximal=True,
    weight_decay=0.0,
):
    """Xie et al., 2022, algorithm 1, with betas that are 1 minus those of the paper."""
    m, k, n = np.zeros_like(w), np.zeros_like(w), np.zeros_like(w)
    previous = np.zeros_like(w)
    for t, g in enumerate(gradients, start=1):
        d = np.zeros_like(w) if t == 1 else g - previous
        previous = g
        m = beta_1 * m + (1 - beta_1) * g
        k = beta_2 * k + (1 - beta_2) * d
        n = beta_3 * n + (1 - beta_3) * (g + beta_2 * d) ** 2
        u = m / (1 - beta_1**t) + beta_2 * k / (1 - beta_2**t)
        u = u / (np.sqrt(n / (1 - beta_3**t)) + epsilon)
        if proximal:
            w = (w - lr * u) / (1 + lr * weight_decay)
        else:
            w = (1 - lr * weight_decay) * w - lr * u
    return w


def lars(
    w,
    gradients,
    lr,
    momentum=0.9,
    trust_coefficient=0.001,
    epsilon=0.0,
    nesterov=False,
    weight_decay=0.0,
):
    """You et al., 2017, algorithm 1, with the learning rate outside of the momentum."""
    b = np.zeros_like(w)
    for g in gradients:
        w_norm, g_norm = np.linalg.norm(w), np.linalg.norm(g)
        ratio = 1.0
        if w_norm > 0 and g_norm > 0:
            ratio = trust_coefficient * w_norm
            ratio = ratio / (g_norm + weight_decay * w_norm + epsilon)
        d = ratio * (g + weight_decay * w)
        b = momentum * b + d
        w = w - lr * (d + momentum * b if nesterov else b)
    return w


def orthogonalized(u, triples, steps):
    """Jordan et al., 2024: iterations of Newton and Schulz for an odd polynomial."""
    x = u / (np.linalg.norm(u) + 1e-7)
    is_tall = x.shape[0] > x.shape[1]
    x = x.T if is_tall else x
    for i in range(steps):
        a, b, c = triples[min(i, len(triples) - 1)]
        s = x @ x.T
        x = a * x + (b * s + c * s @ s) @ x
    return x.T if is_tall else x


JORDAN = [(3.4445, -4.7750, 2.0315)]
QUINTIC = [
    (4.0848, -6.8946, 2.9270),
    (3.9505, -6.3029, 2.6377),
    (3.7418, -5.5913, 2.3037),
    (2.8769, -3.1427, 1.2046),
    (2.8366, -3.0525, 1.2012),
]


def muon(
    w,
    gradients,
    lr,
    momentum=0.95,
    nesterov=True,
    ns_steps=5,
    ns_coefficients="jordan",
    scale="rms",
    variance_beta=None,
    adam_exclude=(),
    adam_beta_1=0.9,
    adam_beta_2=0.95,
    adam_epsilon=1e-8,
    adam_learning_rate_factor=1.0,
    weight_decay=0.0,
):
    """Jordan et al., 2024, of one matrix, or AdamW; NorMuon as Li et al., 2025."""
    if adam_exclude or w.ndim != 2:
        rate = lr * adam_learning_rate_factor
        betas = adam_beta_1, adam_beta_2
        return adamw(
            w, gradients, rate, *betas, adam_epsilon, weight_decay=weight_decay
        )
    named = {"jordan": JORDAN, "quintic": QUINTIC}
    triples = named[ns_coefficients] if ns_coefficients in [*named] else ns_coefficients
    n, k = w.shape
    s = {
        "rms": 0.2 * max(n, k) ** 0.5,
        "spectral": max(1, k / n) ** 0.5,
        "rms_to_rms": (k / n) ** 0.5,
        "none": 1,
    }[scale]
    m, v = np.zeros_like(w), np.zeros(k)
    for g in gradients:
        m = momentum * m + (1 - momentum) * g
        u = momentum * m + (1 - momentum) * g if nesterov else m
        x = orthogonalized(u, triples, ns_steps)
        if variance_beta is None:
            x = s * x
        else:
            v = variance_beta * v + (1 - variance_beta) * np.mean(x**2, axis=0)
            x = x / (np.sqrt(v) + 1e-10)
            x = 0.2 * np.sqrt(n * k) * x / max(np.linalg.norm(x), 1e-300)
        w = w - lr * (weight_decay * w + x)
    return w


def along(x, matrix, axis):
    """Multiplies a tensor by a matrix along one axis."""
    return np.moveaxis(np.tensordot(matrix, x, (1, axis)), 0, axis)


def soap(
    w,
    gradients,
    lr,
    beta_1=0.95,
    beta_2=0.95,
    basis_beta=None,
    epsilon=1e-8,
    frequency=10,
    max_size=10000,
    weight_decay=0.0,
):
    """Vyas et al., 2024, algorithms 3 and 4; the momentum is that of the gradients."""
    beta_c = beta_2 if basis_beta is None else basis_beta
    axes = [k for k in range(w.ndim) if w.ndim > 1 and 1 < w.shape[k] <= max_size]
    c, q = dict.fromkeys(axes, 0.0), None
    m, v, t = np.zeros_like(w), np.zeros_like(w), None
    for g in gradients:
        w = w - lr * weight_decay * w
        if t is None and not g.any():
            continue
        t = 0 if t is None else t + 1
        if t > 0:
            m, r = beta_1 * m + (1 - beta_1) * g, g
            n = m
            for k in axes:
                r, n = along(r, q[k].T, k), along(n, q[k].T, k)
            v = beta_2 * v + (1 - beta_2) * r**2
            u = n / (np.sqrt(v) + epsilon)
            for k in axes:
                u = along(u, q[k], k)
            w = w - lr * np.sqrt(1 - beta_2**t) / (1 - beta_1**t) * u
        for k in axes:
            rows = np.moveaxis(g, k, 0).reshape(w.shape[k], -1)
            c[k] = beta_c * c[k] + (1 - beta_c) * rows @ rows.T
        if t == 0:
            q = {k: np.linalg.eigh(c[k])[1][:, ::-1] for k in axes}
        elif t % frequency == 0:
            for k in axes:
                order = np.argsort(-np.diag(q[k].T @ c[k] @ q[k]))
                v = np.take(v, order, axis=k)
                q[k] = np.linalg.qr(c[k] @ q[k][:, order])[0]
    return w


def prodigy(
    w,
    gradients,
    lr,
    beta_1=0.9,
    beta_2=0.999,
    beta_3=None,
    epsilon=1e-8,
    d0=1e-6,
    d_coef=1.0,
    growth_rate=None,
    safeguard_warmup=False,
    bias_correction=False,
    weight_decay=0.0,
):
    """Mishchenko and Defazio, 2023, algorithm 4, with the options of its code."""
    beta_3 = np.sqrt(beta_2) if beta_3 is None else beta_3
    growth_rate = np.inf if growth_rate is None else growth_rate
    w_0, d, d_max, r = w, d0, d0, 0.0
    s, m, v = np.zeros_like(w), np.zeros_like(w), np.zeros_like(w)
    for t, g in enumerate(gradients, start=1):
        dlr = d * lr
        if bias_correction:
            dlr = dlr * np.sqrt(1 - beta_2**t) / (1 - beta_1**t)
        r = beta_3 * r + d / d0 * dlr * np.sum(g * (w_0 - w))
        s = beta_3 * s + d / d0 * (d if safeguard_warmup else dlr) * g
        m = beta_1 * m + (1 - beta_1) * d * g
        v = beta_2 * v + (1 - beta_2) * (d * g) ** 2
        if np.any(s):
            d_hat = d_coef * r / np.sum(np.abs(s))
            if d == d0:
                d = max(d, d_hat)
            d_max = max(d_max, d_hat)
            d = min(d_max, d * growth_rate)
        w = w - dlr * weight_decay * w - dlr * m / (np.sqrt(v) + d * epsilon)
    return w
