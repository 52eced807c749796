"""Writes the page of optimizers and losses before each build, with its figures."""

import re
from pathlib import Path

from extensions import figures

PAGE = Path(__file__).parents[1] / "benchmarks" / "quality.md"
README = figures.quality.tables.RESULTS / "README.md"


def text() -> str:
    """The tables of the benchmark, with the figure of each task after its table."""

    def with_figure(found):
        name = f"quality/{found[1]}"
        if name not in figures.quality.FIGURES:
            return ""
        return figures.markdown(name, "../")

    return re.sub(r"<!-- end of (\w+) -->", with_figure, README.read_text())


def setup(app):
    app.connect("builder-inited", lambda app: figures.write(PAGE, text()))
    return {"parallel_read_safe": True}
