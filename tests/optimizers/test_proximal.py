"""Tests of proximal optimizers, which pull weights to zero, beyond the contracts."""

import keras
import numpy as np
import pytest
from keras import ops

from tests.tools import array
from tfx_extras.optimizers import ProximalAdagrad
from tfx_extras.optimizers import Yogi


@pytest.mark.parametrize("cls", [ProximalAdagrad, Yogi])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_zeros_are_exact_and_stay(cls, dtype):
    """The rounding error kept for a 16-bit weight becomes zero, too."""
    variable = keras.Variable([1.0, 0.3, -0.3], dtype=dtype, name="w")
    optimizer = cls(0.1, l1_regularization_strength=1.0)
    rng = np.random.default_rng(0)
    for noise in rng.normal(size=(30, 2)):
        gradient = [-5.0, *(0.1 * noise)]
        optimizer.apply([ops.convert_to_tensor(gradient, dtype)], [variable])
    assert array(variable)[0] > 1
    for kept in (variable, *(v for v in optimizer.variables if "residual" in v.path)):
        np.testing.assert_array_equal(array(kept)[1:], 0)
