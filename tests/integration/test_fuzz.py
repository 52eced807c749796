"""A short run of `python -m tests.fuzz`."""

import pytest

from tests.fuzz.__main__ import run

# This tests Python code, which runs fastest on PyTorch.
pytestmark = [pytest.mark.only("torch"), pytest.mark.slow]


@pytest.mark.parametrize(("part", "count"), [("configs", 300), ("calls", 200)])
@pytest.mark.filterwarnings("ignore")
def test_nothing_hostile_does_harm(part, count, capsys):
    found, counts = run(part, count, seed=0)
    assert sum(counts.values()) == count
    assert not found, capsys.readouterr().out
