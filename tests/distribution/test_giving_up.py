"""Too many gradients that are not finite, in programs of JAX over several devices."""

import pytest

from tests import processes


@pytest.mark.slow
@pytest.mark.only("jax")
def test_programs_over_several_devices_do_not_fail_and_those_over_one_do(tmp_path):
    # Devices that wait for one that has failed would do so for 40 seconds, and abort.
    processes.run("tests.distribution.giving_up", log=tmp_path / "log")
