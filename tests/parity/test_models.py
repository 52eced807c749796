"""Models train as with other libraries."""

import numpy as np
import pytest
from keras import optimizers

from tests.models.test_sharpness_aware import DenseInFloat64
from tests.models.test_sharpness_aware import InFloat64
from tests.models.test_sharpness_aware import in_float64
from tests.models.test_sharpness_aware import linear
from tests.parity import inputs
from tests.tools import array

GOLDEN = inputs.Golden("sam")
# The formulas are the same on all backends, and references test each backend.
pytestmark = pytest.mark.only("torch")


@pytest.mark.parametrize("name", GOLDEN.cases)
def test_sharpness_aware_training_is_that_of_other_libraries(name):
    given, case = GOLDEN.inputs, GOLDEN.cases[name]
    start = [given["kernel"], given["bias"]]
    with in_float64():
        model = linear(start, DenseInFloat64)
        trained = InFloat64(model, **case["arguments"])
        trained.compile(optimizers.SGD(**case["optimizer"]))
        found = []
        for x, y in zip(given["x"], given["y"], strict=True):
            trained.train_on_batch(x, y)
            found.append([array(v) for v in model.trainable_variables])
    for i, key in enumerate(("kernel", "bias")):
        expected = GOLDEN.arrays[f"{name}/{key}"]
        moved = np.abs(expected - start[i]).max()
        assert moved > 0.1
        # The largest error is 1e-13. It is davda54's, which adds 1e-12 to the norm.
        np.testing.assert_allclose(
            np.stack([weights[i] for weights in found]),
            expected,
            rtol=0,
            atol=1e-12 * moved,
        )
