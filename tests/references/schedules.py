"""Schedules in NumPy, float64, straight from their formulas, for arrays of steps."""

from fractions import Fraction

import numpy as np


def warmup_cosine(
    steps,
    peak_learning_rate,
    warmup_steps,
    decay_steps,
    hold_steps=0,
    initial_learning_rate=0.0,
    end_learning_rate=0.0,
    restarts=0,
    t_mul=1.0,
    m_mul=1.0,
    first_step_nonzero=False,
    k_decay=1.0,
):
    big_i, big_p, big_e = initial_learning_rate, peak_learning_rate, end_learning_rate

    def rate(t):
        if t < warmup_steps:
            x = (t + 1 if first_step_nonzero else t) / warmup_steps
            return big_i + (big_p - big_i) * x
        t = Fraction(t) - warmup_steps - hold_steps
        if t < 0:
            return big_p
        length = Fraction(decay_steps)
        for i in range(restarts + 1):
            if t < length:
                half = (1 + np.cos(np.pi * float(t / length) ** k_decay)) / 2
                return big_e + (big_p * m_mul**i - big_e) * half
            t, length = t - length, length * Fraction(str(t_mul))
        return big_e

    return np.array([rate(t) for t in np.asarray(steps).tolist()])


def warmup(
    steps,
    schedule,
    warmup_steps,
    mode="linear",
    start_factor=0.0,
    power=None,
    first_step_nonzero=False,
):
    s, p = start_factor, 2 if power is None else power
    factor = {
        "linear": lambda x: s + (1 - s) * x,
        "polynomial": lambda x: s + (1 - s) * x**p,
        "exponential": lambda x: np.exp((1 - x) * np.log(s)),
        "gaussian": lambda x: np.exp(np.log(s) * (1 - x) ** 2),
        "constant": lambda x: s,
    }[mode]

    def rate(t):
        if t < warmup_steps:
            x = (t + 1 if first_step_nonzero else t) / warmup_steps
            return _at(schedule, 0) * factor(x)
        return _at(schedule, t - warmup_steps)

    return np.array([rate(t) for t in np.asarray(steps).tolist()])


def sequential(steps, schedules, boundaries):
    def rate(t):
        i = sum(t >= boundary for boundary in boundaries)
        return _at(schedules[i], t - boundaries[i - 1] if i else t)

    return np.array([rate(t) for t in np.asarray(steps).tolist()])


def cyclical(
    steps,
    initial_learning_rate,
    maximal_learning_rate,
    step_size,
    scale="triangular",
    scale_mode=None,
    gamma=None,
):
    low, high = initial_learning_rate, maximal_learning_rate
    scale_mode = scale_mode or ("iterations" if scale == "exponential" else "cycle")
    factor = {
        "triangular": lambda a: 1,
        "triangular2": lambda a: 2.0 ** (1 - a),
        "exponential": lambda a: np.power(gamma, a),
    }.get(scale, scale)

    def rate(s):
        c = np.floor(1 + s / (2 * step_size))
        x = np.abs(s / step_size - 2 * c + 1)
        f = factor(np.float64(c if scale_mode == "cycle" else s))
        return low + (high - low) * max(0, 1 - x) * f

    return np.array([rate(t) for t in np.asarray(steps).tolist()])


def one_cycle(
    steps,
    peak_learning_rate,
    total_steps,
    warmup_fraction=0.3,
    div_factor=25.0,
    final_div_factor=1e4,
    anneal="cosine",
    three_phase=False,
):
    initial = peak_learning_rate / div_factor
    end = initial / final_div_factor
    top = max(0, warmup_fraction * total_steps - 1)

    def rate(t):
        def phase(start, stop, a, b):
            x = (t - start) / (stop - start)
            if anneal == "cosine":
                return b + (a - b) * (1 + np.cos(np.pi * x)) / 2
            return a + (b - a) * x

        if t >= total_steps - 1:
            return end
        if t < top:
            return phase(0, top, initial, peak_learning_rate)
        if not three_phase:
            return phase(top, total_steps - 1, peak_learning_rate, end)
        if t < 2 * top:
            return phase(top, 2 * top, peak_learning_rate, initial)
        return phase(2 * top, total_steps - 1, initial, end)

    return np.array([rate(t) for t in np.asarray(steps).tolist()])


def warmup_stable_decay(
    steps,
    peak_learning_rate,
    warmup_steps,
    stable_steps,
    decay_steps,
    decay="linear",
    initial_learning_rate=0.0,
    end_learning_rate=0.0,
    first_step_nonzero=False,
):
    left = {  # the fraction of the peak's height above the end
        "linear": lambda x: 1 - x,
        "cosine": lambda x: (1 + np.cos(np.pi * x)) / 2,
        "1-sqrt": lambda x: 1 - np.sqrt(x),
    }[decay]

    def rate(t):
        if t < warmup_steps:
            x = (t + 1 if first_step_nonzero else t) / warmup_steps
            return initial_learning_rate + x * (
                peak_learning_rate - initial_learning_rate
            )
        x = (t - warmup_steps - stable_steps) / decay_steps
        above = peak_learning_rate - end_learning_rate
        return end_learning_rate + above * left(min(max(x, 0), 1))

    return np.array([rate(t) for t in np.asarray(steps).tolist()])


def inverse_square_root(
    steps,
    peak_learning_rate,
    warmup_steps,
    initial_learning_rate=0.0,
    first_step_nonzero=False,
):
    big_i, big_p = initial_learning_rate, peak_learning_rate

    def rate(t):
        t = t + 1 if first_step_nonzero else t
        if t < warmup_steps:
            return big_i + (big_p - big_i) * t / warmup_steps
        return big_p * np.sqrt(warmup_steps / t)

    return np.array([rate(t) for t in np.asarray(steps).tolist()])


def polynomial(
    steps,
    initial_learning_rate,
    decay_steps,
    end_learning_rate=0.0,
    power=1.0,
    k_decay=1.0,
):
    z = np.minimum(np.asarray(steps) / decay_steps, 1.0)
    above = initial_learning_rate - end_learning_rate
    return end_learning_rate + above * (1 - z**k_decay) ** power


def rex(steps, initial_learning_rate, decay_steps, end_learning_rate=0.0):
    z = np.minimum(np.asarray(steps) / decay_steps, 1.0)
    above = initial_learning_rate - end_learning_rate
    return end_learning_rate + above * (1 - z) / (1 - z / 2)


def piecewise_linear(steps, boundaries, learning_rates):
    return np.interp(steps, boundaries, learning_rates)


def cosine_decay(steps, initial_learning_rate, decay_steps):
    """`keras.optimizers.schedules.CosineDecay`."""
    x = np.minimum(np.asarray(steps) / decay_steps, 1.0)
    return initial_learning_rate * (1 + np.cos(np.pi * x)) / 2


def _at(schedule, t):
    """The rate at step t of a number, or of a function of an array of steps."""
    return float(schedule(np.array([t]))[0]) if callable(schedule) else schedule
