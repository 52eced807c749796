"""Too many nonfinite gradients in a row, in JAX programs over several devices."""

import pytest

from tests import processes


@pytest.mark.slow
@pytest.mark.only("jax")
def test_programs_over_several_devices_do_not_fail_and_those_over_one_do(tmp_path):
    # Devices that wait for a failed one would do so for 40 seconds, and then abort.
    processes.run("tests.distribution.giving_up", log=tmp_path / "log")
