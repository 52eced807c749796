"""The loss and the center of DINO are those of Lightly."""

import numpy as np
import pytest
from keras import ops

from tests import tools
from tests.parity import inputs
from tfx_extras import layers
from tfx_extras import schedules

GOLDEN = inputs.Golden("lightly")
# The formulas are the same on all backends, and references test each backend.
pytestmark = pytest.mark.only("torch")


@pytest.mark.parametrize("name", GOLDEN.named("DINOLoss"))
@pytest.mark.parametrize(
    ("dtype", "tolerance"), [("float64", 1e-12), ("float32", 2e-5)]
)
def test_losses_gradients_and_centers(name, dtype, tolerance):
    case, given = GOLDEN.cases[name], inputs.self_distillation()
    names = ("warmup_teacher_temp", "teacher_temp")
    first, last = (case.get(name, 0.04) for name in names)
    # Schedules are in float32, in which the numbers of the warm-up are exact.
    warmup = schedules.PiecewiseLinear([0, 2], [first, last])
    layer = layers.DINOCenter(
        case.get("center_momentum", 0.9),
        first if first == last else warmup,
        case.get("student_temp", 0.1),
        dtype=dtype,
    )
    golden = {k: GOLDEN.arrays[f"{name}/{k}"] for k in ("values", "gradients")}
    for i in range(3):
        t = ops.convert_to_tensor(given["teacher"][i].astype(dtype))
        values, slope = tools.values_and_gradient(
            lambda s, t=t: layer(s, t, training=True) / len(s),
            given["student"][i].astype(dtype),
        )
        np.testing.assert_allclose(values.sum(), golden["values"][i], rtol=tolerance)
        expected = golden["gradients"][i]
        least = tolerance * np.abs(expected).max()
        np.testing.assert_allclose(slope, expected, rtol=tolerance, atol=least)
        np.testing.assert_allclose(
            tools.array(layer.center),
            GOLDEN.arrays[f"{name}/centers"][i],
            rtol=tolerance,
            atol=tolerance,
        )
