"""Epochs are converted to steps."""

import numpy as np
import pytest

from tfx_extras.schedules import epochs


@pytest.mark.parametrize(
    ("n", "steps_per_epoch", "updates"),
    [
        (3, 375, 1125),
        (0, 10, 0),
        (0.1, 30, 3),  # 3.0000000000000004 in floating point
        (0.29, 100, 29),  # 28.999999999999996 in floating point
        (0.5, 375, 188),
        (0.5, 5, 3),  # a half is rounded up, also to an odd number
        (2.4, 7, 17),
        (np.float32(1.5), np.int64(4), 6),
        (2, 100.0, 200),
        (np.int8(100), np.int8(100), 10_000),
    ],
)
def test_epochs_are_the_nearest_number_of_updates(n, steps_per_epoch, updates):
    counted = epochs(n, steps_per_epoch)
    assert counted == updates
    assert type(counted) is int


@pytest.mark.parametrize(
    ("n", "steps_per_epoch", "received"),
    [
        (-1, 10, "n=-1"),
        (float("nan"), 10, "n=nan"),
        (float("inf"), 10, "n=inf"),
        (1, 0, "steps_per_epoch=0"),
        (1, 2.5, "steps_per_epoch=2.5"),
    ],
)
def test_wrong_arguments_are_refused_by_name_and_value(n, steps_per_epoch, received):
    with pytest.raises(ValueError, match=f"Received: {received}$"):
        epochs(n, steps_per_epoch)
