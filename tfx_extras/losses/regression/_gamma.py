"""The gamma function without differences of its large logarithms."""

import math

from keras import ops

from tfx_extras.losses._slopes import elementwise

LOG_2_PI = math.log(2 * math.pi)
# The number of steps of the recurrence, and the series that follows: its power of 1 / z
# and its coefficients. The series of `float64` is Stirling's. That of `float32` is a
# polynomial fitted for z from 1, with an error of 3e-9, which needs fewer steps.
_SERIES = {
    "float32": (
        1,
        1,
        (
            1 / 12,
            -1.5830745213757357e-07,
            -0.0027727160330793463,
            -5.2778170455012804e-05,
            0.0010485440519958859,
            -0.0006328034916298622,
            0.0001380484399370141,
        ),
    ),
    "float64": (
        8,
        2,
        (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360),
    ),
}


def stirling_error(z):
    """Returns log Gamma(z) - (z - 1/2) log(z) + z - log(2 pi) / 2.

    For positive z, this is what Stirling's formula lacks. It approaches 1 / (12 z).
    """
    return elementwise(_with_slope, z)


def _with_slope(z):
    """The value, and its derivative."""
    shift, power, series = _series(z)
    differences = slopes = 0.0
    for k in range(shift):
        log = ops.log1p(1 / (z + k))
        differences = differences + (z + (k + 0.5)) * log
        slopes = slopes + (log - (z + (k + 0.5)) / ((z + k) * (z + (k + 1))))
    inverse = 1 / (z + shift)
    x = inverse if power == 1 else inverse * inverse
    value, slope = series[-1], 0.0
    for coefficient in reversed(series[:-1]):
        slope = slope * x + value
        value = value * x + coefficient
    slopes = slopes - inverse * inverse * (value + power * x * slope)
    return value * inverse + (differences - shift), (slopes,)


def _series(z):
    return _SERIES["float64" if "64" in str(z.dtype) else "float32"]
