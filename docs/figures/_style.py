"""How all figures look."""

import contextlib
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

COLORS = ["#0b6e8f", "#d1495b", "#edae49", "#66a182", "#6a4c93"]
STYLE = {
    "axes.prop_cycle": mpl.cycler(color=COLORS),
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.3,
    "font.size": 10,
    "legend.frameon": False,
    "lines.linewidth": 2,
    "svg.hashsalt": "tfx_extras",  # the same file for the same figure
    "figure.constrained_layout.use": True,
}


@contextlib.contextmanager
def figure(path: Path, columns: int = 1, width: float = 4.4, height: float = 3.0):
    """Gives axes to draw on, and saves them: no window, and nothing global."""
    with mpl.rc_context(STYLE):
        drawn = Figure((width * columns, height))
        axes = drawn.subplots(1, columns)
        yield axes
        drawn.savefig(path, metadata={"Date": None})
