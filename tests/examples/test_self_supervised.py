"""The example of self-supervised learning runs with each method."""

import pytest

from tests.examples import script

pytestmark = [pytest.mark.only("torch"), pytest.mark.slow]


@pytest.mark.parametrize("method", ["nt_xent", "barlow_twins", "vicreg", "dino"])
def test_it_prints_both_accuracies(method, monkeypatch, capsys):
    script.run(monkeypatch, "self_supervised.py", method, "--fast")
    rows = [line for line in capsys.readouterr().out.splitlines() if " % ± " in line]
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    assert [row[0] for row in cells] == ["random encoder", method]
    assert all(0 <= float(number.split()[0]) <= 100 for _, number in cells)


def test_an_unknown_method_gets_a_clear_error(monkeypatch):
    with pytest.raises(SystemExit, match=r"Give one of nt_xent, .* Received: moco"):
        script.run(monkeypatch, "self_supervised.py", "moco")
