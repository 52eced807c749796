"""Proximal steps, which pull weights towards zero."""

from typing import Any

from keras import ops


def shrunk(x, rate, l1: float, l2: float) -> Any:
    r"""Returns $\text{sign}(x) \max(|x| - \eta l_1, 0) / (1 + \eta l_2)$.

    This $y$ minimizes $l_1 |y| + l_2 y^2 / 2 + (y - x)^2 / (2 \eta)$. It is exactly 0
    where $|x|$ is at most $\eta l_1$.
    """
    if l1:
        x = ops.sign(x) * ops.relu(ops.absolute(x) - rate * l1)
    return x / (1 + rate * l2) if l2 else x
