"""The Python blocks of the README and of each guide run, in order."""

from pathlib import Path

import pytest
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser

ROOT = Path(__file__).parents[2]
GUIDES = [page for page in ROOT.glob("docs/*.md") if "```python" in page.read_text()]
PAGES = [ROOT / "README.md", *sorted(GUIDES)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_examples_of_a_page_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # for the files that they write
    examples = list(Sybil(parsers=[PythonCodeBlockParser()]).parse(page).examples())
    assert len(examples) == page.read_text().count("```python") > 0
    for example in examples:
        example.evaluate()  # raises what the block raises
