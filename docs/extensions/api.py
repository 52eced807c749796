"""Writes a page for each public name, and one for each package, before each build.

Pages of functions have a folder of their own: some file systems take `Huber` and
`huber` for one name.
"""

import importlib
import inspect
import posixpath
from pathlib import Path
from typing import Any
from typing import NamedTuple

from extensions import docstrings

import tfx_extras

API = Path(__file__).parents[1] / "api"


class Entry(NamedTuple):
    """A public name."""

    package: str
    name: str
    thing: Any

    @property
    def page(self) -> str:
        """Its page, relative to the folder of all, without the ending."""
        folder = "" if inspect.isclass(self.thing) else "functions/"
        return f"{self.package}/{folder}{self.name}"

    @property
    def sentence(self) -> str:
        """The first line of its docstring."""
        return inspect.getdoc(self.thing).split("\n", 1)[0]

    @property
    def other_form(self) -> "Entry | None":
        """The function of a class, or the class of a function."""
        for other in entries():
            is_form = (
                _function(self.thing) is other.thing
                or _function(other.thing) is self.thing
            )
            if is_form and other.package == self.package:
                return other
        return None


def _function(thing):
    """The function of a class that has one."""
    return getattr(thing, "function", None)


def entries() -> list[Entry]:
    """All public names, package by package."""
    return [
        Entry(package, name, getattr(module, name))
        for package in tfx_extras.__all__
        for module in [importlib.import_module(f"tfx_extras.{package}")]
        for name in module.__all__
    ]


PAGES = {(entry.package, entry.name): entry.page for entry in entries()}


def page(entry: Entry, figures: set[str]) -> str:
    """The page of a name, in Markdown."""
    up = "../" * (entry.page.count("/") + 1)
    other = entry.other_form
    parts = [f"# {entry.name}", described(entry)]
    for name in [entry.name, *([other.name] if other else [])]:
        figure = f"{entry.package}/{name}.svg"
        if figure in figures:
            parts.append(f"![{entry.name}, drawn]({up}_figures/{figure})")
            break
    if other:
        form = "Class" if inspect.isclass(other.thing) else "Function"
        parts.append(f"{form} form: [`{other.name}`]({up}api/{other.page}.md).")
    return "\n\n".join(parts) + "\n"


def described(entry: Entry) -> str:
    """The signature of a name, what its docstring says, and its own methods."""
    here = posixpath.dirname(f"api/{entry.page}")

    def link(name):
        target = PAGES.get((entry.package, name))
        if target is None or name in (entry.name, *_arguments(entry.thing)):
            return f"`{name}`"
        return f"[`{name}`]({posixpath.relpath(f'api/{target}.md', here)})"

    kind = "class" if inspect.isclass(entry.thing) else "function"
    name = f"tfx_extras.{entry.package}.{entry.name}"
    parts = [docstrings.markdown(entry.thing.__doc__, link)]
    for name_of_method, method in vars(entry.thing).items() if kind == "class" else ():
        is_public = not name_of_method.startswith("_") and inspect.isfunction(method)
        if is_public and method.__doc__:
            text = docstrings.markdown(method.__doc__, link)
            parts.append(
                f"````{{py:method}} {name_of_method}{_signature(method, 1)}\n\n"
                f"{text}\n````"
            )
    body = "\n\n".join(parts)
    return f"`````{{py:{kind}}} {name}{_signature(entry.thing)}\n\n{body}\n`````"


def _arguments(thing):
    try:
        return set(inspect.signature(thing).parameters)
    except ValueError:
        return set()


def _signature(thing, leave_out=0):
    """The arguments and their defaults, without types: the docstring has them."""
    try:
        signature = inspect.signature(thing)
    except ValueError:
        return ""
    parameters = [
        p.replace(annotation=inspect.Parameter.empty)
        for p in list(signature.parameters.values())[leave_out:]
    ]
    empty = inspect.Signature.empty
    return str(signature.replace(parameters=parameters, return_annotation=empty))


def table(package: str, of: list[Entry]) -> str:
    """The page of a package: its names, with a sentence each."""
    module = importlib.import_module(f"tfx_extras.{package}")
    title = inspect.getdoc(module).split("\n", 1)[0].rstrip(".")
    lines = [f"# {title}", ""]
    classes = [e for e in of if inspect.isclass(e.thing)]
    for heading, some in [
        ("Classes", classes),
        ("Functions", [e for e in of if e not in classes]),
    ]:
        if some:
            lines += [f"## {heading}", "", "| Name | What it is |", "|---|---|"]
            lines += [f"| [`{e.name}`]({e.page}.md) | {e.sentence} |" for e in some]
            lines += [""]
    pages = "\n".join(e.page for e in of)
    lines += [f"```{{toctree}}\n:hidden:\n\n{pages}\n```"]
    return "\n".join(lines) + "\n"


def write(app) -> None:
    """Writes what changed, and removes pages of names that are gone."""
    drawn = API.parent / "_figures"
    figures = {p.relative_to(drawn).as_posix() for p in drawn.rglob("*.svg")}
    pages = {API / f"{e.page}.md": page(e, figures) for e in entries()}
    for package in tfx_extras.__all__:
        of = [e for e in entries() if e.package == package]
        pages[API / f"{package}.md"] = table(package, of)
    for path in set(API.rglob("*.md")) - {*pages, API / "index.md"}:
        path.unlink()
    for path, text in pages.items():
        if not path.exists() or path.read_text() != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)


def setup(app):
    app.connect("builder-inited", write)
    return {"parallel_read_safe": True}
