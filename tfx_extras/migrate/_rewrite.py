"""Finds what to change in a source that uses TensorFlow Addons, and what to report.

Only the places that change are replaced, in the text itself. All other bytes stay the
same.
"""

import re
from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

import libcst as cst
import libcst.matchers as m
from libcst.metadata import Scope

from tfx_extras.migrate._names import Import
from tfx_extras.migrate._names import Source
from tfx_extras.migrate._names import Use
from tfx_extras.migrate._names import imported
from tfx_extras.migrate._names import module
from tfx_extras.migrate._successors import elsewhere
from tfx_extras.migrate._successors import known
from tfx_extras.migrate._successors import note
from tfx_extras.migrate._successors import note_on_reduction
from tfx_extras.migrate._successors import successor

OLD = "tensorflow_addons"
NEW = "tfx_extras.tfa"

_UNUSED = "not used here"
# The package as a module or as a requirement.
_MENTIONED = re.compile(r"tensorflow[-_]addons(\.\w+)*\s*([=<>~!\[].*)?")


class Edit(NamedTuple):
    """Replaces bytes `start` to `end` of the UTF-8 source by `text`."""

    start: int
    end: int
    text: str


class Finding(NamedTuple):
    """Something to do by hand in a line, or only to know if not `by_hand`."""

    line: int
    text: str
    by_hand: bool = True


def examine(source: str) -> tuple[list[Edit], list[Finding]]:
    """Finds the edits that move `source` to `tfx_extras.tfa`, and what remains to do.

    Raises:
        UnreadableError: If it is not Python.
    """
    examination = _Examination(Source(source))
    examination.run()
    return sorted(set(examination.edits)), sorted(set(examination.findings))


def apply(source: bytes, edits: Iterable[Edit]) -> bytes:
    """Applies `edits`, which must not overlap."""
    for edit in sorted(edits, reverse=True):
        source = source[: edit.start] + edit.text.encode() + source[edit.end :]
    return source


def moves(path: str) -> bool:
    """Whether `tfx_extras.tfa` has the object that `path` names."""
    return path.split(".")[1:2] in (["losses"], ["optimizers"])


def _new(path: str) -> str:
    return NEW + path.removeprefix(OLD)


def _is_old(path: str) -> bool:
    return path.split(".")[0] == OLD


class _Examination:
    def __init__(self, source: Source):
        self.source = source
        self.edits: list[Edit] = []
        self.findings: list[Finding] = []

    def run(self) -> None:
        packages = defaultdict(list)
        for node in self.source.imports:
            for entry in imported(node):
                if not _is_old(entry.path):
                    self.foreign(entry)
                elif entry.base == OLD:
                    packages[self.source.scope(entry), entry.name].append(entry)
                elif moves(entry.path):
                    self.replace(entry.alias.name, _new(entry.path))
                    self.note(self.source.uses(entry))
                else:
                    self.leave(entry)
        for (scope, name), entries in packages.items():
            self.package(scope, name, entries)
        for node in self.source.from_imports:
            self.from_import(node)
        for node in self.source.strings:
            self.string(node)

    def package(self, scope: Scope, name: str, entries: list[Import]) -> None:
        """Moves imports of the package itself, whose uses may go to both packages.

        If all uses move, the imports move too. If not, they stay for the uses that do
        not move, and a second import next to them serves the others.
        """
        uses = list(dict.fromkeys(u for e in entries for u in self.source.uses(e)))
        moving = [use for use in uses if moves(use.path)]
        left = [use for use in uses if not moves(use.path)]
        if named := all(entry.alias.asname for entry in entries):
            left = [use for use in left if not self.is_guard(use)]
        if named and not left:
            for entry in entries:
                self.rename(entry)
            self.note(moving)
            return

        # A use is renamed only if the meaning of its name is certain.
        statements = {entry.statement for entry in entries}
        certain = (
            {getattr(a, "node", None) for a in scope.assignments[name]} == statements
            and all(self.source.scopes[node] is scope for node in statements)
            and (named or not any(entry.alias.asname for entry in entries))
            and (named or "tfx_extras" not in self.source.shadowed)
        )
        stuck = [u for u in moving if not certain or not isinstance(u.node, cst.Name)]
        moving = [use for use in moving if use not in stuck]
        for use in left:
            self.find(use.node, f"{use.path}: {successor(use.path)}")
        for use in stuck:
            self.find(use.node, f"{use.path}: use {_new(use.path)}")
        others = [e for e in entries if e.path != OLD and not moves(e.path)]
        if not (left or stuck):
            for entry in others:
                self.find(entry.alias, f"{entry.path}: {_UNUSED}")
        stays = bool(left or stuck or others)
        if stays and not moving:
            return

        new = self.free_name() if named else NEW
        for use in moving:
            self.replace(use.node, new)
        self.note(moving)
        blocks = set()
        for entry in entries:
            block = self.source.block(entry.statement)
            if not stays:
                self.replace(entry.alias.name, _new(entry.path))
            elif block not in blocks:
                blocks.add(block)
                line = _from_import(new) if named else f"import {NEW}"
                self.insert_before(entry.statement, line)

    def is_guard(self, use: Use) -> bool:
        """Whether a use only asks if the import succeeded: `tfa is None`."""
        is_none = m.ComparisonTarget(m.Is() | m.IsNot(), comparator=m.Name("None"))
        guard = m.Comparison(left=m.Name(), comparisons=[is_none])
        return m.matches(self.source.parents[use.node], guard)

    def rename(self, entry: Import) -> None:
        """Imports `tfx_extras.tfa` instead of the package, under the same name."""
        if len(list(imported(entry.statement))) == 1:
            self.replace(entry.statement, _from_import(entry.name))
        else:
            self.replace(entry.alias.name, NEW)

    def free_name(self) -> str:
        """A name for `tfx_extras.tfa` that this file does not bind yet."""
        names = ["tfa", "tfx_tfa", *(f"tfx_tfa_{i}" for i in range(2, 99))]
        return next(name for name in names if name not in self.source.bound)

    def from_import(self, node: cst.ImportFrom) -> None:
        base = module(node)
        if node.module is None or not _is_old(base):
            for entry in imported(node):
                self.foreign(entry)
            return
        if isinstance(node.names, cst.ImportStar) and not moves(base):
            self.find(node, f"{base}.*: import the names that are used")
            return
        entries = list(imported(node))
        moving = [entry for entry in entries if moves(entry.path)]
        left = [entry for entry in entries if not moves(entry.path)]
        for entry in left:
            self.leave(entry)
        for entry in moving:
            self.note(self.source.uses(entry))
        if not left:
            self.replace(node.module, _new(base))
        elif moving:
            part = self.part(node, moving).replace(base, _new(base), 1)
            self.insert_before(node, part)
            self.replace(node, self.part(node, left))

    def part(self, node: cst.ImportFrom, entries: list[Import]) -> str:
        """The code of a `from` import with some of its names, including comments."""
        names = [entry.alias for entry in entries]
        if not node.lpar:
            names[-1] = names[-1].with_changes(comma=cst.MaybeSentinel.DEFAULT)
        return self.source.module.code_for_node(node.with_changes(names=names))

    def leave(self, entry: Import) -> None:
        """Reports what cannot move: an object at its import, a module at its uses."""
        uses = self.source.uses(entry)
        if known(entry.path):
            uses = [Use(entry.alias, entry.path)]
        for use in uses:
            self.find(use.node, f"{use.path}: {successor(use.path)}")
        if not uses:
            self.find(entry.alias, f"{entry.path}: {_UNUSED}")

    def foreign(self, entry: Import) -> None:
        """Reports what does not work with Keras 3 in TensorFlow and Keras."""
        uses = self.source.uses(entry)
        if elsewhere(entry.path):
            uses = [Use(entry.alias, entry.path)]
        for use in uses:
            if text := elsewhere(use.path):
                self.find(use.node, f"{use.path}: {text}")
        self.note([use for use in uses if use.path.startswith(f"{NEW}.")])

    def string(self, node: cst.SimpleString) -> None:
        value = node.raw_value
        if _MENTIONED.fullmatch(value):
            self.find(node, f"{node.value}: strings are not rewritten")
        elif re.fullmatch(r"[\w.=]+", value) and (text := elsewhere(value)):
            self.find(node, f"{node.value}: {text}")

    def note(self, uses: list[Use]) -> None:
        """Reports notes on objects that move."""
        for use in uses:
            text = note(use.path)
            if text is None and self.is_called_without(use, "reduction", place=3):
                text = note_on_reduction(use.path)
            if text:
                self.find(use.node, f"{use.path}: {text}", by_hand=False)

    def is_called_without(self, use: Use, argument: str, place: int) -> bool:
        """Whether a use is a call that leaves out `argument`, the one at `place`.

        `*` and `**` may contain the argument, so they count as if they did.
        """
        node = use.node
        while isinstance(self.source.parents[node], cst.Attribute):
            node = self.source.parents[node]
        call = self.source.parents[node]
        if not (isinstance(call, cst.Call) and call.func is node):
            return False
        positional = [arg for arg in call.args if arg.keyword is None]
        named = [arg.keyword.value for arg in call.args if arg.keyword]
        is_open = any(arg.star for arg in call.args)
        return not (is_open or argument in named or len(positional) > place)

    def find(self, node: cst.CSTNode, text: str, by_hand: bool = True) -> None:
        start, _ = self.source.span(node)
        line = len(re.findall(rb"\r\n?|\n", self.source.data[:start])) + 1
        self.findings.append(Finding(line, text, by_hand))

    def replace(self, node: cst.CSTNode, text: str) -> None:
        self.edits.append(Edit(*self.source.span(node), text))

    def insert_before(self, statement: cst.CSTNode, text: str) -> None:
        """Inserts the statement `text`, on its own line if `statement` has one."""
        start, _ = self.source.span(statement)
        indent = re.search(rb"(?:\A|[\r\n])([ \t]*)\Z", self.source.data[:start])
        joint = "; "
        if indent:
            joint = self.source.module.default_newline + indent[1].decode()
        self.edits.append(Edit(start, start, text + joint))


def _from_import(name: str) -> str:
    return "from tfx_extras import tfa" + f" as {name}" * (name != "tfa")
