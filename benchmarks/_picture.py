"""The figure: how many times as fast as Keras's Adam each optimizer is."""

import sys
from typing import NamedTuple

from _report import device
from _report import versions


class Bar(NamedTuple):
    """One ratio, and its place in the figure."""

    column: str
    group: str
    label: str
    times: float


def unique(values):
    return list(dict.fromkeys(values))


def draw(bars: list[Bar], number: str, path: str) -> None:
    """Draws bars by column and group, on a logarithmic axis.

    Args:
        bars: The ratios to draw.
        number: The device of the measurements: `"cpu"`, or the number of a GPU.
        path: A file, .svg or .png.
    """
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    matplotlib.rcParams["svg.hashsalt"] = "benchmarks"  # makes the file reproducible
    groups = unique(bar.group for bar in bars)
    names = unique(bar.label for bar in bars)
    place, headings = {}, []
    for group in groups:
        headings.append(len(place) + 1.5 * len(headings))
        for name in names:
            place[group, name] = len(place) + 1.5 * len(headings) - 0.5
    columns = unique(bar.column for bar in bars)
    height = 1.7 + 0.19 * (len(place) + 1.5 * len(groups))
    figure, axes = pyplot.subplots(
        ncols=len(columns),
        figsize=(max(7, 2.5 + 3.2 * len(columns)), height),
        sharex=True,
        sharey=True,
        squeeze=False,
        layout="constrained",
    )
    for column, axis in zip(columns, axes[0], strict=True):
        for bar in bars:
            if bar.column == column:
                draw_bar(axis, bar, place[bar.group, bar.label], groups)
        axis.set_xscale("log")
        axis.axvline(1, color="black", linewidth=0.8)
        axis.use_sticky_edges = False  # makes room for the numbers at the bars
        axis.margins(x=0.25, y=0.01)
        axis.xaxis.set_major_formatter("{x:g}")
        axis.xaxis.set_minor_formatter("")
        axis.tick_params(axis="y", length=0)
        axis.spines[["top", "right", "left"]].set_visible(False)
        axis.set_title(column.replace(" in ", "\nin ", 1), fontsize=9)
        axis.set_xlabel("times as fast as Keras's Adam", fontsize=9)
    axis.set_yticks(
        [*headings, *place.values()],
        [*groups, *(name for _, name in place)],
        fontsize=8,
    )
    for label in axes[0, 0].get_yticklabels()[: len(groups)]:
        label.set_fontweight("bold")
    axis.invert_yaxis()
    packages = ["tfx-extras", "keras", "tensorflow", "jax", "torch"]
    known = versions(sys.executable, *packages)
    figure.suptitle(
        f"One step of each optimizer\n{device(number)}\n{known}", fontsize=10
    )
    figure.savefig(path, metadata={"Date": None} if path.endswith("svg") else None)
    pyplot.close(figure)


def draw_bar(axis, bar, place, groups):
    color = f"C{groups.index(bar.group)}"
    axis.barh(place, bar.times - 1, left=1, height=0.8, color=color)
    is_faster = bar.times >= 1
    axis.annotate(
        f"{bar.times:.2g}",
        (bar.times, place),
        (3 if is_faster else -3, 0),
        textcoords="offset points",
        horizontalalignment="left" if is_faster else "right",
        verticalalignment="center",
        fontsize=7,
    )
