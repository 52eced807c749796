"""How optimizers exchange gradients between TensorFlow's replicas, in each way."""

import pytest

from tests import processes


@pytest.mark.slow
@pytest.mark.only("tensorflow")
def test_rows_are_those_of_one_device_and_scalars_are_computed_once(tmp_path):
    processes.run("tests.distribution.meeting", log=tmp_path / "log")
