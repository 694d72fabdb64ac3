"""What our texts tell people to install is ours, or something that we depend on."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

ROOT = Path(__file__).parents[1]
DISTRIBUTION = "mcp-memory-postgres"
STRANGER = "mcp-memory"
PARTS = ("mcp_memory", "benchmarks", "lab", "docs", "migrations", ".ci")
SUFFIXES = {"", ".py", ".md", ".sql", ".json", ".toml", ".yaml"}

_COMMAND = re.compile(
    r"\b(?:pip3? install|uv add|uv tool (?:install|run)|pipx (?:install|run)|uvx)\b"
    r"(?P<rest>[^`;&|)]*)"
)
_PLACEHOLDER = re.compile(r"\{[^}]*\}")
_OPTION = re.compile(r"\s--?[\w-]+(?:=\S*)?")
_TAKES_A_VALUE = re.compile(r"\s(?:--group|-r|--requirement|--python)\s+\S+")
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*")


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _packages(text: str) -> Iterator[str]:
    """The names of packages in the commands of a text that install something."""
    for match in _COMMAND.finditer(text):
        line = match["rest"].split("\n")[0].split('"')[0].split(", ")[0]
        words = _OPTION.sub("", _TAKES_A_VALUE.sub("", _PLACEHOLDER.sub("", line))).split()
        names = (_NAME.match(word.strip("'\",")) for word in words)
        yield from (_canonical(name[0]) for name in names if name)


def _ours() -> set[str]:
    """This distribution, and everything that pyproject.toml asks for."""
    pyproject = cast("dict[str, object]", tomllib.loads((ROOT / "pyproject.toml").read_text()))
    project = cast("dict[str, object]", pyproject["project"])
    extras = cast("dict[str, list[str]]", project["optional-dependencies"])
    lines = [*cast("list[str]", project["dependencies"]), *(x for e in extras.values() for x in e)]
    found = (_NAME.match(line) for line in lines)
    return {DISTRIBUTION, *(_canonical(name[0]) for name in found if name)}


def _texts() -> Iterator[Path]:
    files = (file for part in PARTS for file in (ROOT / part).rglob("*"))
    yield from (file for file in files if file.is_file() and file.suffix in SUFFIXES)
    yield from (ROOT / name for name in ("CHANGELOG.md", "Dockerfile", "compose.yaml"))
    if (ROOT / "docs").exists():
        yield ROOT / "README.md"


def test_the_distribution_is_the_one_that_is_ours() -> None:
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert pyproject["project"]["name"] == DISTRIBUTION


def test_no_text_of_ours_names_a_package_of_a_stranger() -> None:
    ours = _ours()
    assert STRANGER not in ours
    foreign = [
        f"{file.relative_to(ROOT)}: {name}"
        for file in _texts()
        for name in _packages(file.read_text("utf-8"))
        if name not in ours
    ]
    assert foreign == []


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("pip install 'mcp-memory[local]' && mcp-memory demo", ["mcp-memory"]),
        ("Run: .venv/bin/pip install -q -e '.[local,test]'", []),
        ("`pip install --group dev Some_Thing>=3`, then", ["some-thing"]),
        ("uvx mcp-memory", ["mcp-memory"]),
        ('f"{sys.executable} -m pip install {names}"', []),
        ("the program that `pip install` put on your path", []),
    ],
)
def test_the_packages_of_a_command_are_seen(text: str, names: list[str]) -> None:
    assert list(_packages(text)) == names
