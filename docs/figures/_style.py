"""How all figures look, and how they are described."""

import contextlib
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

COLORS = ["#0b6e8f", "#d1495b", "#a86400", "#3d7a5a", "#6a4c93"]
DASHES = ["-", "--", "-.", ":", (0, (4, 1, 1, 1, 1, 1))]
STYLE = {
    "axes.prop_cycle": mpl.cycler(color=COLORS, linestyle=DASHES),
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.3,
    "font.size": 10,
    "legend.frameon": False,
    "lines.linewidth": 2,
    "svg.fonttype": "none",  # text stays text, which is a third of the size
    "svg.hashsalt": "tfx_extras",  # the same file for the same figure
    "figure.constrained_layout.use": True,
}


@contextlib.contextmanager
def figure(path: Path, rows=1, columns=1, width=4.4, height=3.0, size=10):
    """Gives axes to draw on, and saves them: no window, and nothing global.

    A width of 4.4 inches keeps the text legible on a phone. The background is
    transparent, so that a dark page can invert the colors.
    """
    with mpl.rc_context(STYLE | {"font.size": size}):
        drawn = Figure((width, height))
        axes = drawn.subplots(rows, columns, sharex=rows > 1)
        yield axes
        drawn.savefig(path, metadata={"Date": None}, transparent=True)


def shape(xs, ys) -> str:
    """Says how a curve runs, for readers who do not see it."""
    xs, ys = np.asarray(xs, float), np.asarray(ys, float)
    steps, noise = np.diff(ys), 1e-3 * np.ptp(ys)

    def number(value):
        return f"{0.0 if abs(value) <= noise / 10 else value:.3g}"

    first, last = number(ys[0]), number(ys[-1])
    if np.ptp(ys) <= 1e-6 * np.abs(ys).max():
        return f"is {first} everywhere"
    ways = (
        (1, "rises", "falls", "maximum", int(ys.argmax())),
        (-1, "falls", "rises", "minimum", int(ys.argmin())),
    )
    for sign, word, *_ in ways:
        if np.all(sign * steps >= -noise):
            return f"{word} from {first} to {last}"
    for sign, word, other, extreme, at in ways:
        if np.all(sign * steps[:at] >= -noise) and np.all(sign * steps[at:] <= noise):
            return (
                f"{word} from {first} to a {extreme} of {number(ys[at])} at "
                f"{number(xs[at])}, then {other} to {last}"
            )
    low, high = number(ys.min()), number(ys.max())
    return f"starts at {first}, varies from {low} to {high} and ends at {last}"
