"""The deliberate faults replace lines that exist, and name tests that exist."""

import pytest

from tests.faults import FAULTS
from tests.faults import ROOT

pytestmark = pytest.mark.only("torch")


@pytest.mark.parametrize(
    "fault", FAULTS, ids=[f"{i}-{fault.path}" for i, fault in enumerate(FAULTS)]
)
def test_a_fault_can_still_be_made(fault):
    text = (ROOT / fault.path).read_text()
    assert fault.right in text
    assert fault.right != fault.wrong
    if fault.path.endswith(".py"):
        compile(text.replace(fault.right, fault.wrong), fault.path, "exec")
    assert (ROOT / fault.tests).exists()
