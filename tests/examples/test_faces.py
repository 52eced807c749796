"""The example of face recognition runs, and compares what it claims to."""

import pytest

from tests.examples import script

pytestmark = [pytest.mark.only("torch"), pytest.mark.slow]


def test_it_prints_a_table_of_methods(monkeypatch, capsys):
    script.run(monkeypatch, "faces.py", "--fast")
    rows = [line for line in capsys.readouterr().out.splitlines() if " % ± " in line]
    methods = [row.split("|")[1].strip() for row in rows]
    assert methods == ["softmax", "ArcFace", "AdaFace"]
    for row in rows:
        for recall in row.split("|")[2:4]:
            assert 0 <= float(recall.split()[0]) <= 100
