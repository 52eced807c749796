"""The Python blocks of the README and of each guide run, in order."""

import ast
import re
from pathlib import Path

import pytest
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser

ROOT = Path(__file__).parents[2]
WRITTEN = [*ROOT.glob("docs/*.md"), *ROOT.glob("docs/guides/*.md")]
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


class Untold(ast.NodeTransformer):
    """Removes the texts that are printed: a translation has its own."""

    def visit_Call(self, node):
        if ast.unparse(node.func) != "print":
            return self.generic_visit(node)
        texts = [n for n in ast.walk(node) if isinstance(n, ast.Constant)]
        for text in texts:
            text.value = ""
        return node


def code(page):
    blocks = re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)
    return [ast.dump(Untold().visit(ast.parse(block))) for block in blocks]


@pytest.mark.only("torch")
@pytest.mark.parametrize(
    ("page", "original"), [("index.md", "index.md"), ("start.md", "guides/start.md")]
)
def test_a_translation_has_the_code_of_its_page(page, original):
    """So it need not run: comments and printed texts are all that differs."""
    docs = ROOT / "docs"
    assert code(docs / "ko" / page) == code(docs / original) != []
    assert len(list(docs.glob("ko/*.md"))) == 2  # all translations are above
