"""Draws each figure by its script before each build."""

import json
from pathlib import Path

from figures import losses
from figures import optimizers
from figures import quality
from figures import schedules
from figures import smoothing

DOCS = Path(__file__).parents[1]
SCRIPTS = {
    "schedules": schedules,
    "losses": losses,
    "optimizers": optimizers,
    "quality": quality,
    "smoothing": smoothing,
}
# What is seen on each figure, known once it is drawn.
ALTS: dict[str, str] = {}


def draw(app) -> None:
    """Draws all: a figure depends on the package as well as on its script."""
    for script in SCRIPTS.values():
        for name, figure in script.FIGURES.items():
            path = DOCS / "_figures" / f"{name}.svg"
            path.parent.mkdir(parents=True, exist_ok=True)
            ALTS[name] = figure(path)


def write(page: Path, text: str) -> None:
    """Writes a page if it changed."""
    if not page.exists() or page.read_text() != text:
        page.write_text(text)


def markdown(name: str, up: str, has_caption: bool = True) -> str:
    """A figure with its alternative text, for a page that many `../` lead up from."""
    alt = json.dumps(ALTS[name], ensure_ascii=False)
    package, _, of = name.partition("/")
    caption = f"\n\n{SCRIPTS[package].caption(of)}" if has_caption else ""
    return f"::::{{figure}} {up}_figures/{name}.svg\n:alt: {alt}{caption}\n::::"


def setup(app):
    # Before the pages that show them.
    app.connect("builder-inited", draw, priority=100)
    return {"parallel_read_safe": True}
