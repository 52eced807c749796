"""Turns docstrings, which are Markdown in Google's sections, into that of MyST."""

import inspect
import re
from collections.abc import Callable

SECTION = re.compile(r"^(Args|Returns|Raises|Example|References):$", re.MULTILINE)
ENTRY = re.compile(r"^(\*{0,2}\w+): ", re.MULTILINE)


def markdown(docstring: str, link: Callable[[str], str]) -> str:
    """A docstring, with fields for its sections.

    Args:
        docstring: The docstring.
        link: Makes a link of a name in backticks, or returns it as it is.
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
    """What comes before the sections."""
    return _blocks(SECTION.split(inspect.cleandoc(docstring))[0].strip())


def linked(text: str, link: Callable[[str], str]) -> str:
    """Text in which names in backticks are links, where there is a page of them."""
    return re.sub(r"(?<!`)`([\w.]+)`(?!`)", lambda found: link(found[1]), text)


def _blocks(text):
    """Paragraphs, with formulas in blocks of their own."""
    return re.sub(r"^\$\$[ \n](.*?)\s*\$\$", r"$$\n\1\n$$", text, flags=re.S | re.M)


def _own(body):
    """Divides what follows a title: what is indented, and what comes after it."""
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
    if title == "References":
        return "References:\n\n" + "\n".join(f"- {line}" for line in _entries(body))
    field = {"Args": "param", "Raises": "raises"}.get(title)
    if field is None:
        return f":returns: {linked(_joined(body), link)}"
    _, *entries = ENTRY.split("\n" + body)
    return "\n".join(
        f":{field} {name}: {linked(_joined(text), link)}".replace(
            "*", "\\*", name.count("*")
        )
        for name, text in zip(entries[::2], entries[1::2], strict=True)
    )


def _entries(body):
    """Lines, with those that go on indented."""
    return [_joined(entry) for entry in re.split(r"\n(?=\S)", body)]


def _joined(text):
    return " ".join(text.split())
