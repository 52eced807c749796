"""Writes the gallery before each build: each figure, with a link to what it shows."""

from pathlib import Path

from extensions import api
from extensions import figures

PAGE = Path(__file__).parents[1] / "gallery.md"
CAPTIONS = {
    "schedules": """## Schedules

The learning rate of each update.""",
    "losses": """## Losses

What a loss becomes as one number that a model predicts changes, and its slope,
which is what a network learns from. The rest of a small batch is held. Such a curve
does not show how a loss behaves in many dimensions, nor how large its parts are in
your data.""",
    "optimizers": f"""## Optimizers

{figures.optimizers.STEPS} updates on two functions of two numbers. One rule for all: of
{len(figures.optimizers.RATES)} learning rates from {min(figures.optimizers.RATES):g} to
{max(figures.optimizers.RATES):g}, the one whose path ends lowest; all else by default,
but for the radius of `ConditionalGradient`, and for averages, which are shorter.
Such a picture does not show which one trains networks better: gradients there are
noisy, in millions of dimensions, and what is minimized is not what is tested.
Optimizers that take norms of layers see here a layer of two weights.""",
    "smoothing": """## Label smoothing and the focal weight""",
}


def text() -> str:
    """The page, in Markdown."""
    parts = ["# Gallery"]
    for package, caption in CAPTIONS.items():
        parts += [caption, "::::{grid} 1 1 2 2\n:gutter: 2"]
        for name in entries()[package]:
            page = api.PAGES.get((package, name))
            title = f"[`{name}`](api/{page}.md)" if page else name.replace("_", " ")
            parts.append(
                f":::{{grid-item-card}} {title}\n"
                f"![{name}, drawn](_figures/{package}/{name}.svg)\n:::"
            )
        parts.append("::::")
    return "\n\n".join(parts) + "\n"


def entries() -> dict[str, list[str]]:
    """The names that have a figure, by package."""
    found = {package: [] for package in CAPTIONS}
    for script in figures.SCRIPTS:
        for figure in script.FIGURES:
            package, name = figure.split("/")
            found[package].append(name)
    return found


def write(app) -> None:
    """Writes the page if it changed."""
    if not PAGE.exists() or PAGE.read_text() != text():
        PAGE.write_text(text())


def setup(app):
    app.connect("builder-inited", write)
    return {"parallel_read_safe": True}
