"""What optimizers do where replicas of TensorFlow meet, in each way."""

import pytest

from tests import processes


@pytest.mark.slow
@pytest.mark.only("tensorflow")
@pytest.mark.parametrize("way", ["all-reduce", "one device"])
def test_rows_are_those_of_one_device_and_scalars_are_computed_once(way, tmp_path):
    processes.run("tests.distribution.meeting", way, log=tmp_path / "log")
