"""The scores of all contestants on each task, as `benchmarks/quality.py` found them."""

import sys
from functools import partial
from pathlib import Path

from figures._style import COLORS
from figures._style import figure

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
import _quality_tables as tables

CAPTION = """\
Test scores: medians of five seeds (dots) and their range (lines), and medians at the
lower and at the higher learning rate (triangles to the left and to the right)."""


def strip(task, path):
    """Draws the contestants of a task below each other, the best first."""
    found = tables.read(task)
    score = tables.scores(found)[0]
    names = sorted(found, key=lambda name: found[name].cost(score, score))
    with figure(path, width=6.4, height=0.9 + 0.24 * len(names)) as axes:
        for row, name in enumerate(names):
            values = found[name].scores(score)
            color = COLORS[0] if name in tables.leaders(found, score) else "0.4"
            axes.hlines(row, values.min(), values.max(), color=color)
            axes.plot(found[name].median(score), row, "o", color=color)
            for factor, marker in ((0.5, "<"), (2.0, ">")):
                middle = found[name].median(score, factor)
                axes.plot(middle, row, marker, color=color, fillstyle="none")
        axes.set_yticks(range(len(names)), names)
        axes.set(xlabel=score, ylim=(len(names) - 0.5, -0.5))
    best, last = names[0], names[-1]
    return (
        f"{score} of {len(names)} contestants. {best} is first with "
        f"{found[best].median(score):.3f}, {last} is last with "
        f"{found[last].median(score):.3f}."
    )


def caption(task):
    return CAPTION


FIGURES = {
    f"quality/{file.stem}": partial(strip, file.stem)
    for file in sorted(tables.RESULTS.glob("*.csv"))
    if tables.read(file.stem)
}
