"""AdaFace and CurricularFace are those of their authors."""

import numpy as np
import pytest

from tests import tools
from tests.parity import inputs
from tfx_extras import layers

GOLDEN = inputs.Golden("heads")
# The formulas are the same on all backends, and references test each backend.
pytestmark = pytest.mark.only("torch")


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [("float64", 1e-11), ("float32", 1e-4)]
)
@pytest.mark.parametrize("name", list(GOLDEN.cases))
def test_three_batches(name, dtype, tolerance):
    case, given = GOLDEN.cases[name]["arguments"], inputs.heads()
    words = {"m": "margin", "h": "h", "s": "scale"}
    arguments = {words[k]: v for k, v in case.items() if k in words}
    arguments["momentum"] = 1 - case.get("t_alpha", 0.01)
    layer = getattr(layers, name.split(":")[0])(5, dtype=dtype, **arguments)
    layer.build((None, 6))
    layer.kernel.assign(given["kernel"])
    *batches, last = given["embeddings"].astype(dtype)
    *classes, of_last = given["classes"]
    values = [
        tools.array(layer(x, y, training=True))
        for x, y in zip(batches, classes, strict=True)
    ]
    value, slope = tools.values_and_gradient(
        lambda x: layer(x, of_last, training=True), last
    )
    names = ["mean", "std"] if hasattr(layer, "mean") else ["t"]
    state = [tools.array(getattr(layer, name)) for name in names]
    found = {
        "values": np.stack([*values, value]),
        "gradient": slope,
        "of_kernel": tools.array(layer.kernel.value.grad),
        "state": np.array(state),
    }
    for key, actual in found.items():
        expected = GOLDEN.arrays[f"{name}/{key}"]
        least = tolerance * np.abs(expected).max()
        np.testing.assert_allclose(
            actual, expected, rtol=tolerance, atol=least, err_msg=key
        )
