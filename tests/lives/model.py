"""The expected weights: optimizers, options and wrappers in NumPy, in float64.

This module imports nothing from the package. Weights are not rounded, because training
must not lose the rounding error of 16-bit weights. Results in float32 differ by their
own rounding.
"""

import re

import numpy as np

from tests.references.optimizers import JORDAN
from tests.references.optimizers import QUINTIC
from tests.references.optimizers import along
from tests.references.optimizers import orthogonalized
from tests.references.optimizers import rectification
from tests.references.optimizers import shrunk


class Weights:
    """The weights of a life, by variable, and how far they have moved."""

    def __init__(self, values, paths):
        self.values = [np.array(value, "float64") for value in values]
        self.paths = list(paths)  # the paths of the first build, to which rules refer
        self.ruled = set()  # those whose weight decay a rule sets
        self.moved = [0.0 for _ in values]
        # The maximum magnitude so far. An assignment resets it, unless averages or slow
        # weights still remember earlier values.
        self.remembers = False
        self.largest = [np.max(np.abs(value)) for value in self.values]
        # How far an assigned 16-bit weight may be from the assigned value.
        self.slack = [np.zeros_like(value) for value in self.values]

    def __getitem__(self, i):
        return self.values[i]

    def __setitem__(self, i, value):
        self.moved[i] += np.max(np.abs(value - self.values[i]), initial=0.0)
        self.largest[i] = max(self.largest[i], np.max(np.abs(value)))
        self.values[i] = value

    def __len__(self):
        return len(self.values)

    def restart(self, i, value, slack=0.0):
        """Assigns a value."""
        self.values[i] = np.array(value, "float64")
        past = self.largest[i] if self.remembers else 0.0
        self.largest[i] = max(past, np.max(np.abs(value)))
        self.slack[i] = np.maximum(self.slack[i], slack)


# Formulas: `function(w, g, lr, decay, t, state, ...)` returns new weights. `state` is a
# dictionary for one variable, `t` is the number of the update, and `decay` is the
# part of the weight decay that belongs in the formula.


class Cautious(float):
    """A weight decay that leaves out weights which the step moves away from 0."""


def _penalty(decay, direction, w):
    if isinstance(decay, Cautious):
        return np.where(direction * w >= 0, decay * w, 0.0)
    return decay * w


def _moments(s, g, beta_1, beta_2):
    s["m"] = beta_1 * s.get("m", 0.0) + (1 - beta_1) * g
    s["v"] = beta_2 * s.get("v", 0.0) + (1 - beta_2) * g**2
    return s["m"], s["v"]


def _largest(s, v, amsgrad):
    s["max"] = np.maximum(s.get("max", 0.0), v)
    return s["max"] if amsgrad else v


def radam(
    w,
    g,
    lr,
    decay,
    t,
    s,
    beta_1=0.9,
    beta_2=0.999,
    epsilon=1e-7,
    amsgrad=False,
    sma_threshold=5.0,
):
    m, v = _moments(s, g, beta_1, beta_2)
    m_hat = m / (1 - beta_1**t)
    v_hat = _largest(s, v, amsgrad) / (1 - beta_2**t)
    r = rectification(t, beta_2, sma_threshold)
    return w - lr * (m_hat if r is None else r * m_hat / (np.sqrt(v_hat) + epsilon))


def adabelief(
    w,
    g,
    lr,
    decay,
    t,
    s,
    beta_1=0.9,
    beta_2=0.999,
    epsilon=1e-14,
    rectify=True,
    amsgrad=False,
    sma_threshold=5.0,
):
    m = s["m"] = beta_1 * s.get("m", 0.0) + (1 - beta_1) * g
    v = s["v"] = beta_2 * s.get("v", 0.0) + (1 - beta_2) * (g - m) ** 2 + epsilon
    m_hat = m / (1 - beta_1**t)
    v_hat = _largest(s, v, amsgrad) / (1 - beta_2**t)
    step = m_hat / (np.sqrt(v_hat) + epsilon)
    if rectify:
        r = rectification(t, beta_2, sma_threshold)
        step = m_hat if r is None else r * step
    return w - lr * step


def lamb(
    w, g, lr, decay, t, s, beta_1=0.9, beta_2=0.999, epsilon=1e-6, max_trust_ratio=None
):
    m, v = _moments(s, g, beta_1, beta_2)
    m_hat, v_hat = m / (1 - beta_1**t), v / (1 - beta_2**t)
    u = m_hat / (np.sqrt(v_hat) + epsilon)
    u = u + _penalty(decay, u, w)
    w_norm, u_norm = np.linalg.norm(w), np.linalg.norm(u)
    ratio = w_norm / u_norm if w_norm > 0 and u_norm > 0 else 1.0
    return w - lr * min(ratio, max_trust_ratio or np.inf) * u


def yogi(
    w,
    g,
    lr,
    decay,
    t,
    s,
    beta_1=0.9,
    beta_2=0.999,
    epsilon=1e-3,
    initial_accumulator_value=1e-6,
    l1_regularization_strength=0.0,
    l2_regularization_strength=0.0,
):
    m = s["m"] = beta_1 * s.get("m", 0.0) + (1 - beta_1) * g
    v = s.get("v", np.full_like(w, initial_accumulator_value))
    v = s["v"] = v - (1 - beta_2) * np.sign(v - g**2) * g**2
    eta = lr * np.sqrt(1 - beta_2**t) / (1 - beta_1**t) / (np.sqrt(v) + epsilon)
    l1, l2 = l1_regularization_strength, l2_regularization_strength
    return shrunk(w - eta * m, eta, l1, l2)


def novograd(
    w,
    g,
    lr,
    decay,
    t,
    s,
    beta_1=0.9,
    beta_2=0.999,
    epsilon=1e-7,
    grad_averaging=False,
    amsgrad=False,
):
    square = np.sum(g**2)
    is_first = s.get("v", 0.0) == 0
    v = s["v"] = square if is_first else beta_2 * s["v"] + (1 - beta_2) * square
    d = g / (np.sqrt(_largest(s, v, amsgrad)) + epsilon)
    d = d + _penalty(decay, d, w)
    gain = 1 if is_first or not grad_averaging else 1 - beta_1
    s["m"] = beta_1 * s.get("m", 0.0) + gain * d
    return w - lr * s["m"]


def proximal_adagrad(
    w,
    g,
    lr,
    decay,
    t,
    s,
    initial_accumulator_value=0.1,
    l1_regularization_strength=0.0,
    l2_regularization_strength=0.0,
):
    a = s["a"] = s.get("a", initial_accumulator_value) + g**2
    eta = lr / np.sqrt(a)
    l1, l2 = l1_regularization_strength, l2_regularization_strength
    return shrunk(w - eta * g, eta, l1, l2)


def cocob(w, g, lr, decay, t, s, alpha=100.0):
    g = -g
    largest = s["largest"] = np.maximum(s.get("largest", 1e-8), np.abs(g))
    magnitudes = s["magnitudes"] = s.get("magnitudes", 0.0) + np.abs(g)
    before = s.get("bet", np.zeros_like(w))
    reward = s["reward"] = np.maximum(s.get("reward", 0.0) + before * g, 0)
    theta = s["theta"] = s.get("theta", 0.0) + g
    fraction = theta / (largest * np.maximum(magnitudes + largest, alpha * largest))
    s["bet"] = fraction * (largest + reward)
    return w + lr * (s["bet"] - before)


def conditional_gradient(w, g, lr, decay, t, s, radius=1.0, epsilon=1e-7):
    return (1 - lr) * w - lr * radius * g / (np.linalg.norm(g) + epsilon)


def adam(
    w,
    g,
    lr,
    decay,
    t,
    s,
    beta_1=0.9,
    beta_2=0.999,
    epsilon=1e-7,
    amsgrad=False,
):
    m, v = _moments(s, g, beta_1, beta_2)
    alpha = lr * np.sqrt(1 - beta_2**t) / (1 - beta_1**t)
    return w - alpha * m / (np.sqrt(_largest(s, v, amsgrad)) + epsilon)


def lazy_adam(w, g, lr, decay, t, s, rows=None, **hyper):
    if rows is None:
        return adam(w, g, lr, decay, t, s, **hyper)
    part = {key: np.broadcast_to(x, w.shape)[rows] for key, x in s.items()}
    new_w = w.copy()
    new_w[rows] = adam(w[rows], g[rows], lr, decay, t, part, **hyper)
    for key, x in part.items():
        whole = np.array(np.broadcast_to(s.get(key, 0.0), w.shape))
        whole[rows] = x
        s[key] = whole
    return new_w


def sgd(w, g, lr, decay, t, s, momentum=0.0, nesterov=False):
    m = s["m"] = momentum * s.get("m", 0.0) - lr * g
    return w + (momentum * m - lr * g if nesterov else m)


def adamw(
    w,
    g,
    lr,
    decay,
    t,
    s,
    beta_1=0.9,
    beta_2=0.999,
    epsilon=1e-8,
    nesterov=False,
    amsgrad=False,
):
    m, v = _moments(s, g, beta_1, beta_2)
    n = m / (1 - beta_1**t)
    if nesterov:
        ahead = beta_1 * m / (1 - beta_1 ** (t + 1))
        n = ahead + (1 - beta_1) * g / (1 - beta_1**t)
    v_hat = _largest(s, v, amsgrad) / (1 - beta_2**t)
    return w - lr * n / (np.sqrt(v_hat) + epsilon)


def adopt(
    w,
    g,
    lr,
    decay,
    t,
    s,
    beta_1=0.9,
    beta_2=0.9999,
    epsilon=1e-6,
    clip_power=0.25,
):
    past = s.get("v", np.zeros_like(w))
    n = g / np.maximum(np.sqrt(past), epsilon)
    if clip_power is not None:
        n = np.clip(n, -((t - 1) ** clip_power), (t - 1) ** clip_power)
    n = np.where(past == 0, 0.0, n)
    m = s["m"] = beta_1 * s.get("m", 0.0) + (1 - beta_1) * n
    s["v"] = np.where(past == 0, g**2, beta_2 * past + (1 - beta_2) * g**2)
    return w if t == 1 else w - lr * (m + _penalty(decay, m, w))


def ademamix(
    w,
    g,
    lr,
    decay,
    t,
    s,
    beta_1=0.9,
    beta_2=0.999,
    beta_3=0.9999,
    alpha=5.0,
    warmup_steps=None,
    epsilon=1e-8,
):
    m, v = _moments(s, g, beta_1, beta_2)
    part = min(t / warmup_steps, 1.0) if warmup_steps else 1.0
    shortest = 1 / np.log(beta_1) if beta_1 else 0.0
    b = np.exp(1 / ((1 - part) * shortest + part / np.log(beta_3)))
    slow = s["slow"] = b * s.get("slow", 0.0) + (1 - b) * g
    step = m / (1 - beta_1**t) + part * alpha * slow
    return w - lr * step / (np.sqrt(v / (1 - beta_2**t)) + epsilon)


def adan(
    w,
    g,
    lr,
    decay,
    t,
    s,
    beta_1=0.98,
    beta_2=0.92,
    beta_3=0.99,
    epsilon=1e-8,
    proximal=True,
):
    d = 0.0 if t == 1 else g - s.get("past", 0.0)
    s["past"] = g
    m = s["m"] = beta_1 * s.get("m", 0.0) + (1 - beta_1) * g
    k = s["k"] = beta_2 * s.get("k", 0.0) + (1 - beta_2) * d
    n = s["n"] = beta_3 * s.get("n", 0.0) + (1 - beta_3) * (g + beta_2 * d) ** 2
    u = m / (1 - beta_1**t) + beta_2 * k / (1 - beta_2**t)
    u = u / (np.sqrt(n / (1 - beta_3**t)) + epsilon)
    if proximal:
        return (w - lr * u) / (1 + lr * decay)
    return w - lr * u - lr * decay * w


def lars(w, g, lr, decay, t, s, momentum=0.9, epsilon=0.0, nesterov=False):
    w_norm, g_norm = np.linalg.norm(w), np.linalg.norm(g)
    ratio = 1.0
    if w_norm > 0 and g_norm > 0:
        ratio = 0.001 * w_norm / (g_norm + decay * w_norm + epsilon)
    d = ratio * (g + _penalty(decay, g, w))
    b = s["b"] = momentum * s.get("b", 0.0) + d
    return w - lr * (d + momentum * b if nesterov else b)


def muon(
    w,
    g,
    lr,
    decay,
    t,
    s,
    layout=None,
    momentum=0.95,
    nesterov=True,
    ns_coefficients="jordan",
    scale="rms",
    variance_beta=None,
    adam_exclude=(),  # `layout` is `None` for them
    adam_learning_rate_factor=1.0,  # `lr` contains it
):
    if layout is None:
        m, v = _moments(s, g, 0.9, 0.95)
        u = m / (1 - 0.9**t) / (np.sqrt(v / (1 - 0.95**t)) + 1e-8)
        return w - lr * u
    m = s["m"] = momentum * s.get("m", 0.0) + (1 - momentum) * g
    u = momentum * m + (1 - momentum) * g if nesterov else m
    u = u if layout == "io" else u.T
    triples = JORDAN if ns_coefficients == "jordan" else QUINTIC
    x, (n, k) = orthogonalized(u, triples, 5), u.shape
    size = {
        "rms": 0.2 * max(n, k) ** 0.5,
        "spectral": max(1, k / n) ** 0.5,
        "rms_to_rms": (k / n) ** 0.5,
        "none": 1.0,
    }[scale]
    if variance_beta is not None:
        square = (1 - variance_beta) * np.mean(x**2, axis=0)
        s["v"] = variance_beta * s.get("v", 0.0) + square
        x = x / (np.sqrt(s["v"]) + 1e-10)
        norm = np.linalg.norm(x)
        size = 0.2 * (n * k) ** 0.5 / (norm if norm > 0 else 1.0)
    return w - lr * size * (x if layout == "io" else x.T)


def soap(
    w,
    g,
    lr,
    decay,
    t,
    s,
    beta_1=0.95,
    beta_2=0.95,
    basis_beta=None,
    epsilon=1e-8,
    frequency=10,
    max_size=10000,
):
    axes = [k for k in range(w.ndim) if w.ndim > 1 and 1 < w.shape[k] <= max_size]
    if "t" not in s and not g.any():
        return w
    t = s["t"] = s.get("t", -1) + 1  # that of this variable
    q, new = s.setdefault("q", {}), w
    if t > 0:
        m = s["m"] = beta_1 * s.get("m", 0.0) + (1 - beta_1) * g
        r, u = g, m
        for k in axes:
            r, u = along(r, q[k].T, k), along(u, q[k].T, k)
        s["v"] = beta_2 * s.get("v", 0.0) + (1 - beta_2) * r**2
        u = u / (np.sqrt(s["v"]) + epsilon)
        for k in axes:
            u = along(u, q[k], k)
        new = w - lr * np.sqrt(1 - beta_2**t) / (1 - beta_1**t) * u
    beta_c = beta_2 if basis_beta is None else basis_beta
    for k in axes:
        rows = np.moveaxis(g, k, 0).reshape(w.shape[k], -1)
        c = s[k] = beta_c * s.get(k, 0.0) + (1 - beta_c) * rows @ rows.T
        if t == 0:
            q[k] = np.linalg.eigh(c)[1][:, ::-1]
        elif t % frequency == 0:
            order = np.argsort(-np.diag(q[k].T @ c @ q[k]))
            s["v"] = np.take(s["v"], order, axis=k)
            q[k] = np.linalg.qr(c @ q[k][:, order])[0]
    return new


def prodigy(
    w,
    g,
    lr,
    decay,
    t,
    s,
    pass_of_all,  # d, of this step and the next, and factors of `lr` and of s
    beta_1=0.9,
    beta_2=0.999,
    beta_3=None,
    epsilon=1e-8,
    **hyper,  # of the pass over all variables
):
    d, new_d, rate, gain = pass_of_all
    beta_3 = np.sqrt(beta_2) if beta_3 is None else beta_3
    s["s"] = beta_3 * s.get("s", 0.0) + gain * g
    m, v = _moments(s, d * g, beta_1, beta_2)
    dlr = rate * lr
    return w - dlr * decay * w - dlr * m / (np.sqrt(v) + new_d * epsilon)


def gradient_descent(w, g, lr, decay, t, s):
    return w - lr * g


FORMULAS = {
    "RAdam": radam,
    "AdaBelief": adabelief,
    "LAMB": lamb,
    "Yogi": yogi,
    "NovoGrad": novograd,
    "ProximalAdagrad": proximal_adagrad,
    "COCOB": cocob,
    "ConditionalGradient": conditional_gradient,
    "LazyAdam": lazy_adam,
    "SGD": sgd,
    "Adam": adam,
    "AdamW": adamw,
    "ADOPT": adopt,
    "LARS": lars,
    "AdEMAMix": ademamix,
    "Adan": adan,
    "Muon": muon,
    "SOAP": soap,
    "Prodigy": prodigy,
    "GradientDescent": gradient_descent,
}
OF_KERAS = ("SGD", "Adam")
DECAYS_INSIDE = ("LAMB", "NovoGrad", "ADOPT", "Adan", "LARS", "Prodigy")


def at(number, step):
    """A number, or the value of a schedule at `step`."""
    if isinstance(number, dict) and "warmup" in number:
        return number["value"] * min((step + 1) / number["warmup"], 1.0)
    if isinstance(number, dict):
        return number["values"][sum(step > b for b in number["boundaries"])]
    return number


class TooManySkipsError(Exception):
    """More nonfinite gradients came in a row than may be skipped."""


class Gradient:
    """The gradient of one variable and, if it is sparse, the rows that it names."""

    def __init__(self, value, rows=None):
        self.value, self.rows = np.array(value, "float64"), rows

    @property
    def is_finite(self):
        return bool(np.isfinite(self.value).all())


class Leaf:
    """An optimizer with a formula, which is no wrapper."""

    def __init__(self, node):
        self.kind = node["kind"]
        self.hyper = node.get("hyper", {})
        self.options = node.get("options", {})
        self.rate = self.first_rate = node["rate"]
        # Patterns excluded by a call, which a Keras optimizer does not save.
        self.called = []
        self.own = None
        self.reset()

    def reset(self):
        """Resets all state to that of a new optimizer."""
        self.steps = 0  # counts gradients, not updates
        self.skipped = self.skipped_in_a_row = 0
        self.state, self.sums, self.averages = {}, {}, {}
        self.largest = 0.0  # the largest learning rate so far
        self.estimate = None  # of Prodigy: d, the largest d, and r

    def build(self, own, factors, decays, weights):
        self.own, self.factors, self.decays = own, factors, decays
        for i in own:
            excluded = [*self.options.get("weight_decay_exclude", ()), *self.called]
            if any(re.search(p, weights.paths[i]) for p in excluded):
                self.decays[i] = 0.0

    def leaves(self):
        return [self]

    @property
    def remembers(self):
        """Whether it keeps earlier weights."""
        return bool(self.options.get("use_ema"))

    @property
    def leaf(self):
        return self

    @property
    def window(self):
        return self.options.get("gradient_accumulation_steps") or 1

    @property
    def updates(self):
        return self.steps // self.window

    def current_rate(self):
        return at(self.rate, self.steps)

    def rate_factor(self):
        """The rectification of the next update, 0 before it is defined."""
        if self.kind not in ("RAdam", "AdaBelief") or not self.hyper.get(
            "rectify", True
        ):
            return 1.0
        beta_2 = self.hyper.get("beta_2", 0.999)
        if 2 / (1 - beta_2) - 1 <= self.hyper.get("sma_threshold", 5.0):
            return 1.0
        threshold = self.hyper.get("sma_threshold", 5.0)
        return rectification(self.updates + 1, beta_2, threshold) or 0.0

    def set_rate(self, rate):
        self.rate = rate

    def skips(self, grads):
        """Whether these gradients are skipped; counts the skips."""
        if not self.options.get("skip_nonfinite"):
            return False
        if all(g.is_finite for g in grads.values()):
            self.skipped_in_a_row = 0
            return False
        if self.skipped_in_a_row >= self.options.get("max_consecutive_skips", 10):
            raise TooManySkipsError
        self.skipped += 1
        self.skipped_in_a_row += 1
        return True

    def apply(self, weights, grads, in_group=False):
        """Applies gradients, given by variable; returns whether they made an update."""
        if not in_group and self.skips(grads):
            return False
        grads = {i: Gradient(g.value, g.rows) for i, g in grads.items()}
        scale = self.options.get("loss_scale_factor")
        if scale and not in_group:
            for g in grads.values():
                g.value /= scale
        is_last = (self.steps + 1) % self.window == 0
        for i, g in grads.items():
            g.value = g.value + self.sums.get(i, 0.0)
            self.sums[i] = 0.0 if is_last else g.value
            # The rows of all gradients of an accumulation window.
            if self.window > 1 and g.rows is not None:
                axes = tuple(range(1, g.value.ndim))
                g.rows = np.any(g.value != 0, axis=axes)
        if is_last:
            for g in grads.values():
                g.value = g.value / self.window
            self.update(weights, grads, in_group)
        self.steps += 1
        return is_last

    def update(self, weights, grads, in_group):
        options, t = self.options, self.updates + 1
        clip(options, grads, in_group)
        if grads:
            self.largest = max(self.largest, self.current_rate())
        layouts = {i: self.layout_of(i, weights) for i in grads}
        for i, g in grads.items():
            clips = not self.matches("adaptive_clip_exclude", weights.paths[i])
            condition(options, g, weights[i], layouts[i], clips)
        pass_of_all = self.estimated(grads, t) if self.kind == "Prodigy" else None
        for i, g in grads.items():
            lr, decay = self.current_rate() * self.factors[i], self.decays[i]
            decay = at(decay, self.updates)
            if options.get("corrected_decay") and self.largest:
                decay = decay * self.current_rate() / self.largest
            hyper = dict(self.hyper)
            if self.kind == "LazyAdam":
                hyper["rows"] = g.rows
            if self.kind == "Prodigy":
                hyper["pass_of_all"] = pass_of_all
            if self.kind == "Muon":
                is_matrix = self.is_matrix(i, weights)
                hyper["layout"] = layouts[i] if is_matrix else None
                lr = lr * self.own_factor(i, weights)
            is_cautious = bool(options.get("cautious_decay"))
            before = w = weights[i]
            share, inside = lr * decay, 0.0
            if options.get("independent_decay"):
                share = decay
            elif self.decays_inside:
                share, inside = 0.0, Cautious(decay) if is_cautious else decay
            if not is_cautious:
                w = w - share * w
            state = self.state.setdefault(i, {})
            new = FORMULAS[self.kind](w, g.value, lr, inside, t, state, **hyper)
            step = w - new
            if options.get("cautious"):
                kept = step * g.value > 0
                new = w - step * kept / max(np.mean(kept), 1e-3)
            # Smaller steps are lost in `float32`, and have no sign there.
            is_lost = (step != 0) & (np.abs(step) <= 2.0**-22 * np.abs(w))
            unsure = np.zeros_like(w)
            if options.get("cautious"):
                tiny = 1e-6 * np.max(np.abs(g.value), initial=0.0)
                is_open = is_lost | (g.value != 0) & (np.abs(g.value) <= tiny)
                least, most = np.mean(kept & ~is_open), np.mean(kept | is_open)
                unsure = np.abs(step) * (1 / max(least, 1e-3) - 1 / max(most, 1e-3))
                unsure = unsure + np.abs(step) * is_open / max(least, 1e-3)
            if is_cautious:
                new = new - np.where(step * w >= 0, share * w, 0.0)
                unsure = unsure + np.where(is_lost, np.abs(share * w), 0.0)
            weights.slack[i] = np.maximum(weights.slack[i], unsure)
            if self.kind == "Prodigy":
                moved = state.get("displacement", 0.0) + new - before
                state["displacement"] = moved
            weights[i] = new
        if not options.get("use_ema"):
            return
        momentum = options.get("ema_momentum", 0.99)
        every = options.get("ema_overwrite_frequency")
        for i in self.own:
            past = self.averages.get(i, weights[i])
            self.averages[i] = momentum * past + (1 - momentum) * weights[i]
            if every and t % every == 0:
                weights[i] = self.averages[i]

    @property
    def decays_inside(self):
        if self.kind == "Adan":
            return self.hyper.get("proximal", True)
        return self.kind in DECAYS_INSIDE

    def matches(self, argument, path):
        given = {**self.hyper, **self.options}.get(argument, ())
        return any(re.search(pattern, path) for pattern in given)

    def layout_of(self, i, weights):
        """The layout of a variable, `None` if it is no matrix."""
        path = weights.paths[i]
        for pattern, layout in self.options.get("layouts", {}).items():
            if re.search(pattern, path):
                return layout
        return "io" if path.endswith("kernel") and weights[i].ndim == 2 else None

    def is_matrix(self, i, weights):
        """Whether Muon takes a variable for a matrix."""
        is_excluded = self.matches("adam_exclude", weights.paths[i])
        return self.layout_of(i, weights) is not None and not is_excluded

    def own_factor(self, i, weights):
        """The factor of the learning rate that an optimizer gives a variable."""
        if self.kind != "Muon" or self.is_matrix(i, weights):
            return 1.0
        return self.hyper.get("adam_learning_rate_factor", 1.0)

    def estimated(self, grads, t):
        """Prodigy's pass over all variables, which changes its estimate."""
        if not grads:
            return None
        hyper = self.hyper
        d0, beta_2 = hyper.get("d0", 1e-6), hyper.get("beta_2", 0.999)
        beta_3 = hyper.get("beta_3")
        beta_3 = np.sqrt(beta_2) if beta_3 is None else beta_3
        d, d_max, r = self.estimate or (d0, d0, 0.0)
        rate = d
        if hyper.get("bias_correction"):
            rate = rate * np.sqrt(1 - beta_2**t) / (1 - hyper.get("beta_1", 0.9) ** t)
        dlr = rate * self.current_rate()
        gain = d / d0 * (d if hyper.get("safeguard_warmup") else dlr)
        r, size = beta_3 * r, 0.0
        for i, g in grads.items():
            if self.factors[i] != 0:
                s = self.state.get(i, {})
                r = r - d / d0 * dlr * np.sum(g.value * s.get("displacement", 0.0))
                size = size + np.sum(np.abs(beta_3 * s.get("s", 0.0) + gain * g.value))
        new = d
        if size > 0:
            d_hat = hyper.get("d_coef", 1.0) * r / size
            new = max(d, d_hat) if d == d0 else d
            d_max = max(d_max, d_hat)
            new = min(d_max, new * (hyper.get("growth_rate") or np.inf))
        self.estimate = new, d_max, r
        return d, new, rate, gain

    def finalize(self, weights, only):
        if self.options.get("use_ema"):
            for i in self.own:
                if i in only and i in self.averages:
                    weights[i] = self.averages[i]


def clip(options, grads, in_group):
    if options.get("clipnorm"):
        for g in grads.values():
            g.value = g.value * _factor(np.linalg.norm(g.value), options["clipnorm"])
    elif options.get("clipvalue"):
        largest = options["clipvalue"]
        for g in grads.values():
            g.value = np.clip(g.value, -largest, largest)
    elif options.get("global_clipnorm") and not in_group and grads:
        clip_together(grads, options["global_clipnorm"])


def condition(options, g, w, layout, clips):
    """Clips a gradient by the norms of weights, and centers it, for each unit."""
    axes = None if layout is None else layout.index("i")
    if options.get("adaptive_clip") and clips:
        norms = [np.sqrt(np.sum(x**2, axis=axes, keepdims=True)) for x in (w, g.value)]
        most = options["adaptive_clip"] * np.maximum(norms[0], 1e-3)
        g.value = g.value * np.minimum(1, most / np.maximum(norms[1], 1e-30))
    if options.get("centralize_gradient") and layout is not None:
        g.value = g.value - g.value.mean(axis=axes, keepdims=True)


def clip_together(grads, largest):
    norm = np.sqrt(sum(np.sum(g.value**2) for g in grads.values()))
    for g in grads.values():
        g.value = g.value * _factor(norm, largest)


def _factor(norm, largest):
    return largest / max(norm, largest)


class Wrapper:
    """Acts before and after each update of another optimizer."""

    remembers = True

    def __init__(self, node):
        self.kind, self.hyper = node["kind"], node.get("hyper", {})
        self.inner = make(node["inner"])
        self.reset_own()

    called = ()

    def reset_own(self):
        self.own_updates = 0
        self.kept = {}  # slow weights, or an average
        self.base, self.totals = {}, {}  # of ScheduleFree

    def reset(self):
        self.reset_own()
        self.inner.reset()

    def build(self, own, factors, decays, weights):
        self.own = own
        self.inner.build(own, factors, decays, weights)

    def leaves(self):
        return self.inner.leaves()

    @property
    def leaf(self):
        return self.inner.leaf

    @property
    def updates(self):
        return self.leaf.updates

    def current_rate(self):
        return self.inner.current_rate()

    def set_rate(self, rate):
        self.inner.set_rate(rate)

    def finalize(self, weights, only):
        self.inner.finalize(weights, only)
        if self.kind == "ScheduleFree":
            self.settle(weights, self.own)

    def apply(self, weights, grads, in_group=False):
        if self.kind == "ScheduleFree":
            return self.apply_schedule_free(weights, grads, in_group, **self.hyper)
        if self.own_updates == 0 and self.kind != "SWA":
            self.kept = {i: weights[i] for i in self.own}
        is_update = self.inner.apply(weights, grads, in_group)
        if is_update:
            self.own_updates += 1
            getattr(self, self.kind)(weights, grads, self.own_updates, **self.hyper)
        return is_update

    def Lookahead(self, weights, grads, t, sync_period=6, slow_step_size=0.5):  # noqa: N802
        if t % sync_period == 0:
            for i in grads:  # other weights are frozen
                slow = self.kept[i]
                self.kept[i] = slow + slow_step_size * (weights[i] - slow)
                weights[i] = self.kept[i]

    def apply_schedule_free(
        self,
        weights,
        grads,
        in_group,
        beta=0.9,
        weight_decay=0.0,
        weight_decay_exclude=(),
        weight_lr_power=2.0,
        r=0.0,
    ):
        self.settle(weights, grads)
        before = {i: weights[i] for i in grads}
        for i in grads:
            weights.values[i] = self.base[i]
        leaves = {i: self.leaf_of(i) for i in grads}
        rates = [(leaf, leaf.current_rate()) for leaf in self.leaves()]
        factors = {id(leaf): leaf.rate_factor() for leaf in self.leaves()}
        try:
            is_update = self.inner.apply(weights, grads, in_group)
            moved = {i: weights[i] for i in grads}
        finally:
            for i in grads:
                weights.values[i] = before[i]
        if not is_update:
            return False
        self.own_updates += 1
        shares = {}
        for leaf, rate in rates:
            total, largest = self.totals.get(id(leaf), (0.0, 0.0))
            rate = rate * factors[id(leaf)]
            largest = max(largest, rate)
            k = self.own_updates**r * largest**weight_lr_power
            self.totals[id(leaf)] = total + k, largest
            shares[id(leaf)] = rate, k / (total + k) if total + k > 0 else 0.0
        for i, leaf in leaves.items():
            rate, c = shares[id(leaf)]
            x, z = self.kept[i], self.base[i]
            if factors[id(leaf)] > 0:
                excluded = [*weight_decay_exclude, *self.called]
                is_excluded = any(re.search(p, weights.paths[i]) for p in excluded)
                decay = 0.0 if is_excluded or i in weights.ruled else weight_decay
                y = z + beta * (x - z)
                rate = rate * leaf.factors[i] * leaf.own_factor(i, weights)
                z = moved[i] - rate * decay * y
            x = x + c * (z - x)
            self.kept[i], self.base[i] = x, z
            weights[i] = z + beta * (x - z)
        return True

    def leaf_of(self, i):
        """The leaf that updates a variable."""
        child = self.inner
        while isinstance(child, Wrapper):
            child = child.child_of[i] if isinstance(child, Groups) else child.inner
        return child

    def settle(self, weights, which):
        """Begins anew from weights that were assigned, or are the first."""
        beta = self.hyper.get("beta", 0.9)
        for i in self.own:
            self.kept.setdefault(i, np.zeros_like(weights[i]))
            self.base.setdefault(i, np.zeros_like(weights[i]))
        for i in which:
            x, z, w = self.kept[i], self.base[i], weights[i]
            size, change = np.abs(x) + np.abs(z), np.abs(w - (z + beta * (x - z)))
            is_own = change <= 1e-12 * size
            # A small change is rounding in `float32`, but in this model none is lost.
            is_unsure = ~is_own & (change <= 2.0**-19 * size)
            lost = np.where(is_unsure, np.maximum(np.abs(w - x), np.abs(w - z)), 0.0)
            weights.slack[i] = np.maximum(weights.slack[i], lost)
            self.kept[i] = np.where(is_own, x, w)
            self.base[i] = np.where(is_own, z, w)

    def MovingAverage(self, weights, grads, t, decay=0.99, start_step=0, warmup=False):  # noqa: N802
        n, d = t - start_step, decay
        if n <= 0:
            d = 0.0
        elif warmup == "inverse":
            d = min(decay, 1 - (1 + n) ** (-2 / 3))
        elif warmup == "power":
            d = (1 - 1 / n) ** 7.94
        elif warmup:
            d = min(decay, n / (n + 9))
        for i in self.own:
            self.kept[i] = d * self.kept[i] + (1 - d) * weights[i]

    def SWA(self, weights, grads, t, start, period):  # noqa: N802
        if t >= start and (t - start) % period == 0:
            n = (t - start) // period + 1
            for i in self.own:
                past = self.kept.get(i, 0.0)
                self.kept[i] = past + (weights[i] - past) / n

    @property
    def has_average(self):
        """Whether `kept` holds an average; slow weights are none."""
        least = {
            "MovingAverage": 1,
            "ScheduleFree": 1,
            "SWA": self.hyper.get("start", 1),
        }
        return self.own_updates >= least.get(self.kind, np.inf)


class Groups(Wrapper):
    """`ParameterGroups`."""

    def __init__(self, node):
        self.rules = [(pattern, dict(rule)) for pattern, rule in node["rules"]]
        self.others = []
        for _, rule in self.rules:
            if "optimizer" in rule:
                rule["optimizer"] = make(rule["optimizer"])
                self.others.append(rule["optimizer"])
        super().__init__(node)
        first = self.inner.leaf.rate
        if not isinstance(first, dict):
            self.ratios = [other.leaf.rate / first for other in self.others]

    def reset(self):
        super().reset()
        for other in self.others:
            other.reset()

    def leaves(self):
        return [leaf for child in self.children() for leaf in child.leaves()]

    @property
    def remembers(self):
        return any(child.remembers for child in self.children())

    def children(self):
        return [self.inner, *self.others]

    def build(self, own, factors, decays, weights):
        self.own, self.child_of = own, {}
        factors, decays = dict(factors), dict(decays)
        for i in own:
            rules = [
                r
                for p, r in self.rules
                if "layer_wise_decay" in r or re.search(p, weights.paths[i])
            ]
            found = [r["optimizer"] for r in rules if "optimizer" in r]
            self.child_of[i] = found[0] if found else self.inner
            for r in rules:
                factors[i] *= r.get("learning_rate_multiplier", 1.0)
                factors[i] *= r.get("layer_wise_decay", 1.0) ** (len(own) - 1 - i)
            found = [r["weight_decay"] for r in rules if "weight_decay" in r]
            default = self.child_of[i].leaf.options.get("weight_decay") or 0.0
            decays[i] = (found[0] or 0.0) if found else default
            if found:
                weights.ruled.add(i)
        for child in self.children():
            mine = [i for i in own if self.child_of[i] is child]
            child.build(mine, dict(factors), dict(decays), weights)

    def set_rate(self, rate):
        self.inner.set_rate(rate)
        for other, ratio in zip(self.others, self.ratios, strict=True):
            other.set_rate(rate * ratio)

    def finalize(self, weights, only):
        for child in self.children():
            child.finalize(weights, only)

    def apply(self, weights, grads, in_group=False):
        if not self.others:
            return self.inner.apply(weights, grads, in_group)
        inner = self.inner.leaf
        if inner.skips(grads):
            return False
        scale = inner.options.get("loss_scale_factor") or 1.0
        grads = {i: Gradient(g.value / scale, g.rows) for i, g in grads.items()}
        largest = inner.options.get("global_clipnorm")
        if largest:
            clip_together(grads, largest)
        is_update = False
        for child in self.children():
            mine = {i: g for i, g in grads.items() if self.child_of[i] is child}
            made = child.apply(weights, mine, in_group=True)
            is_update |= made and child is self.inner
        return is_update


def make(node):
    """Makes the optimizer of a node."""
    if "inner" not in node:
        return Leaf(node)
    return Groups(node) if node["kind"] == "ParameterGroups" else Wrapper(node)


class Model:
    """Weights and their optimizer."""

    def __init__(self, node, called, values, paths):
        self.weights = Weights(values, paths)
        self.optimizer = make(node)
        self.weights.remembers = self.optimizer.remembers
        for leaf in self.optimizer.leaves():
            leaf.called = list(called)
        optimizer = self.optimizer
        while isinstance(optimizer, Wrapper):
            optimizer.called = list(called)
            optimizer = optimizer.inner
        self.build()

    def build(self):
        everything = list(range(len(self.weights)))
        decay = self.optimizer.leaf.options.get("weight_decay") or 0.0
        self.optimizer.build(
            everything,
            dict.fromkeys(everything, 1.0),
            dict.fromkeys(everything, decay),
            self.weights,
        )

    def fresh(self):
        """Resets to a new optimizer of the same configuration."""
        for leaf in self.optimizer.leaves():
            if leaf.kind in OF_KERAS:
                leaf.called = []
        self.optimizer.reset()
        self.build()

    def average(self):
        """The outermost wrapper that keeps an average, or `None`."""
        optimizer = self.optimizer
        while isinstance(optimizer, Wrapper):
            if optimizer.kind in ("MovingAverage", "SWA", "ScheduleFree"):
                return optimizer
            optimizer = optimizer.inner
        return None
