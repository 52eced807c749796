"""Rewrites notebooks: their code cells are one program; the rest does not change."""

import ast
import json
import re
import warnings
from typing import Any

from tfx_extras.migrate._names import UnreadableError
from tfx_extras.migrate._rewrite import Edit
from tfx_extras.migrate._rewrite import Finding
from tfx_extras.migrate._rewrite import apply
from tfx_extras.migrate._rewrite import examine

_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_LINE = re.compile(r"[^\n]*\n|[^\n]+")
# IPython's additions to Python: %magic, !command, name = !command, ?name, name?
_MAGIC = re.compile(r"[ \t]*(?:[%!?].*|[\w, ]+=[ \t]*[%!].*|[\w.]+\?+[ \t]*)\n?")
_PYTHON_CELL = re.compile(r"\s*%%(?:capture|prun|time|timeit)\b")
_CONCERNED = re.compile(r"tensorflow[-_]addons|\btfa\.|TF_USE_LEGACY_KERAS")


class _Located(str):
    """A string that knows its position in the file."""

    start: int
    end: int


def migrate(before: bytes) -> tuple[bytes, list[tuple[str, Finding]]]:
    """Returns the new notebook, and the findings, each with its cell and line."""
    try:
        text = before.decode()
        sources = [
            cell["source"]  # a list of lines, or one string
            for cell in _located(text)["cells"]
            if cell["cell_type"] == "code"
        ]
        codes = ["".join(source) for source in sources]
    except (ValueError, KeyError, TypeError, StopIteration) as error:
        raise UnreadableError(1, f"not a notebook: {error!r}") from error

    masked, findings = [], []
    for number, code in enumerate(codes, 1):
        python, hidden = _mask(code)
        masked.append(python)
        findings += [(f"cell {number}:{finding.line}", finding) for finding in hidden]
    edits, found = examine("\n".join(masked))

    changes = []
    start, line = 0, 1
    for number, python in enumerate(masked, 1):
        end, below = start + len(python.encode()), line + python.count("\n") + 1
        own = [
            Edit(edit.start - start, edit.end - start, edit.text)
            for edit in edits
            if start <= edit.start <= end
        ]
        if own:
            code = apply(codes[number - 1].encode(), own).decode()
            changes.append((sources[number - 1], code))
        findings += [
            (f"cell {number}:{finding.line - line + 1}", finding)
            for finding in found
            if line <= finding.line < below
        ]
        start, line = end + 1, below
    for source, code in reversed(changes):
        text = _replace(text, source, code)
    return text.encode(), findings


def _located(text: str) -> Any:
    """The value of the JSON `text`, in which each string is a `_Located`."""
    spans = (match.span() for match in _STRING.finditer(text))

    def locate(value: Any) -> Any:
        if isinstance(value, str):
            value = _Located(value)
            value.start, value.end = next(spans)
        elif isinstance(value, list):
            value = [locate(item) for item in value]
        elif isinstance(value, dict):
            value = {locate(key): locate(item) for key, item in value.items()}
        return value

    value = locate(json.loads(text))
    if next(spans, None):
        raise ValueError("a key occurs twice")
    return value


def _mask(code: str) -> tuple[str, list[Finding]]:
    """Masks what is not Python in the `code` of a cell. Its length in bytes stays."""
    if _parses(code):
        return code, []
    whole = code.lstrip().startswith("%%") and not _PYTHON_CELL.match(code)
    python, findings = _without_magic(code, whole)
    if not _parses(python):
        python, _ = _without_magic(code, True)
        findings = [Finding(1, "this cell is not Python")]
    return python, findings


def _without_magic(code: str, whole: bool) -> tuple[str, list[Finding]]:
    lines, findings = [], []
    for number, line in enumerate(_LINE.findall(code), 1):
        content = line.strip()
        if content and (whole or _MAGIC.fullmatch(line)):
            if _CONCERNED.search(line):
                text = f"{content}: only Python is rewritten"
                findings.append(Finding(number, text))
            indent = "" if whole else line[: line.index(content)]
            width = len(line.rstrip("\n").encode()) - len(indent)
            end = "\n" * line.endswith("\n")
            line = f"{indent}{0:<{width}}{end}"  # the block may hold nothing else
        lines.append(line)
    return "".join(lines), findings


def _parses(code: str) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def _replace(text: str, source: list[_Located] | _Located, code: str) -> str:
    """Writes `code` in place of `source`, formatted like the file."""
    ascii_only = text.isascii()
    if isinstance(source, _Located):
        token = json.dumps(code, ensure_ascii=ascii_only)
        return text[: source.start] + token + text[source.end :]
    first, last = source[0], source[-1]
    tokens = {line: text[line.start : line.end] for line in source}
    indent = re.search(r"\n[ \t]*\Z", text[: first.start])
    between = "," + (indent[0] if indent else "")
    if len(source) > 1:
        between = text[first.end : source[1].start]
    lines = [
        tokens.get(line) or json.dumps(line, ensure_ascii=ascii_only)
        for line in _LINE.findall(code)
    ]
    return text[: first.start] + between.join(lines) + text[last.end :]
