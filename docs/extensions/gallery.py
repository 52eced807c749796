"""Writes the gallery before each build: each figure, with a link to its page."""

from pathlib import Path

from extensions import api
from extensions import figures

PAGE = Path(__file__).parents[1] / "gallery.md"
CAPTIONS = {
    "schedules": """## Schedules

The learning rate at each step.""",
    "losses": """## Losses

The loss (top) and its derivative (bottom) as one predicted value changes and the rest
of a small batch stays fixed. Such a curve does not show how a loss behaves in many
dimensions.""",
    "optimizers": f"""## Optimizers

{figures.optimizers.RULE}""",
    "smoothing": """## Label smoothing and the focal weight""",
}


def text() -> str:
    """The page, in Markdown."""
    parts = ["# Gallery", "Every schedule, loss and optimizer as a picture."]
    for package, caption in CAPTIONS.items():
        parts += [caption, "::::::{grid} 1 1 2 2\n:gutter: 2"]
        for figure in figures.SCRIPTS[package].FIGURES:
            name = figure.split("/")[1]
            page = api.PAGES.get((package, name))
            title = f"[`{name}`](api/{page}.md)" if page else name.replace("_", " ")
            image = figures.markdown(figure, "", has_caption=False)
            parts.append(f":::::{{grid-item-card}} {title}\n{image}\n:::::")
        parts.append("::::::")
    return "\n\n".join(parts) + "\n"


def setup(app):
    app.connect("builder-inited", lambda app: figures.write(PAGE, text()))
    return {"parallel_read_safe": True}
