"""Schedules in NumPy, `float64`, straight from their formulas: one step at a time."""

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
                half = (1 + np.cos(np.pi * float(t / length))) / 2
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


def cosine_decay(steps, initial_learning_rate, decay_steps):
    """`keras.optimizers.schedules.CosineDecay`."""
    x = np.minimum(np.asarray(steps) / decay_steps, 1.0)
    return initial_learning_rate * (1 + np.cos(np.pi * x)) / 2


def _at(schedule, t):
    """The rate of a number, or of a function of an array of steps."""
    return float(schedule(np.array([t]))[0]) if callable(schedule) else schedule
