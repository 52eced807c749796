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
    low, high = ys.min(), ys.max()
    noise = 1e-3 * max(high - low, 1e-12)
    first, last = _number(ys[0]), _number(ys[-1])
    if high - low <= 1e-6 * max(abs(high), abs(low), 1e-12):
        return f"is {first} everywhere"
    for word, other, extreme, at in (
        ("rises", "falls", "maximum", int(ys.argmax())),
        ("falls", "rises", "minimum", int(ys.argmin())),
    ):
        sign = 1 if word == "rises" else -1
        steps = sign * np.diff(ys)
        if np.all(steps >= -noise):
            return f"{word} from {first} to {last}"
        if np.all(steps[:at] >= -noise) and np.all(steps[at:] <= noise):
            return (
                f"{word} from {first} to a {extreme} of {_number(ys[at])} at "
                f"{_number(xs[at])}, then {other} to {last}"
            )
    return f"starts at {first}, varies from {_number(low)} to {_number(high)} and ends at {last}"


def _number(value) -> str:
    return f"{0.0 if abs(value) < 1e-9 else value:.3g}"
