"""The rules of the project that one module's source shows: each gives its violations."""

import ast
import io
import re
import tokenize
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

MAX_FUNCTION_LINES = 60
MAX_MODULE_LINES = 700

_FORBIDDEN_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "misc"}
_SQL_CALLS = {"execute", "executemany", "copy"}
_SQL_ROOMS = re.compile(
    r"mcp_memory/(postgres/|transfer/|memory/|search/(routes|query|usage|context|prompt)\.py"
    r"|vectors/(spaces|queue|reindex|word_counts)\.py)"
)
_DDL_ROOMS = re.compile(r"mcp_memory/postgres/")
# At the start of a text: a sentence may say `run ALTER EXTENSION …` further on.
_SQL_TEXT = re.compile(
    r"\s*(SELECT\s|WITH\s+\S+\s+AS\s|INSERT\s+INTO\s|UPDATE\s+\S+\s+SET\s|DELETE\s+FROM\s"
    r"|TRUNCATE\s|GRANT\s|(CREATE|ALTER|DROP)\s+[A-Z]{4,}\s|SET\s+(LOCAL|ROLE|SESSION)\s)"
)
_DDL_TEXT = re.compile(
    r"\b(CREATE\s+(UNLOGGED\s+)?TABLE|ALTER\s+TABLE|CREATE\s+POLICY|CREATE\s+(UNIQUE\s+)?INDEX)\b"
)
# Tokens are read of the few modules alone that have one.
_EXEMPTION = re.compile(r"#\s*(noqa|pyright:|type:)", re.IGNORECASE)
_NOQA = re.compile(r"#\s*noqa\b", re.IGNORECASE)
_NOQA_WITH_REASON = re.compile(r"#\s*noqa: [A-Z]+\d+(, [A-Z]+\d+)*\s+\W*\w.{7,}")
_PYRIGHT = re.compile(r"#\s*pyright:")
_PYRIGHT_WITH_REASON = re.compile(r"#\s*pyright: ignore\[\w+(, \w+)*\]\s+\W*\w.{7,}")
_TYPE_IGNORE = re.compile(r"#\s*type:\s*ignore")


@dataclass(frozen=True, slots=True)
class Source:
    """A module: its path from the root of the repository, its text, and its tree."""

    path: str
    text: str
    tree: ast.Module

    @classmethod
    def of(cls, path: str, text: str) -> Self:
        """The module that this text is."""
        return cls(path, text, ast.parse(text, path))

    def at(self, node: ast.expr | ast.stmt, complaint: str) -> str:
        """A complaint with its place, as editors understand it."""
        return f"{self.path}:{node.lineno}: {complaint}"


Rule = Callable[[Source], Iterator[str]]


def sources(root: Path, *folders: str) -> list[Source]:
    """The modules below some folders of the repository."""
    files = sorted(file for folder in folders for file in (root / folder).rglob("*.py"))
    return [
        Source.of(file.relative_to(root).as_posix(), file.read_text(encoding="utf-8"))
        for file in files
    ]


def long_functions(source: Source) -> Iterator[str]:
    """Functions of more than sixty lines."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > MAX_FUNCTION_LINES:
                yield source.at(node, f"{node.name} has {lines} lines")


def long_modules(source: Source) -> Iterator[str]:
    """Modules of more than seven hundred lines."""
    lines = source.text.count("\n")
    if lines > MAX_MODULE_LINES:
        yield f"{source.path}: {lines} lines"


def vague_names(source: Source) -> Iterator[str]:
    """Modules and folders named for nothing in particular."""
    vague = _FORBIDDEN_NAMES & set(Path(source.path).with_suffix("").parts)
    yield from (f"{source.path}: {name} says nothing" for name in sorted(vague))


def silent_modules(source: Source) -> Iterator[str]:
    """Modules whose first words are not a sentence; an empty one may be silent in tests."""
    if not source.text.strip() and source.path.startswith("tests/"):
        return
    opening = (ast.get_docstring(source.tree) or "").split("\n\n")[0]
    if not opening.rstrip().endswith((".", "?", ":")):
        yield f"{source.path}: does not open with a sentence"


def silent_classes(source: Source) -> Iterator[str]:
    """Public classes without a docstring."""
    for node in source.tree.body:
        match node:
            case ast.ClassDef(name=name) if name[0] != "_" and not ast.get_docstring(node):
                yield source.at(node, f"class {name} has no docstring")
            case _:
                pass


def unexplained_exemptions(source: Source) -> Iterator[str]:
    """Comments that silence a checker without naming the rule and the reason."""
    if not _EXEMPTION.search(source.text):
        return
    for token in tokenize.generate_tokens(io.StringIO(source.text).readline):
        if token.type == tokenize.COMMENT and _is_unexplained(token.string):
            yield f"{source.path}:{token.start[0]}: {token.string}"


def _is_unexplained(comment: str) -> bool:
    return bool(
        _TYPE_IGNORE.search(comment)
        or (_NOQA.search(comment) and not _NOQA_WITH_REASON.search(comment))
        or (_PYRIGHT.search(comment) and not _PYRIGHT_WITH_REASON.search(comment))
    )


def stray_statements(source: Source) -> Iterator[str]:
    """Statements sent to a database from a module that is no store."""
    if _SQL_ROOMS.match(source.path):
        return
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call) and _sends_sql(node):
            yield source.at(node, "talks to a database, but is no store")


def _sends_sql(call: ast.Call) -> bool:
    """`x.execute(…)` and its kin; a list's `copy()` has no argument, shutil copies files."""
    function = call.func
    if not isinstance(function, ast.Attribute) or function.attr not in _SQL_CALLS:
        return False
    is_shutil = isinstance(function.value, ast.Name) and function.value.id == "shutil"
    return function.attr != "copy" or (bool(call.args) and not is_shutil)


def composed_sql(source: Source) -> Iterator[str]:
    """Statements put together from strings: f"…", "…" % x, "…".format(x), "…" + x."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.expr) and _SQL_TEXT.match(_composed_text(node)):
            yield source.at(node, "SQL is composed from strings")


def _composed_text(node: ast.expr) -> str:
    """The constant part of a string that is composed at run time, else nothing."""
    match node:
        case ast.JoinedStr(values) if any(isinstance(v, ast.FormattedValue) for v in values):
            return "".join(_constant_text(value) or "{}" for value in values)
        case ast.BinOp(left, ast.Mod() | ast.Add(), right):
            return _constant_text(left) + _constant_text(right)
        case ast.Call(func=ast.Attribute(value=receiver, attr="format")):
            return _constant_text(receiver)
        case _:
            return ""


def _constant_text(node: ast.expr) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def stray_ddl(source: Source) -> Iterator[str]:
    """Definitions of tables, indexes and policies outside migrations and db."""
    if _DDL_ROOMS.match(source.path):
        return
    docstrings = set(_docstring_nodes(source.tree))
    for node in ast.walk(source.tree):
        match node:
            case ast.Constant(value=str() as text) if node not in docstrings:
                if _DDL_TEXT.search(text):
                    yield source.at(node, "defines something in the database")
            case _:
                pass


def _docstring_nodes(tree: ast.Module) -> Iterator[ast.Constant]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield node.value
