"""The example of the range test runs, and compares suggestions with a grid."""

import pytest

from tests.examples import script

pytestmark = [pytest.mark.only("torch"), pytest.mark.slow]


def test_it_prints_a_suggestion_beside_a_grid(monkeypatch, capsys):
    script.run(monkeypatch, "learning_rate.py", "--fast")
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    rows = [line for line in lines if line[:1] == ["suggestion"] and line[1] != "/"]
    rates = [float(row[1].strip(":")) for row in rows]
    assert len(rates) == 1
    assert 1e-4 < rates[0] < 1
