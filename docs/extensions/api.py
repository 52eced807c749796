"""Writes a page for each public name and each package before each build.

The pages of functions have a folder of their own: some file systems do not distinguish
`Huber` from `huber`.
"""

import importlib
import inspect
import posixpath
import re
from pathlib import Path
from typing import Any
from typing import NamedTuple

from extensions import costs
from extensions import docstrings
from extensions import figures
from extensions import purposes
from sphinx.errors import ExtensionError

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
        if self.package in COMPACT:
            return self.package
        folder = "" if inspect.isclass(self.thing) else "functions/"
        return f"{self.package}/{folder}{self.name}"

    @property
    def sentence(self) -> str:
        """The first line of its docstring."""
        return inspect.getdoc(self.thing).split("\n", 1)[0]

    @property
    def function(self) -> Any:
        """The function of a class that has one."""
        return getattr(self.thing, "function", None)


# Packages whose names share one page.
COMPACT = ["tfa.losses", "tfa.optimizers"]
# Public, but left out of `__all__`, since `import *` would replace names of Python.
LOOKUP = ["get", "list"]
ENTRIES = [
    Entry(package, name, getattr(module, name))
    for package in [*tfx_extras.__all__, *COMPACT]
    for module in [importlib.import_module(f"tfx_extras.{package}")]
    for name in [*module.__all__, *(n for n in LOOKUP if n in vars(module))]
]
PAGES = {(entry.package, entry.name): entry.page for entry in ENTRIES}
CLASSES = {e.function: e for e in ENTRIES if e.function and e.package not in COMPACT}
FUNCTIONS = {e.thing: e for e in ENTRIES if e.thing in CLASSES}


def _counterparts():
    """Pairs each name with its counterpart in `tfa`: of its name, or citing it."""
    for there in ENTRIES:
        if there.package in COMPACT:
            package = there.package.removeprefix("tfa.")
            said = re.match(rf"`tfx_extras\.{package}\.(\w+)`", there.sentence)
            name = said[1] if said else there.name
            yield from ((e, there) for e in ENTRIES if e[:2] == (package, name))


COUNTERPARTS = dict(_counterparts())


def page(entry: Entry) -> str:
    """The page of a name, in Markdown."""
    up = "../" * (entry.page.count("/") + 1)
    other = CLASSES.get(entry.thing) or FUNCTIONS.get(entry.function)
    parts = [f"# {entry.name}", described(entry), options(entry)]
    if entry.thing in CLASSES:  # reached from its class, and left out of the contents
        parts.insert(0, "---\norphan: true\n---")
    for name in [entry.name, *([other.name] if other else [])]:
        figure = f"{entry.package}/{name}"
        if figure in figures.ALTS:
            parts += ["## Picture", figures.markdown(figure, up)]
            break
    cost = costs.sentence(entry.package, entry.thing)
    if cost:
        parts += ["## Cost", cost]
    links = []
    if other:
        form = "Class" if entry.thing in CLASSES else "Function"
        links.append(f"{form} form: [`{other.name}`]({up}api/{other.page}.md)")
    there = COUNTERPARTS.get(entry, COUNTERPARTS.get(other))
    if there:
        links.append(
            f"TensorFlow Addons: [`{there.package}.{there.name}`]({up}api/"
            f"{there.page}.md), which says what differs"
        )
    if links:
        parts += ["## See also", "\n".join(f"- {link}" for link in links)]
    return "\n\n".join(part for part in parts if part) + "\n"


OPTIONS = {
    "losses": ("Options of every loss", "LossOptions"),
    "optimizers": ("Options of every optimizer", "OptimizerOptions"),
}


def options(entry: Entry) -> str:
    """The options that a class shares with all of its kind, folded."""
    title, name = OPTIONS.get(entry.package, ("", ""))
    thing = entry.thing
    arguments = _arguments(thing)
    is_wrapper = "inner_optimizer" in arguments
    if not name or not (is_wrapper or "kwargs" in arguments):
        return ""
    if not (inspect.isclass(thing) or entry.name in purposes.PRESETS):
        return ""
    of_all = next(e for e in ENTRIES if e[:2] == (entry.package, name))
    link = linker(entry)
    to = "the inner optimizer" if is_wrapper else f"`{entry.name}`"
    if is_wrapper:
        title = "Options of the inner optimizer"
    texts = docstrings.entries(of_all.thing.__doc__)
    return (
        f":::{{dropdown}} {title}\n:class-container: options\n\n"
        f"Keyword arguments of {to}: see {link(name)}.\n\n"
        f"{docstrings.listed(texts, link)}\n:::"
    )


def linker(entry: Entry):
    """Returns a function that links the names on the page of an entry."""
    here = posixpath.dirname(f"api/{entry.page}")
    is_class = inspect.isclass(entry.thing)
    methods = {name for name, _ in _methods(entry.thing)} if is_class else set()

    def link(name):
        *package, last = name.removeprefix("tfx_extras.").split(".")
        target = PAGES.get((".".join(package) or entry.package, last))
        own = {entry.name, *_arguments(entry.thing), *methods}
        if target in (None, entry.page) or name in own:
            return f"`{name}`"
        return f"[`{name}`]({posixpath.relpath(f'api/{target}.md', here)})"

    return link


def described(entry: Entry) -> str:
    """The signature of a name, its docstring, and the methods that this names."""
    link = linker(entry)
    kind = "class" if inspect.isclass(entry.thing) else "function"
    name = f"tfx_extras.{entry.package}.{entry.name}"
    parts = [docstrings.markdown(entry.thing.__doc__, link)]
    for name_of_method, method in _methods(entry.thing) if kind == "class" else ():
        text = docstrings.markdown(method.__doc__, link)
        parts.append(
            f"````{{py:method}} {name_of_method}{_signature(method, 1)}\n\n{text}\n````"
        )
    body = "\n\n".join(parts)
    return f"`````{{py:{kind}}} {name}{_signature(entry.thing)}\n\n{body}\n`````"


def _methods(cls):
    """Methods of a class with a docstring of their own, named in that of the class."""
    package = cls.__module__.rpartition(".")[0]
    for name, method in inspect.getmembers(cls, inspect.isfunction):
        is_own = method.__module__.startswith(package) and method.__doc__
        if is_own and re.search(rf"`{name}(\(\))?`", cls.__doc__):
            yield name, method


def _arguments(thing):
    try:
        return set(inspect.signature(thing).parameters)
    except ValueError:
        return set()


def _signature(thing, leave_out=0):
    """The arguments and their defaults, without types."""
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
    """The page of a package: its names by purpose, with a sentence each."""
    module = importlib.import_module(f"tfx_extras.{package}")
    lines = [f"# {_title(module)}", ""]
    by_name = {e.name: e for e in of}
    for purpose, names in purposes.PURPOSES[package].items():
        lines += [f"## {purpose}", "", "```{list-table}", ":header-rows: 1"]
        lines += [":class: stacked", "", "* - Name", "  - Description"]
        for name in names:
            entry = by_name[name]
            function = FUNCTIONS.get(entry.function)
            both = [e for e in (entry, function) if e]
            links = " \\\n    ".join(f"[`{e.name}`]({e.page}.md)" for e in both)
            lines += [f"* - {links}", f"  - {entry.sentence}"]
        lines += ["```", ""]
    pages = "\n".join(by_name[name].page for name in purposes.ordered(package))
    lines += [f"```{{toctree}}\n:hidden:\n\n{pages}\n```"]
    return "\n".join(lines) + "\n"


def check(app) -> None:
    """Stops the build if the table of purposes is not complete."""
    public = {}
    for entry in ENTRIES:
        if entry.package not in COMPACT and entry.thing not in CLASSES:
            public.setdefault(entry.package, set()).add(entry.name)
    try:
        purposes.check(public)
    except ValueError as error:
        raise ExtensionError(str(error)) from error


def _title(module):
    return inspect.getdoc(module).split("\n", 1)[0].rstrip(".")


def compact(package: str, of: list[Entry]) -> str:
    """The page of a package whose names share one page."""
    module = importlib.import_module(f"tfx_extras.{package}")
    parts = [f"# {_title(module)}", "[The guide](../guides/tfa.md) says what differs."]
    for entry in of:
        parts += [f"## {package}.{entry.name}", described(entry)]
    return "\n\n".join(parts) + "\n"


def write(app) -> None:
    """Writes the pages that changed, and removes those of names that are gone."""
    pages = {}
    for package in [*tfx_extras.__all__, *COMPACT]:
        of = [e for e in ENTRIES if e.package == package]
        make = compact if package in COMPACT else table
        pages[API / f"{package}.md"] = make(package, of)
        if package not in COMPACT:
            pages |= {API / f"{e.page}.md": page(e) for e in of}
    for path in set(API.rglob("*.md")) - {*pages, API / "index.md"}:
        path.unlink()
    for path, text in pages.items():
        if not path.exists() or path.read_text() != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)


def setup(app):
    app.connect("builder-inited", check, priority=50)
    app.connect("builder-inited", write)
    return {"parallel_read_safe": True}
