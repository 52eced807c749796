"""The Python blocks of the README and of each guide run, in order."""

from pathlib import Path

import pytest
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser

ROOT = Path(__file__).parents[2]
WRITTEN = [*ROOT.glob("docs/*.md"), *ROOT.glob("docs/guides/*.md")]
WRITTEN += ROOT.glob("docs/ko/*.md")
GUIDES = [page for page in WRITTEN if "```python" in page.read_text()]
# These pages have code that differs by backend. The other pages run on one backend; the
# contracts hold all backends to the same numbers.
EVERYWHERE = ("README.md", "docs/guides/distribution.md")
PAGES = [
    pytest.param(
        ROOT / name,
        id=name,
        marks=() if name in EVERYWHERE else pytest.mark.only("torch"),
    )
    for name in ["README.md", *(str(page.relative_to(ROOT)) for page in sorted(GUIDES))]
]


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_the_examples_of_a_page_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # for the files that they write
    examples = list(Sybil(parsers=[PythonCodeBlockParser()]).parse(page).examples())
    assert len(examples) == page.read_text().count("```python") > 0
    for example in examples:
        example.evaluate()  # raises what the block raises
