"""The project's rules: what the style guide demands and a test can check."""

import inspect
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import get_type_hints

import pytest

from mcp_memory import errors
from mcp_memory.errors import McpMemoryError
from tests.lint_rules import (
    MAX_FUNCTION_LINES,
    MAX_MODULE_LINES,
    Rule,
    Source,
    composed_sql,
    long_functions,
    long_modules,
    silent_classes,
    silent_modules,
    sources,
    stray_ddl,
    stray_statements,
    unexplained_exemptions,
    vague_names,
)

ROOT = Path(__file__).parents[1]
MIGRATIONS = ROOT / "migrations"
TEXT = '"""A module."""\n'

EVERYWHERE: list[Rule] = [
    long_functions,
    long_modules,
    vague_names,
    silent_modules,
    unexplained_exemptions,
]
IN_THE_PACKAGE: list[Rule] = [silent_classes, stray_statements, composed_sql, stray_ddl]


# One test for all rules: as several, each of pytest's processes would parse every file.
def test_the_sources_keep_every_rule() -> None:
    package, beside = sources(ROOT, "mcp_memory"), sources(ROOT, "tests", "benchmarks", "lab")
    assert [*_complaints(EVERYWHERE, package + beside), *_complaints(IN_THE_PACKAGE, package)] == []


def _complaints(rules: Sequence[Rule], modules: Sequence[Source]) -> list[str]:
    return [
        f"{rule.__name__}: {complaint}"
        for rule in rules
        for module in modules
        for complaint in rule(module)
    ]


@pytest.mark.parametrize(
    ("rule", "path", "text"),
    [
        (long_functions, "a.py", "def f():\n" + "    x = 1\n" * MAX_FUNCTION_LINES),
        (long_functions, "a.py", "async def f():\n" + "    x = 1\n" * MAX_FUNCTION_LINES),
        (long_modules, "a.py", "x = 1\n" * (MAX_MODULE_LINES + 1)),
        (vague_names, "mcp_memory/utils.py", TEXT),
        (vague_names, "mcp_memory/common/words.py", TEXT),
        (silent_modules, "mcp_memory/__init__.py", ""),
        (silent_modules, "tests/a.py", "x = 1\n"),
        (silent_modules, "a.py", '"""words without an end"""\n'),
        (silent_classes, "a.py", "class Memory:\n    x = 1\n"),
        (unexplained_exemptions, "a.py", "x = 1  # type: " + "ignore\n"),
        (unexplained_exemptions, "a.py", "x = 1  # no" + "qa\n"),
        (unexplained_exemptions, "a.py", "x = 1  # no" + "qa: E501\n"),
        (unexplained_exemptions, "a.py", "x = 1  # py" + "right: ignore\n"),
        (unexplained_exemptions, "a.py", "x = 1  # py" + "right: ignore[reportAny]\n"),
        (unexplained_exemptions, "a.py", "# py" + "right: basic\n"),
        (stray_statements, "mcp_memory/interfaces/hooks.py", "conn.execute(READ)\n"),
        (stray_statements, "mcp_memory/app.py", "cursor.executemany(READ, rows)\n"),
        (stray_statements, "mcp_memory/search/store_room.py", "cursor.copy(READ)\n"),
        (composed_sql, "mcp_memory/postgres/a.py", 'f"SELECT {column} FROM memories"\n'),
        (composed_sql, "mcp_memory/postgres/a.py", '"DELETE FROM %s" % table\n'),
        (composed_sql, "mcp_memory/postgres/a.py", '"INSERT INTO {} ".format(table)\n'),
        (composed_sql, "mcp_memory/postgres/a.py", '"DROP DATABASE " + name\n'),
        (composed_sql, "mcp_memory/postgres/a.py", 'sql.SQL(f"SET LOCAL ROLE {role}")\n'),
        (stray_ddl, "mcp_memory/vectors/a.py", 'X = "CREATE  INDEX ON memories (id)"\n'),
        (stray_ddl, "mcp_memory/store.py", 'X = """\nALTER TABLE memories ADD x int"""\n'),
    ],
)
def test_a_rule_notices_what_it_forbids(rule: Rule, path: str, text: str) -> None:
    assert len(list(rule(Source.of(path, text)))) == 1


@pytest.mark.parametrize(
    ("rule", "path", "text"),
    [
        (long_functions, "a.py", "def f():\n" + "    x = 1\n" * (MAX_FUNCTION_LINES - 1)),
        (silent_modules, "tests/__init__.py", ""),
        (silent_classes, "a.py", "class _Draft:\n    x = 1\n"),
        (unexplained_exemptions, "a.py", "x = 1  # no" + "qa: E501 - a pinned address\n"),
        (unexplained_exemptions, "a.py", "x  # py" + "right: ignore[reportAny] untyped wheel\n"),
        (stray_statements, "mcp_memory/memory/documents/store.py", "conn.execute(READ)\n"),
        (stray_statements, "mcp_memory/memory/audit.py", "conn.execute(READ)\n"),
        (stray_statements, "mcp_memory/a.py", "names.copy()\nshutil.copy(a, b)\n"),
        (composed_sql, "mcp_memory/postgres/a.py", 'sql.SQL("SELECT {} FROM m").format(name)\n'),
        (composed_sql, "mcp_memory/a.py", 'f"Select one of {names}"\n'),
        (composed_sql, "mcp_memory/a.py", 'f"{name} is old: run ALTER EXTENSION vector UPDATE"\n'),
        (stray_ddl, "mcp_memory/postgres/a.py", 'X = "CREATE INDEX ON memories (id)"\n'),
        (stray_ddl, "mcp_memory/a.py", '"""Explains CREATE TABLE."""\n'),
    ],
)
def test_a_rule_lets_pass_what_it_allows(rule: Rule, path: str, text: str) -> None:
    assert list(rule(Source.of(path, text))) == []


@pytest.mark.slow
def test_imports_point_down() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def _error_classes(root: type[McpMemoryError] = McpMemoryError) -> Iterator[type[McpMemoryError]]:
    yield root
    for below in root.__subclasses__():
        yield from _error_classes(below)


ERRORS = list(_error_classes())


def test_the_tree_of_errors_is_drawn_as_it_is() -> None:
    drawn = re.findall(r"^((?:[│├└─ ]{4})*)(\w+)$", errors.__doc__ or "", re.MULTILINE)
    path: list[str] = []
    parents: dict[str, str | None] = {}
    for indent, name in drawn:
        path = [*path[: len(indent) // 4], name]
        parents[name] = path[-2] if len(path) > 1 else None
    real: dict[str, str | None] = {e.__name__: e.__base__.__name__ for e in ERRORS if e.__base__}
    assert parents == real | {McpMemoryError.__name__: None}


def test_every_error_is_defined_where_the_tree_is_drawn() -> None:
    assert {error.__module__ for error in ERRORS} == {errors.__name__}


def test_every_error_has_a_status_and_a_docstring() -> None:
    assert [error for error in ERRORS if not (400 <= error.status <= 599 and error.__doc__)] == []


_SAMPLES: dict[str, object] = {
    "str": "sample",
    "int": 7,
    "float": 7.5,
    "bool": True,
    "Sequence": ["first", "second"],
    "Mapping": {"first": 7},
    "list": ["first", "second"],
    "datetime": "2026-01-01",
}


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.__name__)
def test_an_error_composes_its_sentence_and_keeps_its_facts(error: type[McpMemoryError]) -> None:
    if error.__init__ is Exception.__init__:
        assert str(error("sample")) == "sample"
        return
    hints = get_type_hints(error.__init__)
    facts = {
        name: _sample(hints[name])
        for name, parameter in inspect.signature(error).parameters.items()
        if parameter.default is inspect.Parameter.empty
    }
    raised = error(**facts)
    assert {name: getattr(raised, name) for name in facts} == facts
    assert [
        fact for fact in facts.values() if isinstance(fact, str) and fact not in str(raised)
    ] == []


def _sample(hint: object) -> object:
    name = re.sub(r"^(?:.*\.)?(\w+)\[.*$", r"\1", str(hint))
    return _SAMPLES[getattr(hint, "__name__", name)]


def test_migrations_come_in_numbered_pairs_that_say_why() -> None:
    names = sorted(file.name for file in MIGRATIONS.glob("*.sql"))
    ups = [re.fullmatch(r"(\d{4})_([a-z0-9_]+)\.up\.sql", name) for name in names]
    numbers = [int(up[1]) for up in ups if up]
    assert numbers == list(range(20, 20 + len(numbers)))
    assert names == sorted(
        f"{up[1]}_{up[2]}.{way}.sql" for up in ups if up for way in ("up", "down")
    )
    ups_only = [name for name in names if name.endswith(".up.sql")]
    silent = [
        name for name in ups_only if not (MIGRATIONS / name).read_text("utf-8").startswith("--")
    ]
    assert silent == []


def test_no_line_of_a_sql_function_is_wider_than_those_of_the_package() -> None:
    wide = [
        f"{file.name}:{number}"
        for file in sorted((MIGRATIONS / "functions").glob("*.sql"))
        for number, line in enumerate(file.read_text("utf-8").splitlines(), start=1)
        if len(line) > 100
    ]
    assert wide == []


def test_sql_files_lie_among_the_migrations_alone() -> None:
    folders = [ROOT / name for name in ("mcp_memory", "tests", "benchmarks")]
    assert [file for folder in folders for file in folder.rglob("*.sql")] == []
