"""Writes a page for each public name, and one for each package, before each build.

Pages of functions have a folder of their own: some file systems take `Huber` and
`huber` for one name.
"""

import importlib
import inspect
import pkgutil
import posixpath
import re
from pathlib import Path
from typing import Any
from typing import NamedTuple

from extensions import costs
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


# Of which all names are on one page.
COMPACT = ["tfa.losses", "tfa.optimizers"]
# Public, but not for `import *`.
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
    """What of TensorFlow Addons each name is: by its name, or as that says first."""
    for there in ENTRIES:
        if there.package in COMPACT:
            package = there.package.removeprefix("tfa.")
            said = re.match(rf"`tfx_extras\.{package}\.(\w+)`", there.sentence)
            name = said[1] if said else there.name
            yield from ((e, there) for e in ENTRIES if e[:2] == (package, name))


COUNTERPARTS = dict(_counterparts())


def page(entry: Entry, figures: set[str]) -> str:
    """The page of a name, in Markdown."""
    up = "../" * (entry.page.count("/") + 1)
    of_class, of_function = CLASSES.get(entry.thing), FUNCTIONS.get(entry.function)
    other = of_class or of_function
    parts = [f"# {entry.name}", described(entry)]
    for name in [entry.name, *([other.name] if other else [])]:
        figure = f"{entry.package}/{name}.svg"
        if figure in figures:
            parts.append(f"![{entry.name}, drawn]({up}_figures/{figure})")
            break
    if of_function:
        parts += ["## Formula", _text(of_function, entry)]
    cost = costs.sentence(entry.package, (of_function or entry).thing)
    if cost:
        parts += ["## Cost", cost]
    if other:
        form = "Class" if of_class else "Function"
        parts.append(f"{form} form: [`{other.name}`]({up}api/{other.page}.md).")
    there = COUNTERPARTS.get(of_function or entry, COUNTERPARTS.get(entry))
    if there:
        parts.append(
            f"In TensorFlow Addons: [`{there.package}.{there.name}`]({up}api/"
            f"{there.page}.md), which says what differs."
        )
    return "\n\n".join(parts) + "\n"


def _text(entry: Entry, on: Entry) -> str:
    """What a docstring says after its first line and before its sections."""
    text = docstrings.description(inspect.getdoc(entry.thing))
    return docstrings.linked(text.split("\n", 1)[-1].strip(), linker(on))


def linker(entry: Entry):
    """Makes links of names, for what stands on the page of an entry."""
    here = posixpath.dirname(f"api/{entry.page}")

    def link(name):
        *package, last = name.removeprefix("tfx_extras.").split(".")
        target = PAGES.get((".".join(package) or entry.package, last))
        own = {entry.name, *_arguments(entry.thing)}
        if target in (None, entry.page) or name in own:
            return f"`{name}`"
        return f"[`{name}`]({posixpath.relpath(f'api/{target}.md', here)})"

    return link


def described(entry: Entry) -> str:
    """The signature of a name, what its docstring says, and methods that it names."""
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
    """Methods with a docstring, of its package, that stand in that of their class."""
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
    lines = [f"# {_title(module)}", ""]
    rooms = _rooms(module, of)
    for room, some in rooms:
        if len(rooms) > 1:
            lines += [f"## {_title(room) if room else 'General'}", ""]
        classes = [e for e in some if inspect.isclass(e.thing)]
        functions = [e for e in some if e not in classes]
        for heading, entries in [("Classes", classes), ("Functions", functions)]:
            if entries:
                level = "###" if len(rooms) > 1 else "##"
                lines += [
                    f"{level} {heading}",
                    "",
                    "| Name | What it is |",
                    "|---|---|",
                ]
                lines += [
                    f"| [`{e.name}`]({e.page}.md) | {e.sentence} |" for e in entries
                ]
                lines += [""]
    pages = "\n".join(e.page for e in of)
    lines += [f"```{{toctree}}\n:hidden:\n\n{pages}\n```"]
    return "\n".join(lines) + "\n"


def _rooms(module, of: list[Entry]):
    """The names of each folder of a package, and first those that are in none."""
    rest, rooms = list(of), []
    for found in pkgutil.iter_modules(module.__path__, f"{module.__name__}."):
        if found.ispkg:
            room = importlib.import_module(found.name)
            some = [e for e in rest if vars(room).get(e.name) is e.thing]
            rooms.append((room, some))
            rest = [e for e in rest if e not in some]
    return [(None, rest), *rooms]


def _title(module):
    return inspect.getdoc(module).split("\n", 1)[0].rstrip(".")


def compact(package: str, of: list[Entry]) -> str:
    """The page of a package of which all names are on one page."""
    module = importlib.import_module(f"tfx_extras.{package}")
    parts = [f"# {_title(module)}", "What differs: see [the guide](../guides/tfa.md)."]
    for entry in of:
        parts += [f"## {package}.{entry.name}", described(entry)]
    return "\n\n".join(parts) + "\n"


def write(app) -> None:
    """Writes what changed, and removes pages of names that are gone."""
    drawn = API.parent / "_figures"
    figures = {p.relative_to(drawn).as_posix() for p in drawn.rglob("*.svg")}
    pages = {}
    for package in [*tfx_extras.__all__, *COMPACT]:
        of = [e for e in ENTRIES if e.package == package]
        make = compact if package in COMPACT else table
        pages[API / f"{package}.md"] = make(package, of)
        if package not in COMPACT:
            pages |= {API / f"{e.page}.md": page(e, figures) for e in of}
    for path in set(API.rglob("*.md")) - {*pages, API / "index.md"}:
        path.unlink()
    for path, text in pages.items():
        if not path.exists() or path.read_text() != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)


def setup(app):
    app.connect("builder-inited", write)
    return {"parallel_read_safe": True}
