"""A network with bfloat16 weights learns real data as well as one with float32."""

import pytest

from tests.integration.bfloat16 import mean_accuracy


@pytest.mark.slow
@pytest.mark.only("torch")  # the other backends round alike: see `test_training.py`
def test_digits_are_read_within_one_percentage_point_of_float32():
    """Muon updates matrices in its own way, and vectors like the other optimizers."""
    wide, narrow = (
        mean_accuracy("Muon", dtype, range(2)) for dtype in ("float32", "bfloat16")
    )
    assert wide > 0.9
    assert abs(narrow - wide) < 0.01
