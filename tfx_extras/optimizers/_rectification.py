"""Bias correction and rectification, exact in `float32`."""

import math
from typing import Any

from keras import ops

from tfx_extras._backend import backend


def bias_correction(beta: float, step) -> Any:
    r"""Returns $1 - \beta^t$, the sum of the weights of a moving average.

    The formula as written loses digits while $\beta^t$ is close to 1.
    """
    return -ops.expm1(step * math.log(beta)) if beta else 1.0


def rectification(step, beta_2: float, threshold: float) -> tuple[Any, Any]:
    r"""Returns the factor $r_t$ of RAdam, and whether it is defined yet.

    $$
    \rho_\infty = \frac{2}{1 - \beta_2} - 1 \qquad
    \rho_t = \rho_\infty - \frac{2 t \beta_2^t}{1 - \beta_2^t} \qquad
    r_t = \sqrt{\frac{(\rho_t - 4) (\rho_t - 2) \rho_\infty}
    {(\rho_\infty - 4) (\rho_\infty - 2) \rho_t}}
    $$

    It is defined once $\rho_t$ reaches `threshold`, which is at least 4. If even
    $\rho_\infty$ does not reach it, it is never defined.

    As written, $\rho_t$ is the small difference of two large numbers. With
    $a = -\log \beta_2$ and $u = a t$, it equals
    $\coth(a/2) - 2/a + t - \frac{2}{a} (\frac{u}{e^u - 1} - 1 + \frac{u}{2})$, which is
    accurate in `float32` to a few units in the last place.
    """
    rho_inf = 2 / (1 - beta_2) - 1
    if rho_inf <= threshold:
        return 1.0, False
    a = -math.log(beta_2)
    u = a * step
    v = u**2
    series = v / 12 - v**2 / 720 + v**3 / 30240 - v**4 / 1209600 + v**5 / 47900160
    closed = u / ops.expm1(u) - 1 + u / 2
    bend = ops.where(u < 1, series, closed)
    rho = (1 / math.tanh(a / 2) - 2 / a) + step - (2 / a) * bend
    ratio = (rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho)
    # Not `ops.maximum(ratio, 0)`, which returns `float32` on PyTorch.
    return ops.sqrt(ops.relu(ratio)), rho >= threshold


def rate_factor(step, beta_2: float, threshold: float) -> Any:
    """Returns $r_t$, 0 while it is not defined yet, and 1 if it never is."""
    r, is_defined = rectification(step, beta_2, threshold)
    return r if is_defined is False else backend.choose(is_defined, r, 0.0)


def corrections(step, beta_1: float, beta_2: float, threshold: float | None) -> tuple:
    r"""Returns factors of both moments, and whether to divide by the second.

    They are $r_t / (1 - \beta_1^t)$ and $1 / (1 - \beta_2^t)$, which correct the bias
    of the moments. $r_t$ is 1 without a threshold, and where it is not defined yet.
    """
    c_1 = 1 / bias_correction(beta_1, step)
    c_2 = 1 / bias_correction(beta_2, step)
    if threshold is None:
        return c_1, c_2, True
    r, is_defined = rectification(step, beta_2, threshold)
    return backend.choose(is_defined, c_1 * r, c_1), c_2, is_defined
