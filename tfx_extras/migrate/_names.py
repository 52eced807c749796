"""Resolves the names in a source: imports and, by their scopes, uses of them."""

import ast
import re
import warnings
from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

import libcst as cst
from libcst import metadata
from libcst.helpers import get_full_name_for_node


class UnreadableError(Exception):
    """Raised if a file cannot be analyzed, with the line and the reason."""

    def __init__(self, line: int, text: str):
        super().__init__(line, text)
        self.line = line
        self.text = text


class Import(NamedTuple):
    """One name of an import statement: its full `path`, and the `name` it binds."""

    statement: cst.Import | cst.ImportFrom
    alias: cst.ImportAlias
    path: str
    name: str

    @property
    def base(self) -> str:
        """The path that `name` stands for: `import a.b` binds `a`."""
        whole = isinstance(self.statement, cst.ImportFrom) or self.alias.asname
        return self.path if whole else self.name


class Use(NamedTuple):
    """A use of an imported name, and its path with the attributes accessed on it."""

    node: cst.CSTNode
    path: str


class Source(cst.CSTVisitor):
    """A parsed source with its imports, strings and scopes."""

    def __init__(self, source: str):
        """Raises `UnreadableError` if the source is not Python."""
        self.imports: list[cst.Import] = []
        self.from_imports: list[cst.ImportFrom] = []
        self.strings: list[cst.SimpleString] = []
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # about odd code that parses
                ast.parse(source)  # its errors are more precise than those of libcst
            self.data = source.encode()
            self.module = cst.parse_module(source)
            wrapper = metadata.MetadataWrapper(self.module, unsafe_skip_copy=True)
            self.scopes = wrapper.resolve(metadata.ScopeProvider)
            self.parents = wrapper.resolve(metadata.ParentNodeProvider)
            self._spans = wrapper.resolve(metadata.ByteSpanPositionProvider)
            self.module.visit(self)
        except SyntaxError as error:
            text = f"not Python 3: {error.msg}"
            raise UnreadableError(error.lineno or 1, text) from error
        except (
            cst.ParserSyntaxError,
            RecursionError,
            MemoryError,
            ValueError,
        ) as error:
            text = f"cannot be analyzed: {type(error).__name__}"
            raise UnreadableError(1, text) from error
        if self.module.code != source:  # libcst lost something, so positions are wrong
            text = "cannot be analyzed: odd white space or line ends"
            raise UnreadableError(1, text)

        self.bound: set[str] = set()
        self.shadowed: set[str] = set()  # bound by something other than imports
        self._assignments = defaultdict(list)
        for scope in {scope for scope in self.scopes.values() if scope}:
            for assignment in scope.assignments:
                name = assignment.name.split(".")[0]
                self.bound.add(name)
                if isinstance(assignment, metadata.ImportAssignment):
                    self._assignments[assignment.node, name].append(assignment)
                else:
                    self.shadowed.add(name)

    def visit_Import(self, node: cst.Import) -> None:  # noqa: N802
        self.imports.append(node)

    def visit_ImportFrom(self, node: cst.ImportFrom) -> None:  # noqa: N802
        self.from_imports.append(node)

    def visit_SimpleString(self, node: cst.SimpleString) -> None:  # noqa: N802
        self.strings.append(node)

    def span(self, node: cst.CSTNode) -> tuple[int, int]:
        """The first byte of `node`, and the byte after its last."""
        span = self._spans[node]
        return span.start, span.start + span.length

    def block(self, statement: cst.CSTNode) -> cst.CSTNode:
        """The block that contains `statement` and its neighbors."""
        return self.parents[self.parents[statement]]

    def scope(self, entry: Import) -> metadata.Scope:
        """The scope in which the import binds its name, which `global` may change."""
        return self._assignments[entry.statement, entry.name][0].scope

    def uses(self, entry: Import) -> list[Use]:
        """All uses of the name that `entry` binds."""
        uses = {}
        for assignment in self._assignments[entry.statement, entry.name]:
            for access in assignment.references:
                # A function that binds a name never sees an outer one. For uses before
                # the binding, libcst reports the outer one.
                if (
                    isinstance(access.scope, metadata.FunctionScope)
                    and access.scope is not assignment.scope
                    and access.scope.assignments[entry.name]
                ):
                    continue
                node = access.node
                if isinstance(node, cst.SimpleString):  # an annotation
                    pattern = rf"\b{re.escape(entry.name)}\b((?:\.\w+)*)"
                    for found in re.finditer(pattern, node.raw_value):
                        uses[node, found.start()] = Use(node, entry.base + found[1])
                else:
                    while isinstance(node, cst.Attribute):
                        node = node.value
                    uses[node, 0] = Use(node, entry.base + self._attributes(node))
        return list(uses.values())

    def _attributes(self, node: cst.CSTNode) -> str:
        parent = self.parents[node]
        if isinstance(parent, cst.Attribute):
            return f".{parent.attr.value}" + self._attributes(parent)
        return ""


def imported(node: cst.Import | cst.ImportFrom) -> Iterator[Import]:
    """The names of an import statement, except `*`."""
    base = module(node) + "." if isinstance(node, cst.ImportFrom) else ""
    for alias in () if isinstance(node.names, cst.ImportStar) else node.names:
        name = alias.evaluated_alias or alias.evaluated_name.split(".")[0]
        yield Import(node, alias, base + alias.evaluated_name, name)


def module(node: cst.ImportFrom) -> str:
    """The module that names are imported from, or an empty string if it is relative."""
    if node.relative or node.module is None:
        return ""
    return get_full_name_for_node(node.module) or ""
