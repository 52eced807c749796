"""The tables of the guides agree with the package."""

import re
from pathlib import Path

import numpy as np
import pytest

from tests.tools import array
from tfx_extras import losses

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "metric_learning.md"
SIZES = {"batch": 4, "features": 6, "classes": 3}
ROWS = [
    (call, shape)
    for shape, row in re.findall(
        r"(?m)^\|[^|]+\|[^|`]*`\(([^)]+)\)` \|(.+)\|$", GUIDE.read_text()
    )
    for call in re.findall(r"`(\w+(?:\([^`]*\))?)`", row)
]


@pytest.mark.parametrize(("call", "shape"), ROWS)
def test_losses_of_metric_learning_take_the_shapes_that_the_table_says(call, shape):
    sizes = [SIZES.get(size) or int(size) for size in shape.split(", ")]
    name, _, arguments = call.partition("(")
    loss = eval(f"cls({arguments or ')'}", {"cls": getattr(losses, name)})
    predictions = np.random.default_rng(0).uniform(-1, 1, sizes).astype("float32")
    labels = np.array([0, 1, 1, 2])
    assert np.isfinite(array(loss(labels, predictions)))


def test_the_table_of_metric_learning_is_read():
    assert len(ROWS) == 18
