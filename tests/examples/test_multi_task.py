"""The example of multi-task learning runs, and compares what it claims to."""

import pytest

from tests.examples import script

pytestmark = [pytest.mark.only("torch"), pytest.mark.slow]


def test_it_prints_a_table_of_both_sums(monkeypatch, capsys):
    script.run(monkeypatch, "multi_task.py", "--fast")
    rows = [line for line in capsys.readouterr().out.splitlines() if " % ± " in line]
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    assert [row[0] for row in cells] == ["plain sum", "uncertainty weighting"]
    for _, *numbers in cells:
        assert len(numbers) == 3
        assert all(float(number.split()[0]) >= 0 for number in numbers)
