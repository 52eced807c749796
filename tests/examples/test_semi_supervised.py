"""The example of semi-supervised learning runs, and compares what it claims to."""

import pytest

from tests.examples import script

pytestmark = [pytest.mark.only("torch"), pytest.mark.slow]


def test_it_prints_a_table_of_methods(monkeypatch, capsys):
    script.run(monkeypatch, "semi_supervised.py", "--fast")
    rows = [line for line in capsys.readouterr().out.splitlines() if " % ± " in line]
    methods = [row.split("|")[1].strip() for row in rows]
    assert methods == ["labels alone", "pi-model", "UDA", "FixMatch"]
    for row in rows:
        assert 0 <= float(row.split("|")[2].split()[0]) <= 100
