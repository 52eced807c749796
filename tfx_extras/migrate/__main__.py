"""The command line: `python -m tfx_extras.migrate PATH...`."""

import argparse
import difflib
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

_DESCRIPTION = """
Rewrites code from tensorflow_addons to tfx_extras.tfa.

Losses and optimizers are moved. The tool prints a diff of each file, and changes files
only with --write. Then it lists, by file and line, what to change by hand, with the
replacement, and notes. Folders are searched for .py and .ipynb files, except hidden
folders and virtual environments.
"""
_STATUS = """
exit status:
  0  nothing is left to do
  1  something is left: a diff that is not written, or changes by hand
  2  wrong usage, or libcst is not installed
"""
_MISSING = 'The tool needs libcst. Install it by: pip install "tfx-extras[migrate]"'


def main(arguments: list[str] | None = None) -> int:
    """Runs the tool and returns its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m tfx_extras.migrate",
        description=_DESCRIPTION,
        epilog=_STATUS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("paths", metavar="PATH", nargs="+", type=Path)
    parser.add_argument("--write", action="store_true", help="change the files")
    options = parser.parse_args(arguments)
    for path in options.paths:
        if not path.exists():
            parser.error(f"no such file or folder: {path}")
    try:
        from tfx_extras.migrate._file import migrate
    except ModuleNotFoundError as error:
        if error.name != "libcst":
            raise
        parser.exit(2, f"{_MISSING}\n")

    changed = left = 0
    for path in dict.fromkeys(file for root in options.paths for file in files(root)):
        result = migrate(path)
        if result.after != result.before:
            changed += 1
            if options.write:
                path.write_bytes(result.after)
                result = migrate(path)  # line numbers of the new file
            else:
                sys.stdout.buffer.write(diff(path, result.before, result.after))
                sys.stdout.buffer.flush()
        for place, finding in result.findings:
            left += finding.by_hand
            note = "" if finding.by_hand else "note: "
            print(f"{place}: {note}{finding.text}", flush=True)
    state = "changed" if options.write else "to change with --write"
    print(f"files {state}: {changed}; places to change by hand: {left}")
    return int(left > 0 or (changed > 0 and not options.write))


def files(root: Path) -> Iterator[Path]:
    """All Python files and notebooks in `root`, or `root` itself if it is a file."""
    if not root.is_dir():
        yield root
        return
    failed = []
    for folder, folders, names in os.walk(root, onerror=failed.append):
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".") and not is_environment(Path(folder, name))
        )
        for name in sorted(names):
            if name.endswith((".py", ".ipynb")):
                yield Path(folder, name)
    yield from (
        Path(error.filename) for error in failed
    )  # reading them fails again, which is reported


def is_environment(folder: Path) -> bool:
    """Whether `folder` holds installed packages."""
    markers = ["pyvenv.cfg", "conda-meta"]
    return folder.name == "site-packages" or any(
        (folder / marker).exists() for marker in markers
    )


def diff(path: Path, before: bytes, after: bytes) -> bytes:
    """A unified diff that `patch -p0` accepts."""
    name = str(path).encode()
    old, new = (re.findall(rb"[^\n]*\n|[^\n]+", x) for x in (before, after))
    lines = difflib.diff_bytes(difflib.unified_diff, old, new, name, name)
    return b"".join(
        line if line.endswith(b"\n") else line + b"\n\\ No newline at end of file\n"
        for line in lines
    )


if __name__ == "__main__":
    sys.exit(main())
