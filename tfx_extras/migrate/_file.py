"""Rewrites one file: its bytes before and after, and the findings about it."""

import io
import re
import tokenize
from pathlib import Path
from typing import NamedTuple

from tfx_extras.migrate import _notebook
from tfx_extras.migrate._names import UnreadableError
from tfx_extras.migrate._rewrite import Finding
from tfx_extras.migrate._rewrite import apply
from tfx_extras.migrate._rewrite import examine

# Files without a match need not be parsed.
_CONCERNED = re.compile(rb"tensorflow[-_]addons|tfx_extras|TF_USE_LEGACY_KERAS")


class Result(NamedTuple):
    """The bytes of a file before and after, and its findings, each with its place."""

    before: bytes
    after: bytes
    findings: list[tuple[str, Finding]]


def migrate(path: Path) -> Result:
    """Returns what `path` would become. Writes nothing."""
    before = b""
    try:
        before = path.read_bytes()
        if not _CONCERNED.search(before):
            return Result(before, before, [])
        if path.suffix == ".ipynb":
            after, findings = _notebook.migrate(before)
        else:
            after, findings = _script(before)
    except OSError as error:
        after, findings = before, [("1", Finding(1, f"cannot be read: {error}"))]
    except UnreadableError as error:
        finding = Finding(error.line, error.text)
        after, findings = before, [(str(error.line), finding)]
    return Result(before, after, [(f"{path}:{place}", f) for place, f in findings])


def _script(before: bytes) -> tuple[bytes, list[tuple[str, Finding]]]:
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(before).readline)
        source = before.decode(encoding)
    except (SyntaxError, UnicodeDecodeError) as error:
        raise UnreadableError(1, f"cannot be decoded: {error}") from error
    if source.encode(encoding) != before:
        raise UnreadableError(1, f"cannot be encoded in {encoding} as it was")
    edits, findings = examine(source)
    after = apply(source.encode(), edits).decode().encode(encoding)
    return after, [(str(finding.line), finding) for finding in findings]
