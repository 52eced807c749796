"""The cyclical rates equal those of TensorFlow Addons."""

import keras
import numpy as np
import pytest
from keras import ops

from tests import tools
from tests.parity import inputs
from tfx_extras.schedules import cyclical

# Other backends: tests/contracts/test_schedules.py.
pytestmark = pytest.mark.only("torch")

TFA = inputs.Golden("tfa_schedules")
SCALES = {
    "CyclicalLearningRate": inputs.waning,
    "TriangularCyclicalLearningRate": "triangular",
    "Triangular2CyclicalLearningRate": "triangular2",
    "ExponentialCyclicalLearningRate": "exponential",
}
ULP = 2.0**-23


@pytest.mark.parametrize("name", TFA.cases)
@pytest.mark.parametrize("dtype", ["int32", "int64", "float32"])
def test_rates_are_those_of_tensorflow_addons(name, dtype):
    arguments = TFA.cases[name]["arguments"]
    arguments = {key: arguments[key] for key in arguments if key != "scale_fn"}
    scale = SCALES[name.split(":")[0]]
    with tools.wide():  # in this scope, JAX has 64 bits
        steps = ops.convert_to_tensor(TFA.inputs["steps"], dtype)
        rates = cyclical(steps, scale=scale, **arguments)
        assert keras.backend.standardize_dtype(rates.dtype) == "float32"
    expected = TFA.arrays[f"{name}/rates"]
    assert expected.shape == (201,)
    np.testing.assert_allclose(
        tools.array(rates), expected, rtol=0, atol=16 * ULP * expected.max()
    )
