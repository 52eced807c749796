"""Turns docstrings, Markdown with Google's sections, into Markdown for MyST."""

import inspect
import re
from collections.abc import Callable

SECTION = re.compile(
    r"^(Attributes|Args|Call arguments|Returns|Raises|Example|References?):(?:$|(?= ))",
    re.MULTILINE,
)
ENTRY = re.compile(r"^(\*{0,2}\w+): ", re.MULTILINE)


def markdown(docstring: str, link: Callable[[str], str]) -> str:
    """A docstring, with fields for its sections.

    Args:
        docstring: The docstring.
        link: Turns a name in backticks into a link, or returns it as it is.
    """
    _, *sections = SECTION.split(inspect.cleandoc(docstring))
    parts = [linked(description(docstring), link)]
    for title, body in zip(sections[::2], sections[1::2], strict=True):
        body, after = _own(body)
        parts.append(_section(title, body, link))
        if after:
            parts.append(linked(after, link))
    return "\n\n".join(part for part in parts if part)


def description(docstring: str) -> str:
    """The text before the sections."""
    return _blocks(SECTION.split(inspect.cleandoc(docstring))[0].strip())


def linked(text: str, link: Callable[[str], str]) -> str:
    """Text in which names in backticks link to their pages, where there are any."""
    return re.sub(r"(?<!`)`([\w.]+)`(?!`)", lambda found: link(found[1]), text)


def _blocks(text):
    """Paragraphs, with formulas in blocks of their own."""
    return re.sub(r"^\$\$[ \n](.*?)\s*\$\$", r"$$\n\1\n$$", text, flags=re.S | re.M)


def entries(docstring: str) -> dict[str, str]:
    """The text for each argument of a docstring, in one line."""
    _, *sections = SECTION.split(inspect.cleandoc(docstring))
    found = {}
    for title, body in zip(sections[::2], sections[1::2], strict=True):
        if title == "Args":
            found |= _named(_own(body)[0])
    return found


def listed(texts: dict[str, str], link: Callable[[str], str]) -> str:
    """A list of arguments."""
    lines = (f"- **{_plain(name)}**: {linked(t, link)}" for name, t in texts.items())
    return "\n".join(lines)


def _own(body):
    """Splits what follows a title: its own lines, and the text after them.

    A section is one line, as in "Reference: Smith, 2015.", with the lines that follow
    it, or an indented block.
    """
    if body.startswith(" "):
        own, _, after = body.strip().partition("\n\n")
        return _joined(own), after
    lines = body.strip("\n").split("\n")
    own = len(lines)
    for i, line in enumerate(lines):
        if line and not line.startswith(" "):
            own = i
            break
    return inspect.cleandoc("\n".join(["", *lines[:own]])), "\n".join(
        lines[own:]
    ).strip()


def _section(title, body, link):
    if title == "Example":
        return f"```pycon\n{body}\n```"
    if title.startswith("Reference"):
        references = _paragraphs(body)
        if len(references) == 1:
            return f"**Reference:** {references[0]}"
        return "**References:**\n\n" + "\n".join(f"- {line}" for line in references)
    if title == "Returns":
        return f":returns: {linked(_joined(body), link)}"
    if title in ("Attributes", "Call arguments"):
        block = listed(_named(body), link).replace("\n", "\n    ")
        return f":{title}:\n    {block}"
    field = {"Args": "param", "Raises": "raises"}[title]
    return "\n".join(
        f":{field} {_plain(name)}: {linked(text, link)}"
        for name, text in _named(body).items()
    )


def _named(body):
    """The text for each name, in one line."""
    _, *parts = ENTRY.split("\n" + body)
    return {n: _joined(t) for n, t in zip(parts[::2], parts[1::2], strict=True)}


def _plain(name):
    return name.replace("*", "\\*")


def _paragraphs(body):
    """Lines, joined with the indented lines that continue them."""
    return [_joined(entry) for entry in re.split(r"\n(?=\S)", body)]


def _joined(text):
    return " ".join(text.split())
