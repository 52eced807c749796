"""The guide docs/guides/migrate.md shows what the tool prints, and its table."""

import re
from pathlib import Path

import pytest

from tfx_extras.migrate.__main__ import main
from tfx_extras.migrate._successors import SUCCESSORS

pytestmark = pytest.mark.only("tensorflow")

PAGE = (Path(__file__).parents[2] / "docs/guides/migrate.md").read_text()


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def test_the_run_on_the_page_is_a_real_one(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for source, output in zip(blocks("py")[1:], blocks("diff"), strict=True):
        Path("train.py").write_text(source)
        assert main(["train.py"]) == 1
        assert capsys.readouterr().out == output


def test_the_table_is_that_of_the_tool():
    rows = []
    for package, table in SUCCESSORS.items():
        told = {n: text for n, text in table.items() if text != "no successor"}
        rows += [f"| `{package}.{name}` | {text} |" for name, text in told.items()]
        rest = ", ".join(f"`{name}`" for name in table if name not in told)
        rows += [f"| `{package}`: {rest} | no successor |"] * bool(rest)
    _, _, table = PAGE.rpartition("|---|---|\n")
    assert table.splitlines() == rows
