"""Draws each figure by its script before each build."""

from pathlib import Path

from figures import losses
from figures import optimizers
from figures import schedules
from figures import smoothing

DOCS = Path(__file__).parents[1]
SCRIPTS = [losses, optimizers, schedules, smoothing]


def draw(app) -> None:
    """Draws all: a figure follows from the package as well as from its script."""
    for script in SCRIPTS:
        for name, figure in script.FIGURES.items():
            path = DOCS / "_figures" / f"{name}.svg"
            path.parent.mkdir(parents=True, exist_ok=True)
            figure(path)


def setup(app):
    # Before the pages that show them.
    app.connect("builder-inited", draw, priority=100)
    return {"parallel_read_safe": True}
