"""The gamma function without differences of its large logarithms."""

import math

from keras import ops

LOG_2_PI = math.log(2 * math.pi)
# The numbers from which the series is exact to rounding, and its coefficients.
_SERIES = {
    "float32": (3, (1 / 12, -1 / 360, 1 / 1260, -1 / 1680)),
    "float64": (8, (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360)),
}


def stirling_error(z):
    """Returns log Gamma(z) - (z - 1/2) log(z) + z - log(2 pi) / 2.

    For positive z, this is what Stirling's formula lacks. It approaches 1 / (12 z).
    """
    shift, series = _SERIES["float64" if "64" in str(z.dtype) else "float32"]
    # Its values at z and z + 1 differ by (z + 1/2) log(1 + 1 / z) - 1.
    differences = sum((z + (k + 0.5)) * ops.log1p(1 / (z + k)) for k in range(shift))
    inverse = 1 / (z + shift)
    square = inverse * inverse
    value = series[-1]
    for coefficient in reversed(series[:-1]):
        value = value * square + coefficient
    return value * inverse + (differences - shift)
