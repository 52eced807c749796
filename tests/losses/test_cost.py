"""The cost of a loss grows as its docstring says, or as the site says for the others.

JAX counts operations, so nothing is timed.
"""

import inspect
import re

import numpy as np
import pytest

from tests.cases import LOSSES
from tests.cases import each

pytestmark = pytest.mark.only("jax")
SIZES = 64, 256


def larger(case, size):
    """Inputs of a case, repeated or cut to a batch of another size."""
    y_true, y_pred = (np.asarray(x) for x in case.inputs())
    times = -(-size // len(y_pred))
    y_true, y_pred = (np.concatenate([x] * times)[:size] for x in (y_true, y_pred))
    if case.square:
        y_pred = np.concatenate([y_pred] * times, axis=1)[:, :size]
    return y_true, y_pred


def operations(case, y_true, y_pred):
    import jax

    # JAX does not count operations for a GPU.
    with jax.default_device(jax.devices("cpu")[0]):
        lowered = jax.jit(lambda y, x: case.compute(y, x)).lower(y_true, y_pred)
        return lowered.cost_analysis()["flops"]


@each(list({case.function: case for case in reversed(LOSSES)}.values()))
def test_time_grows_as_it_is_said_to(case):
    inputs = [larger(case, size) for size in SIZES]
    few, many = (operations(case, *batch) for batch in inputs)
    text = " ".join(inspect.getdoc(case.cls).split())
    if re.search(r"[mM]emory grows? with (the square of the batch|\$B\^2)", text):
        expected = (SIZES[1] / SIZES[0]) ** 2
    else:
        expected = inputs[1][1].size / inputs[0][1].size
    # Parts that grow more slowly reduce the ratio.
    assert expected / 2 < many / few < expected * 1.3, (many / few, expected)
